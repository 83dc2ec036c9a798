"""The picture of kernels: its numbers, its scale, its marks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from autoenc.pictures.kernels import MOST_SHOWN, Kernels, localities, roughness
from tests.pictures.pages import all_of, check_layout, draw


def noise(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


def none_of(*shape: int) -> NDArray[np.bool_]:
    return np.zeros(shape, dtype=bool)


def picture(kernels: NDArray[Any], *, dead: NDArray[np.bool_] | None = None, note: str = "") -> Kernels:
    dead = none_of(len(kernels)) if dead is None else dead
    return Kernels.of(
        kernels, initial=np.zeros_like(kernels), dead=dead, ignored=none_of(*kernels.shape[1:]), note=note
    )


def blocks(found: Figure) -> list[NDArray[np.uint8]]:
    return [np.asarray(image.get_array()) for image in found.findobj(FigureImage)]


def test_it_is_what_the_definition_says() -> None:
    kernel = np.array([[1.0, 2.0], [4.0, 8.0]])
    differences = np.mean([1, 16, 9, 36])  # across, across, down, down
    squares = np.mean([1, 4, 16, 64])
    assert roughness(kernel[None, None], ignored=none_of(1, 2, 2)) == pytest.approx(differences / (2 * squares))


def test_what_is_ignored_has_no_part_in_it() -> None:
    smooth = np.broadcast_to(np.linspace(1, 2, 8), (5, 1, 8, 8)).copy()
    ignored = none_of(1, 8, 8)
    ignored[:, :3] = True
    spoilt = smooth.copy()
    spoilt[:, :, :3] = 100 * noise(5, 1, 3, 8)
    expected = roughness(smooth[:, :, 3:], ignored=none_of(1, 5, 8))
    assert roughness(spoilt, ignored=ignored) == pytest.approx(expected)
    assert roughness(spoilt, ignored=none_of(1, 8, 8)) > 2 * expected


def test_it_is_the_median_over_kernels_that_are_not_zero() -> None:
    kernels = np.stack([np.zeros((1, 4, 4)), np.ones((1, 4, 4)), 9 * np.ones((1, 4, 4)), noise(1, 4, 4)])
    assert roughness(kernels, ignored=none_of(1, 4, 4)) == 0


@pytest.mark.parametrize("shape", [(3, 1, 1, 1), (0, 1, 4, 4)])
def test_it_may_be_undefined(shape: tuple[int, ...]) -> None:
    assert np.isnan(roughness(np.ones(shape), ignored=none_of(*shape[1:])))
    assert np.isnan(roughness(np.zeros((3, 1, 4, 4)), ignored=none_of(1, 4, 4)))
    assert np.isnan(roughness(np.ones((3, 1, 4, 4)), ignored=~none_of(1, 4, 4)))


def test_locality_is_the_energy_in_the_best_window() -> None:
    kernels = np.zeros((4, 1, 8, 8))
    kernels[0, 0, 3:5, 6:8] = [[1, -1], [2, 5]]  # in one window of 2 x 2
    kernels[1, 0, 0, 0], kernels[1, 0, 5, 5:7] = 3, [2, 2]  # energies of 9 and 8, far from each other
    kernels[2] = 1  # 4 of 64
    assert localities(kernels, ignored=none_of(1, 8, 8)) == pytest.approx([1, 9 / 17, 1 / 16, np.nan], nan_ok=True)
    ignored = none_of(1, 8, 8)
    ignored[0, 0, 0] = True
    assert localities(kernels, ignored=ignored) == pytest.approx([1, 1, 4 / 63, np.nan], nan_ok=True)
    assert localities(7 * kernels[:2], ignored=ignored) == pytest.approx([1, 1])


def test_windows_are_rounded_up_and_sum_the_channels() -> None:
    kernels = np.zeros((1, 3, 5, 3))
    kernels[0, 0, 1, 2], kernels[0, 2, 2, 2], kernels[0, 1, 4, 0] = 1, 2, 3  # the window has 2 x 1 pixels
    assert localities(kernels, ignored=none_of(3, 5, 3)) == pytest.approx([9 / 14])
    kernels[0, 1, 1, 2] = 4
    assert localities(kernels, ignored=none_of(3, 5, 3)) == pytest.approx([21 / 30])


def test_white_noise_on_28_pixels_has_a_locality_of_a_tenth() -> None:
    assert np.median(localities(noise(200, 1, 28, 28), ignored=none_of(1, 28, 28))) == pytest.approx(0.1, abs=0.01)


def test_the_dead_do_not_count_in_the_median_locality() -> None:
    kernels = np.ones((5, 1, 4, 4))
    kernels[:3] = 0
    kernels[:3, 0, 0, 0] = 1
    shown = picture(kernels, dead=np.array([True, True, True, False, False]))
    assert shown.localities == pytest.approx([1, 1, 1, 1 / 16, 1 / 16])
    assert shown.locality == pytest.approx(1 / 16)
    assert "locality 0.06" in shown.remark
    assert np.isnan(picture(kernels, dead=np.ones(5, dtype=bool)).locality)


def test_sixty_four_of_many_are_shown_evenly_chosen() -> None:
    kernels = np.zeros((200, 1, 2, 2))
    kernels[:, 0, 0, 0] = np.arange(200)
    dead = np.arange(200) % 2 == 1
    shown = picture(kernels, dead=dead)
    chosen = shown.kernels[:, 0, 0, 0]
    assert len(chosen) == MOST_SHOWN
    assert (chosen[0], chosen[-1]) == (0, 199)
    assert set(np.diff(chosen)) <= {3, 4}
    assert (shown.dead == (chosen % 2 == 1)).all()
    assert (shown.count, shown.dead_count) == (200, 100)
    assert "200 kernels, 100 of them dead; roughness 1.00; locality 1.00; 64 are shown, evenly chosen" in all_of(
        draw(shown)
    )


def test_the_limit_is_the_quantile_of_all_weights_and_the_dead_are_not_rough() -> None:
    kernels = np.ones((100, 1, 2, 5))
    kernels[:2] = 100  # 2 % of the weights
    kernels[3] = noise(1, 2, 5)
    dead = np.arange(100) == 3
    shown = picture(kernels, dead=dead)
    assert shown.limit == pytest.approx(np.quantile(np.abs(kernels), 0.995))
    assert shown.roughness == 0
    assert picture(np.ones((2, 1, 2, 2)), dead=np.array([True, True])).remark == "2 kernels, 2 of them dead"


def test_white_is_zero_on_one_scale_for_all_panels() -> None:
    small, large = np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 8, 8))
    small[0, 0, 0] = [-1, 1, 0, 0, 0, 0, 0, 0]
    large[0, 0, 0] = [-10, 10, 5, -5, 0, 0, 0, 0]
    first, second = (
        block[:, ::scale][:1] for block in blocks(draw(picture(small), picture(large))) for scale in [len(block) // 8]
    )
    colors = [tuple(int(value) for value in pixel) for pixel in second[0]]
    blue, red, pale_red, pale_blue, zero = colors[:5]
    assert min(zero) > 240
    assert max(zero) - min(zero) <= 2
    assert blue[2] > blue[0] + 50
    assert red[0] > red[2] + 50
    assert sum(red) < sum(pale_red) < sum(zero) > sum(pale_blue) > sum(blue)
    assert sum(pale_red) < int(first[0, 1].sum()) < sum(zero)  # a tenth of the limit of both


def test_kernels_of_colours_are_grey_at_zero() -> None:
    kernels = np.zeros((1, 3, 8, 8))
    kernels[0, 0, 0, 0] = kernels[0, :, 0, 1] = 1
    kernels[0, :, 0, 2] = -1
    (block,) = blocks(draw(picture(kernels)))
    scale = len(block) // 8
    red, white, black, grey = block[0, [0, scale, 2 * scale, 3 * scale]].tolist()
    assert grey == [128, 128, 128]
    assert red == [255, 128, 128]
    assert (white, black) == ([255] * 3, [0] * 3)


def test_the_dead_are_crossed_out_and_no_others() -> None:
    dead = np.array([False, True, False, True, False, False])
    found = draw(picture(noise(6, 1, 4, 4), dead=dead))
    lines = [artist for artist in found.artists if isinstance(artist, Line2D)]
    boxes = [line.get_transform().transform(line.get_xydata()) for line in lines]
    corners = {tuple(np.round([*box.min(0), *box.max(0)]).astype(int).tolist()) for box in boxes}
    extents = np.array([image.get_extent() for image in found.findobj(FigureImage)])[dead]
    places = {tuple(np.round([left, low, right, top]).astype(int).tolist()) for left, right, low, top in extents}
    assert len(lines) == 3 * 2  # of each, two diagonals and the edge
    assert corners == places


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 28, 28)), (7, (3, 29, 31)), (100, (1, 28, 28))])
def test_pages_of_any_kernels_fit(count: int, shape: tuple[int, int, int]) -> None:
    found = draw(picture(noise(count, *shape)))
    check_layout(found)
    assert found.bbox.width <= 2200
    assert found.bbox.height <= 1500
    assert len(blocks(found)) == min(count, MOST_SHOWN)
    extents = np.array([image.get_extent() for image in found.findobj(FigureImage)])
    widths, heights = extents[:, 1] - extents[:, 0], extents[:, 3] - extents[:, 2]
    assert (widths * shape[1] == heights * shape[2]).all()  # whole blocks of one size
    assert (widths % shape[2] == 0).all()


def test_panels_beside_one_another_fit() -> None:
    note = "67 pixels are black in every training image: their weights never moved"
    found = draw(*(picture(noise(128, 1, 28, 28, seed=seed), note=note) for seed in range(6)))
    check_layout(found)
    assert found.bbox.width <= 2200
    assert all_of(found).count(note) == 6


def test_twelve_panels_have_two_pixels_for_a_weight() -> None:
    found = draw(*(picture(noise(256, 1, 28, 28, seed=seed)) for seed in range(12)))
    check_layout(found)
    extents = np.array([image.get_extent() for image in found.findobj(FigureImage)])
    assert set(extents[:, 1] - extents[:, 0]) == {56}


def test_weights_that_are_not_finite_stop_nothing() -> None:
    kernels = noise(4, 1, 3, 3)
    kernels[1, 0, 0, 0] = np.nan
    kernels[2, 0, 0, 0] = np.inf
    assert len(blocks(draw(picture(kernels)))) == 4
    draw(picture(np.full((2, 1, 3, 3), np.nan)))
