"""Pictures: what stands on the page, read back from the PNG or asked of the figure before it is saved."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

import autoenc
from autoenc.pictures import draw_loss_curves, draw_progress, draw_reconstructions
from autoenc.pictures.axis_ticks import integer_ticks, number, value_axis
from autoenc.pictures.image_pixels import ColorScale
from autoenc.pictures.image_grid import ColumnTexts, ImageRow, image_grid
from autoenc.pictures.loss_curves import loss_curves_of_run as loss_curves_figure
from autoenc.pictures.page import house_style, text_width, wrapped
from autoenc.pictures.reconstructions import evenly_chosen

SHAPES = [(1, 8, 8), (1, 28, 28), (1, 29, 31), (3, 32, 32)]
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def random_images(count: int, shape: tuple[int, int, int], *, seed: int = 0) -> NDArray[np.float64]:
    levels = np.random.default_rng(seed).integers(0, 256, (count, *shape))
    return levels / 255


def page_of(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def places(page: NDArray[np.uint8], image: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """Where (top, left, scale) the image (C, H, W) stands on the page with every pixel a uniform block."""
    pixels = np.broadcast_to(np.rint(255 * image.transpose(1, 2, 0)).astype(np.uint8), (*image.shape[1:], 3))
    lines = [row.tobytes() for row in page]
    found = []
    for scale in range(1, 41):
        blocks = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        first = blocks[0].tobytes()
        height, width = blocks.shape[:2]
        for top in range(page.shape[0] - height + 1):
            at = lines[top].find(first)
            if at >= 0 and np.array_equal(page[top : top + height, at // 3 : at // 3 + width], blocks):
                found.append((top, at // 3, scale))
    return found


def history(train: Sequence[float | None], validation: Sequence[float | None] | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"epoch": epoch, "train/loss": loss} for epoch, loss in enumerate(train, start=1)]
    for row, loss in zip(rows, validation or [], strict=False):
        row["validation/loss"] = loss
    return rows


def curves(rows: list[dict[str, Any]], *, best_epoch: int | None = None, loss_label: str = "loss") -> Figure:
    """The drawn figure: texts have their places, warnings have been raised."""
    with house_style():
        figure = loss_curves_figure(rows, loss_label=loss_label, best_epoch=best_epoch, title="a title")
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
    return figure


def line(figure: Figure, label: str) -> NDArray[np.float64]:
    """The points (E, 2) of a line."""
    (found,) = (line for line in figure.axes[0].lines if line.get_label() == label)
    return np.asarray(found.get_xydata(), dtype=np.float64)


def written(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def boxes(texts: Sequence[Text]) -> list[Any]:
    return [text.get_window_extent() for text in texts if text.get_text()]


# Grids of images


@pytest.mark.parametrize("shape", SHAPES)
def test_each_pixel_is_a_sharp_block_in_its_own_row_and_column(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    path = tmp_path / "reconstructions.png"
    rows = [random_images(4, shape, seed=seed) for seed in range(3)]
    originals, noisy, made = rows
    draw_reconstructions(originals, noisy=noisy, reconstructions=made, path=path, title="t", captions=list("abcd"))
    page = page_of(path)
    found = np.array([[places(page, image) for image in row] for row in rows])
    assert found.shape == (3, 4, 1, 3)  # rows x columns x once each x (top, left, scale)
    tops, lefts, scales = found[:, :, 0].transpose(2, 0, 1)
    assert len(np.unique(scales)) == 1
    assert scales[0, 0] * max(shape) >= 64
    assert (np.diff(tops, axis=0) > scales[0, 0] * shape[1]).all()
    assert (tops == tops[:, :1]).all()
    assert (np.diff(lefts, axis=1) > scales[0, 0] * shape[2]).all()
    assert (lefts == lefts[:1]).all()


def test_values_are_shown_as_they_are_and_not_stretched(tmp_path: Path) -> None:
    dim = 0.25 + 0.25 * random_images(3, (1, 8, 8))  # neither black nor white
    draw_progress(dim, snapshots=[(0, dim / 2)], path=tmp_path / "p.png", title="t", captions=None)
    page = page_of(tmp_path / "p.png")
    assert all(len(places(page, image)) == 1 for image in (*dim, *(dim / 2)))


def test_the_error_is_absolute_and_darker_where_it_is_larger(tmp_path: Path) -> None:
    clean = np.full((3, 3, 8, 8), 0.5)
    made = clean.copy()
    made[0, :, :, :4] += 0.4
    made[0, :, :, 4:] -= 0.4
    made[1, 0] += 0.3
    made[1, 1] -= 0.3  # in two of three channels: 0.2 in the mean
    draw_reconstructions(clean, reconstructions=made, path=tmp_path / "r.png", title="t", captions=None)
    scale = ColorScale("", "Reds", low=0, high=0.4)
    page = page_of(tmp_path / "r.png")
    for error in (0.4, 0.2, 0.0):
        color = scale.pixels(np.array([error]))[0] / 255
        found = places(page, np.broadcast_to(color[:, None, None], (3, 8, 8)))
        assert any(scale >= 8 for _, _, scale in found)  # the colour bar has all of these colours too, on a few pixels
    grey = np.asarray(Image.fromarray(scale.pixels(np.linspace(0, 0.4, 50))[None]).convert("L"), dtype=int)[0]
    assert (np.diff(grey) < 0).all()


def grid(
    rows: int, count: int, *, captions: Sequence[str] = (), note: str = "", shape: tuple[int, int] = (28, 28)
) -> Figure:
    pixels = np.zeros((count, *shape, 3), dtype=np.uint8)
    texts = ColumnTexts("", tuple(captions[index % len(captions)] for index in range(count)) if captions else ())
    notes = ColumnTexts("MSE", (note,) * count if note else ())
    image_rows = [ImageRow(label, pixels) for label in ["original", "noisy input\n(clipped to 0…1)", *"abcdefg"][:rows]]
    with house_style():
        figure = image_grid(image_rows, title="a title " * 4, captions=texts, notes=notes, color_scale=None)
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize("count", [1, 3, 10, 20, 33])
@pytest.mark.parametrize("rows", [4, 9])
@pytest.mark.parametrize("names", [FASHION, ["7"], ["Antidisestablishmentarianism", "a_very_long name-of a/folder"]])
def test_no_text_overlaps_another_or_leaves_the_page(rows: int, count: int, names: list[str]) -> None:
    figure = grid(rows, count, captions=names, note="0.0123")
    page = figure.bbox
    extents = boxes(figure.texts)
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1 for box in extents)
    # A pixel of slack: the boxes of lines of one text, g above b, may touch.
    pairs = itertools.combinations([box.padded(-1) for box in extents], 2)
    assert not any(box.overlaps(other) for box, other in pairs)


def test_flat_images_leave_room_for_their_labels() -> None:
    extents = boxes(grid(4, 3, shape=(8, 128)).texts)
    assert not any(box.padded(-1).overlaps(other.padded(-1)) for box, other in itertools.combinations(extents, 2))


def test_narrow_images_leave_room_for_whole_words() -> None:
    assert {"Trouser", "Pullover", "Sneaker", "0.0123"} <= set(
        written(grid(4, 33, captions=FASHION, note="0.0123", shape=(28, 10)))
    )


def test_what_leaves_the_scale_is_clipped(tmp_path: Path) -> None:
    clean = random_images(3, (1, 8, 8))
    noisy = 3 * clean - 1
    draw_reconstructions(clean, noisy=noisy, reconstructions=clean, path=tmp_path / "r.png", title="t", captions=None)
    page = page_of(tmp_path / "r.png")
    assert all(len(places(page, image.clip(0, 1))) == 1 for image in noisy)


@pytest.mark.parametrize(("rows", "count"), [(4, 1), (4, 10), (4, 20), (9, 10), (9, 20), (2, 50), (9, 100)])
def test_images_stay_apart_on_the_page_and_large_enough(rows: int, count: int) -> None:
    figure = grid(rows, count)
    images = [image for image in figure.images if isinstance(image, FigureImage)]
    corners = sorted({(image.ox, image.oy) for image in images})
    height, width = figure.images[0].get_size()
    assert len(corners) == rows * count
    assert width >= 64
    assert all(abs(x - u) > width or abs(y - v) > height for (x, y), (u, v) in itertools.combinations(corners, 2))
    assert figure.bbox.width <= 2100
    assert all(x >= 0 and y >= 0 and x + width <= figure.bbox.x1 and y + height <= figure.bbox.y1 for x, y in corners)


def test_a_large_image_is_not_shrunk() -> None:
    assert grid(2, 2, shape=(40, 2500)).images[0].get_size() == (40, 2500)


def test_a_single_image_is_laid_out_sideways(tmp_path: Path) -> None:
    image = random_images(2, (1, 28, 28))
    path = tmp_path / "r.png"
    draw_reconstructions(image[:1], reconstructions=image[1:], path=path, title="t", captions=["Ankle boot"])
    page = page_of(path)
    (first,), (second,) = places(page, image[0]), places(page, image[1])
    assert first[0] == second[0]
    assert first[1] < second[1]
    assert page.shape[1] > page.shape[0]


def drawn_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of every figure that is saved from here on."""
    texts: list[str] = []
    saved = Figure.savefig

    def savefig(figure: Figure, *arguments: Any, **settings: Any) -> None:
        saved(figure, *arguments, **settings)
        texts.extend(written(figure))  # now, as ticks get their labels when they are drawn

    monkeypatch.setattr(Figure, "savefig", savefig)
    return texts


