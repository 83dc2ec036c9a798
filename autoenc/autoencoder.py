"""The one model: an encoder, a bottleneck and a decoder."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from autoenc.bottlenecks import Bottleneck, Plain
from autoenc.losses import Loss
from autoenc.output_ranges import OUTPUT_RANGES, OutputName


class AutoEncoderOutput(NamedTuple):
    """What a model makes of a batch of images; the code first, then the reconstruction."""

    code: Tensor
    """(B, code_size)."""
    reconstruction: Tensor
    """(B, C, H, W), in [0, 1] scale."""
    raw: Tensor
    """The decoder's output before it is mapped to [0, 1], (B, C, H, W)."""
    penalty: Tensor
    """The bottleneck's penalty for each image, (B,)."""
    diagnostics: dict[str, Tensor]
    """The bottleneck's scalars for the epoch's metrics."""


class AutoEncoder(nn.Module):
    """Any encoder and decoder that fit, with a bottleneck between.

    The encoder maps images (B, C, H, W) to features (B, F), with F = `bottleneck.feature_size(code_size)`; the decoder
    maps codes (B, code_size) to raw outputs (B, C, H, W). `output` says what the raw output means: `identity`,
    `sigmoid` or `tanh`. With `tanh` the encoder is given images in [-1, 1].
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        bottleneck: Bottleneck | None = None,
        output: OutputName = "identity",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.bottleneck = Plain() if bottleneck is None else bottleneck
        self.decoder = decoder
        self.output_range = OUTPUT_RANGES[output]

    def forward(self, images: Tensor) -> AutoEncoderOutput:
        """Images (B, C, H, W) in [0, 1] to codes (B, code_size) and reconstructions (B, C, H, W)."""
        features = self.encoder(self.output_range.to_model(images))  # (B, F)
        bottled = self.bottleneck(features)
        raw = self.decoder(bottled.code)  # (B, C, H, W)
        reconstruction = self.output_range.to_images(raw)
        return AutoEncoderOutput(bottled.code, reconstruction, raw, bottled.penalty, bottled.diagnostics)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to codes (B, code_size)."""
        return self.bottleneck(self.encoder(self.output_range.to_model(images))).code  # type: ignore[no-any-return]

    def decode(self, code: Tensor) -> Tensor:
        """Codes (B, code_size) to images (B, C, H, W) in [0, 1] scale."""
        return self.output_range.to_images(self.decoder(code))

    def objective(self, output: AutoEncoderOutput, loss: Loss, *, target: Tensor) -> Tensor:
        """What training minimises, (), for `output = self(images)` and the clean images (B, C, H, W) as `target`."""
        return self.bottleneck.objective(
            loss, raw=output.raw, reconstruction=output.reconstruction, target=target, penalty=output.penalty
        )
