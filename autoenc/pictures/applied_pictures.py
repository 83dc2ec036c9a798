"""A person's own pictures beside what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_grid import ColorScale, ColumnTexts, ImageRow, image_grid
from autoenc.pictures.image_pixels import as_pixels, check_images, remark
from autoenc.pictures.page import house_style, save

NO_TEXTS = ColumnTexts("", ())


class ScoredPictures(NamedTuple):
    """Some pictures and their errors."""

    names: Sequence[str]
    images: NDArray[Any]
    """(N, C, H, W), floats in [0, 1] scale, C being 1 or 3."""
    reconstructions: NDArray[Any]
    """(N, C, H, W)."""
    errors: Sequence[float]
    """Mean squared errors."""


def draw_denoised(
    given: NDArray[Any], *, denoised: NDArray[Any], captions: Sequence[str], path: Path, title: str
) -> None:
    """Rows: noisy pictures as they were given, what a model made of them, and what it changed; a column a picture.

    Images are (N, C, H, W), floats in [0, 1] scale, C being 1 or 3. What leaves [0, 1] is clipped to be shown, and the
    row's label says so.

    Raises:
        ValueError: they are not such.
        OSError: the picture cannot be written; an old one is kept.
    """
    given, denoised = np.asarray(given), np.asarray(denoised)
    check_images(given, name="given", dimensions=4)
    check_images(denoised, name="denoised", dimensions=4)
    change = _change(given, denoised)
    scale = _scale("absolute change of a pixel, |denoised \N{MINUS SIGN} given|", [change])
    rows = [_row("given", given), _row("denoised", denoised), ImageRow("change", scale.pixels(change))]
    with house_style():
        texts = ColumnTexts("", tuple(captions))
        save(image_grid(rows, title=title, captions=texts, notes=NO_TEXTS, color_scale=scale), path)


def draw_odd_pictures(oddest: ScoredPictures, *, ordinary: ScoredPictures | None, path: Path, title: str) -> None:
    """Above the pictures with the largest errors, below as many with the smallest; a column one of each.

    Over and under them stand their names and errors; below each stand its reconstruction and where the error is. Of few
    pictures, all are among the oddest, and there are no ordinary ones.

    Raises:
        ValueError: the images are not such, or the oddest are not as many as the ordinary.
        OSError: the picture cannot be written; an old one is kept.
    """
    parts = [oddest] if ordinary is None else [oddest, ordinary]
    for part in parts:
        check_images(part.images, name="images", dimensions=4)
        check_images(part.reconstructions, name="reconstructions", dimensions=4)
        if len(part.names) != len(oddest.names):
            raise ValueError(f"ordinary: expected {len(oddest.names)} pictures, not {len(part.names)}")
    changes = [_change(part.images, part.reconstructions) for part in parts]
    scale = _scale("absolute error of a pixel, |reconstruction \N{MINUS SIGN} picture|", changes)
    rows = []
    labels = ["picture"] if ordinary is None else ["oddest", "most ordinary"]
    for label, part, change in zip(labels, parts, changes, strict=True):
        rows.append(_row(label, part.images))
        rows.append(_row("reconstruction", part.reconstructions))
        rows.append(ImageRow("error", scale.pixels(change)))
    texts = [ColumnTexts("", tuple(map(_caption, part.names, part.errors))) for part in parts]
    with house_style():
        notes = NO_TEXTS if ordinary is None else texts[1]
        save(image_grid(rows, title=title, captions=texts[0], notes=notes, color_scale=scale), path)


def _row(label: str, images: NDArray[Any]) -> ImageRow:
    return ImageRow("\n".join(filter(None, (label, remark(images)))), as_pixels(images))


def _change(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """(N, H, W): the mean over channels of the absolute difference."""
    change: NDArray[np.float64] = np.abs(after.astype(np.float64) - before).mean(axis=1)
    return change


def _scale(label: str, changes: Sequence[NDArray[np.float64]]) -> ColorScale:
    """From 0 to the largest change, rounded up to a number that reads well."""
    largest = max(*(float(change.max()) for change in changes), 1 / 255)  # less than a grey level is no change
    power = 10 ** np.floor(np.log10(largest))
    high = next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= largest * (1 - 1e-9))
    return ColorScale(label, "Reds", low=0, high=float(high))


def _caption(name: str, error: float) -> str:
    return f"{name}\n{_short(error)}"


def _short(error: float) -> str:
    written = f"{error:.4f}" if error >= 0.001 or error == 0 else f"{error:.0e}".replace("e-0", "e-")
    return f"MSE\N{NO-BREAK SPACE}{written}"
