"""A person's pictures beside what a model makes of them, and how their errors are spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.applied_pictures import ScoredPictures, TwoNames, draw_error_histograms, error_histograms_figure, draw_denoised, draw_odd_pictures
from autoenc.pictures.page import house_style

NAMES = TwoNames("photos", "the run's test split")


def histogram(errors: NDArray[np.float64], ordinary: NDArray[np.float64]) -> Figure:
    with house_style():
        figure = error_histograms_figure(errors, ordinary=ordinary, names=NAMES, title="a title", line="a line")
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
    return figure


def written(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def spread(count: int, *, seed: int) -> NDArray[np.float64]:
    return np.asarray(np.random.default_rng(seed).lognormal(-3, 1, count))


def test_both_histograms_are_shares_of_their_own_set() -> None:
    ordinary, errors = spread(1000, seed=0), spread(200, seed=1)
    figure = histogram(errors, ordinary)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    filled, outline, first = (patch for patch in axes.patches if isinstance(patch, StepPatch))
    np.testing.assert_array_equal(filled.get_data()[0], outline.get_data()[0])
    for patch, values in ((outline, ordinary), (first, errors)):
        shares, edges, _ = patch.get_data()
        assert shares.sum() == pytest.approx(100)
        expected, _ = np.histogram(values, bins=edges)
        np.testing.assert_allclose(shares, 100 * expected / len(values))
    text = written(figure)
    for part in ("a title", "a line", "photos: 200", "the run's test split: 1,000", "share of the pictures (%)"):
        assert part in text


def test_few_pictures_are_a_line_each() -> None:
    errors = np.array([0.02, 0.5, 0.01])
    figure = histogram(errors, spread(50, seed=0))
    lines = [float(np.asarray(line.get_xdata())[0]) for line in figure.axes[0].lines]
    np.testing.assert_allclose(lines, errors)
    assert "photos: 3, a line for each" in written(figure)


@pytest.mark.parametrize("errors", [np.zeros(40), np.full(40, 0.1), np.array([0.0, 1.0] * 20)])
def test_errors_that_are_alike_or_zero_are_drawn(errors: NDArray[np.float64]) -> None:
    figure = histogram(errors, errors[::-1])
    assert all(text.get_window_extent().x1 <= figure.bbox.width for text in figure.findobj(Text) if text.get_text())
    assert ("not all values are above 0" in written(figure)) == (errors.min() == 0)


@pytest.mark.parametrize("errors", [np.empty(0), np.array([np.nan]), np.zeros((2, 2))])
def test_what_are_no_errors_is_refused(tmp_path: Path, errors: NDArray[np.float64]) -> None:
    for one, other in ((errors, np.ones(3)), (np.ones(3), errors)):
        with pytest.raises(ValueError, match="expected finite errors"):
            draw_error_histograms(one, ordinary=other, names=NAMES, path=tmp_path / "h.png", title="", line="")
    assert not list(tmp_path.iterdir())


def random_images(count: int, shape: tuple[int, int, int], *, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)) / 255


def scored(count: int, shape: tuple[int, int, int], *, seed: int) -> ScoredPictures:
    images, made = random_images(count, shape, seed=seed), random_images(count, shape, seed=seed + 1)
    errors = ((images - made) ** 2).mean((1, 2, 3)).tolist()
    return ScoredPictures([f"a name {index}.png" for index in range(count)], images, made, errors)


def shows(path: Path, image: NDArray[np.float64]) -> bool:
    """Whether the image (C, H, W) stands on the page, at some scale, pixel by pixel."""
    page = np.asarray(Image.open(path).convert("RGB"))
    pixels = np.broadcast_to(np.rint(255 * image.transpose(1, 2, 0)).astype(np.uint8), (*image.shape[1:], 3))
    lines = [line.tobytes() for line in page]
    for scale in range(1, 41):
        blocks = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        first = blocks[0].tobytes()
        for top in range(len(lines) - len(blocks) + 1):
            at = lines[top].find(first)
            if at >= 0 and np.array_equal(page[top : top + len(blocks), at // 3 : at // 3 + blocks.shape[1]], blocks):
                return True
    return False


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
def test_odd_and_ordinary_pictures_are_shown_with_what_is_made_of_them(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    oddest, ordinary = scored(4, shape, seed=0), scored(4, shape, seed=2)
    draw_odd_pictures(oddest, ordinary=ordinary, path=tmp_path / "s.png", title="a title")
    for part in (oddest, ordinary):
        assert all(shows(tmp_path / "s.png", image) for image in (*part.images, *part.reconstructions))


@pytest.mark.parametrize("count", [1, 3])
def test_few_pictures_are_all_shown(tmp_path: Path, count: int) -> None:
    few = scored(count, (1, 8, 8), seed=0)
    draw_odd_pictures(few, ordinary=None, path=tmp_path / "s.png", title="a title")
    assert all(shows(tmp_path / "s.png", image) for image in few.images)


def test_as_many_odd_ones_as_ordinary_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 3 pictures, not 2"):
        draw_odd_pictures(
            scored(3, (1, 8, 8), seed=0), ordinary=scored(2, (1, 8, 8), seed=0), path=tmp_path / "s.png", title=""
        )


def test_denoised_pictures_stand_below_the_noisy_ones(tmp_path: Path) -> None:
    given, made = random_images(3, (1, 8, 8), seed=0), random_images(3, (1, 8, 8), seed=1)
    draw_denoised(given, denoised=made, captions=list("abc"), path=tmp_path / "d.png", title="t")
    assert all(shows(tmp_path / "d.png", image) for image in (*given, *made))
    with pytest.raises(ValueError, match="denoised: expected images"):
        draw_denoised(given, denoised=made[:, 0], captions=list("abc"), path=tmp_path / "d.png", title="t")
