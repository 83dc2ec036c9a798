"""The first convolution as a matrix, and its transpose."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.models.layers import weighted_layers
from autoenc.pictures.matrix import Matrix
from autoenc.portraits.subject import Subject

SIDE = 8
"""Of the image, in pixels; a larger kernel has an image of its own size."""


def matrix(subject: Subject) -> Matrix | None:
    """The encoder's first layer from one channel of an image 8 x 8 to one of its outputs, without the bias.

    Of all its kernels the one with the greatest norm. Each matrix is found by what the convolution, and the transposed
    convolution, make of images with a single pixel that is 1, in double precision.

    Returns:
        None where the first layer is no convolution, or one without zeros around the image, or not the same both ways.
    """
    layers = weighted_layers(subject.model.encoder)
    layer = layers[0][1] if layers else None
    geometry = _geometry(layer) if isinstance(layer, nn.Conv2d) else None
    if layer is None or geometry is None:
        return None
    kernels = layer.weight.detach().cpu().double().flatten(0, 1)  # (outputs * inputs, h, w)
    return as_matrices(kernels[kernels.flatten(1).norm(dim=1).argmax()], geometry=geometry)


class Geometry(NamedTuple):
    """The same in both directions."""

    stride: int
    padding: int
    dilation: int


def as_matrices(kernel: Tensor, *, geometry: Geometry) -> Matrix:
    """The picture of a kernel (h, w), in double precision."""
    stride, padding, dilation = geometry
    side = max(SIDE, *(dilation * (length - 1) + 1 for length in kernel.shape))
    weight = kernel[None, None]
    seen = F.conv2d(_pixels(side, side), weight, stride=stride, padding=padding, dilation=dilation)
    height, width = seen.shape[2:]
    # Images of several sizes lead to one size of output, where there is a stride; so the way back has to be told.
    reached = [
        (count - 1) * stride - 2 * padding + dilation * (length - 1) + 1
        for count, length in ((height, kernel.shape[0]), (width, kernel.shape[1]))
    ]
    missing = (side - reached[0], side - reached[1])
    back = F.conv_transpose2d(
        _pixels(height, width), weight, stride=stride, padding=padding, dilation=dilation, output_padding=missing
    )
    return Matrix(
        kernel=kernel.numpy(),
        convolution=seen.flatten(1).T.numpy().copy(),
        transposed=back.flatten(1).T.numpy().copy(),
        side=side,
        stride=stride,
        padding=padding,
    )


def _geometry(layer: nn.Conv2d) -> Geometry | None:
    pairs = (layer.stride, layer.padding, layer.dilation)
    if layer.padding_mode != "zeros" or any(isinstance(pair, str) or pair[0] != pair[1] for pair in pairs):
        return None
    return Geometry(*(int(pair[0]) for pair in pairs))


def _pixels(height: int, width: int) -> Tensor:
    """Every image with a single 1, (height * width, 1, height, width)."""
    return torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