def test_reconstructions_say_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn_texts(monkeypatch)
    clean = torch.full((3, 1, 8, 8), 0.5)
    made = clean + torch.tensor([0.1, 0.01, 0.0])[:, None, None, None]
    noisy = clean + 0.6
    path = tmp_path / "r.png"
    draw_reconstructions(
        clean, noisy=noisy, reconstructions=made, path=path, title=r"$\no$ digit", captions=["a", "b", "c"]
    )
    expected = [
        r"$\no$ digit",
        "original",
        "noisy input",
        "(clipped to 0…1)",
        "reconstruction",
        "error",
        "a",
        "b",
        "c",
    ]
    assert set(expected) <= set(texts)
    assert texts.count("(clipped to 0…1)") == 1
    assert {"MSE", "0.0100", "1e-4", "0.0000"} <= set(texts)
    assert any("absolute error" in text for text in texts)
    assert any(text.startswith("0.1") for text in texts)  # the end of the colour bar


def test_what_is_not_a_number_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn_texts(monkeypatch)
    clean = random_images(2, (3, 8, 8))
    made = clean.copy()
    made[1, 0, 0, 0] = np.nan
    draw_reconstructions(clean, reconstructions=made, path=tmp_path / "r.png", title="t", captions=None)
    assert {"(not a number: white)", "not finite", "0.0000"} <= set(texts)
    assert any("mean over channels" in text for text in texts)


