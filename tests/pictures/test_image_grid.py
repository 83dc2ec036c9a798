"""Rows of images on a page: sizes, places and texts, read from the figure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.image_grid import ImageRow, image_grid
from autoenc.pictures.image_pixels import ColorScale, as_pixels, error_text, remark
from autoenc.pictures.page import save
from tests.pictures.pages import check_layout, drawn, written

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def grid(
    rows: int, count: int, *, captions: Sequence[str] = (), note: str = "", shape: tuple[int, int] = (28, 28)
) -> Figure:
    pixels = np.zeros((count, *shape, 3), dtype=np.uint8)
    texts = [captions[index % len(captions)] for index in range(count)] if captions else []
    labels = ["original", "noisy input\n(clipped to 0…1)", *"abcdefg"][: rows - 1]
    last = ImageRow("error", pixels, notes=(note,) * count if note else (), notes_label="MSE" if note else "")
    image_rows = [*(ImageRow(label, pixels) for label in labels), last]
    return drawn(lambda: image_grid(image_rows, title="a title " * 4, captions=texts))


def blocks(figure: Figure) -> list[tuple[int, int, NDArray[np.uint8]]]:
    """Of each image the top, the left and the pixels on the page, (H, W, 3)."""
    images = [image for image in figure.images if isinstance(image, FigureImage)]
    height = round(figure.bbox.height)
    found = [(np.asarray(image.get_array(), dtype=np.uint8), image) for image in images]
    return [(height - int(image.oy) - len(pixels), int(image.ox), pixels) for pixels, image in found]


@pytest.mark.parametrize("shape", [(28, 28), (29, 31)])
def test_each_pixel_is_a_sharp_block_in_its_own_row_and_column(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, *shape, 3), dtype=np.uint8)
    rows = [ImageRow(label, images) for label, images in zip("abc", pixels, strict=True)]
    figure = drawn(lambda: image_grid(rows, title="t"))
    save(figure, tmp_path / "grid.png")
    page = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    found = blocks(figure)
    scale = len(found[0][2]) // shape[0]
    assert scale * max(shape) >= 64
    for (top, left, _), image in zip(found, pixels.reshape(12, *shape, 3), strict=True):
        block = image.repeat(scale, axis=0).repeat(scale, axis=1)
        assert np.array_equal(page[top : top + len(block), left : left + block.shape[1]], block)
    tops, lefts = (np.array([block[axis] for block in found]).reshape(3, 4) for axis in (0, 1))
    assert (tops == tops[:, :1]).all()
    assert (lefts == lefts[:1]).all()
    assert (np.diff(tops, axis=0) > scale * shape[0]).all()
    assert (np.diff(lefts, axis=1) > scale * shape[1]).all()


@pytest.mark.parametrize(
    ("rows", "count", "names"),
    [
        (4, 1, FASHION),
        (4, 33, FASHION),
        (9, 20, ["Antidisestablishmentarianism", "a_very_long name-of a/folder"]),
    ],
)
def test_no_text_overlaps_another_or_leaves_the_page(rows: int, count: int, names: list[str]) -> None:
    check_layout(grid(rows, count, captions=names, note="0.0123"))


@pytest.mark.parametrize(("rows", "count"), [(4, 1), (9, 10), (2, 50)])
def test_images_stay_apart_on_the_page_and_large_enough(rows: int, count: int) -> None:
    figure = grid(rows, count)
    found = blocks(figure)
    height, width = found[0][2].shape[:2]
    assert len({(top, left) for top, left, _ in found}) == rows * count
    assert width >= 64
    for (top, left, _), (other_top, other_left, _) in itertools.combinations(found, 2):
        assert abs(left - other_left) > width or abs(top - other_top) > height
    assert figure.bbox.width <= 2100
    assert all(left >= 0 and left + width <= figure.bbox.x1 for _, left, _ in found)
    assert all(top >= 0 and top + height <= figure.bbox.y1 for top, _, _ in found)


def test_flat_images_leave_room_for_their_labels() -> None:
    check_layout(grid(4, 3, shape=(8, 128)))


def test_narrow_images_leave_room_for_whole_words() -> None:
    texts = set(written(grid(4, 33, captions=FASHION, note="0.0123", shape=(28, 10))))
    assert {"Trouser", "Pullover", "Sneaker", "0.0123"} <= texts


def test_rows_of_a_single_image_become_columns() -> None:
    pixels = np.zeros((1, 28, 28, 3), dtype=np.uint8)
    rows = [ImageRow(label, pixels, notes=(f"note {label}",), notes_label="MSE") for label in "abcd"]
    figure = drawn(lambda: image_grid(rows, title="t", captions=["Ankle boot"]))
    assert len({top for top, _, _ in blocks(figure)}) == 1
    assert [left for _, left, _ in blocks(figure)] == sorted({left for _, left, _ in blocks(figure)})
    assert {"Ankle boot", "a", "d", "MSE note a", "MSE note d"} <= set(written(figure))
    check_layout(figure)


def test_a_color_bar_has_the_scale_and_its_label() -> None:
    scale = ColorScale("absolute error", "Reds", low=0, high=0.4)
    rows = [ImageRow("error", scale.pixels(np.zeros((10, 8, 8))))]
    figure = drawn(lambda: image_grid(rows, title="t", color_scale=scale))
    (axes,) = figure.axes
    assert axes.get_xlim() == (0, 0.4)
    assert axes.get_xlabel() == "absolute error"
    assert axes.get_window_extent().y1 < figure.bbox.y1 - max(top + len(pixels) for top, _, pixels in blocks(figure))
    check_layout(figure)


def test_values_are_clipped_but_not_stretched() -> None:
    images = np.array([[[[0.2, 0.5], [-1.0, 1.5]]]])  # (1, 1, 2, 2)
    assert as_pixels(images)[..., 0].tolist() == [[[51, 128], [0, 255]]]
    assert remark(images) == "(clipped to 0…1)"
    assert remark(images.clip(0, 1)) == ""
    images[0, 0, 0, 0] = np.nan
    assert as_pixels(images)[0, 0, 0].tolist() == [255, 255, 255]
    assert remark(images) == "(not a number: white)"


@pytest.mark.parametrize(
    ("error", "text"), [(0.0, "0.0000"), (0.01, "0.0100"), (1e-4, "1e-4"), (float("nan"), "not finite")]
)
def test_errors_are_short(error: float, text: str) -> None:
    assert error_text(error) == text
