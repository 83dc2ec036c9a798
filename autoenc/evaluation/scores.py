"""Averages over a split: the training objective and the metrics.

- With noise, the objective is that of the noisy input. Each metric is measured twice: from the clean input, and as
  `denoising_<metric>` from the noisy input. Errors are always against the clean image.
- The noise is frozen: the same for every model and every epoch, but different for each split.
- For the objective, codes are sampled with frozen draws. For the metrics, the code is the mean.
- A variational model also has `elbo_nats`, from one code sampled from the clean input. The draws are the same for
  every model of a code size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from autoenc.data.noise import Noise
from autoenc.devices import Device
from autoenc.evaluation.batches import MOST_DECODED
from autoenc.evaluation.frozen_noise import Inputs, frozen_generator, inputs
from autoenc.evaluation.metrics import DENOISING, Metric
from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput
from autoenc.models.layers import at_least_float32


class Measured(NamedTuple):
    """The scores of a split, on the device and not yet synchronized."""

    averages: dict[str, Tensor]
    """Scalars: of the objective and its parts, of each metric, and the statistics of the codes."""
    per_image: dict[str, Tensor]
    """The metrics of each image, (N,)."""


def measure(
    model: AutoEncoder, images: Tensor, *, device: Device, noise: Noise, split: str, metrics: Sequence[Metric]
) -> Measured:
    """The training objective (`loss`), its parts, and each metric, in eval mode.

    `images` are uint8 (N, C, H, W). `split` picks the frozen noise and draws. Metrics without `per_image` are skipped.
    An empty split has none.
    """
    totals: dict[str, Tensor] = {}
    found: list[dict[str, Tensor]] = []
    codes: list[tuple[Tensor, Tensor | None]] = []
    if len(images) == 0:
        return Measured({}, {})
    generators = _Generators.of(split, device=device)
    with model.evaluating(), device.autocast():
        for batch in inputs(images, noise=noise, split=split, device=device):
            scores = _scores(model, batch, generators=generators, metrics=metrics)
            averages = {**{name: values.mean() for name, values in scores.per_image.items()}, **scores.objective}
            _add(totals, averages, share=len(batch.clean) / len(images))
            found.append(scores.per_image)
            codes.append((at_least_float32(scores.given.code), scores.given.indices))
        totals |= _statistics(model, codes)
    return Measured(totals, {name: torch.cat([each[name].float() for each in found]) for name in found[0]})


def _statistics(model: AutoEncoder, codes: Sequence[tuple[Tensor, Tensor | None]]) -> dict[str, Tensor]:
    """Statistics of the codes of all batches together."""
    indices = [batch for _, batch in codes if batch is not None]
    return model.bottleneck.statistics(
        torch.cat([code for code, _ in codes]), indices=torch.cat(indices) if indices else None
    )


class _Generators(NamedTuple):
    """Separate generators, so that drawing more numbers for one purpose does not change those for another."""

    objective: torch.Generator
    elbo: torch.Generator

    @classmethod
    def of(cls, split: str, *, device: Device) -> Self:
        names = (f"{split}, objective", f"{split}, elbo")
        return cls(*(frozen_generator(device, split=name) for name in names))


class _Batch(NamedTuple):
    """The inputs of an objective."""

    clean: Tensor
    """(B, C, H, W)."""
    given: Tensor
    """The input of the model, with noise if there is any."""
    corrupted: Tensor | None
    """The corrupted pixels, bool and broadcastable to (B, C, H, W)."""
    draws: Tensor | None
    """The random numbers for their codes."""

    def parts(self, *, variational: bool) -> Iterator[_Batch]:
        """The batch, or parts of it if a variational bottleneck samples so many codes that memory would not suffice."""
        if self.draws is None or not variational or self.draws[..., 0].numel() <= MOST_DECODED:
            yield self
            return
        size = max(1, MOST_DECODED // len(self.draws))  # draws are (S, B, code_size)
        for first in range(0, len(self.clean), size):
            part = slice(first, first + size)
            # The loss is a likelihood, which weighs corrupted and other pixels equally.
            yield _Batch(self.clean[part], self.given[part], corrupted=None, draws=self.draws[:, part])


class _BatchScores(NamedTuple):
    per_image: dict[str, Tensor]
    """(B,) each."""
    objective: dict[str, Tensor]
    """Averages over the batch."""
    given: AutoEncoderOutput
    """The model's output for the images that it is given, without sampling."""


def _scores(model: AutoEncoder, inputs: Inputs, *, generators: _Generators, metrics: Sequence[Metric]) -> _BatchScores:
    """The scores of a batch, by name."""
    clean, given, corrupted = inputs
    output = model(clean)
    functions = {metric.name: metric.per_image for metric in metrics if metric.per_image is not None}
    values = {name: function(model, output, clean) for name, function in functions.items()}
    if corrupted is not None:
        output = model(given)
        values |= {DENOISING + name: function(model, output, clean) for name, function in functions.items()}
    draws = model.draw(given, generator=generators.objective)
    batch = _Batch(clean, given, corrupted, draws)
    objective = _objective(model, batch, unsampled=output, generator=generators.objective)
    if model.bottleneck.variational:
        once = model.draw(clean, generator=generators.elbo, samples=1)
        values["elbo_nats"] = model.elbo(model(clean, draws=once), target=clean)
    return _BatchScores(values, objective, output)


def _objective(
    model: AutoEncoder, batch: _Batch, *, unsampled: AutoEncoderOutput, generator: torch.Generator
) -> dict[str, Tensor]:
    """`loss` and its parts; `unsampled` is the model's output for the given images without draws."""
    totals: dict[str, Tensor] = {}
    for part in batch.parts(variational=model.bottleneck.variational):
        output = unsampled if part.draws is None else model(part.given, draws=part.draws)
        loss, parts = model.objective(
            output, target=part.clean, given=part.given, corrupted=part.corrupted, generator=generator
        )
        _add(totals, {"loss": loss, **parts}, share=len(part.clean) / len(batch.clean))
    return totals


def _add(totals: dict[str, Tensor], values: Mapping[str, Tensor], *, share: float) -> None:
    for name, value in values.items():
        part = value.float() * share
        totals[name] = totals[name] + part if name in totals else part