def test_progress_shows_eight_of_many_snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn_texts(monkeypatch)
    clean = random_images(8, (1, 8, 8))
    snapshots = [(epoch, clean) for epoch in range(51)]
    draw_progress(clean, snapshots=snapshots, path=tmp_path / "p.png", title="t", captions=FASHION[:8])
    labels = [text for text in texts if text.startswith(("epoch", "before"))]
    assert labels == ["before training", *(f"epoch {epoch}" for epoch in (7, 14, 21, 29, 36, 43, 50))]
    assert "t (8 of 51 snapshots)" in [text.replace("\N{NO-BREAK SPACE}", " ") for text in texts]


def test_progress_with_few_snapshots_shows_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn_texts(monkeypatch)
    images = [random_images(3, (1, 8, 8), seed=seed) for seed in range(3)]
    path = tmp_path / "p.png"
    draw_progress(images[0], snapshots=[(5, images[1]), (10, images[2])], path=path, title="t", captions=None)
    assert texts == ["t", "original", "epoch 5", "epoch 10"]
    tops = [places(page_of(path), row[0])[0][0] for row in images]
    assert tops == sorted(tops)


@pytest.mark.parametrize(("count", "most"), [(1, 8), (8, 8), (9, 8), (51, 8), (1000, 2)])
def test_evenly_chosen_keeps_first_and_last(count: int, most: int) -> None:
    chosen = evenly_chosen(count, most=most)
    assert chosen[0] == 0
    assert chosen[-1] == count - 1
    assert len(chosen) == min(count, most)
    assert max(np.diff(chosen), default=1) - min(np.diff(chosen), default=1) <= 1


