"""Slides: pictures of 1920 x 1080 pixels for a projector."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.transforms import Bbox
from PIL import Image

from autoenc.pictures.page import DPI, pixels_of, save, write_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1920, 1080
LEAST_SCALE = 0.85
"""Of a figure on a slide: its smallest text is then 18 pixels high."""


def is_readable(figure: Figure) -> bool:
    """Whether the text of a figure is large enough if the whole figure is on one slide."""
    return _scale(figure) >= LEAST_SCALE


def save_slides(figures: Sequence[Figure], folder: Path, *, name: str, figure_format: str) -> None:
    """Write each figure on a white slide, as large as fits: `<name>.png`, or `<name>-1.png` and so on.

    Older slides of this name and format are removed, which may have been more or fewer.

    Args:
        figures: drawn in `house_style`.
        folder: made if it does not exist.
        name: of the picture.
        figure_format: `png`, `svg` or `pdf`; the latter two have the shape of a slide and no pixels.

    Raises:
        OSError: a slide cannot be written; an older one stays as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [f"-{number}" for number in range(1, len(figures) + 1)] if len(figures) > 1 else [""]
    for figure, number in zip(figures, numbers, strict=True):
        path = folder / f"{name}{number}.{figure_format}"
        if figure_format == "png":
            write_png(np.asarray(_slide(figure)), path)
        else:
            save(figure, path, part=_shape(figure))
    written = {f"{name}{number}.{figure_format}" for number in numbers}
    for older in folder.glob(f"{name}*.{figure_format}"):
        if older.name not in written and re.fullmatch(rf"{name}(-\d+)?", older.stem):
            older.unlink()


def _slide(figure: Figure) -> Image.Image:
    drawn = Image.fromarray(pixels_of(figure))
    scale = _scale(figure)
    size = (round(scale * drawn.width), round(scale * drawn.height))
    slide = Image.new("RGB", (WIDTH, HEIGHT), "white")
    slide.paste(drawn.resize(size, Image.Resampling.LANCZOS), ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return slide


def _scale(figure: Figure) -> float:
    width, height = (float(inches) * DPI for inches in figure.get_size_inches())
    return min(WIDTH / width, HEIGHT / height)


def _shape(figure: Figure) -> Bbox:
    """The rectangle of a slide's shape around a figure, in inches."""
    width, height = (float(inches) for inches in figure.get_size_inches())
    slide_width, slide_height = (length / (DPI * _scale(figure)) for length in (WIDTH, HEIGHT))
    return Bbox.from_bounds((width - slide_width) / 2, (height - slide_height) / 2, slide_width, slide_height)
