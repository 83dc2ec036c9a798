"""The model: an encoder, a bottleneck, a decoder and a loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from autoenc.models.bottlenecks import Bottleneck
from autoenc.models.bottlenecks.bottleneck import Passage, Plain
from autoenc.models.losses import Loss
from autoenc.models.losses.pixel_means import MeanSquaredError
from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName, OutputRange


@dataclass(frozen=True, kw_only=True)
class AutoEncoderOutput:
    """The model's output for a batch of images. S is the number of codes sampled for each image, usually 1."""

    code: Tensor
    """(B, code_size); for a distribution, its mean."""
    raw: Tensor
    """The decoder's output before it is mapped to [0, 1], (S * B, C, H, W)."""
    output_range: OutputRange
    """The map from `raw` to images."""
    samples: Tensor
    """The codes that were decoded, (S, B, code_size)."""
    penalty: Tensor
    """The bottleneck's penalty, broadcastable to (S, B)."""
    diagnostics: dict[str, Tensor]
    """The bottleneck's scalars for the epoch's metrics."""
    divergence: Tensor | None
    """Variational bottlenecks only: the KL divergence in nats, broadcastable to (S, B)."""
    indices: Tensor | None
    """Vector quantization only: see `BottleneckOutput`."""

    @cached_property
    def reconstruction(self) -> Tensor:
        """(S * B, C, H, W), in [0, 1] scale: all images from the first sample, then all from the second, ...

        It is computed when it is read: training with a loss of logits does without it.
        """
        return self.output_range.to_images(self.raw)


class Objective(NamedTuple):
    """The training objective and its parts."""

    loss: Tensor
    """()."""
    parts: dict[str, Tensor]
    """Scalars for the epoch's metrics, detached; empty if there is only the reconstruction loss."""


class AutoEncoder(nn.Module):
    """Any encoder and decoder that fit, with a bottleneck between them.

    The encoder maps images (B, C, H, W) to features (B, F), with F = `bottleneck.feature_size`. The decoder maps codes
    (B, code_size) to raw outputs (B, C, H, W). `output` is the activation that maps these to images: `identity`,
    `sigmoid` or `tanh`. With `tanh` the encoder receives images in [-1, 1].

    The `loss` is part of the model, because a likelihood may have parameters. The KL term of a variational bottleneck
    is in nats, so a loss that is an average over pixels is replaced by the likelihood of which it is the average.
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
        self._to_logits = OUTPUT_RANGES[output].to_logits  # of a likelihood's parameter; `output_range` has its mean
        self.bottleneck.constrain(encoder=encoder, decoder=decoder)

    def forward(self, images: Tensor, *, draws: Tensor | None = None) -> AutoEncoderOutput:
        """Images (B, C, H, W) in [0, 1] to codes (B, code_size) and reconstructions (B, C, H, W).

        `draws`, from `draw`, sample the code of a distribution. Without them it is the mean.
        """
        bottled = self.bottleneck(self.features(images), draws=draws)
        raw = self.decoder(bottled.samples.flatten(0, 1))  # (S, B, code_size) -> (S * B, C, H, W)
        return AutoEncoderOutput(
            code=bottled.code,
            raw=raw,
            output_range=self.output_range,
            samples=bottled.samples,
            penalty=bottled.penalty,
            diagnostics=bottled.diagnostics,
            divergence=bottled.divergence,
            indices=bottled.indices,
        )

    def draw(self, images: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:
        """The random numbers for sampling codes of images (B, C, H, W); None if the code is not random."""
        like = images.new_empty(()).expand(len(images), self.bottleneck.feature_size)
        return self.bottleneck.draw(like, generator=generator, samples=samples)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to the bottleneck's input, (B, F)."""
        return self.encoder(self.output_range.to_model(images))  # type: ignore[no-any-return]

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to codes (B, code_size); for a distribution, its mean."""
        return self.bottleneck(self.features(images)).code  # type: ignore[no-any-return]

    def decode(self, code: Tensor) -> Tensor:
        """Codes (B, code_size) to images (B, C, H, W) in [0, 1] scale."""
        return self.output_range.to_images(self.decoder(code))

    def predictions(self, raw: Tensor) -> Tensor:
        """Of the decoder's raw output (B, C, H, W), the tensor that the loss compares with the target."""
        return self._to_logits(raw) if self.loss.reads_logits else self.output_range.to_images(raw)

    @property
    def parameter_count(self) -> int:
        """The number of learned numbers: parameters with a gradient, and a codebook."""
        learned = [*self.parameters(), *(getattr(self.bottleneck, name) for name in self.bottleneck.learned_buffers)]
        return sum(tensor.numel() for tensor in learned)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode without gradients. Afterwards the model is in the mode that it was in before."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(was_training)

    def objective(
        self,
        output: AutoEncoderOutput,
        *,
        target: Tensor,
        given: Tensor | None = None,
        corrupted: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Objective:
        """The loss to minimise.

        Args:
            output: the model's output for `given`.
            target: the clean images, (B, C, H, W).
            given: the model's input, (B, C, H, W), if it is not `target`.
            corrupted: where the noise changed it, bool and broadcastable to (B, C, H, W).
            generator: for penalties that are random estimates.
        """
        diagnostics = {**output.diagnostics, **self.loss.diagnostics()}
        if not self.bottleneck.penalizes:
            return Objective(self.loss(self.predictions(output.raw), target, corrupted=corrupted), diagnostics)
        errors = self._errors(output, target=target, corrupted=corrupted)  # (S, B)
        passage = Passage(self, output, given=target if given is None else given, clean=target, generator=generator)
        further = self.bottleneck.further_penalty(passage)
        penalty = output.penalty if further is None else output.penalty + further
        parts = {"reconstruction": errors.detach().mean(), "penalty": penalty.detach().mean(), **diagnostics}
        return Objective(self.bottleneck.combine(errors, penalty).mean(), parts)

    def elbo(self, output: AutoEncoderOutput, *, target: Tensor) -> Tensor:
        """The evidence lower bound in nats for each image, (B,), with weight 1 for the divergence.

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
                corrupted = corrupted.expand_as(target).repeat(samples, 1, 1, 1)
            target = target.repeat(samples, 1, 1, 1)
        per_image: Tensor = self.loss.per_image(self.predictions(output.raw), target, corrupted=corrupted)
        return per_image.reshape(samples, -1)
