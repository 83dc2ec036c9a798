"""What a model makes of a user's images, and the distribution of their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, value_axis
from autoenc.pictures.charts import chart_axes
from autoenc.pictures.image_grid import ImageRow, image_grid
from autoenc.pictures.image_pixels import ColorScale, error_text
from autoenc.pictures.page import LABEL, MARGIN, Page, house_style, line_height, save
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.reconstructions import image_row

WIDTH, HEIGHT = 1600 - 2 * MARGIN, 780  # of a histogram
FEWEST_BINS, MOST_BINS = 12, 60
FEW = 30  # so few images are drawn as a line each
FIRST, ORDINARY, ORDINARY_EDGE = "#d55e00", "#b9cbe0", "#12355b"
Errors = NDArray[np.float64]


class ScoredPictures(NamedTuple):
    """Some images and their errors."""

    names: Sequence[str]
    images: NDArray[Any]
    """(N, C, H, W), floats in [0, 1], C being 1 or 3."""
    reconstructions: NDArray[Any]
    """(N, C, H, W)."""
    errors: Sequence[float]
    """Mean squared errors."""


def draw_denoised(
    given: NDArray[Any], *, denoised: NDArray[Any], captions: Sequence[str], path: Path, title: str
) -> None:
    """Three rows: noisy images, what a model made of them, and what it changed; one column for each image.

    Images are (N, C, H, W), floats in [0, 1], C being 1 or 3. Rows whose values had to be clipped have a remark.

    Raises:
        OSError: the picture cannot be written; an older one stays as it was.
    """
    change = _change(given, denoised)
    scale = ColorScale.of_errors("absolute change of a pixel, |denoised \N{MINUS SIGN} given|", change)
    rows = [image_row("given", given), image_row("denoised", denoised), ImageRow("change", scale.pixels(change))]
    with house_style():
        save(image_grid(rows, title=title, captions=captions, color_scale=scale), path)


def draw_odd_pictures(oddest: ScoredPictures, *, ordinary: ScoredPictures | None, path: Path, title: str) -> None:
    """The images with the largest errors above as many with the smallest, with names, reconstructions and errors.

    There are equally many of both. Of too few images, all are among the oddest, and `ordinary` is None.

    Raises:
        OSError: the picture cannot be written; an older one stays as it was.
    """
    parts = {"picture": oddest} if ordinary is None else {"oddest": oddest, "most ordinary": ordinary}
    errors = [_change(part.images, part.reconstructions) for part in parts.values()]
    label = "absolute error of a pixel, |reconstruction \N{MINUS SIGN} picture|"
    scale = ColorScale.of_errors(label, np.stack(errors))
    rows = []
    for (label, part), error in zip(parts.items(), errors, strict=True):
        notes = _captions(part) if part is ordinary else ()
        rows += [image_row(label, part.images), image_row("reconstruction", part.reconstructions)]
        rows.append(ImageRow("error", scale.pixels(error), notes=notes))
    with house_style():
        save(image_grid(rows, title=title, captions=_captions(oddest), color_scale=scale), path)


def _change(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """(N, H, W): the absolute difference, averaged over channels."""
    change: NDArray[np.float64] = np.abs(after.astype(np.float64) - before).mean(axis=1)
    return change


def _captions(part: ScoredPictures) -> tuple[str, ...]:
    texts = zip(part.names, map(error_text, part.errors), strict=True)
    return tuple(f"{name}\nMSE\N{NO-BREAK SPACE}{error}" for name, error in texts)


def draw_error_histograms(
    errors: Errors, *, ordinary: Errors, names: tuple[str, str], path: Path, title: str, line: str
) -> None:
    """Draw two histograms of finite mean squared errors, (N,) and (M,), each as shares of its own set, on one axis.

    The axis is logarithmic unless an error is zero. Up to 30 errors of the first set are drawn as a line each. `names`
    are those of the two sets; `line` explains the picture.

    Raises:
        OSError: the picture cannot be written; an older one stays as it was.
    """
    with house_style():
        page, (corner,), _ = panel_page([""], width=WIDTH, height=HEIGHT, title=title, line=line)
        _draw_histograms(page, errors, ordinary, names=names, corner=corner)
        save(page.figure, path)


def _draw_histograms(page: Page, errors: Errors, ordinary: Errors, *, names: tuple[str, str], corner: Corner) -> None:
    few = len(errors) <= FEW
    scale = value_axis(np.concatenate([errors, ordinary]), unit="")
    edges = _edges(scale, count=len(ordinary) if few else min(len(ordinary), len(errors)))
    share, ordinary_share = (100 * np.histogram(values, bins=edges)[0] / len(values) for values in (errors, ordinary))
    highest = max(ordinary_share.max(), 0 if few else share.max())
    upright = replace(value_axis(np.array([0, highest]), unit="", scale="linear"), low=0)
    label = "error of a picture: mean over pixels of the squared error, pixels in [0, 1]"
    legend = line_height(LABEL) + SPACE
    below = Corner(corner.left, corner.top + legend)
    size: dict[str, Any] = {"width": WIDTH, "height": HEIGHT - legend}
    axes = chart_axes(page, below, **size, upright=upright, across=scale, labels=("share of the pictures (%)", label))
    face: dict[str, Any] = {"fill": True, "facecolor": ORDINARY, "edgecolor": ORDINARY_EDGE, "linewidth": 2.2}
    axes.stairs(ordinary_share, edges, label=f"{names[1]}: {len(ordinary):,}", **face)
    style: dict[str, Any] = {"color": FIRST, "linestyle": "--", "linewidth": 2.2}
    style["label"] = f"{names[0]}: {len(errors):,}" + (", a line for each" if few else "")
    if few:
        axes.vlines(errors, 0, 0.5, transform=axes.get_xaxis_transform(), **style)
    else:
        axes.stairs(share, edges, **style)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=LABEL)


def _edges(scale: ValueAxis, *, count: int) -> NDArray[np.float64]:
    """Bins that are equally wide on the axis; more of them for more images."""
    bins = int(np.clip(round(2 * count**0.5), FEWEST_BINS, MOST_BINS))
    spaced = np.geomspace if scale.name == "log" else np.linspace
    return np.asarray(spaced(scale.low, scale.high, bins + 1), dtype=np.float64)
