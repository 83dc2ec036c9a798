"""`bottleneck=contractive`: a penalty for codes that change with the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from autoenc.models.architectures import Architecture
from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings, Passage
from autoenc.models.bottlenecks.jacobian import in_eval_mode, random_signs, squared_products
from autoenc.models.layers import at_least_float32, constrain_columns
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt

EXACT_UP_TO = 16
"""The largest code size for which `estimator: auto` is exact. A step then costs about that many plain ones."""

LEAST_VARIANCE = 1e-12
"""Added to a code entry's variance, so that a dead entry, whose Jacobian is 0 too, has no penalty."""


class Contractive(Bottleneck):
    """The features are the code. The penalty is `weight` times the squared Frobenius norm of the encoder's Jacobian.

    Rifai et al. 2011, ICML, equations 1 and 7: the sum over code entries and pixels of (d code / d pixel)^2, for each
    image, pixels in [0, 1], `at` the clean image or at the encoder's input, with the encoder in eval mode.

    An encoder could lower the penalty by shrinking its codes, and the decoder could undo that. The safeguards:

    - `tied_weights`: the decoder's weights are the encoder's, so they cannot grow while those shrink (the authors').
    - `unit_columns`: the decoder's first layer has weight columns of norm 1, one for each code entry. A decoder of
      several layers can still make up for smaller codes in later ones.
    - `code_variance`: each code entry's part is divided by the entry's variance over the batch, which is differentiated
      too, so scaling an entry does not change the penalty. The factor is (B - 3) / (sum of squared deviations), for
      normal codes 1 / variance in expectation at any batch size B; up to three images have no penalty.

    `exact` takes one vector-Jacobian product for each code entry. `hutchinson` averages `probes` products with random
    signs, and is unbiased. `auto` is exact for codes of up to 16 entries.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "code_variance": "variance of the code's entries over images, mean over the entries"
    }

    settings: ContractiveSettings

    @property
    def exact(self) -> bool:
        """Whether the norm is computed exactly."""
        estimator = self.settings.estimator
        return estimator == "exact" or (estimator == "auto" and self.code_size <= EXACT_UP_TO)

    @property
    def penalty_unit(self) -> str:
        """Names the image, the safeguard and the estimator."""
        settings = self.settings
        relative = " over the code's variance" if settings.safeguard == "code_variance" else ""
        way = "exact" if self.exact else f"estimated with probes={settings.probes}"
        norm = f"the squared norm of d code / d pixel{relative}, at the {settings.at} image, {way}"
        return f"{settings.weight:g} times {norm}"

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:  # noqa: ARG002
        """Put the safeguard in place, unless it is the architecture's."""
        if self.settings.safeguard == "unit_columns":
            constrain_columns(decoder, code_size=self.code_size, key="bottleneck.safeguard")

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), unchanged. The penalty is in `further_penalty`."""
        return BottleneckOutput(features, features.unsqueeze(0), penalty=features.new_zeros(()), diagnostics={})

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """The spread of the codes."""
        return {"code_variance": code.var(0, correction=0).mean()}

    def further_penalty(self, passage: Passage) -> Tensor:
        """(B,)."""
        images = passage.clean if self.settings.at == "clean" else passage.given
        differentiable = torch.is_grad_enabled()  # False in validation
        with torch.enable_grad(), in_eval_mode(passage.model.encoder):
            images = images.detach().requires_grad_()
            code = passage.model.encode(images)  # (B, code_size)
            if self.exact:
                rows = torch.eye(self.code_size, dtype=code.dtype, device=code.device).unsqueeze(1)  # (d, 1, d)
                cotangents = rows.expand(-1, len(code), -1)
            else:
                cotangents = random_signs(code, count=self.settings.probes, generator=passage.generator)  # (K, B, d)
            if self.settings.safeguard == "code_variance":
                cotangents = cotangents * _inverse_deviations(code)
            norms = squared_products(code, images, cotangents=cotangents, differentiable=differentiable)  # (d or K, B)
            squares = norms.sum(0) if self.exact else norms.mean(0)
        return self.settings.weight * (squares if differentiable else squares.detach())


def _inverse_deviations(code: Tensor) -> Tensor:
    """For codes (B, d), (d,): their squares estimate 1 / variance; 0 for three codes or fewer."""
    code = at_least_float32(code)
    squares = (code - code.mean(0)).square().sum(0)
    inverse = torch.rsqrt(squares + len(code) * LEAST_VARIANCE)
    return math.sqrt(max(0, len(code) - 3)) * inverse


@dataclass(frozen=True, kw_only=True)
class ContractiveSettings(BottleneckSettings):
    """`bottleneck=contractive`."""

    module = Contractive

    weight: NonNegativeFloat
    """The weight of the squared norm."""
    at: Literal["clean", "given"]
    """The image at which the Jacobian is taken."""
    estimator: Literal["exact", "hutchinson", "auto"]
    """How its norm is computed."""
    probes: PositiveInt
    """For `hutchinson`: the number of random products."""
    safeguard: Literal["code_variance", "unit_columns", "tied_weights"]
    """What keeps codes from shrinking."""

    @property
    def smallest_batch(self) -> int:
        """`code_variance` has no estimate of 1 / variance from up to three codes, and a penalty of 0."""
        return 4 if self.safeguard == "code_variance" else 1

    def check(self, architecture: Architecture) -> None:
        """The safeguard `tied_weights` needs an architecture that ties them."""
        if self.safeguard == "tied_weights" and not getattr(architecture, "tied", False):
            other = "set architecture=mlp architecture.tied=true, or another safeguard"
            problem = f"the decoder has weights of its own; {other}"
            raise ConfigError("bottleneck.safeguard", problem, value=self.safeguard)
