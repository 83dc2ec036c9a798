"""The test images with the largest errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from autoenc.pictures.image_grid import ImageRow, image_grid
from autoenc.pictures.image_pixels import DENOISING_PROTOCOL, error_text
from autoenc.pictures.picture import Panel, Picture
from autoenc.pictures.reconstructions import image_row, squared_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.subject import Subject

COUNT = 20
ACROSS = 10  # images in a row; of several panels no more are shown of each


@dataclass(frozen=True, kw_only=True, eq=False)
class Worst(Picture):
    """The test images with the largest squared errors, the largest first."""

    clean: NDArray[Any]
    """(K, C, H, W) in [0, 1]."""
    given: NDArray[Any]
    """(K, C, H, W): the model's input, the same as `clean` without noise."""
    reconstructions: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    errors: NDArray[Any]
    """(K,), falling: the mean squared error over pixels; with noise, the denoising error."""
    names: tuple[str, ...]
    """The images' classes, (K,)."""
    noisy: bool
    """Whether the model's inputs were noisy."""
    count: int
    """The number of all test images."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Find the 20 largest errors; one that is not finite is the largest of all. None without test images."""
        import torch

        from autoenc.pictures.subject import stored

        test = subject.splits.test
        if not len(test):
            return None
        parts, seen = [], 0
        for batch in subject.scored_test_batches():
            largest = _largest(batch.errors)
            parts.append([*(part[largest] for part in batch), seen + largest])
            seen += len(batch.errors)
        clean, given, made, errors, indices = (torch.cat(column) for column in zip(*parts, strict=True))
        chosen = _largest(errors)
        return cls(
            clean=stored(clean[chosen]),
            given=stored(given[chosen]),
            reconstructions=stored(made[chosen]),
            errors=errors[chosen].numpy(),
            names=subject.names_of(test.labels[indices[chosen]]),
            noisy=subject.noise.corrupts,
            count=len(test),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw originals with their class, noisy inputs, and reconstructions with their error."""
        count = min(len(panel.picture.errors) for panel in panels)
        across = min(count, ACROSS)
        count = count - count % across if len(panels) == 1 else across  # whole rows
        ranks = [slice(first, first + across) for first in range(0, count, across)]
        rows = [row for label, picture in panels for part in ranks for row in _rows(label, picture, ranks=part)]
        return image_grid(rows, title=title, line=_line([panel.picture for panel in panels], count=count))


def _largest(errors: Tensor) -> Tensor:
    """The places of the 20 largest errors (N,), the largest first."""
    return errors.nan_to_num(nan=math.inf).argsort(descending=True, stable=True)[:COUNT]


def _rows(label: str, picture: Worst, *, ranks: slice) -> list[ImageRow]:
    start = f"{label} \N{MIDDLE DOT} " if label else ""
    errors = tuple(error_text(float(error)) for error in picture.errors[ranks])
    rows = [image_row(f"{start}original", picture.clean[ranks], notes=picture.names[ranks], begins=True)]
    if picture.noisy:
        noise = squared_errors(picture.given[ranks], picture.clean[ranks])
        notes = tuple(error_text(float(error)) for error in noise)
        rows.append(image_row(f"{start}noisy input", picture.given[ranks], notes=notes))
    return [*rows, image_row(f"{start}reconstruction", picture.reconstructions[ranks], notes=errors)]


def _line(pictures: Sequence[Worst], *, count: int) -> str:
    noisy = [picture.noisy for picture in pictures]
    error = "denoising error" if all(noisy) else "error"
    line = f"The {count} largest {error}s of {pictures[0].count:,} test images"
    line += ", separately for each run" if len(pictures) > 1 else ""
    line += f". Below each reconstruction, its {error}, the mean squared error over pixels"
    if not any(noisy):
        return f"{line}."
    line += f", {DENOISING_PROTOCOL}" if all(noisy) else ""
    with_noise = "" if all(noisy) else f" Errors of runs with noise are denoising errors, {DENOISING_PROTOCOL}."
    return f"{line}; below each noisy input, the error of the noise.{with_noise}"
