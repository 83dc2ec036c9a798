"""Architectures: the layers of the encoder and the decoder, for any image shape."""

from __future__ import annotations

from autoenc.models.architectures.architecture import Architecture, EncoderDecoder, ImageShape
from autoenc.models.architectures.convolutional import Conv, ConvLinear, DenoisingConv
from autoenc.models.architectures.fully_connected import FullyConnected, Linear, Mlp
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
