"""The initial weights of all architectures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from autoenc.models.architectures.architecture import Architecture, EncoderDecoder, ImageShape
from autoenc.models.architectures.upsampling import SubPixelConv2d
from autoenc.models.layers import TiedLinear, WeightedLayer

Initialization = Literal["auto", "torch_default", "xavier", "kaiming"]
"""The distribution of the initial weights, for n inputs of each output and m outputs of each input:

- `auto`: normal with variance gain^2 / n for linear layers and gain^2 * 2 / (n + m) for convolutions, biases 0. The
  gain is that of the units that follow the layer: see `GAINS`. A transposed convolution from the code to a whole map
  has few inputs and thousands of outputs; with 1 / n it would lose the colours of small data sets.
- `torch_default`: weights and biases uniform within 1 / sqrt(n), as in torch's own layers. The n of a transposed
  convolution is that of the convolution that it transposes.
- `xavier`: uniform within gain * sqrt(6 / (n + m)), biases 0 (Glorot and Bengio 2010, AISTATS, equation 16).
- `kaiming`: normal with variance 2 / n, biases 0; made for ReLU (He et al. 2015, ICCV, equation 10).

Batch normalisation starts as the identity. The four kernels of a sub-pixel convolution start equal, so that it starts
as a nearest-neighbour upsampling, without checkerboards (Aitken et al. 2017, arXiv:1707.02937, section 3).
"""

GAINS: dict[type[nn.Module], float] = {
    **dict.fromkeys((nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU), math.sqrt(2)),
    nn.Sigmoid: 4.0,
}
"""The factors of `auto`; 1 for other units and for none. Rectifiers lose half of the variance (He et al. 2015, equation
10). For a sigmoid it is the inverse slope at 0."""


@dataclass(frozen=True, kw_only=True)
class InitializedArchitecture(Architecture):
    """An architecture with a choice of initial weights. All of ours are; a plugin need not be."""

    initialization: Initialization = "torch_default"
    """The default is for runs from before this setting existed."""

    def build(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `Architecture`."""
        with torch.random.fork_rng(devices=[]):  # the weights that torch draws for a new layer are not used
            parts = self.assemble(image_shape, feature_size=feature_size)
        initialise(parts, self.initialization, gain=self.gain)
        return parts

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """The encoder and the decoder that `build` returns, with any weights."""
        raise NotImplementedError

    @property
    def gain(self) -> float:
        """The factor of `xavier`, the same for all layers: the inverse slope of the units at 0."""
        return 1.0


def initialise(parts: EncoderDecoder, law: Initialization, *, gain: float = 1.0) -> None:
    """Draw all weights from torch's generator, the encoder's first, in the order of the layers."""
    gains = {**_gains(parts.encoder), **_gains(parts.decoder)}
    for layer in (*parts.encoder.modules(), *parts.decoder.modules()):
        if isinstance(layer, WeightedLayer):
            _draw(layer, law, gain=gains[layer] if law == "auto" else gain)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        else:
            assert not list(layer.parameters(recurse=False)), f"no initialization for {layer}"


def _gains(half: nn.Module) -> dict[nn.Module, float]:
    """The gain of each layer with weights, from the units that follow it."""
    found: dict[nn.Module, float] = {}
    gain = 1.0
    for module in reversed(list(half.modules())):
        if isinstance(module, WeightedLayer):
            found[module], gain = gain, 1.0
        else:
            gain = GAINS.get(type(module), gain)
    return found


def _draw(layer: WeightedLayer, law: Initialization, *, gain: float) -> None:
    if not isinstance(layer, TiedLinear):  # its weights belong to another layer
        _draw_weights(layer, law, gain=gain)
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight[0].numel()) if law == "torch_default" else 0.0
        _ = nn.init.uniform_(layer.bias, -bound, bound) if bound else nn.init.zeros_(layer.bias)
    if isinstance(layer, SubPixelConv2d):
        with torch.no_grad():
            for parameter in layer.parameters():
                kernels = parameter.unflatten(0, (-1, 4))  # (outputs, 4, ...)
                kernels[:, 1:] = kernels[:, :1].clone()


def _draw_weights(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, law: Initialization, *, gain: float) -> None:
    inputs, outputs = _fans(layer)
    if law == "torch_default":
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))  # equal to 1 / sqrt(n)
    elif law == "xavier":
        bound = gain * math.sqrt(6 / (inputs + outputs))
        nn.init.uniform_(layer.weight, -bound, bound)
    elif law == "kaiming":
        nn.init.normal_(layer.weight, std=math.sqrt(2 / inputs))
    else:
        fan = inputs if isinstance(layer, nn.Linear) else (inputs + outputs) / 2
        nn.init.normal_(layer.weight, std=gain / math.sqrt(fan))


def _fans(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> tuple[float, float]:
    """The average number of inputs of each output, and of outputs of each input.

    Unlike torch's count, this one considers strides, and kernels that cover the whole map.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    area, steps = math.prod(layer.kernel_size), math.prod(layer.stride)
    # In our layers, only a kernel that covers the whole map has neither stride nor padding.
    covers = steps == 1 and layer.padding == (0, 0)
    overlap = 1 if covers else area / steps
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * overlap, layer.out_channels * area
    return layer.in_channels * area, layer.out_channels * overlap