GOOD = np.zeros((2, 1, 8, 8))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"originals": np.zeros((8, 8))}, r"originals: expected images of shape \(N, C, H, W\).*not \(8, 8\)"),
        ({"originals": np.zeros((2, 2, 8, 8))}, "one or three channels"),
        ({"originals": np.zeros((0, 1, 8, 8))}, "at least one image"),
        ({"originals": np.zeros((2, 1, 8, 8), dtype=np.uint8)}, "floats on the .0, 1. scale, not uint8"),
        (
            {"reconstructions": np.zeros((3, 1, 8, 8))},
            r"reconstructions: .*originals, \(2, 1, 8, 8\), not \(3, 1, 8, 8\)",
        ),
        ({"noisy": np.zeros((2, 1, 8, 9))}, "noisy: expected the shape of the originals"),
        ({"captions": ["one"]}, "captions: expected one for each of 2 images, not 1"),
    ],
)
def test_images_that_do_not_fit_are_refused(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"originals": GOOD, "reconstructions": GOOD, "captions": None, **wrong}
    with pytest.raises(ValueError, match=message):
        draw_reconstructions(given.pop("originals"), path=tmp_path / "r.png", title="t", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("epochs", [[], [1, 1], [2, 1]])
def test_snapshots_out_of_order_are_refused(tmp_path: Path, epochs: list[int]) -> None:
    with pytest.raises(ValueError, match="snapshots: expected at least one, in the order of their epochs"):
        draw_progress(GOOD, snapshots=[(e, GOOD) for e in epochs], path=tmp_path / "p.png", title="t", captions=None)


def test_a_snapshot_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="snapshot of epoch 3: expected the shape of the originals"):
        draw_progress(GOOD, snapshots=[(3, GOOD[:1])], path=tmp_path / "p.png", title="t", captions=None)


# Loss curves


def test_curves_pass_through_the_history_on_a_log_axis() -> None:
    figure = curves(history([0.5, 0.1, 0.05], [0.6, 0.2, 0.1]), loss_label="mean squared error per pixel")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert line(figure, "train").tolist() == [[1, 0.5], [2, 0.1], [3, 0.05]]
    assert line(figure, "validation").tolist() == [[1, 0.6], [2, 0.2], [3, 0.1]]
    assert axes.get_xlabel() == "epoch"
    assert axes.get_ylabel() == "mean squared error per pixel"
    assert {"a title", "train 0.05000", "validation 0.1000"} <= set(written(figure))
    train, validation = axes.lines
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()


@pytest.mark.parametrize("low", [3e-7, 0.0123, 104.0, 7e4])
@pytest.mark.parametrize("ratio", [1, 1.01, 1.5, 2.2, 4, 9, 30, 300, 1e6, 1e9, 1e20])
def test_value_ticks_are_few_and_labelled_apart(low: float, ratio: float) -> None:
    axes = curves(history([low * ratio, low])).axes[0]
    ticks = [tick for tick in axes.yaxis.get_major_ticks() if tick.label1.get_text()]
    assert 3 <= len(ticks) <= 9
    assert len({tick.label1.get_text() for tick in ticks}) == len(ticks)
    extents = boxes([tick.label1 for tick in ticks])
    assert not any(box.overlaps(other) for box, other in itertools.combinations(extents, 2))
    assert all(box.x0 >= 0 for box in extents)
    assert all(len(tick.label1.get_text()) <= 12 for tick in ticks)
    for tick in ticks:
        text = tick.label1.get_text().replace("\N{MINUS SIGN}", "-")
        assert float(text) == pytest.approx(tick.get_loc(), rel=1e-6)


def test_plain_ticks_of_a_narrow_range() -> None:
    assert value_axis(np.array([0.0200, 0.0217]), unit="an error").labels == ["0.0200", "0.0205", "0.0210", "0.0215"]
    assert value_axis(np.array([0.003, 1.0]), unit="an error").labels == [
        "0.002",
        "0.005",
        "0.01",
        "0.02",
        "0.05",
        "0.1",
        "0.2",
        "0.5",
        "1",
    ]


@pytest.mark.parametrize(
    ("values", "unit", "name"),
    [
        ([0.001, 0.011], "mean squared error per pixel", "log"),
        ([0.001, 0.0011], "mean squared error per pixel", "log"),
        ([1.0, 30.0], "validation psnr: decibels", "linear"),
        ([1.0, 30.0], "validation psnr", "linear"),
        ([10.0, 500.0], "nats an image, Bernoulli likelihood", "linear"),
        ([0.01, 0.9], "ssim: structural similarity", "linear"),
        ([-1.0, 500.0], "nats an image", "linear"),
    ],
)
def test_only_errors_are_logarithmic(values: list[float], unit: str, name: str) -> None:
    axis = value_axis(np.array(values), unit=unit)
    assert (axis.name, axis.note) == (name, "")


