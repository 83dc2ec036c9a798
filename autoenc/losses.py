"""Reconstruction losses: how far a reconstruction is from the clean image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.output_ranges import OUTPUT_RANGES, OutputName
from autoenc.registry import Registry


class Loss(nn.Module):
    """A loss of (raw output, reconstruction, target), each (B, C, H, W); the target is in [0, 1].

    `per_image` gives (B,); `forward` its mean over the batch, which a subclass may compute in one kernel.
    """

    unit: str

    def per_image(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        """The loss of each image, (B,), in the unit named by `unit`."""
        raise NotImplementedError

    def forward(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        """The mean of `per_image` over the batch, ()."""
        return self.per_image(raw, reconstruction, target).mean()


class MeanSquaredError(Loss):
    """The squared difference, meaned over the pixels of an image."""

    unit = "mean squared error per pixel"

    def per_image(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B,)."""
        return F.mse_loss(reconstruction, target, reduction="none").flatten(1).mean(1)

    def forward(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """()."""
        return F.mse_loss(reconstruction, target)


class MeanAbsoluteError(Loss):
    """The absolute difference, meaned over the pixels of an image."""

    unit = "mean absolute error per pixel"

    def per_image(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B,)."""
        return F.l1_loss(reconstruction, target, reduction="none").flatten(1).mean(1)

    def forward(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """()."""
        return F.l1_loss(reconstruction, target)


class BinaryCrossEntropy(Loss):
    """-t log x - (1 - t) log(1 - x), meaned over the pixels of an image, from logits.

    On grey targets its least value is not 0 but the entropy of the target.
    """

    unit = "binary cross-entropy per pixel, in nats"

    def __init__(self, *, output: OutputName) -> None:
        super().__init__()
        self.output_range = OUTPUT_RANGES[output]

    def per_image(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B,)."""
        logits = self.output_range.to_logits(raw)
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).mean(1)

    def forward(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """()."""
        return F.binary_cross_entropy_with_logits(self.output_range.to_logits(raw), target)


class LossSettings(Protocol):
    """What an entry of the table below offers."""

    def build(self, *, output: OutputName) -> Loss:
        """The loss of a model whose architecture has this `output`."""
        ...


@dataclass(frozen=True, kw_only=True)
class MseSettings:
    """`loss=mse`."""

    def build(self, *, output: OutputName) -> Loss:  # noqa: ARG002
        """The loss."""
        return MeanSquaredError()


@dataclass(frozen=True, kw_only=True)
class L1Settings:
    """`loss=l1`."""

    def build(self, *, output: OutputName) -> Loss:  # noqa: ARG002
        """The loss."""
        return MeanAbsoluteError()


@dataclass(frozen=True, kw_only=True)
class BceSettings:
    """`loss=bce`."""

    def build(self, *, output: OutputName) -> Loss:
        """The loss, computed from the logits that `output` leads to."""
        return BinaryCrossEntropy(output=output)


LOSSES: Registry[LossSettings] = Registry(
    "loss",
    {
        "mse": MseSettings,
        "l1": L1Settings,
        "bce": BceSettings,
    },
)
