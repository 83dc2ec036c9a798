"""Traversals: a row a number, with what it is and how far it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from autoenc.pictures.picture import Panel
from autoenc.pictures.traversals import Traversals
from tests.pictures.pages import draw, levels


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


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def test_rows_are_dimensions_below_the_image() -> None:
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
def test_all_numbers_are_said_to_be_all(count: int, expected: str) -> None:
    assert f"{expected}, image of class" in " ".join(texts(draw(rows(count, code_size=count))))


def test_of_several_panels_every_other_image_is_shown() -> None:
    figure = draw(Panel("a", rows(1)), Panel("b", rows(1)))
    assert levels(figure) == [254, 253, 254, 253, 0, 2, 4, 0, 2, 4]


def test_a_number_that_never_varies_has_one_value() -> None:
    assert "0.500" in texts(draw(rows(1, code_values=np.full((1, 5), 0.5))))