def test_minor_ticks_are_not_labelled() -> None:
    axes = curves(history([1, 0.01])).axes[0]
    assert len(axes.yaxis.get_minorticklocs()) > 10
    assert not any(tick.label1.get_text() for tick in axes.yaxis.get_minor_ticks())


@pytest.mark.parametrize("best", [1, 3, 5])
def test_the_best_epoch_is_marked_on_the_validation_curve(best: int) -> None:
    validation = [0.6, 0.3, 0.21, 0.25, 0.28]
    figure = curves(history([0.5, 0.2, 0.1, 0.09, 0.08], validation), best_epoch=best)
    assert line(figure, "best").tolist() == [[best, validation[best - 1]]]
    (label,) = (text for text in figure.axes[0].texts if "best" in text.get_text())
    assert label.get_text() == f"best: epoch {best}, {number(validation[best - 1])}"
    box, axes = label.get_window_extent(), figure.axes[0]
    assert axes.get_window_extent().x0 <= box.x0
    assert box.x1 <= axes.get_window_extent().x1
    assert box.y1 < axes.transData.transform((1, 0.08))[1]  # below every curve


def test_without_validation_there_is_one_curve_and_no_mark() -> None:
    figure = curves(history([0.5, 0.2], [None, None]))
    assert [found.get_label() for found in figure.axes[0].lines] == ["train"]
    assert not any("validation" in text or "best" in text for text in written(figure))


def test_a_best_epoch_without_a_value_is_still_marked() -> None:
    figure = curves(history([None, 0.2], [None, 0.3]), best_epoch=1)
    assert "best: epoch 1" in written(figure)


def test_a_single_epoch() -> None:
    figure = curves(history([0.5], [0.6]), best_epoch=1)
    axes = figure.axes[0]
    assert axes.get_xticks().tolist() == [1]
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]
    assert all(found.get_markevery() == [True] for found in axes.lines[:2])


def test_a_gap_is_left_and_a_lone_point_is_seen() -> None:
    losses: list[float | None] = [0.5] * 40
    losses[10], losses[12], losses[20] = float("nan"), None, float("inf")
    figure = curves(history(losses))
    values = line(figure, "train")[:, 1]
    assert np.flatnonzero(np.isnan(values)).tolist() == [10, 12, 20]
    assert np.flatnonzero(np.asarray(figure.axes[0].lines[0].get_markevery())).tolist() == [11]


def test_few_epochs_have_markers() -> None:
    assert np.all(np.asarray(curves(history([0.5] * 5)).axes[0].lines[0].get_markevery()))


@pytest.mark.parametrize("losses", [[0.5, 0.0], [10.0, -3.0], [-1.0, -1.0], [0.0]])
def test_values_that_are_not_positive_make_the_axis_linear_and_it_says_so(losses: list[float]) -> None:
    axes = curves(history(losses), loss_label="a loss").axes[0]
    assert axes.get_yscale() == "linear"
    assert axes.get_ylabel() == "a loss\nlinear axis: not all values are above 0"
    assert len(axes.get_yticks()) >= 3
    assert axes.get_ylim()[0] < min(losses) <= max(losses) < axes.get_ylim()[1]


def test_no_finite_value_at_all() -> None:
    figure = curves(history([float("nan"), None]), best_epoch=None)
    assert "no finite value to draw" in written(figure)


@pytest.mark.parametrize(("train", "validation"), [(0.2, 0.2), (0.2, 0.2001), (0.2001, 0.2)])
def test_the_curves_names_do_not_overlap_and_keep_their_order(train: float, validation: float) -> None:
    figure = curves(history([0.9, train], [0.9, validation]))
    first, second = boxes([text for text in figure.axes[0].texts if text.get_text().startswith(("train", "valid"))])
    assert not first.overlaps(second)
    assert (first.y0 > second.y0) == (train >= validation)
    assert max(first.x1, second.x1) <= figure.bbox.x1


def test_long_texts_are_wrapped_onto_the_page() -> None:
    figure = curves(history([1.0, -1.0]), loss_label="a very long name of a loss " * 5)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes([figure.axes[0].yaxis.label]))


@pytest.mark.parametrize(
    ("last", "ticks"), [(1, [1]), (2, [1, 2]), (7, [1, 2, 3, 4, 5, 6, 7]), (12, [1, 2, 4, 6, 8, 10, 12])]
)
def test_epoch_ticks(last: int, ticks: list[int]) -> None:
    assert integer_ticks(1, last) == ticks


