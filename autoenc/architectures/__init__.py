"""Architectures: what the encoder and the decoder are made of.

Each entry's `build` gives an encoder from images (B, C, H, W) to features (B, F) and a decoder from codes
(B, code_size) to raw outputs (B, C, H, W), for any image shape.
"""

from __future__ import annotations

from autoenc.architectures.architecture import Architecture, EncoderDecoder, ImageShape
from autoenc.architectures.conv import Conv
from autoenc.architectures.conv_linear import ConvLinear
from autoenc.architectures.denoising_conv import DenoisingConv
from autoenc.architectures.fully_connected import FullyConnected
from autoenc.architectures.linear import Linear
from autoenc.architectures.mlp import Mlp
from autoenc.architectures.residual import Residual
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
