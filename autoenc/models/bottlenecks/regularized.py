"""`bottleneck=regularized`: the regularised autoencoder, a VAE's deterministic relative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, Passage
from autoenc.models.bottlenecks.jacobian import as_tested, random_signs, squared_products
from autoenc.models.bottlenecks.precision import at_least_float32
from autoenc.models.layers import weighted_layers
from autoenc.settings import NonNegativeFloat, PositiveInt

DecoderPenalty = Literal["l2", "gradient"]


class Regularized(Bottleneck):
    """The features are the code; its length and the decoder's roughness have a price.

    Ghosh et al. 2020, ICLR, section 3: `code_weight` times half the squared length of the code, plus
    `decoder_weight` times

    - `l2`: the sum of squares of the decoder's weights, biases and normalisation excepted (their RAE-L2), or
    - `gradient`: the squared Frobenius norm of d reconstruction / d code, pixels in [0, 1], at the image's code (their
      RAE-GP), estimated by `probes` vector-Jacobian products with random signs, right in expectation. It is that of the
      decoder as it is tested (see `as_tested`); encoder and decoder both learn from it, as the code is the place.

    Without a distribution to draw from, new images come from a density fitted to the codes afterwards.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {"code_square": "squared length of the code, mean over a batch"}

    def __init__(
        self, *, code_size: int, code_weight: float, decoder_penalty: DecoderPenalty, decoder_weight: float, probes: int
    ) -> None:
        super().__init__(code_size=code_size)
        self.code_weight = code_weight
        self.decoder_penalty = decoder_penalty
        self.decoder_weight = decoder_weight
        self.probes = probes
        of_decoder = {
            "l2": "the sum of the decoder's squared weights",
            "gradient": f"the squared norm of d pixel / d code, estimated with probes={probes}",
        }[decoder_penalty]
        of_code = f"{code_weight:g} times half the code's squared length"
        self.penalty_unit = f"{of_code} + {decoder_weight:g} times {of_decoder}"
        self._decoder: tuple[nn.Module, ...] = ()  # in a tuple, where torch does not take it for a part of this

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:  # noqa: ARG002
        """Remember the decoder."""
        self._decoder = (decoder,)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size) as it is."""
        squares = at_least_float32(features).square().sum(1)  # (B,)
        diagnostics = {"code_square": squares.detach().mean()}
        return BottleneckOutput(features, features.unsqueeze(0), 0.5 * self.code_weight * squares, diagnostics)

    def further_penalty(self, passage: Passage) -> Tensor | None:
        """() for the weights, (B,) for the gradient; None where it has no weight."""
        if self.decoder_weight == 0:
            return None
        if self.decoder_penalty == "l2":
            return self.decoder_weight * self._squared_weights()
        return self.decoder_weight * self._slopes(passage)

    def _squared_weights(self) -> Tensor:
        """()."""
        # Asked of the layers, since tied weights are none of the decoder's parameters.
        weights = [layer.weight for decoder in self._decoder for _, layer in weighted_layers(decoder)]
        return torch.stack([weight.square().sum() for weight in weights]).sum()

    def _slopes(self, passage: Passage) -> Tensor:
        """An estimate of the squared norm of each image's d reconstruction / d code, (B,)."""
        differentiable = torch.is_grad_enabled()  # not where it is but measured
        code = passage.samples.flatten(0, 1)  # (B, code_size)
        with torch.enable_grad(), as_tested(self._decoder):
            code = code if code.requires_grad else code.detach().requires_grad_()
            images = passage.decode(code)  # (B, C, H, W)
            signs = random_signs(images, count=self.probes, generator=passage.generator)
            slopes = squared_products(images, code, cotangents=signs, differentiable=differentiable).mean(0)
        return slopes if differentiable else slopes.detach()


@dataclass(frozen=True, kw_only=True)
class RegularizedSettings:
    """`bottleneck=regularized`."""

    code_weight: NonNegativeFloat
    """What half the code's squared length is multiplied by."""
    decoder_penalty: DecoderPenalty
    """What of the decoder has a price."""
    decoder_weight: NonNegativeFloat
    """What that is multiplied by; 0 for none."""
    probes: PositiveInt
    """Of `gradient`, how many random products."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:
        """It goes with everything."""

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return Regularized(
            code_size=code_size,
            code_weight=self.code_weight,
            decoder_penalty=self.decoder_penalty,
            decoder_weight=self.decoder_weight,
            probes=self.probes,
        )
