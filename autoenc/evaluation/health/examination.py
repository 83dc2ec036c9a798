"""The health of a trained model: dead, saturated and collapsed parts, as numbers and as sentences.

They are counted on what the model is given: the noisy images if the run has noise.

- `collapsed_units`: how many code units are not active: the variance of their mean over images is at most 0.01. None
  for a model that is not variational, whose codes have an arbitrary scale.
- `dead_units`: by layer (each nonlinearity of the encoder and the decoder, and the code), how many units are constant
  or have a variance under a millionth of the median unit's. In feature maps, a channel is a unit.
- `saturated_units`: by layer with a sigmoid or a tanh, how many units are within 0.01 of a bound on more than 95 % of
  the images (in feature maps: of images and positions).
- `collapsed_kernels`: how many kernels of the encoder's first weighted layer have a norm under a hundredth of the
  median one's; `duplicate_kernels`: how many have an absolute cosine of more than 0.99 with an earlier kernel. None
  without such a layer.
- `dead_codes`: how many entries of the codebook no image uses. None without a codebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.evaluation.health.unhealthy import Unhealthy
from autoenc.evaluation.health.units import MARGIN, UnitStatistics, dead, unit_statistics
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import ACTIVE_VARIANCE
from autoenc.models.layers import WeightedLayer, weighted_layers

COLLAPSED_KERNEL = 0.01
"""A kernel has collapsed if its norm is under this share of the median norm."""

ALIKE = 0.99
"""The absolute cosine over which two kernels are near-duplicates."""

MOSTLY = 0.95
"""A unit is saturated if it is at a bound on more than this share of the images."""


def examine(model: AutoEncoder, inputs: Iterable[Tensor], *, statistics: Mapping[str, float]) -> dict[str, Any]:
    """Find the parts of a model that do nothing, in eval mode.

    Args:
        model: on its device.
        inputs: all test images as the model is given them, in batches (B, C, H, W) in [0, 1].
        statistics: `Bottleneck.statistics` of their codes, so that the same units and entries count as unused there.

    Returns:
        plain values: the numbers above; `findings`, the fields of an `Unhealthy` for each that is not 0; and `words`,
        the same as sentences.
    """
    layers = unit_statistics(model, inputs)
    units = _examine_units(layers, active=statistics.get("active_units"))
    weighted = weighted_layers(model.encoder)
    kernels = count_kernels(weighted[0][1]) if weighted else None
    unused = statistics.get("unused_entries")
    found = [*_unhealthy_units(units, layers)]
    if kernels is not None:
        found += _unhealthy_kernels(kernels)
    if unused is not None:
        entries = model.bottleneck.settings.codebook_size
        found += _found(unused, entries, "entries of the codebook", state="unused", why="used by no test image")
    return {
        **units,
        "collapsed_kernels": None if kernels is None else kernels.collapsed,
        "duplicate_kernels": None if kernels is None else kernels.duplicate,
        "dead_codes": unused,
        "findings": [each._asdict() for each in found],
        "words": [each.words for each in found] or ["nothing dead, saturated or collapsed was found"],
    }


def _examine_units(layers: Sequence[UnitStatistics], *, active: float | None) -> dict[str, Any]:
    (code,) = (layer for layer in layers if _is_code(layer.name))
    return {
        "collapsed_units": None if active is None else len(code.variances) - active,
        "dead_units": {layer.name: int(dead(layer).sum()) for layer in layers},
        "saturated_units": {
            layer.name: int((layer.saturation > MOSTLY).sum()) for layer in layers if layer.saturation is not None
        },
    }


def _unhealthy_units(units: Mapping[str, Any], layers: Sequence[UnitStatistics]) -> Iterator[Unhealthy]:
    (code_size,) = (len(layer.variances) for layer in layers if _is_code(layer.name))
    why = f"the variance of the mean over the test images is at most {ACTIVE_VARIANCE}"
    yield from _found(units["collapsed_units"], code_size, "code units", state="collapsed", why=why)
    reasons = {
        "dead": "constant on the test images, or nearly so",
        "saturated": f"within {MARGIN} of a bound on more than {100 * MOSTLY:g} % of the test images",
    }
    for state, why in reasons.items():
        for layer in layers:
            count, subject = units[f"{state}_units"].get(layer.name), f"units of {_of(layer.name)}"
            yield from _found(count, len(layer.variances), subject, state=state, why=why, activation=layer.activation)


def _unhealthy_kernels(kernels: KernelCounts) -> Iterator[Unhealthy]:
    total, collapsed, duplicate = kernels
    why = "the norm is under a hundredth of the median one"
    yield from _found(collapsed, total, "first-layer kernels", state="collapsed", why=why)
    why = f"|cosine| with an earlier one over {ALIKE}"
    yield from _found(duplicate, total, "first-layer kernels", state="repeated", why=why)


def _found(
    count: float | None, total: int, subject: str, *, state: str, why: str, activation: str = ""
) -> Iterator[Unhealthy]:
    if count:
        yield Unhealthy(int(count), total, subject, state, why, activation)


def _is_code(name: str) -> bool:
    return name == "code" or name.startswith("code (")


def _of(name: str) -> str:
    return f"the {name}" if _is_code(name) else name


class KernelCounts(NamedTuple):
    """The numbers of useless kernels in a layer."""

    total: int
    collapsed: int
    """Kernels with a norm under `COLLAPSED_KERNEL` times the median. Zero kernels do not count for the median."""
    duplicate: int
    """Kernels that repeat an earlier one except for length and sign: n - 1 of n similar ones. Zero kernels and kernels
    of a single weight do not count."""


def count_kernels(layer: WeightedLayer) -> KernelCounts:
    """Count the kernels of an encoder's layer, whose weights are (units, inputs) or (units, inputs, height, width)."""
    kernels = layer.weight.detach().flatten(1).float().cpu()  # (units, weights); synchronizes
    norms = kernels.norm(dim=1)
    above_zero = norms[norms > 0]
    least = COLLAPSED_KERNEL * float(above_zero.median()) if len(above_zero) else 0.0
    collapsed = int((norms <= least).sum()) if least else int((norms == 0).sum())
    return KernelCounts(len(kernels), collapsed, _duplicates(kernels[norms > 0]))


def _duplicates(kernels: Tensor) -> int:
    if kernels.shape[1] < 2:
        return 0
    directions = F.normalize(kernels, dim=1)
    cosines = (directions @ directions.T).abs()
    earlier = torch.tril(cosines, diagonal=-1)  # the entries with earlier kernels
    return int((earlier > ALIKE).any(dim=1).sum())
