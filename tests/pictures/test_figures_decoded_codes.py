"""Decoded codes as pictures: maps, lines between images, numbers varied one by one, and samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.decoder_grid import DecoderGrid
from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.interpolations import Interpolations
from autoenc.pictures.page import house_style
from autoenc.pictures.picture import Panel
from autoenc.pictures.samples import Samples
from autoenc.pictures.traversals import Traversals
from tests.pictures.pages import all_of, draw, drawn, levels, written


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
    said = all_of(figure)
    assert "central 95 %" in said
    assert "axes of its own" in said


def test_large_images_are_not_shrunk() -> None:
    figure = draw(grid(rows=1, columns=2, size=1100, up=np.zeros(1), code_size=1))
    assert figure.images[0].get_size() == (1100, 2200)


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
    found = written(figure)
    assert [text for text in found if "%" in text] == ["0 %", "50 %", "100 %"]
    assert found.count("image") == 2


def test_next_to_other_runs_every_other_image_is_drawn() -> None:
    large, line = grid(20, 20), grid(1, 20, up=np.zeros(1), code_size=1)
    thinned = large.thinned()
    assert thinned.images.shape[:2] == (10, 10)
    assert (thinned.images == large.images[::2, ::2]).all()
    assert (thinned.across.tolist(), thinned.up.tolist()) == (large.across[::2].tolist(), large.up[::2].tolist())
    assert line.thinned().images.shape[:2] == (1, 10)
    assert grid(10, 10).thinned().images.shape[:2] == (10, 10)

    half = 2 / 19  # the distance of two codes is 4 / 19
    (whole,), (beside,) = (figure.axes for figure in (drawn(lambda: large.own_figure(title="a")), draw(large)))
    assert whole.get_ylim() == pytest.approx((-2 - half, 2 + half))
    assert beside.get_ylim() == pytest.approx((-2, 2 + 2 * half))


def traversals(count: int = 3, steps: int = 5, **changed: Any) -> Traversals:
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


def test_rows_are_dimensions_above_the_image() -> None:
    figure = draw(traversals())
    assert levels(figure) == [*range(15), 254, 253]
    found = written(figure)
    names = {text.get_text(): text.get_position()[0] for text in figure.texts}
    assert names["lowest"] < names["middle"] < names["highest"]
    assert "original, reconstruction" in found
    labels = [text for text in found if ": sd" in text]
    assert labels == ["5: sd 3.00", "1: sd 0.500", "8: sd 0.250"]  # counted from 1
    assert "\N{MINUS SIGN}1.00 to 2.00" in found
    assert "\N{MINUS SIGN}0.250 to 0.500" in found
    assert "0 to 100" in found
    assert "the 3 numbers of 8 that vary most, image of class Ankle boot" in " ".join(found)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, "the only number of the code"), (2, "both numbers of the code"), (3, "all 3 numbers of the code")],
)
def test_all_numbers_are_said_to_be_all(count: int, expected: str) -> None:
    assert f"{expected}, image of class" in " ".join(written(draw(traversals(count, code_size=count))))


def test_of_several_panels_every_other_image_is_shown() -> None:
    figure = draw(Panel("a", traversals(1)), Panel("b", traversals(1)))
    assert levels(figure) == [0, 2, 4, 0, 2, 4, 254, 253, 254, 253]


def test_a_number_that_never_varies_has_one_value() -> None:
    assert "0.500" in written(draw(traversals(1, code_values=np.full((1, 5), 0.5))))


MIXTURE = "a mixture of 10 Gaussians with full covariances, fitted to 10,000 training codes"


def random_images(*shape: int, seed: int = 0) -> NDArray[np.float16]:
    """Images of random grey levels, (..., 1, 8, 8)."""
    numbers = np.random.default_rng(seed).integers(0, 256, (*shape, 1, 8, 8)) / 255
    return numbers.astype(np.float16)


SAMPLES = Samples(
    prior_images=random_images(16),
    mixture_images=random_images(16, seed=1),
    prior_log_likelihood=-12.5,
    mixture_log_likelihood=-0.75,
    mixture=MIXTURE,
    code_size=16,
    collapsed=0,
)


def images(figure: Figure) -> list[FigureImage]:
    return [image for image in figure.images if isinstance(image, FigureImage)]


def test_the_two_kinds_stand_beside_one_another_with_what_they_are() -> None:
    figure = draw(SAMPLES)
    found = images(figure)
    assert len(found) == 32
    assert max(image.ox for image in found[:16]) < min(image.ox for image in found[16:])
    text = all_of(figure)
    assert "from N(0, I) likelihood \N{MINUS SIGN}12.50" in text
    assert f"from {MIXTURE} likelihood \N{MINUS SIGN}0.7500" in text
    assert "\N{MINUS SIGN}1.419" in text  # of N(0, I) under itself


def test_variety_stands_above_the_samples_if_it_was_measured() -> None:
    measured = replace(SAMPLES, prior_variety=0.5, prior_nearest=2.25, mixture_variety=1.0, mixture_nearest=1.25)
    text = all_of(draw(measured))
    assert "from N(0, I) variety 0.50, nearest 2.25 likelihood" in text
    assert f"from {MIXTURE} variety 1.00, nearest 1.25 likelihood" in text
    assert "variety nan" not in all_of(draw(SAMPLES))


def test_collapsed_entries_are_named_and_explained() -> None:
    assert "collapsed" not in all_of(draw(SAMPLES))
    text = all_of(draw(replace(SAMPLES, collapsed=10)))
    assert "likelihood \N{MINUS SIGN}12.50 10 of 16 entries collapsed" in text
    assert "likelihood \N{MINUS SIGN}0.7500 10 of 16 entries collapsed" in text
    assert "the likelihood leaves them out" in text


def test_of_several_panels_the_kinds_stand_above_one_another() -> None:
    both = replace(SAMPLES, prior_images=np.zeros((16, 1, 8, 8)), mixture_images=np.ones((16, 1, 8, 8)))
    figure = draw(Panel("a", both), Panel("b", both), Panel("c", both))
    found = images(figure)
    black = [not np.asarray(image.get_array()).any() for image in found]
    assert black == [True] * 48 + [False] * 48
    assert min(image.oy for image in found[:48]) > max(image.oy for image in found[48:])
    lefts = [min(image.ox for image in found[start : start + 16]) for start in range(0, 96, 16)]
    assert lefts[:3] == lefts[3:] == sorted(set(lefts))


def test_what_is_not_finite_is_said() -> None:
    broken = random_images(16)
    broken[0, 0, 0, 0] = np.nan
    text = all_of(draw(replace(SAMPLES, prior_images=broken, mixture_log_likelihood=float("nan"))))
    assert "(not a number: white)" in text
    assert "training codes likelihood not finite" in text
    assert "(clipped to 0…1)" in all_of(draw(replace(SAMPLES, prior_images=2 * random_images(16))))


def test_images_of_different_sizes_cannot_stand_beside_one_another() -> None:
    blocks = [Block("", (Strip((np.zeros((1, size, size, 3), dtype=np.uint8),)),)) for size in (8, 9)]
    with house_style(), pytest.raises(ValueError, match="different sizes"):
        image_strips(blocks, columns=2, title="", line="")


@pytest.mark.parametrize(("size", "least"), [(8, 28), (200, 200)])
def test_images_are_whole_pixels_and_large_enough(size: int, least: int) -> None:
    strip = Strip((np.zeros((6, size, size, 3), dtype=np.uint8),), label="a label", end_label="an end")
    with house_style():
        figure = image_strips([Block("", (strip,) * 4)] * 3, columns=3, title="t", line="l")
    sides = {image.get_size() for image in images(figure)}
    ((height, width),) = sides
    assert height == width
    assert height % size == 0
    assert height >= least
