"""The map of a plane of codes: images where their codes are, sharp, on axes with the codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.text import Text
from PIL import Image

from autoenc.pictures.decoder_grid import DecoderGrid
from autoenc.pictures.picture import Panel
from tests.pictures.pages import draw


def grid(rows: int = 3, columns: int = 4, *, size: int = 8, **changed: Any) -> DecoderGrid:
    """Images of random grey levels."""
    images = np.random.default_rng(0).integers(0, 256, (rows, columns, 1, size, size)) / 255
    fields: dict[str, Any] = {
        "images": images.astype(np.float16),
        "across": np.linspace(-3, 3, columns),
        "up": np.linspace(2, -2, rows),
        "code_size": 2,
    }
    return DecoderGrid(**{**fields, **changed})


def test_every_image_is_sharp_and_centred_on_its_code(tmp_path: Path) -> None:
    picture = grid()
    (axes,) = draw(picture).axes
    page = np.asarray(Image.open(picture.draw(tmp_path, title="a title")).convert("RGB"))
    for row in range(3):
        for column in range(4):
            centre = axes.transData.transform((picture.across[column], picture.up[row]))
            scale = round(axes.get_window_extent().width) // (4 * 8)
            left = round(centre[0] - 4 * scale)
            top = round(page.shape[0] - centre[1] - 4 * scale)
            levels = np.rint(255 * picture.images[row, column, 0].astype(float)).astype(np.uint8)
            blocks = levels.repeat(scale, axis=0).repeat(scale, axis=1)
            found = page[top : top + 8 * scale, left : left + 8 * scale, 0]
            assert np.array_equal(found[1:-1, 1:-1], blocks[1:-1, 1:-1])


def test_a_line_of_codes_is_a_strip_without_a_second_axis() -> None:
    strip = grid(rows=1, columns=6, up=np.zeros(1), code_size=1)
    figure = draw(Panel("a", strip), Panel("b", strip))
    tops = [axes.get_window_extent().y1 for axes in figure.axes]
    assert tops[0] > tops[1] + 8
    for axes in figure.axes:
        assert axes.get_xlabel() == "code 1"
        assert axes.get_ylabel() == ""
        assert len(axes.get_yticks()) == 0


def test_several_maps_stand_beside_one_another_on_axes_of_their_own() -> None:
    figure = draw(Panel("a", grid()), Panel("b", grid(across=np.linspace(0, 1, 4))))
    first, second = (axes.get_window_extent() for axes in figure.axes)
    assert first.x1 < second.x0
    assert first.y0 == second.y0
    assert figure.axes[0].get_xlim() != figure.axes[1].get_xlim()
    assert figure.axes[0].get_ylabel() == "code 2"
    said = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "central 95\N{NO-BREAK SPACE}%" in said
    assert "axes of its own" in said


def test_large_images_are_not_shrunk() -> None:
    figure = draw(grid(rows=1, columns=2, size=1100, up=np.zeros(1), code_size=1))
    assert figure.images[0].get_size() == (1100, 2200)