@pytest.mark.parametrize("last", [1, 2, 10, 11, 19, 50, 99, 100, 101, 1000, 12345])
def test_epoch_ticks_are_few_and_reach_far(last: int) -> None:
    ticks = integer_ticks(1, last)
    assert ticks[0] == 1
    assert len(ticks) <= 12
    assert ticks[-1] > 0.8 * last
    extents = boxes(curves(history([0.5] * min(last, 1000))).axes[0].get_xticklabels())
    assert not any(box.overlaps(other) for box, other in itertools.pairwise(extents))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.02, "0.02000"),
        (103.42, "103.4"),
        (1234.4, "1234"),
        (56789.0, "56789"),
        (1.5e-7, "1.500e\N{MINUS SIGN}7"),
        (2e9, "2.000e9"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_history_is_checked() -> None:
    with pytest.raises(ValueError, match="history: expected at least one row"):
        curves([])
    with pytest.raises(ValueError, match="in the order of their epochs"):
        curves([*history([1.0]), *history([1.0])])
    with pytest.raises(ValueError, match="best_epoch=3: expected an epoch of the history, 1 to 2"):
        curves(history([1.0, 0.5]), best_epoch=3)


# What all pictures have in common


def draw(path: Path) -> None:
    draw_loss_curves(history([0.5, 0.2], [0.6, 0.3]), path=path, loss_label="loss", best_epoch=2, title="t")


def test_a_failed_write_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "loss_curves.png"
    path.write_bytes(b"old")

    def fail(file_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        draw(path)
    assert [found.name for found in tmp_path.iterdir()] == ["loss_curves.png"]
    assert path.read_bytes() == b"old"


def test_the_picture_is_a_png_as_large_as_a_slide(tmp_path: Path) -> None:
    draw(tmp_path / "loss_curves.png")
    assert [found.name for found in tmp_path.iterdir()] == ["loss_curves.png"]
    picture = Image.open(tmp_path / "loss_curves.png")
    assert (picture.format, picture.size) == ("PNG", (1600, 900))
    assert picture.getpixel((0, 0)) == (255, 255, 255, 255)


def test_the_callers_style_neither_changes_nor_matters(tmp_path: Path) -> None:
    draw(tmp_path / "first.png")
    with mpl.rc_context({"font.size": 33, "savefig.bbox": "tight", "figure.facecolor": "black", "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        draw(tmp_path / "second.png")
        assert dict(mpl.rcParams) == before
    assert np.array_equal(page_of(tmp_path / "first.png"), page_of(tmp_path / "second.png"))


def test_neither_pyplot_nor_the_backend_is_touched(tmp_path: Path) -> None:
    program = f"""
import sys, numpy, pathlib, matplotlib
from autoenc.pictures import draw_loss_curves, draw_progress, draw_reconstructions
images, path = numpy.zeros((3, 1, 8, 8)), pathlib.Path({str(tmp_path / "x.png")!r})
draw_loss_curves([{{"epoch": 1, "train/loss": 1}}], path=path, loss_label="loss", best_epoch=None, title="t")
draw_reconstructions(images, reconstructions=images, path=path, title="t", captions=None)
draw_progress(images, snapshots=[(1, images)], path=path, title="t", captions=None)
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
assert "torch" not in sys.modules, "torch"
assert dict.__getitem__(matplotlib.rcParams, "backend") == "svg", "backend"
"""
    environment = {"MPLBACKEND": "svg", "MPLCONFIGDIR": str(tmp_path), "PATH": ""}
    root = Path(autoenc.__file__).parents[1]
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_letter_that_the_font_lacks_stops_nothing(tmp_path: Path) -> None:
    images = random_images(3, (1, 8, 8))
    captions = ["\N{CJK UNIFIED IDEOGRAPH-732B}", "b", "c"]
    draw_progress(images, snapshots=[(1, images)], path=tmp_path / "p.png", title="t", captions=captions)


def test_wrapping() -> None:
    with house_style():
        assert wrapped("Ankle boot", width=90, size=12) == "Ankle\nboot"
        assert wrapped("T-shirt/top", width=90, size=12) == "T-shirt/\ntop"
        assert wrapped("one\ntwo", width=900, size=12) == "one\ntwo"
        assert wrapped("", width=90, size=12) == ""
        broken = wrapped("abcdefghij" * 3, width=90, size=12)
        assert broken.replace("\n", "") == "abcdefghij" * 3
        assert text_width(broken, 12) <= 90
