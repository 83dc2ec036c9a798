"""Several figures under one another in one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.page import DPI, MARGIN, TITLE, Page, block_height, house_style, wrapped
from autoenc.runs import write_atomically

HEADING = 1.25 * TITLE


def save_stacked(figures: Sequence[Figure], path: Path, *, title: str) -> None:
    """Write the figures under one another as one PNG, whole or not at all, with a title above them all.

    Raises:
        ValueError: there is no figure.
        OSError: it cannot be written; whatever stood at `path` is still there, and nothing else is left.
    """
    content = io.BytesIO()
    Image.fromarray(stacked(figures, title=title)).save(content, format="png", dpi=(DPI, DPI))
    write_atomically(path, content.getvalue())


def stacked(figures: Sequence[Figure], *, title: str) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of the figures under one another, each as it is drawn by itself, nothing resampled.

    Narrower ones stand at the left, with white beside them. Without a title there is no room for it either.
    """
    if not figures:
        raise ValueError("figures: expected at least one")
    with house_style():
        pages = [_pixels(figure) for figure in figures]
        width = max(page.shape[1] for page in pages)
        if title:
            pages.insert(0, _pixels(_heading(title, width=width)))
    return np.concatenate(
        [np.pad(page, ((0, 0), (0, width - page.shape[1]), (0, 0)), constant_values=255) for page in pages]
    )


def _heading(title: str, *, width: int) -> Figure:
    text = wrapped(title, width=width - 2 * MARGIN, size=HEADING)
    page = Page(width=width, height=MARGIN + block_height(text, HEADING))
    page.text(text, x=MARGIN, y=MARGIN, size=HEADING)
    return page.figure


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return drawn[..., :3].copy()
