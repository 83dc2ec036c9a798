"""The worst reconstructions: their order, their names, their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.image import FigureImage

from autoenc.pictures.picture import Panel
from autoenc.pictures.worst import Worst
from tests.pictures.pages import all_of, draw, levels


def worst(count: int = 3, **changed: Any) -> Worst:
    """Originals of the levels 0, 1, ..., noisy inputs of 100, 101, ..., reconstructions of 200, 201, ..."""

    def images(first: int) -> np.ndarray[Any, np.dtype[np.float16]]:
        level = (first + np.arange(count))[:, None, None, None] / 255
        return np.broadcast_to(level, (count, 1, 8, 8)).astype(np.float16)

    fields: dict[str, Any] = {
        "clean": images(0),
        "given": images(100),
        "reconstructions": images(200),
        "errors": np.linspace(0.5, 0.25, count),
        "names": tuple(f"class {index}" for index in range(count)),
        "noisy": True,
        "count": 1234,
    }
    return Worst(**{**fields, **changed})


def test_rows_are_originals_inputs_and_reconstructions() -> None:
    figure = draw(worst())
    assert levels(figure) == [0, 1, 2, 100, 101, 102, 200, 201, 202]
    text = all_of(figure)
    assert "The 3 largest errors of 1,234 test images." in text
    assert "from the noisy input, against the clean image" in text
    for expected in ("class 0", "class 2", "0.5000", "0.3750", "0.2500"):
        assert expected in text


def test_notes_stand_under_their_images() -> None:
    figure = draw(worst())
    for note, level in (("class 1", 1), ("0.3750", 201)):
        (text,) = (text for text in figure.texts if text.get_text() == note)
        (image,) = (image for image in figure.images if np.asarray(image.get_array())[0, 0, 0] == level)
        assert isinstance(image, FigureImage)
        box, middle = text.get_window_extent(), int(image.ox) + image.get_size()[1] / 2
        assert abs((box.x0 + box.x1) / 2 - middle) < 2
        assert 0 < int(image.oy) - box.y1 < 20


def test_without_noise_there_are_no_inputs() -> None:
    figure = draw(worst(noisy=False))
    assert levels(figure) == [0, 1, 2, 200, 201, 202]
    assert "noisy" not in all_of(figure)


def test_twenty_stand_in_two_rows_of_ten() -> None:
    figure = draw(worst(20, noisy=False))
    assert levels(figure) == [*range(10), *range(200, 210), *range(10, 20), *range(210, 220)]
    assert "The 20 largest" in all_of(figure)
    assert "The 10 largest" in all_of(draw(worst(14)))  # whole rows


def test_each_panel_has_its_own_ten() -> None:
    figure = draw(Panel("a", worst(20)), Panel("b", worst(12, noisy=False)))
    assert len(levels(figure)) == 50
    text = all_of(figure)
    assert "The 10 largest errors of 1,234 test images, separately for each run." in text
    assert "with noise from the noisy input" in text
    assert "a \N{MIDDLE DOT} noisy input" in text
    assert "b \N{MIDDLE DOT} noisy input" not in text


def test_an_error_that_is_not_finite_is_all_of() -> None:
    assert "not finite" in all_of(draw(worst(errors=np.array([np.nan, 0.5, 0.25]))))
