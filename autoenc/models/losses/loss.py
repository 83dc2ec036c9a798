"""What every loss is: the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from autoenc.models.output_ranges import OutputName, OutputRange
from autoenc.settings import ConfigError, NonNegativeFloat

ImageShape = tuple[int, int, int]
"""(C, H, W)."""


class Emphasis(NamedTuple):
    """How much the error of a pixel counts, by whether the noise corrupted it.

    Vincent et al. 2010, JMLR 11, section 5: alpha times the corrupted pixels' part of the loss, plus beta times the
    others'. Nothing is divided by the weights.
    """

    corrupted: float
    kept: float

    @property
    def even(self) -> bool:
        """Whether every pixel counts as one."""
        return self.corrupted == self.kept == 1

    @property
    def uneven_key(self) -> str:
        """The name of the weight that is not 1: the key to name in an error."""
        return "corrupted_weight" if self.corrupted != 1 else "kept_weight"

    @property
    def uneven_weight(self) -> float:
        """That weight."""
        return self.corrupted if self.corrupted != 1 else self.kept

    def refuse(self) -> None:
        """Raise a ConfigError where pixels count differently: what is left is then no likelihood."""
        if not self.even:
            problem = "it must be 1 with a variational bottleneck: that needs a likelihood, and a weighted one is none"
            raise ConfigError(f"loss.{self.uneven_key}", problem, value=self.uneven_weight)


EVEN = Emphasis(1.0, 1.0)


class Loss(nn.Module):
    """A loss of (raw output, reconstruction, target), each (B, C, H, W); the target is in [0, 1].

    `per_pixel` is all that a loss has to have; `forward`, the mean over the batch, may be one kernel instead.
    """

    unit: str
    reads_logits: ClassVar[bool] = False
    """Whether it has no gradient where an output without a squashing end leaves (0, 1)."""
    in_nats: ClassVar[bool] = False
    """Whether it is a negative log-likelihood, summed over the pixels of an image; else it is a mean over them."""
    diagnostic_units: ClassVar[dict[str, str]] = {}
    """The unit of each of the diagnostics that a loss of this class may have."""

    def __init__(self, *, emphasis: Emphasis = EVEN) -> None:
        super().__init__()
        self.emphasis = emphasis
        if not emphasis.even:
            weights = f"corrupted pixels times {emphasis.corrupted:g}, others times {emphasis.kept:g}"
            self.unit = f"{self.unit}, {weights}"

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        """The loss of each pixel, (B, C, H, W)."""
        raise NotImplementedError

    def per_image(
        self, raw: Tensor, reconstruction: Tensor, target: Tensor, *, corrupted: Tensor | None = None
    ) -> Tensor:
        """The loss of each image, (B,), in the unit named by `unit`.

        `corrupted`, bool and broadcastable to (B, C, H, W), says where the noise changed the input; without it nothing
        counts as corrupted.
        """
        losses = self._weighted(self.per_pixel(raw, reconstruction, target), corrupted).flatten(1)
        return losses.sum(1) if self.in_nats else losses.mean(1)

    def forward(
        self, raw: Tensor, reconstruction: Tensor, target: Tensor, *, corrupted: Tensor | None = None
    ) -> Tensor:
        """The mean of `per_image` over the batch, ()."""
        return self.per_image(raw, reconstruction, target, corrupted=corrupted).mean()

    def likelihood(self) -> Loss:
        """The loss in nats an image of which this one is a mean over pixels, but for a constant; itself if in nats.

        Raises:
            ConfigError: there is none.
        """
        if self.in_nats:
            return self
        problem = "a variational bottleneck adds nats to it, and it is no likelihood, nor the mean of one"
        raise ConfigError("loss.name", problem, value=type(self).__name__)

    def means(self, output_range: OutputRange) -> OutputRange:
        """How a model with this loss makes images of its output: another way than `output_range`'s where the output is
        a parameter of the likelihood, and its mean is another number.
        """
        return output_range

    def diagnostics(self) -> dict[str, Tensor]:
        """Scalars worth a place in the epoch's metrics, not differentiated: what the loss itself has learnt."""
        return {}

    def _weighted(self, losses: Tensor, corrupted: Tensor | None) -> Tensor:
        if self.emphasis.even:
            return losses
        if corrupted is None:
            return losses * self.emphasis.kept
        return losses * torch.where(corrupted, self.emphasis.corrupted, self.emphasis.kept)


@dataclass(frozen=True, kw_only=True)
class EmphasisSettings:
    """The fields of every loss that is a mean over pixels."""

    corrupted_weight: NonNegativeFloat
    """What the error of a pixel that the noise corrupted is multiplied by."""
    kept_weight: NonNegativeFloat
    """The same for the others."""

    @property
    def emphasis(self) -> Emphasis:
        """Both."""
        return Emphasis(self.corrupted_weight, self.kept_weight)


class LossSettings(Protocol):
    """What an entry of the table offers: a frozen dataclass."""

    @property
    def emphasis(self) -> Emphasis:
        """How much corrupted and other pixels count."""
        ...

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:
        """The loss of a model whose architecture has this `output`, for images (C, H, W)."""
        ...
