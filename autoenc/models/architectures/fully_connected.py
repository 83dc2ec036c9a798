"""`architecture=linear`, `fully_connected`, and `mlp` with its presets `wide` and `deep`: affine layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import nn

from autoenc.models.architectures.architecture import ACTIVATIONS, EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.layers import BatchNorm1d, TiedLinear
from autoenc.settings import ConfigError, PositiveInt, ProperFraction


@dataclass(frozen=True, kw_only=True)
class Linear(InitializedArchitecture):
    """One affine map each way.

    With `output: identity` and a squared error, its best code spans the same space as the first `code_size` principal
    components (Baldi and Hornik 1989, Neural Networks 2, fact 4), so PCA's error is its lower bound.
    """

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `InitializedArchitecture`."""
        pixels = math.prod(image_shape)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, feature_size), *self.code_layers())
        decoder = nn.Sequential(nn.Linear(self.code_size, pixels), nn.Unflatten(1, image_shape))
        return EncoderDecoder(encoder, decoder)


@dataclass(frozen=True, kw_only=True)
class FullyConnected(InitializedArchitecture):
    """Affine layers with a ReLU between them. The decoder mirrors the encoder.

    With widths 128, 64, 12 and a code of 3 on 28 x 28 images it has 219,891 parameters.
    """

    hidden_sizes: tuple[PositiveInt, ...]
    """The widths of the layers between the image and the code, from the image inwards."""

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `InitializedArchitecture`."""
        widths = [math.prod(image_shape), *self.hidden_sizes]
        encoder = nn.Sequential(nn.Flatten(), *_with_relu([*widths, feature_size]), *self.code_layers())
        decoder = nn.Sequential(*_with_relu([self.code_size, *reversed(widths)]), nn.Unflatten(1, image_shape))
        return EncoderDecoder(encoder, decoder)


def _with_relu(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


@dataclass(frozen=True, kw_only=True)
class Mlp(InitializedArchitecture):
    """Affine layers with a choice of units between them. The decoder mirrors the encoder.

    A hidden layer is an affine map, batch normalisation if it is on (the map then has no bias), the units, and dropout:
    the order of Ioffe and Szegedy 2015, section 3.2. Nothing follows the last map of the encoder or of the decoder.

    For logistic units `xavier` draws weights four times as large as Glorot and Bengio 2010 do for tanh, because the
    slope at 0 is 1/4 instead of 1. Without that, `deep` hardly learns in its first epoch on MNIST.
    """

    hidden: tuple[PositiveInt, ...]
    """The widths of the layers between the image and the code, from the image inwards."""
    activation: Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid", "identity"]
    """The units of the hidden layers. `leaky_relu` has slope 0.01 below 0, `elu` tends to -1, `identity` is none."""
    batch_norm: bool
    dropout: ProperFraction
    """The probability that a hidden unit is dropped in a training step. The others are divided by 1 minus that."""
    tied: bool
    """Whether each decoder layer uses the transposed weights of the encoder layer that it mirrors (Vincent et al. 2010,
    JMLR 11, section 2.3), with a bias of its own. If a bottleneck needs more than `code_size` features, such as a mean
    and a variance for each entry, the weights of the first ones, here the means, are tied."""

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `InitializedArchitecture`.

        Raises:
            ConfigError: a decoder for codes with more entries than there are features cannot be tied.
        """
        widths = [math.prod(image_shape), *self.hidden]
        inwards = self._maps([*widths, feature_size])
        outwards = self._maps([self.code_size, *reversed(widths)])
        decoding = self._tied(outwards, inwards[::-1]) if self.tied else outwards
        encoder = nn.Sequential(nn.Flatten(), *self._with_units(inwards), *self.code_layers())
        decoder = nn.Sequential(*self._with_units(decoding), nn.Unflatten(1, image_shape))
        return EncoderDecoder(encoder, decoder)

    @property
    def gain(self) -> float:
        """The inverse slope of the units at 0."""
        return 4.0 if self.activation == "sigmoid" else 1.0

    def _maps(self, widths: Sequence[int]) -> list[nn.Linear]:
        """Affine maps from each width to the next, with a bias unless batch normalisation follows."""
        biases = [not self.batch_norm] * (len(widths) - 2) + [True]
        return [nn.Linear(*ends, bias=bias) for ends, bias in zip(pairwise(widths), biases, strict=True)]

    def _tied(self, outwards: Sequence[nn.Linear], sources: Sequence[nn.Linear]) -> list[TiedLinear]:
        features = sources[0].out_features
        if features < self.code_size:
            problem = f"codes of {self.code_size} entries cannot share the weights of {features} features"
            raise ConfigError("architecture.tied", problem, value=self.tied)
        return [
            TiedLinear(source, inputs=untied.in_features, bias=untied.bias is not None)
            for source, untied in zip(sources, outwards, strict=True)
        ]

    def _with_units(self, maps: Sequence[nn.Linear] | Sequence[TiedLinear]) -> list[nn.Module]:
        """The maps, with normalisation, units and dropout after all but the last."""
        layers: list[nn.Module] = []
        for affine in maps[:-1]:
            norm = [BatchNorm1d(affine.out_features)] if self.batch_norm else []
            units = [unit() for unit in ACTIVATIONS[self.activation]]
            dropout = [nn.Dropout(self.dropout)] if self.dropout else []
            layers += [affine, *norm, *units, *dropout]
        return [*layers, maps[-1]]
