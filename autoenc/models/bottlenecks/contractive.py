"""`bottleneck=contractive`: codes that change little where the image does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, Passage
from autoenc.models.bottlenecks.jacobian import as_tested, random_signs, squared_products
from autoenc.models.bottlenecks.precision import at_least_float32
from autoenc.models.bottlenecks.unit_columns import constrain_columns
from autoenc.models.layers import TiedLinear, weighted_layers
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt

Place = Literal["clean", "given"]
Estimator = Literal["exact", "hutchinson", "auto"]
Safeguard = Literal["code_variance", "unit_columns", "tied_weights"]

EXACT_UP_TO = 16
"""The code size up to which `estimator: auto` is exact: a step then costs about so many as a plain one."""

LEAST_VARIANCE = 1e-12
"""Added to a code entry's variance, so that a dead one, whose Jacobian is 0 as well, has no penalty."""


class Contractive(Bottleneck):
    """The features are the code, at the price of `weight` times the squared Frobenius norm of its Jacobian.

    Rifai et al. 2011, ICML, equations 1 and 7: the sum over code entries and pixels of (d code / d pixel)^2, for each
    image, pixels in [0, 1], `at` the clean image or the one the encoder was given. It is computed of the encoder as it
    is tested (see `as_tested`): by batch normalisation's running statistics, without dropout.

    An encoder can escape that price by smaller codes, which a decoder with larger weights undoes. The safeguards:

    - `tied_weights`: the decoder's weights are the encoder's (the authors' own), and cannot grow when those shrink.
    - `unit_columns`: what leaves a code entry in the decoder's first layer has norm 1. That holds the scale of a
      decoder of one layer; a deeper one can make up for smaller codes further on.
    - `code_variance`: each code entry's part of the norm is divided by the entry's variance over the batch, so that it
      has the unit 1 / pixel^2 and multiplying an entry by anything leaves the penalty as it is: there is nothing to be
      had by shrinking, whatever the decoder. By the variance of the same codes, and differentiated like them: divided
      by a running mean of it, each step would still gain by shrinking a little. What is used is
      (B - 3) / (sum of squared deviations), which for normal codes is 1 / variance in expectation in batches of any
      size B; a batch of three images or fewer gives no such estimate, and has no penalty.

    `exact` takes one vector-Jacobian product for each entry of the code; `hutchinson` takes `probes` of them, with
    random signs, and is right in expectation; `auto` is exact for codes of up to 16 entries.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "code_variance": "variance of the code's entries over a batch, mean over the entries"
    }

    def __init__(
        self, *, code_size: int, weight: float, at: Place, estimator: Estimator, probes: int, safeguard: Safeguard
    ) -> None:
        super().__init__(code_size=code_size)
        self.weight = weight
        self.at = at
        self.probes = probes
        self.safeguard = safeguard
        self.exact = estimator == "exact" or (estimator == "auto" and code_size <= EXACT_UP_TO)
        relative = " over the code's variance" if safeguard == "code_variance" else ""
        way = "exact" if self.exact else f"estimated with probes={probes}"
        self.penalty_unit = f"{weight:g} times the squared norm of d code / d pixel{relative}, at the {at} image, {way}"
        self._encoder: tuple[nn.Module, ...] = ()  # in a tuple, where torch does not take it for a part of this

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:
        """Remember the encoder, and see that the safeguard is there.

        Raises:
            ConfigError: the weights are to be tied, and are not.
        """
        self._encoder = (encoder,)
        if self.safeguard == "unit_columns":
            constrain_columns(decoder, code_size=self.code_size, key="bottleneck.safeguard")
        if self.safeguard == "tied_weights" and not _tied(encoder, decoder):
            raise _not_tied(self.safeguard)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size) as it is; the penalty takes more than features."""
        variance = at_least_float32(features.detach()).var(0, correction=0).mean()
        no_penalty = features.new_zeros(())
        return BottleneckOutput(features, features.unsqueeze(0), no_penalty, {"code_variance": variance})

    def further_penalty(self, passage: Passage) -> Tensor:
        """(B,)."""
        images = passage.clean if self.at == "clean" else passage.given
        differentiable = torch.is_grad_enabled()  # not where it is but measured
        with torch.enable_grad(), as_tested(self._encoder):
            images = images.detach().requires_grad_()
            code = passage.encode(images)  # (B, code_size)
            squares = self._squares(code, images, generator=passage.generator, differentiable=differentiable)
        return self.weight * (squares if differentiable else squares.detach())

    def _squares(
        self, code: Tensor, images: Tensor, *, generator: torch.Generator | None, differentiable: bool
    ) -> Tensor:
        """The squared norm of each image's Jacobian, (B,)."""
        if self.exact:
            rows = torch.eye(self.code_size, dtype=code.dtype, device=code.device).unsqueeze(1)  # (d, 1, d)
            cotangents = rows.expand(-1, len(code), -1)
        else:
            cotangents = random_signs(code, count=self.probes, generator=generator)  # (K, B, d)
        if self.safeguard == "code_variance":
            cotangents = cotangents * _inverse_deviations(code)
        norms = squared_products(code, images, cotangents=cotangents, differentiable=differentiable)  # (d or K, B)
        return norms.sum(0) if self.exact else norms.mean(0)


def _inverse_deviations(code: Tensor) -> Tensor:
    """Of codes (B, d), (d,): their squares estimate 1 / variance; 0 from three codes or fewer."""
    code = at_least_float32(code)
    squares = (code - code.mean(0)).square().sum(0)
    inverse = torch.rsqrt(squares + len(code) * LEAST_VARIANCE)
    return math.sqrt(max(0, len(code) - 3)) * inverse


def _not_tied(safeguard: Safeguard) -> ConfigError:
    problem = "the decoder has weights of its own; set architecture=mlp architecture.tied=true, or another safeguard"
    return ConfigError("bottleneck.safeguard", problem, value=safeguard)


def _tied(encoder: nn.Module, decoder: nn.Module) -> bool:
    """Whether all of a decoder's weights are the encoder's."""
    layers = [layer for _, layer in weighted_layers(decoder)]
    sources = set(encoder.modules())
    return bool(layers) and all(isinstance(layer, TiedLinear) and layer.source in sources for layer in layers)


@dataclass(frozen=True, kw_only=True)
class ContractiveSettings:
    """`bottleneck=contractive`."""

    weight: NonNegativeFloat
    """What the squared norm is multiplied by."""
    at: Place
    """The image at which the Jacobian is taken."""
    estimator: Estimator
    """How its norm is computed."""
    probes: PositiveInt
    """Of `hutchinson`, how many random products."""
    safeguard: Safeguard
    """What keeps codes from shrinking."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """Tied weights, as a safeguard, have to be tied."""
        if self.safeguard == "tied_weights" and not tied:
            raise _not_tied(self.safeguard)

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return Contractive(
            code_size=code_size,
            weight=self.weight,
            at=self.at,
            estimator=self.estimator,
            probes=self.probes,
            safeguard=self.safeguard,
        )
