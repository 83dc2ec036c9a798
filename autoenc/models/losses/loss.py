"""The contract of a reconstruction loss and of its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from autoenc.models.output_ranges import OutputRange
from autoenc.registry import Choice
from autoenc.settings import ConfigError


class Emphasis(NamedTuple):
    """The weights of a pixel's error, by whether the noise corrupted it.

    Vincent et al. 2010, JMLR 11, section 5: alpha times the loss of the corrupted pixels plus beta times that of the
    others, without dividing by the weights.
    """

    corrupted: float
    kept: float

    @property
    def even(self) -> bool:
        """Whether every pixel has weight 1."""
        return self.corrupted == self.kept == 1

    def error(self, problem: str) -> ConfigError:
        """An error at the key of the weight that is not 1."""
        key, value = ("corrupted_weight", self.corrupted) if self.corrupted != 1 else ("kept_weight", self.kept)
        return ConfigError(f"loss.{key}", problem, value=value)

    def require_even(self) -> None:
        """Refuse weights where a likelihood is needed."""
        if not self.even:
            raise self.error("it must be 1 with a variational bottleneck: a weighted likelihood is not a likelihood")


EVEN = Emphasis(1.0, 1.0)


class Loss(nn.Module):
    """A loss of (prediction, target), each (B, C, H, W), with the target in [0, 1].

    The prediction is the reconstruction. If `reads_logits`, it is the logits that the decoder gives. A subclass needs
    only `unit` and `per_pixel`. It may override `forward` by a faster mean.

    Args:
        emphasis: the weights of corrupted and other pixels.
    """

    unit: str
    reads_logits: ClassVar[bool] = False
    """Whether the prediction has logits. Where `output: identity` leaves (0, 1), the gradient is then zero."""
    in_nats: ClassVar[bool] = False
    """Whether it is a negative log-likelihood, summed over an image's pixels. Otherwise it is averaged over them."""
    likelihood_of: ClassVar[str] = ""
    """What exp(-loss) of an image is, for a loss in nats: a `density` of its pixels, or a probability.

    Numbers of the same kind are comparable, whatever the family and its parameters. Empty: only within this loss.
    """
    diagnostic_units: ClassVar[dict[str, str]] = {}
    """The unit of each diagnostic that this class may report."""

    def __init__(self, *, emphasis: Emphasis = EVEN) -> None:
        super().__init__()
        self.emphasis = emphasis
        if not emphasis.even:
            weights = f"corrupted pixels times {emphasis.corrupted:g}, others times {emphasis.kept:g}"
            self.unit = f"{self.unit}, {weights}"

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss of each pixel, (B, C, H, W)."""
        raise NotImplementedError

    def per_image(self, prediction: Tensor, target: Tensor, *, corrupted: Tensor | None = None) -> Tensor:
        """The loss of each image, (B,), in the unit `unit`.

        `corrupted`, bool and broadcastable to (B, C, H, W), marks where the noise changed the input; None: nowhere.

        Raises:
            ValueError: `per_pixel` has the wrong shape.
        """
        losses = self.per_pixel(prediction, target)
        if losses.shape != target.shape:
            shapes = f"shape {tuple(losses.shape)}, but has to give {tuple(target.shape)}"
            raise ValueError(f"per_pixel of {type(self).__name__} gives {shapes}, a number for each pixel")
        if not self.emphasis.even:
            alpha, beta = self.emphasis
            losses = losses * (beta if corrupted is None else torch.where(corrupted, alpha, beta))
        losses = losses.flatten(1)
        return losses.sum(1) if self.in_nats else losses.mean(1)

    def forward(self, prediction: Tensor, target: Tensor, *, corrupted: Tensor | None = None) -> Tensor:
        """The average of `per_image` over the batch, ()."""
        return self.per_image(prediction, target, corrupted=corrupted).mean()

    def likelihood(self) -> Loss:
        """The loss in nats of which this one is the average over pixels, up to a constant; itself if in nats.

        Raises:
            ConfigError: there is none.
        """
        if self.in_nats:
            return self
        problem = "a variational bottleneck needs a likelihood in nats, and this loss is not the mean of one"
        raise ConfigError("loss.name", problem, value=type(self).__name__)

    def means(self, output_range: OutputRange) -> OutputRange:
        """The output range of a model with this loss.

        It differs from `output_range` where the output is a parameter of the likelihood and not its mean.
        """
        return output_range

    def diagnostics(self) -> dict[str, Tensor]:
        """Scalars for the epoch's metrics, detached: what the loss itself has learned."""
        return {}


@dataclass(frozen=True, kw_only=True)
class LossSettings(Choice):
    """The base class of a loss's settings: the entries of `LOSSES`."""

    module: ClassVar[type[Loss]]
    """What `build` makes."""

    @property
    def in_nats(self) -> bool:
        """See `Loss`."""
        return self.module.in_nats

    @property
    def emphasis(self) -> Emphasis:
        """The weights of corrupted and other pixels."""
        return EVEN

    def build(self, *, image_shape: tuple[int, int, int]) -> Loss:  # noqa: ARG002
        """The loss of a model for images (C, H, W)."""
        return self.module(emphasis=self.emphasis)
