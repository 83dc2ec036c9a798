"""Bottlenecks: what happens between the encoder's features and the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch import Tensor, nn

from autoenc.registry import Registry

if TYPE_CHECKING:
    from autoenc.losses import Loss


class BottleneckOutput(NamedTuple):
    """What a bottleneck makes of a batch of features."""

    code: Tensor
    """(B, code_size)."""
    penalty: Tensor
    """What is added to the reconstruction loss, for each image, (B,)."""
    diagnostics: dict[str, Tensor]
    """Scalars worth a place in the epoch's metrics, not differentiated."""


class Bottleneck(nn.Module):
    """From features to a code, and from a reconstruction loss and a penalty to what is minimised."""

    def feature_size(self, code_size: int) -> int:
        """How many features the encoder must give for a code of `code_size`."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> BottleneckOutput:
        """Features (B, feature_size) to codes (B, code_size)."""
        raise NotImplementedError

    def objective(self, loss: Loss, *, raw: Tensor, reconstruction: Tensor, target: Tensor, penalty: Tensor) -> Tensor:
        """What training minimises, (): here the mean over images of loss plus penalty.

        A bound that needs more than a sum (a log-mean-exp over samples) takes `loss.per_image` instead.
        """
        mean_loss: Tensor = loss(raw, reconstruction, target)
        return mean_loss + penalty.mean()


class Plain(Bottleneck):
    """The features are the code."""

    def feature_size(self, code_size: int) -> int:
        """As many as the code has entries."""
        return code_size

    def forward(self, features: Tensor) -> BottleneckOutput:
        """(B, code_size) as it is, at no penalty."""
        return BottleneckOutput(code=features, penalty=features.new_zeros(len(features)), diagnostics={})

    def objective(self, loss: Loss, *, raw: Tensor, reconstruction: Tensor, target: Tensor, penalty: Tensor) -> Tensor:  # noqa: ARG002
        """The loss alone: the penalty is known to be zero, and a step is short enough to notice the sum."""
        return loss(raw, reconstruction, target)  # type: ignore[no-any-return]


class BottleneckSettings(Protocol):
    """What an entry of the table below offers."""

    def build(self) -> Bottleneck:
        """The bottleneck."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    """`bottleneck=plain`."""

    def build(self) -> Bottleneck:
        """The bottleneck."""
        return Plain()


BOTTLENECKS: Registry[BottleneckSettings] = Registry(
    "bottleneck",
    {
        "plain": PlainSettings,
    },
)
