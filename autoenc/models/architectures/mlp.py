"""`architecture=mlp`, `wide` and `deep`: fully connected layers of any widths, units and depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.layers import BatchNorm1d, TiedLinear
from autoenc.settings import ConfigError, PositiveInt, ProperFraction

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid", "identity"]


@dataclass(frozen=True, kw_only=True)
class Mlp(InitializedArchitecture):
    """Affine layers with units between them; the decoder mirrors the encoder.

    A hidden layer is an affine map, batch normalisation where it is asked for (the map then has no bias of its own),
    the units, and dropout: the order of Ioffe and Szegedy 2015, section 3.2. Nothing of that follows on the last map of
    the encoder or of the decoder.

    The first weights are drawn by `initialization`. For logistic units `xavier` draws them four times as large as
    Glorot and Bengio 2010 have it for tanh, since the logistic function's slope at 0 is 1/4 and that of tanh is 1:
    without that, `deep` is not far from the mean image when an epoch on MNIST is over.
    """

    hidden: tuple[PositiveInt, ...]
    """The widths of the layers between the image and the code, from the image inwards."""
    activation: Activation
    """The units of the hidden layers: `leaky_relu` has slope 0.01 below 0, `elu` ends at -1, `identity` has none."""
    batch_norm: bool
    dropout: ProperFraction
    """The probability that a unit of a hidden layer is 0 in a training step; those left are divided by 1 - it."""
    tied: bool
    """Whether each decoder layer uses the transposed weights of its mirror image in the encoder (Vincent et al. 2010,
    JMLR 11, section 2.3), with a bias of its own. Of the encoder's last weights those of the first `code_size` features
    are tied: where a bottleneck asks for more, such as a mean and a variance for each entry, these are the means."""

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W).

        Raises:
            ConfigError: a decoder for codes of more entries than there are features cannot be tied.
        """
        widths = [math.prod(image_shape), *self.hidden]
        inwards = self._affine([*widths, feature_size])
        outwards = (
            self._tied(inwards, feature_size=feature_size)
            if self.tied
            else self._affine([self.code_size, *reversed(widths)])
        )
        encoder = nn.Sequential(
            nn.Flatten(),  # (B, C, H, W) -> (B, C*H*W)
            *self._with_units(inwards),  # -> (B, feature_size)
            *self.code_layers(),
        )
        decoder = nn.Sequential(
            *self._with_units(outwards),  # (B, code_size) -> (B, C*H*W)
            nn.Unflatten(1, image_shape),
        )
        return EncoderDecoder(encoder, decoder)

    @property
    def gain(self) -> float:
        """One over the slope of the units at 0."""
        return 4.0 if self.activation == "sigmoid" else 1.0

    def _affine(self, widths: Sequence[int]) -> list[nn.Linear]:
        biases = self._biases(len(widths) - 1)
        return [
            nn.Linear(inputs, outputs, bias=bias)
            for (inputs, outputs), bias in zip(pairwise(widths), biases, strict=True)
        ]

    def _tied(self, inwards: Sequence[nn.Linear], *, feature_size: int) -> list[TiedLinear]:
        """The decoder's layers, given those of the encoder."""
        if feature_size < self.code_size:
            problem = f"codes of {self.code_size} entries have no weights to share with {feature_size} features"
            raise ConfigError("architecture.tied", problem, value=self.tied)
        inputs = [self.code_size, *reversed(self.hidden)]
        biases = self._biases(len(inputs))
        return [
            TiedLinear(source, inputs=count, bias=bias)
            for source, count, bias in zip(reversed(inwards), inputs, biases, strict=True)
        ]

    def _biases(self, count: int) -> list[bool]:
        """Which of `count` layers have one: those that no normalisation follows."""
        return [not self.batch_norm] * (count - 1) + [True]

    def _with_units(self, maps: Sequence[nn.Linear] | Sequence[TiedLinear]) -> list[nn.Module]:
        """The layers, with what belongs between two of them."""
        layers: list[nn.Module] = []
        for affine in maps[:-1]:
            norm = [BatchNorm1d(affine.out_features)] if self.batch_norm else []
            units = [unit() for unit in _ACTIVATIONS[self.activation]]
            dropout = [nn.Dropout(self.dropout)] if self.dropout else []
            layers += [affine, *norm, *units, *dropout]
        return [*layers, maps[-1]]


_ACTIVATIONS: dict[Activation, tuple[type[nn.Module], ...]] = {
    "relu": (nn.ReLU,),
    "leaky_relu": (nn.LeakyReLU,),
    "elu": (nn.ELU,),
    "gelu": (nn.GELU,),
    "tanh": (nn.Tanh,),
    "sigmoid": (nn.Sigmoid,),
    "identity": (),
}
