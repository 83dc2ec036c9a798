"""Samples, interpolations and traversals: strips of images with what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from numpy.typing import NDArray

from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.page import house_style
from autoenc.pictures.picture import Panel
from autoenc.pictures.samples import Samples
from tests.pictures.pages import all_of, draw

MIXTURE = "a mixture of 10 Gaussians with full covariances, fitted to 10,000 training codes"


def levels(*shape: int, seed: int = 0) -> NDArray[np.float16]:
    """Images of random grey levels, (..., 1, 8, 8)."""
    numbers = np.random.default_rng(seed).integers(0, 256, (*shape, 1, 8, 8)) / 255
    return numbers.astype(np.float16)


def samples(**changed: Any) -> Samples:
    fields: dict[str, Any] = {
        "prior_images": levels(16),
        "mixture_images": levels(16, seed=1),
        "prior_log_likelihood": -12.5,
        "mixture_log_likelihood": -0.75,
        "mixture": MIXTURE,
    }
    return Samples(**{**fields, **changed})


def images(figure: Figure) -> list[FigureImage]:
    return [image for image in figure.images if isinstance(image, FigureImage)]


def test_the_two_kinds_stand_beside_one_another_with_what_they_are() -> None:
    figure = draw(samples())
    found = images(figure)
    assert len(found) == 32
    assert max(image.ox for image in found[:16]) < min(image.ox for image in found[16:])
    text = all_of(figure)
    assert "from N(0, I): \N{MINUS SIGN}12.50 nats" in text
    assert f"from {MIXTURE}: \N{MINUS SIGN}0.7500 nats" in text
    assert "\N{MINUS SIGN}1.419" in text  # of N(0, I) under itself


def test_of_several_panels_the_kinds_stand_above_one_another() -> None:
    both = samples(prior_images=np.zeros((16, 1, 8, 8)), mixture_images=np.ones((16, 1, 8, 8)))
    figure = draw(Panel("a", both), Panel("b", both), Panel("c", both))
    found = images(figure)
    black = [not np.asarray(image.get_array()).any() for image in found]
    assert black == [True] * 48 + [False] * 48
    assert min(image.oy for image in found[:48]) > max(image.oy for image in found[48:])
    lefts = [min(image.ox for image in found[start : start + 16]) for start in range(0, 96, 16)]
    assert lefts[:3] == lefts[3:] == sorted(set(lefts))


def test_many_panels_stay_on_the_page() -> None:
    figure = draw(*(Panel(f"run {index}", samples()) for index in range(7)))
    found = images(figure)
    assert len(found) == 224
    assert all(image.ox + image.get_size()[1] <= figure.bbox.width and image.oy >= 0 for image in found)


def test_what_is_not_finite_is_all_of() -> None:
    broken = levels(16)
    broken[0, 0, 0, 0] = np.nan
    text = all_of(draw(samples(prior_images=broken, mixture_log_likelihood=float("nan"))))
    assert "(not a number: white)" in text
    assert "training codes: not finite" in text
    assert "(clipped to 0…1)" in all_of(draw(samples(prior_images=2 * levels(16))))


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
