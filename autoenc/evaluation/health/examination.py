"""The health of a trained model: dead, saturated and collapsed parts, as numbers and as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoenc.devices import Device
from autoenc.evaluation.batches import batches
from autoenc.evaluation.health.kernels import ALIKE, KernelCounts, count_kernels
from autoenc.evaluation.health.units import MARGIN, UnitStatistics, dead, unit_statistics
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.layers import weighted_layers

COLLAPSED = 0.01
"""The variance over images of a code unit's mean under which the unit is not active.

Burda et al. 2016 (importance weighted autoencoders, ICLR), section 5.2; in the scale of the prior, N(0, I).
"""

MOSTLY = 0.95
"""A unit is saturated if it is at a bound on more than this share of the images."""


def examine(model: AutoEncoder, images: Tensor, *, device: Device) -> dict[str, Any]:
    """Find the parts of a model that do nothing, in eval mode, on uint8 test images (N, C, H, W).

    Returns:
        plain values:

        - `collapsed_units`: how many code units have a mean whose variance over images is under 0.01. None for a code
          without a prior, whose scale is arbitrary.
        - `dead_units`: by layer (each nonlinearity of the encoder and the decoder, and the code), how many units are
          constant or have a variance under a millionth of the median unit's. In feature maps, a channel is a unit.
        - `saturated_units`: by layer with a sigmoid or a tanh, how many units are within 0.01 of a bound on more than
          95 % of the images (in feature maps: of images and positions).
        - `collapsed_kernels`: how many kernels of the encoder's first weighted layer have a norm under a hundredth of
          the median one's; `duplicate_kernels`: how many have an absolute cosine of more than 0.99 with an
          earlier kernel. None without such a layer.
        - `dead_codes`: how many entries of the codebook are not used by any image. None without a codebook.
        - `words`: the same as sentences.
    """
    layers = unit_statistics(model, images, device=device)
    findings = _Findings(
        units={layer.name: len(layer.variances) for layer in layers},
        collapsed=_collapsed(model, layers),
        dead={layer.name: int(dead(layer).sum()) for layer in layers},
        saturated={
            layer.name: int((layer.saturation > MOSTLY).sum()) for layer in layers if layer.saturation is not None
        },
        kernels=_first_kernels(model),
        codebook=_codebook_use(model, images, device=device),
    )
    return {
        "collapsed_units": findings.collapsed,
        "dead_units": findings.dead,
        "saturated_units": findings.saturated,
        "collapsed_kernels": None if findings.kernels is None else findings.kernels.collapsed,
        "duplicate_kernels": None if findings.kernels is None else findings.kernels.duplicate,
        "dead_codes": None if findings.codebook is None else findings.codebook.unused,
        "words": _words(findings),
    }


class _CodebookUse(NamedTuple):
    size: int
    unused: int


class _Findings(NamedTuple):
    units: dict[str, int]
    """By layer."""
    collapsed: int | None
    dead: dict[str, int]
    saturated: dict[str, int]
    kernels: KernelCounts | None
    codebook: _CodebookUse | None

    @property
    def code_size(self) -> int:
        return next(count for name, count in self.units.items() if _is_code(name))


def _is_code(name: str) -> bool:
    return name == "code" or name.startswith("code (")


def _collapsed(model: AutoEncoder, layers: Sequence[UnitStatistics]) -> int | None:
    if not model.bottleneck.variational:
        return None
    (code,) = (layer for layer in layers if _is_code(layer.name))
    return int((code.variances < COLLAPSED).sum())


def _first_kernels(model: AutoEncoder) -> KernelCounts | None:
    layers = weighted_layers(model.encoder)
    return count_kernels(layers[0][1]) if layers else None


def _codebook_use(model: AutoEncoder, images: Tensor, *, device: Device) -> _CodebookUse | None:
    uses = codebook_uses(model, images, device=device)
    return None if uses is None else _CodebookUse(len(uses), int((uses == 0).sum()))


def codebook_uses(model: AutoEncoder, images: Tensor, *, device: Device) -> Tensor | None:
    """The number of uses of each codebook entry by the images, int64 (entries,); None without a codebook."""
    indices = getattr(model.bottleneck, "indices", None)
    if indices is None:
        return None
    size = int(model.bottleneck.codebook_size)  # type: ignore[arg-type]
    uses = torch.zeros(size, dtype=torch.int64)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for batch in batches(images.to(device.torch_device), device=device):
            features = model.features(batch)
            uses += torch.bincount(indices(features).flatten().cpu(), minlength=size)  # synchronizes
    model.train(was_training)
    return uses


def _words(findings: _Findings) -> list[str]:
    """A sentence for each finding."""
    sentences: list[str] = []

    def found(count: int | None, total: int, what: str, why: str) -> None:
        if count:
            verb = "is" if count == 1 else "are"
            sentences.append(f"{count} of {total} {what.format(verb=verb)}: {why}")

    found(
        findings.collapsed,
        findings.code_size,
        "code units {verb} collapsed",
        f"the variance of the mean over the test images is under {COLLAPSED}",
    )
    for name, count in findings.dead.items():
        why = "constant on the test images, or nearly so"
        found(count, findings.units[name], f"units of {_of(name)} {{verb}} dead", why)
    for name, count in findings.saturated.items():
        why = f"within {MARGIN} of a bound on more than {MOSTLY:.0%} of the test images"
        found(count, findings.units[name], f"units of {_of(name)} {{verb}} saturated", why.replace("%", " %"))
    if findings.kernels is not None:
        total, collapsed, duplicate = findings.kernels
        found(
            collapsed, total, "first-layer kernels {verb} collapsed", "the norm is under a hundredth of the median one"
        )
        found(duplicate, total, "first-layer kernels {verb} repeated", f"|cosine| with an earlier one over {ALIKE}")
    if findings.codebook is not None:
        size, unused = findings.codebook
        found(unused, size, "codes of the codebook {verb} dead", "used by no test image")
    return sentences or ["nothing dead, saturated or collapsed was found"]


def _of(name: str) -> str:
    return f"the {name}" if _is_code(name) else name
