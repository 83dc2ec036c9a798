"""Images of any shape made into images of the model's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.data.datasets.image_files import Resize, read_picture
from autoenc.settings import ConfigError

BRIGHTNESS = (0.299, 0.587, 0.114)
"""What red, green and blue count for it: ITU-R BT.601, as `read_picture` has it."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How pictures come to the shape of a model's images, (C, H, W).

    `autoenc.data.datasets.image_files.read_picture` explains `resize`. With `invert`, black and white are swapped.
    """

    image_shape: tuple[int, int, int]
    resize: Resize
    invert: bool

    def read(self, path: Path) -> Tensor:
        """The picture in a file, uint8 (C, H, W).

        Raises:
            UnreadablePicture: there is none in it.
        """
        channels, *size = self.image_shape
        image = read_picture(path, channels=channels, size=(size[0], size[1]), resize=self.resize)
        return 255 - image if self.invert else image

    def fit(self, images: Tensor) -> Tensor:
        """Images (B, 1 or 3, H', W'), uint8 or floats in [0, 1] scale, as (B, C, H, W) of the same kind."""
        if self.invert:
            images = 255 - images if images.dtype == torch.uint8 else 1 - images
        if images.shape[1:] == self.image_shape:
            return images
        shaped = _resized(_recoloured(images.float(), channels=self.image_shape[0]), self)
        return shaped.round().clamp(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else shaped


def check_fitting(fitting: Fitting) -> None:
    """Refuse what does not go together.

    Raises:
        ConfigError: bars of padding would be inverted with the picture, and stand out as a white frame.
    """
    if fitting.invert and fitting.resize == "pad":
        problem = "pictures are padded with black before they are inverted; take --resize stretch or crop with --invert"
        raise ConfigError("--resize", problem, value="pad")


def _recoloured(images: Tensor, *, channels: int) -> Tensor:
    """(B, 1 or 3, H, W) as (B, channels, H, W)."""
    if images.shape[1] == channels:
        return images
    if channels == 1:
        shares = torch.tensor(BRIGHTNESS, device=images.device).view(1, 3, 1, 1)
        return (images * shares).sum(1, keepdim=True)
    return images.expand(-1, channels, -1, -1)


def _resized(images: Tensor, fitting: Fitting) -> Tensor:
    """(B, C, H', W') as (B, C, H, W)."""
    height, width = fitting.image_shape[1:]
    if fitting.resize == "stretch":
        return _scaled(images, height=height, width=width)
    shares = height / images.shape[2], width / images.shape[3]
    scale = max(shares) if fitting.resize == "crop" else min(shares)
    inner_height, inner_width = (max(1, round(size * scale)) for size in images.shape[2:])
    inner = _scaled(images, height=inner_height, width=inner_width)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    # Negative padding cuts off.
    return F.pad(inner, (left, width - inner_width - left, top, height - inner_height - top))


def _scaled(images: Tensor, *, height: int, width: int) -> Tensor:
    if images.shape[2:] == (height, width):
        return images
    # A triangular filter as wide as what it shrinks, like Pillow's.
    return F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
