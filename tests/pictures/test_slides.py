"""Slides: one shape, as large as fits, text that can be read from the last row."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autoenc.pictures.page import Page, house_style
from autoenc.pictures.slides import is_readable, save_slides


def page(width: int, height: int) -> Page:
    """A page that is dark up to its edges."""
    made = Page(width=width, height=height)
    made.figure.set_facecolor("black")
    return made


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((960, 540), (1920, 1080)),
        ((1600, 800), (1920, 960)),
        ((1000, 2000), (540, 1080)),
    ],
)
def test_a_figure_is_in_the_middle_of_its_slide_as_large_as_fits(
    tmp_path: Path, size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    with house_style():
        save_slides([page(*size).figure], tmp_path / "slides", name="codes", figure_format="png")
    slide = np.asarray(Image.open(tmp_path / "slides" / "codes.png"))
    assert slide.shape == (1080, 1920, 3)
    dark = slide[..., 0] < 128
    for axis, length in ((0, drawn[0]), (1, drawn[1])):
        (places,) = np.nonzero(dark.any(axis))
        assert len(places) == pytest.approx(length, abs=1)
        assert places[0] == pytest.approx(dark.shape[1 - axis] - 1 - places[-1], abs=1)


def test_several_figures_are_numbered_and_older_ones_removed(tmp_path: Path) -> None:
    (tmp_path / "codes_over_epochs.png").touch()
    for count, names in ((1, {"codes.png"}), (3, {"codes-1.png", "codes-2.png", "codes-3.png"}), (1, {"codes.png"})):
        with house_style():
            save_slides([page(90, 60).figure] * count, tmp_path, name="codes", figure_format="png")
        assert {path.name for path in tmp_path.iterdir()} == {*names, "codes_over_epochs.png"}


def test_vector_slides_have_the_shape_of_a_slide_and_keep_their_images(tmp_path: Path) -> None:
    made = Page(width=1000, height=1000)
    made.image(np.zeros((10, 10, 3), np.uint8), left=100, top=200, scale=5)
    with house_style():
        for kind in ("svg", "pdf"):
            save_slides([made.figure], tmp_path, name="codes", figure_format=kind)
    text = (tmp_path / "codes.svg").read_text()
    (box,) = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert float(box[0]) / float(box[1]) == pytest.approx(16 / 9, rel=1e-3)
    assert "<image" in text
    assert (tmp_path / "codes.pdf").read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in (tmp_path / "codes.pdf").read_bytes()  # the same figure is the same file


def test_text_that_would_get_small_is_not_readable() -> None:
    assert is_readable(page(2000, 1100).figure)
    assert not is_readable(page(1000, 2000).figure)
