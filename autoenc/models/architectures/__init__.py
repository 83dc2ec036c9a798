"""Architectures: what the encoder and the decoder are made of.

Each entry's `build` gives an encoder from images (B, C, H, W) to features (B, F) and a decoder from codes
(B, code_size) to raw outputs (B, C, H, W), for any image shape.
"""

from __future__ import annotations

from autoenc.models.architectures.architecture import Architecture, EncoderDecoder, ImageShape
from autoenc.models.architectures.conv import Conv
from autoenc.models.architectures.conv_linear import ConvLinear
from autoenc.models.architectures.denoising_conv import DenoisingConv
from autoenc.models.architectures.fully_connected import FullyConnected
from autoenc.models.architectures.linear import Linear
from autoenc.models.architectures.mlp import Mlp
from autoenc.models.architectures.residual import Residual
from autoenc.registry import Registry

__all__ = ["ARCHITECTURES", "Architecture", "EncoderDecoder", "ImageShape"]

ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture",
    {
        "linear": Linear,
        "fully_connected": FullyConnected,
        "mlp": Mlp,
        "wide": Mlp,
        "deep": Mlp,
        "conv": Conv,
        "conv_linear": ConvLinear,
        "denoising_conv": DenoisingConv,
        "residual": Residual,
    },
)
