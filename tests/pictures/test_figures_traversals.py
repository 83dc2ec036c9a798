"""Traversals: a row a number, with what it is and how far it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text

from autoenc.pictures.picture import Panel
from autoenc.pictures.traversals import Traversals

Draw = Callable[..., Figure]


def rows(count: int = 3, steps: int = 5, **changed: Any) -> Traversals:
    """Every image has one grey level, by which it is known; the test image has 254, its reconstruction 253."""
    level = np.arange(count * steps).reshape(count, steps) / 255
    fields: dict[str, Any] = {
        "images": np.broadcast_to(level[..., None, None, None], (count, steps, 1, 8, 8)).astype(np.float16),
        "code_values": np.linspace([-1.0, -0.25, 0.0][:count], [2.0, 0.5, 100.0][:count], steps).T,
        "dimensions": (4, 0, 7)[:count],
        "standard_deviations": (3.0, 0.5, 0.25)[:count],
        "code_size": 8,
        "original": np.full((1, 8, 8), 254 / 255, dtype=np.float16),
        "reconstruction": np.full((1, 8, 8), 253 / 255, dtype=np.float16),
        "name": "Ankle boot",
    }
    return Traversals(**{**fields, **changed})


def levels(figure: Figure) -> list[int]:
    """Of the images from left to right and from the top down."""
    found = [image for image in figure.images if isinstance(image, FigureImage)]
    ordered = sorted(found, key=lambda image: (-int(image.oy), int(image.ox)))
    return [int(np.asarray(image.get_array())[0, 0, 0]) for image in ordered]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def test_rows_are_dimensions_below_the_image(draw: Draw) -> None:
    figure = draw(rows())
    assert levels(figure) == [254, 253, *range(15)]
    written = texts(figure)
    labels = [text for text in written if ": sd" in text]
    assert labels == ["5: sd 3.00", "1: sd 0.500", "8: sd 0.250"]  # counted from 1
    assert "\N{MINUS SIGN}1.00 to 2.00" in written
    assert "\N{MINUS SIGN}0.250 to 0.500" in written
    assert "0 to 100" in written
    assert "the 3 numbers of 8 that vary most, image of class Ankle boot" in " ".join(written)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, "the only number of the code"), (2, "both numbers of the code"), (3, "all 3 numbers of the code")],
)
def test_all_numbers_are_said_to_be_all(draw: Draw, count: int, expected: str) -> None:
    assert f"{expected}, image of class" in " ".join(texts(draw(rows(count, code_size=count))))


def test_of_several_panels_every_other_image_is_shown(draw: Draw) -> None:
    figure = draw(Panel("a", rows(1)), Panel("b", rows(1)))
    assert levels(figure) == [254, 253, 254, 253, 0, 2, 4, 0, 2, 4]


def test_a_number_that_never_varies_has_one_value(draw: Draw) -> None:
    assert "0.500" in texts(draw(rows(1, code_values=np.full((1, 5), 0.5))))


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    picture = rows()
    assert picture.draw(tmp_path, title="t") == tmp_path / "traversals.png"
    again = Traversals.load(tmp_path / "traversals.npz")
    assert np.array_equal(again.code_values, picture.code_values)
    assert again.dimensions == (4, 0, 7)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"code_values": np.zeros((3, 4))}, r"code_values: expected \(3, 5\)"),
        ({"dimensions": (1,)}, "code_values: expected"),
        ({"standard_deviations": (1.0,)}, "standard_deviations: expected 3"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows(**wrong)
