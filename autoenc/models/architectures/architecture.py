"""What every architecture has, and the contract it fulfils."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from autoenc.models.output_ranges import OutputName
from autoenc.settings import PositiveInt

ImageShape = tuple[int, int, int]
"""(C, H, W)."""

CodeActivation = Literal["identity", "relu", "sigmoid", "tanh"]


class EncoderDecoder(NamedTuple):
    """The two halves of an autoencoder, built to fit one another."""

    encoder: nn.Module
    decoder: nn.Module


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The fields every architecture has."""

    code_size: PositiveInt
    code_activation: CodeActivation
    """Applied to the encoder's features, that is to the code where the bottleneck is plain."""
    output: OutputName
    """What the decoder ends in; the images that the model is given are mapped to match."""

    def build(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder to (B, feature_size) and a decoder from (B, code_size), for images (B, *image_shape).

        The decoder ends in raw numbers: the `AutoEncoder` applies `output`.
        """
        raise NotImplementedError

    def code_layers(self) -> list[nn.Module]:
        """The layers that end the encoder: none where the code is left as it is."""
        return [activation() for activation in _CODE_ACTIVATIONS[self.code_activation]]


_CODE_ACTIVATIONS: dict[CodeActivation, tuple[type[nn.Module], ...]] = {
    "identity": (),
    "relu": (nn.ReLU,),
    "sigmoid": (nn.Sigmoid,),
    "tanh": (nn.Tanh,),
}
