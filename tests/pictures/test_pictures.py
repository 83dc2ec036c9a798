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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

import autoenc
from autoenc.pictures.axis_ticks import integer_ticks, number, value_axis
from autoenc.pictures.image_grid import ColumnTexts, ImageRow, image_grid
from autoenc.pictures.loss_curves import draw_loss_curves, loss_curves_figure
from autoenc.pictures.page import house_style, text_width, wrapped

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def page_of(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


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
from autoenc.pictures.loss_curves import draw_loss_curves
from autoenc.pictures.reconstructions import Reconstructions
images, path = numpy.zeros((3, 1, 8, 8)), pathlib.Path({str(tmp_path / "x.png")!r})
draw_loss_curves([{{"epoch": 1, "train/loss": 1}}], path=path, loss_label="loss", best_epoch=None, title="t")
Reconstructions(clean=images, given=images, final=images, captions=("a", "b", "c")).write_figure(path, title="t")
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
assert "torch" not in sys.modules, "torch"
assert dict.__getitem__(matplotlib.rcParams, "backend") == "svg", "backend"
"""
    environment = {"MPLBACKEND": "svg", "MPLCONFIGDIR": str(tmp_path), "PATH": ""}
    root = Path(autoenc.__file__).parents[1]
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_wrapping() -> None:
    with house_style():
        assert wrapped("Ankle boot", width=90, size=12) == "Ankle\nboot"
        assert wrapped("T-shirt/top", width=90, size=12) == "T-shirt/\ntop"
        assert wrapped("one\ntwo", width=900, size=12) == "one\ntwo"
        assert wrapped("", width=90, size=12) == ""
        broken = wrapped("abcdefghij" * 3, width=90, size=12)
        assert broken.replace("\n", "") == "abcdefghij" * 3
        assert text_width(broken, 12) <= 90
