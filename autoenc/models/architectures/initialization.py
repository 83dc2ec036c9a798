"""The weights that training starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import nn

from autoenc.models.architectures.architecture import Architecture, EncoderDecoder, ImageShape
from autoenc.models.architectures.upsampling import SubPixelConv2d
from autoenc.models.layers import TiedLinear, WeightedLayer

Initialization = Literal["torch_default", "xavier", "kaiming"]
"""The law of the first weights. With n numbers that an output is a sum over, and m outputs that an input goes into:

- `torch_default`: weights and biases uniform within 1 / sqrt(n), as torch's own layers start. For the n of a
  transposed convolution torch takes that of the convolution it transposes.
- `xavier`: uniform within gain * sqrt(6 / (n + m)), biases 0 (Glorot and Bengio 2010, AISTATS, equation 16).
- `kaiming`: normal with variance 2 / n, biases 0; made for ReLU (He et al. 2015, ICCV, equation 10).

Batch normalisation starts as the identity. The four kernels of a sub-pixel convolution start out equal, so that it
begins as a nearest-neighbour upsampling, without checkerboards (Aitken et al. 2017, arXiv:1707.02937, section 3).
"""


@dataclass(frozen=True, kw_only=True)
class InitializedArchitecture(Architecture):
    """An architecture whose first weights are a choice, as those of all our own are."""

    initialization: Initialization = "torch_default"
    """The default is what there was before there was a choice: runs of that time do not name it."""

    def build(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        with torch.random.fork_rng(devices=[]):  # what torch draws as it makes a layer is drawn for nothing
            parts = self.assemble(image_shape, feature_size=feature_size)
        initialise(parts, self.initialization, gain=self.gain)
        return parts

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """What `build` gives, with whatever weights."""
        raise NotImplementedError

    @property
    def gain(self) -> float:
        """By what `xavier` multiplies the weights: one over the slope of the units at 0."""
        return 1.0


def initialise(parts: EncoderDecoder, law: Initialization, *, gain: float = 1.0) -> None:
    """Draw every weight anew from torch's generator, the encoder's first, in the order of the layers."""
    for layer in (*parts.encoder.modules(), *parts.decoder.modules()):
        if isinstance(layer, WeightedLayer):
            _draw(layer, law, gain=gain)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        else:
            assert not list(layer.parameters(recurse=False)), f"nobody initialises {layer}"


def _draw(layer: WeightedLayer, law: Initialization, *, gain: float) -> None:
    if not isinstance(layer, TiedLinear):  # whose weights are another's
        _draw_weights(layer, law, gain=gain)
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight[0].numel()) if law == "torch_default" else 0.0
        _ = nn.init.uniform_(layer.bias, -bound, bound) if bound else nn.init.zeros_(layer.bias)
    if isinstance(layer, SubPixelConv2d):
        _make_alike(layer)


def _draw_weights(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, law: Initialization, *, gain: float) -> None:
    fans = _fans(layer)
    if law == "torch_default":
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))  # which comes down to 1 / sqrt(n)
    elif law == "xavier":
        bound = gain * math.sqrt(6 / (fans.inputs + fans.outputs))
        nn.init.uniform_(layer.weight, -bound, bound)
    else:
        nn.init.normal_(layer.weight, std=math.sqrt(2 / fans.inputs))


class _Fans(NamedTuple):
    """What a layer's weights connect, on average."""

    inputs: float
    """How many numbers an output is a sum over."""
    outputs: float
    """How many outputs an input goes into."""


def _fans(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> _Fans:
    """Unlike torch's count, this one minds strides, and that a kernel as large as the map has one place to be."""
    if isinstance(layer, nn.Linear):
        return _Fans(layer.in_features, layer.out_features)
    area, steps = math.prod(layer.kernel_size), math.prod(layer.stride)
    # Among our layers, only a kernel that covers the whole map has neither stride nor padding.
    covers = steps == 1 and layer.padding == (0, 0)
    overlap = 1 if covers else area / steps
    if isinstance(layer, nn.ConvTranspose2d):
        return _Fans(layer.in_channels * overlap, layer.out_channels * area)
    return _Fans(layer.in_channels * area, layer.out_channels * overlap)


def _make_alike(layer: SubPixelConv2d) -> None:
    """Give the four kernels, and biases, of each output channel the values of the first."""
    with torch.no_grad():
        for parameter in layer.parameters():
            alike = parameter.unflatten(0, (-1, 4))  # (outputs, 4, ...)
            alike[:, 1:] = alike[:, :1].clone()
