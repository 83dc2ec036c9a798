"""The one model: an encoder, a bottleneck and a decoder, and what they are trained with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from autoenc.models.bottlenecks import Bottleneck, Passage, Plain
from autoenc.models.losses import Loss, MeanSquaredError
from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName


class AutoEncoderOutput(NamedTuple):
    """What a model makes of a batch of images; the code first, then the reconstruction.

    S is the number of codes that were sampled for an image: 1, but for bounds that take more.
    """

    code: Tensor
    """(B, code_size): of a distribution, its mean."""
    reconstruction: Tensor
    """(S * B, C, H, W), in [0, 1] scale: all images from the first sample, then all from the second, ..."""
    raw: Tensor
    """The decoder's output before it is mapped to [0, 1], (S * B, C, H, W)."""
    samples: Tensor
    """The codes that were decoded, (S, B, code_size)."""
    penalty: Tensor
    """The bottleneck's penalty, broadcastable to (S, B)."""
    diagnostics: dict[str, Tensor]
    """The bottleneck's scalars for the epoch's metrics."""
    divergence: Tensor | None
    """Of a variational bottleneck: the KL divergence in nats, broadcastable to (S, B)."""


class Objective(NamedTuple):
    """What training minimises, and what it is made of."""

    loss: Tensor
    """()."""
    parts: dict[str, Tensor]
    """Scalars for the epoch's metrics, not differentiated; none where the reconstruction loss is all there is."""


class AutoEncoder(nn.Module):
    """Any encoder and decoder that fit, with a bottleneck between.

    The encoder maps images (B, C, H, W) to features (B, F), with F = `bottleneck.feature_size`; the decoder maps codes
    (B, code_size) to raw outputs (B, C, H, W). `output` says what the raw output means: `identity`, `sigmoid` or
    `tanh`. With `tanh` the encoder is given images in [-1, 1]. The `loss` belongs to the model, since a likelihood may
    have parameters of its own. A variational bottleneck adds nats only to nats: with a loss that is a mean over pixels
    it takes the likelihood of which that loss is the mean.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        bottleneck: Bottleneck | None = None,
        loss: Loss | None = None,
        output: OutputName = "identity",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.bottleneck = Plain(code_size=0) if bottleneck is None else bottleneck
        self.decoder = decoder
        given = MeanSquaredError() if loss is None else loss
        self.loss = given.likelihood() if self.bottleneck.variational else given
        self.output_range = self.loss.means(OUTPUT_RANGES[output])
        self.bottleneck.constrain(encoder=encoder, decoder=decoder)

    def forward(self, images: Tensor, *, draws: Tensor | None = None) -> AutoEncoderOutput:
        """Images (B, C, H, W) in [0, 1] to codes (B, code_size) and reconstructions (B, C, H, W).

        `draws` are the random numbers of `draw`, for a code that is sampled; without them it is the mean.
        """
        bottled = self.bottleneck(self.features(images), draws=draws)
        raw = self.decoder(bottled.samples.flatten(0, 1))  # (S, B, code_size) -> (S * B, C, H, W)
        return AutoEncoderOutput(
            code=bottled.code,
            reconstruction=self.output_range.to_images(raw),
            raw=raw,
            samples=bottled.samples,
            penalty=bottled.penalty,
            diagnostics=bottled.diagnostics,
            divergence=bottled.divergence,
        )

    def draw(self, images: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:
        """The random numbers for sampling codes of images (B, C, H, W); None where the code is not random."""
        like = images.new_empty(()).expand(len(images), self.bottleneck.feature_size)
        return self.bottleneck.draw(like, generator=generator, samples=samples)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to what the bottleneck makes codes of, (B, F)."""
        return self.encoder(self.output_range.to_model(images))  # type: ignore[no-any-return]

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to codes (B, code_size): of a distribution, its mean."""
        return self.bottleneck(self.features(images)).code  # type: ignore[no-any-return]

    def decode(self, code: Tensor) -> Tensor:
        """Codes (B, code_size) to images (B, C, H, W) in [0, 1] scale."""
        return self.output_range.to_images(self.decoder(code))

    def objective(
        self,
        output: AutoEncoderOutput,
        *,
        target: Tensor,
        given: Tensor | None = None,
        corrupted: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Objective:
        """What training minimises.

        Args:
            output: what the model made of `given`.
            target: the clean images, (B, C, H, W).
            given: what the model was given, (B, C, H, W), where that is not `target`.
            corrupted: where it was corrupted, bool and broadcastable to (B, C, H, W).
            generator: for penalties that are estimated at random.
        """
        if not self.bottleneck.penalizes:
            loss = self.loss(output.raw, output.reconstruction, target, corrupted=corrupted)
            return Objective(loss, {**output.diagnostics, **self.loss.diagnostics()})
        errors = self._errors(output, target=target, corrupted=corrupted)  # (S, B)
        penalty = output.penalty
        further = self.bottleneck.further_penalty(self._passage(output, target, given=given, generator=generator))
        if further is not None:
            penalty = penalty + further
        parts = {"reconstruction": errors.detach().mean(), "penalty": penalty.detach().mean()}
        parts |= {**output.diagnostics, **self.loss.diagnostics()}
        return Objective(self.bottleneck.combine(errors, penalty).mean(), parts)

    def elbo(self, output: AutoEncoderOutput, *, target: Tensor) -> Tensor:
        """The evidence lower bound in nats for each image, (B,), whatever the penalty's weight in training.

        Kingma and Welling 2014, equation 3: the expected log-likelihood under sampled codes, minus the KL divergence
        from the prior. `output` has to be of sampled codes.
        """
        assert output.divergence is not None, "the bottleneck is not variational"
        return -(self._errors(output, target=target, corrupted=None) + output.divergence).mean(0)

    def _errors(self, output: AutoEncoderOutput, *, target: Tensor, corrupted: Tensor | None) -> Tensor:
        """The reconstruction loss of each sample of each image, (S, B)."""
        samples = len(output.samples)
        if samples > 1:
            if corrupted is not None:
                counts = not self.loss.emphasis.even
                corrupted = _repeated(corrupted.expand_as(target), times=samples) if counts else None
            target = _repeated(target, times=samples)
        per_image: Tensor = self.loss.per_image(output.raw, output.reconstruction, target, corrupted=corrupted)
        return per_image.reshape(samples, -1)

    def _passage(
        self, output: AutoEncoderOutput, target: Tensor, *, given: Tensor | None, generator: torch.Generator | None
    ) -> Passage:
        return Passage(
            encode=self.encode,
            decode=self.decode,
            given=target if given is None else given,
            clean=target,
            samples=output.samples,
            generator=generator,
        )


def _repeated(images: Tensor, *, times: int) -> Tensor:
    """(B, ...) to (times * B, ...), without a copy where that can be."""
    return images.unsqueeze(0).expand(times, *images.shape).flatten(0, 1)
