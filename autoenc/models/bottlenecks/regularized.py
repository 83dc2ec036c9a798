"""`bottleneck=regularized`: the regularised autoencoder, a deterministic relative of the VAE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings, Passage
from autoenc.models.bottlenecks.jacobian import in_eval_mode, random_signs, squared_products
from autoenc.models.layers import at_least_float32, weighted_layers
from autoenc.settings import NonNegativeFloat, PositiveInt


class Regularized(Bottleneck):
    """The features are the code. The penalty is for long codes and for a rough decoder.

    Ghosh et al. 2020, ICLR, section 3: `code_weight` times half the squared length of the code, plus
    `decoder_weight` times

    - `l2`: the sum of squares of the decoder's weights, without biases and normalisation (their RAE-L2), or
    - `gradient`: the squared Frobenius norm of d reconstruction / d code, pixels in [0, 1], at the image's code (their
      RAE-GP). It is estimated without bias by `probes` vector-Jacobian products with random signs, with the decoder in
      eval mode. Both encoder and decoder learn from it.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {"code_square": "squared length of the code, mean over images"}

    settings: RegularizedSettings

    @property
    def penalty_unit(self) -> str:
        """Names both parts."""
        settings = self.settings
        of_decoder = {
            "l2": "the sum of the decoder's squared weights",
            "gradient": f"the squared norm of d pixel / d code, estimated with probes={settings.probes}",
        }[settings.decoder_penalty]
        of_code = f"{settings.code_weight:g} times half the code's squared length"
        return f"{of_code} + {settings.decoder_weight:g} times {of_decoder}"

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), unchanged."""
        squares = at_least_float32(features).square().sum(1)  # (B,)
        penalty = 0.5 * self.settings.code_weight * squares
        return BottleneckOutput(features, features.unsqueeze(0), penalty, {"code_square": squares.detach().mean()})

    def further_penalty(self, passage: Passage) -> Tensor | None:
        """() for the weights, (B,) for the gradient; None if its weight is 0."""
        weight = self.settings.decoder_weight
        if weight == 0:
            return None
        if self.settings.decoder_penalty == "gradient":
            return weight * self._slopes(passage)
        # From the layers, because tied weights are not among the decoder's parameters.
        squares = [layer.weight.square().sum() for _, layer in weighted_layers(passage.model.decoder)]
        return weight * torch.stack(squares).sum()

    def _slopes(self, passage: Passage) -> Tensor:
        """An estimate of the squared norm of each image's d reconstruction / d code, (B,)."""
        differentiable = torch.is_grad_enabled()  # False in validation
        code = passage.output.samples.flatten(0, 1)  # (B, code_size)
        with torch.enable_grad(), in_eval_mode(passage.model.decoder):
            code = code if code.requires_grad else code.detach().requires_grad_()
            images = passage.model.decode(code)  # (B, C, H, W)
            signs = random_signs(images, count=self.settings.probes, generator=passage.generator)
            slopes = squared_products(images, code, cotangents=signs, differentiable=differentiable).mean(0)
        return slopes if differentiable else slopes.detach()


@dataclass(frozen=True, kw_only=True)
class RegularizedSettings(BottleneckSettings):
    """`bottleneck=regularized`."""

    module = Regularized

    code_weight: NonNegativeFloat
    """The weight of half the code's squared length."""
    decoder_penalty: Literal["l2", "gradient"]
    """What is penalised in the decoder."""
    decoder_weight: NonNegativeFloat
    """The weight of that; 0 for none."""
    probes: PositiveInt
    """For `gradient`: the number of random products."""
