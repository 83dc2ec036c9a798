"""Lines from one image to another: their rows, their ends, their names."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text

from autoenc.pictures.interpolations import Interpolations
from autoenc.pictures.picture import Panel
from tests.pictures.pages import draw


def lines(rows: int = 3, steps: int = 5, **changed: Any) -> Interpolations:
    """Every image has one grey level, by which it is known."""
    level = np.arange(rows * (steps + 2)).reshape(rows, steps + 2) / 255
    images = np.broadcast_to(level[..., None, None, None], (rows, steps + 2, 1, 8, 8)).astype(np.float16)
    fields: dict[str, Any] = {
        "starts": images[:, 0],
        "images": images[:, 1:-1],
        "ends": images[:, -1],
        "start_names": tuple(f"from {row}" for row in range(rows)),
        "end_names": tuple(f"to {row}" for row in range(rows)),
    }
    return Interpolations(**{**fields, **changed})


def placed(figure: Figure) -> list[tuple[int, int, int]]:
    """Of each image: how far down its foot is, how far right its side, and its level."""
    height = round(figure.bbox.height)
    found = [image for image in figure.images if isinstance(image, FigureImage)]
    return sorted(
        (height - int(image.oy), int(image.ox), int(np.asarray(image.get_array())[0, 0, 0])) for image in found
    )


def test_a_row_goes_from_image_to_image() -> None:
    figure = draw(lines())
    assert [level for _, _, level in placed(figure)] == list(range(21))
    rows = [placed(figure)[start : start + 7] for start in (0, 7, 14)]
    gaps = np.diff([left for _, left, _ in rows[0]])
    assert gaps[0] == gaps[-1] > gaps[1] == gaps[2]  # the images themselves stand apart from what is decoded


def test_names_stand_at_both_ends_of_their_row() -> None:
    figure = draw(lines())
    for row, start in enumerate((0, 7, 14)):
        (foot, left, _), (_, right, _) = placed(figure)[start], placed(figure)[start + 6]
        for name, before in ((f"from {row}", True), (f"to {row}", False)):
            (text,) = (text for text in figure.texts if text.get_text() == name)
            box = text.get_window_extent()
            assert box.x1 < left if before else box.x0 > right
            assert abs(figure.bbox.height - (box.y0 + box.y1) / 2 - foot) < 100
    written = [text.get_text() for text in figure.findobj(Text)]
    assert [text for text in written if "%" in text] == ["0 %", "50 %", "100 %"]
    assert written.count("image") == 2


def test_panels_have_their_labels() -> None:
    figure = draw(Panel("conv", lines()), Panel("linear", lines()))
    assert len(placed(figure)) == 42
    assert {"conv", "linear"} <= {text.get_text() for text in figure.texts}
