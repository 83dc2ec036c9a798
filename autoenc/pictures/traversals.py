"""What each number of a code does to the image while the others are fixed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import as_pixels, remark
from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.picture import Panel, Picture, noted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.subject import Subject

ROWS, STEPS = 16, 11
MOST_COLUMNS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Traversals(Picture):
    """Decoded codes: that of one test image, with one number after another varied."""

    images: NDArray[Any]
    """(D, S, C, H, W) in [0, 1] scale: dimension by dimension, from the lowest value to the highest."""
    code_values: NDArray[Any]
    """(D, S), the values of that number."""
    dimensions: tuple[int, ...]
    """Which numbers of the code, counted from 0, by falling standard deviation."""
    standard_deviations: tuple[float, ...]
    """Their standard deviations over the test images."""
    code_size: int
    original: NDArray[Any]
    """(C, H, W) in [0, 1], the test image."""
    reconstruction: NDArray[Any]
    """(C, H, W) in [0, 1] scale."""
    name: str
    """Its class."""
    notes: tuple[str, ...] = ()
    """Sentences on the codes."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Vary each number of the first shown image's code from its 2.5 % to its 97.5 % quantile over the test images.

        Of more than 16 numbers those of the largest variance, the largest first. None if no code is finite.
        """
        import torch

        from autoenc.pictures.code_space import central_range
        from autoenc.pictures.subject import stored

        codes = subject.finite_test_codes
        code = subject.shown_codes[0]  # (code_size,)
        if len(codes) < 2 or not code.isfinite().all():
            return None
        deviations = codes.std(dim=0, correction=0)
        dimensions = deviations.argsort(descending=True, stable=True)[:ROWS]
        low, high = central_range(codes)[:, dimensions]  # (D,) each
        values = torch.lerp(low[:, None], high[:, None], torch.linspace(0, 1, STEPS))  # (D, S)
        varied = code.repeat(len(dimensions), STEPS, 1)  # (D, S, code_size)
        varied.scatter_(2, dimensions[:, None, None].expand(-1, STEPS, 1), values[..., None])
        made = subject.decode(torch.cat([code[None], varied.flatten(0, 1)]))
        return cls(
            images=stored(made[1:]).reshape(len(dimensions), STEPS, *made.shape[1:]),
            code_values=values.numpy(),
            dimensions=tuple(dimensions.tolist()),
            standard_deviations=tuple(deviations[dimensions].tolist()),
            code_size=len(code),
            original=stored(subject.shown[0]),
            reconstruction=stored(made[0]),
            name=subject.shown_names[0],
            notes=subject.code_notes,
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a row for each dimension of the code; below them the test image and its reconstruction."""
        said = remark(*(panel.picture.images for panel in panels))
        line = (
            "In each row one number of a test image's code (counted from 1) goes in even steps from its 2.5 % to its "
            "97.5 % quantile over the test images (both are on the right), the others fixed. Rows by falling standard "
            "deviation (sd). Last row: the test image and its reconstruction."
        )
        line = " ".join([line, *noted(picture for _, picture in panels), said])
        step = 1 if len(panels) == 1 else 2  # several panels have room for every other image
        blocks = [_block(label, picture, step=step) for label, picture in panels]
        return image_strips(blocks, columns=MOST_COLUMNS, title=title, line=line.strip())


def _block(label: str, picture: Traversals, *, step: int) -> Block:
    pixels, deviations = as_pixels(picture.images[:, ::step]), picture.standard_deviations
    labels = [f"{index + 1}: sd {_written(sd)}" for index, sd in zip(picture.dimensions, deviations, strict=True)]
    rows = [
        Strip((images,), label=label, end_label=_range(values))
        for images, label, values in zip(pixels, labels, picture.code_values, strict=True)
    ]
    pair = as_pixels(np.stack([picture.original, picture.reconstruction]))
    last = Strip((pair,), label="original, reconstruction")
    captions = [""] * pixels.shape[1]
    captions[0], captions[len(captions) // 2], captions[-1] = "lowest", "middle", "highest"
    of_class = f", image of class {picture.name}" if picture.name else ""
    return Block(f"{label}\n{_which(picture)}{of_class}".strip(), (*rows, last), (tuple(captions),))


def _which(picture: Traversals) -> str:
    shown, size = len(picture.dimensions), picture.code_size
    if shown < size:
        return f"the {shown} numbers of {size} that vary most"
    return {1: "the only number", 2: "both numbers"}.get(size, f"all {size} numbers") + " of the code"


def _range(values: NDArray[Any]) -> str:
    low, high = float(values[0]), float(values[-1])
    if not high > low:
        return _written(low)
    decimals = max(0, 2 - math.floor(math.log10(high - low)))
    return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _written(value: float) -> str:
    return f"{value:#.3g}".rstrip(".").replace("-", "\N{MINUS SIGN}")
