"""The contract of an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from autoenc.models.output_ranges import OutputName
from autoenc.registry import Choice
from autoenc.settings import PositiveInt

ImageShape = tuple[int, int, int]
"""(C, H, W)."""

ACTIVATIONS: dict[str, tuple[type[nn.Module], ...]] = {
    "identity": (),
    "relu": (nn.ReLU,),
    "leaky_relu": (nn.LeakyReLU,),
    "elu": (nn.ELU,),
    "gelu": (nn.GELU,),
    "sigmoid": (nn.Sigmoid,),
    "tanh": (nn.Tanh,),
}


class EncoderDecoder(NamedTuple):
    """The two halves of an autoencoder."""

    encoder: nn.Module
    decoder: nn.Module


@dataclass(frozen=True, kw_only=True)
class Architecture(Choice):
    """The base class of the entries of `ARCHITECTURES`, with the fields that all have."""

    code_size: PositiveInt
    code_activation: Literal["identity", "relu", "sigmoid", "tanh"]
    """Applied to the encoder's features; with a plain bottleneck, these are the code."""
    output: OutputName
    """The activation that the decoder ends in. The model's input is mapped to the same range."""

    def build(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W).

        The decoder gives raw numbers; the `AutoEncoder` applies `output`.
        """
        raise NotImplementedError

    def code_layers(self) -> list[nn.Module]:
        """The last layers of the encoder: the code's activation, or none."""
        return [activation() for activation in ACTIVATIONS[self.code_activation]]
