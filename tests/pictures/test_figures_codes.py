"""Codes as pictures: scatters, histograms, and their animation."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.artists import Cloud
from autoenc.pictures.class_colors import Look, look
from autoenc.pictures.code_axes import Box
from autoenc.pictures.codes import Codes
from autoenc.pictures.codes_over_epochs import CodesOverEpochs
from autoenc.pictures.page import FRAME, Page, house_style, pixels_of
from autoenc.pictures.picture import Panel
from tests.pictures.pages import all_of, draw, written

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def blobs(
    classes: int, *, dimensions: int = 2, count: int = 300, spread: float = 3.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points around a centre for each class."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % classes
    centres = spread * generator.standard_normal((classes, dimensions))
    return (centres[labels] + 0.3 * generator.standard_normal((count, dimensions))).astype(np.float32), labels


def scatter(classes: int = 3, **changed: Any) -> Codes:
    points, labels = blobs(classes)
    fields: dict[str, Any] = {
        "points": points,
        "labels": labels,
        "class_names": tuple(f"class {index}" for index in range(classes)),
        "axis_labels": ("code 1", "code 2"),
        "notes": ("All 300 test images.",),
    }
    return Codes(**{**fields, **changed})


def strip(classes: int = 3, **changed: Any) -> Codes:
    points, labels = blobs(classes, dimensions=1)
    return scatter(classes, **{"points": points, "labels": labels, "axis_labels": ("code 1",), **changed})


def layers(place: Figure | Axes) -> list[tuple[NDArray[np.float64], Look]]:
    """The points of all clouds with their looks, in the order in which they are drawn."""
    return [layer for cloud in place.findobj(Cloud) for layer in cloud.layers]


def points_in(place: Figure | Axes) -> NDArray[np.float64]:
    return np.concatenate([points for points, _ in layers(place)])


def test_every_code_stands_where_it_is_in_the_colour_of_its_class() -> None:
    picture = scatter()
    drawn = {(*np.round(place, 4).tolist(), color) for points, (color, _) in layers(draw(picture)) for place in points}
    points = zip(picture.points.astype(float), picture.labels, strict=True)
    assert drawn == {(*np.round(point, 4).tolist(), look(int(label)).color) for point, label in points}


def test_a_cloud_looks_like_a_scatter_plot_for_each_layer() -> None:
    points = np.random.default_rng(0).random((6, 20, 2))
    layers = [(part, look(index)) for index, part in enumerate(points)]
    pages = [Page(width=300, height=200) for _ in range(2)]
    with house_style():
        cloud, plots = (Box(left=60, top=20, width=200, height=140).axes(page) for page in pages)
        cloud.add_artist(Cloud(layers, diameter=5.0))
        for (across, up), (color, marker) in ((part.T, shown) for part, shown in layers):
            size = 25 if marker == "o" else 1.3 * 25
            plots.scatter(across, up, s=size, color=color, marker=marker, alpha=0.8, linewidths=0, clip_on=False)
        plots.set(xlim=(0, 1), ylim=(0, 1))
        found, expected = (pixels_of(page.figure) for page in pages)
    assert np.array_equal(found, expected)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) > 100


def test_a_unit_is_as_long_across_as_it_is_up() -> None:
    wide, tall = (scatter(points=scatter().points * np.array(factors)) for factors in ([5, 1], [1, 5]))
    for figure in (draw(wide), draw(tall), draw(Panel("a", wide), Panel("b", tall))):
        for axes in figure.axes:
            box = axes.get_window_extent()
            across, up = (np.ptp(limits) for limits in (axes.get_xlim(), axes.get_ylim()))
            assert box.width / across == pytest.approx(box.height / up)
            offsets = points_in(axes)
            assert (offsets > [axes.get_xlim()[0], axes.get_ylim()[0]]).all()
            assert (offsets < [axes.get_xlim()[1], axes.get_ylim()[1]]).all()


def test_each_name_stands_at_the_median_of_its_class() -> None:
    picture = scatter()
    (axes,) = draw(picture).axes
    for index, name in enumerate(picture.class_names):
        (text,) = (text for text in axes.texts if text.get_text() == name)
        median = np.median(picture.points[picture.labels == index], axis=0)
        assert np.allclose(text.get_position(), median, atol=0.05)


def test_names_at_one_place_are_moved_apart() -> None:
    points, labels = blobs(10, spread=0)
    figure = draw(scatter(10, points=points, labels=labels, class_names=FASHION))
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 10
    # Slack, as a box reaches from the font's highest letter to its lowest.
    assert not any(box.padded(-4).overlaps(other.padded(-4)) for box, other in itertools.combinations(boxes, 2))
    limits = figure.axes[0].get_window_extent()
    assert all(limits.x0 <= box.x0 and box.x1 <= limits.x1 for box in boxes)
    assert all(limits.y0 <= box.y0 and box.y1 <= limits.y1 for box in boxes)


def test_there_is_one_legend_and_it_covers_no_axes() -> None:
    figure = draw(*(Panel(label, scatter(10, class_names=FASHION)) for label in "abc"))
    (entry,) = (text for text in figure.texts if text.get_text() == "Ankle boot")
    assert entry.get_window_extent().x0 > max(axes.get_window_extent().x1 for axes in figure.axes)
    assert entry.get_window_extent().x1 <= figure.bbox.x1
    assert len(figure.axes) == 3
    assert {"a", "b", "c"} <= {text.get_text() for text in figure.texts}


def test_no_class_is_hidden_by_those_that_are_drawn_after_it() -> None:
    labels = np.arange(300) // 100
    colors = [color for _, (color, _) in layers(draw(scatter(labels=labels)))]
    for index in range(3):
        assert np.mean(np.flatnonzero(np.array(colors) == look(index).color)) == pytest.approx(len(colors) / 2, rel=0.1)


def test_a_name_away_from_its_class_has_a_line_to_the_median() -> None:
    points, labels = blobs(10, spread=0.1)
    (axes,) = draw(scatter(10, points=points, labels=labels, class_names=FASHION)).axes
    ends = [line.get_xydata()[-1] for line in axes.lines]  # type: ignore[index]
    for index, name in enumerate(FASHION):
        median = np.median(points[labels == index], axis=0)
        (text,) = (text for text in axes.texts if text.get_text() == name)
        at_class = text.get_window_extent().contains(*axes.transData.transform(median))
        assert at_class or any(np.allclose(end, median, atol=1e-4) for end in ends), name


def test_equal_codes_are_called_collapsed_instead_of_naming_classes() -> None:
    points = np.zeros((300, 2), dtype=np.float32)
    figure = draw(scatter(10, points=points, class_names=FASHION))
    assert "all codes are equal: the code has collapsed" in all_of(figure)
    assert "All 300 codes are at (0, 0)." in all_of(figure)
    assert not figure.axes[0].texts


def test_many_equal_codes_are_counted_and_few_are_not() -> None:
    points, _ = blobs(3)
    points[:90] = [0, -1.5]
    assert "90 of 300 codes are at (0, \N{MINUS SIGN}1.5)." in all_of(draw(scatter(points=points)))
    assert "codes are at" not in all_of(draw(scatter()))


def test_many_classes_differ_by_colour_or_marker() -> None:
    figure = draw(scatter(62))
    assert all(f"class {index}" in all_of(figure) for index in range(62))


@pytest.mark.parametrize("make", [scatter, strip])
def test_of_a_thousand_classes_seventy_are_named_and_the_others_are_one(make: Callable[[int], Codes]) -> None:
    figure = draw(make(1000))
    assert "class 69" in all_of(figure)
    assert "class 70" not in all_of(figure)
    assert "930 other classes" in all_of(figure)
    assert max(figure.bbox.width, figure.bbox.height) < 2500
    grey = [len(points) for points, (color, _) in layers(figure) if color == FRAME]
    assert sum(grey) == (230 if layers(figure) else 0)


def test_a_few_codes_far_out_do_not_shrink_the_rest() -> None:
    points = scatter().points.copy()
    points[0] = [1e6, 0]
    figure = draw(scatter(points=points))
    assert figure.axes[0].get_xlim()[1] < 100
    assert "1 of 300 codes is beyond the axes, drawn on their border." in all_of(figure)
    assert points_in(figure)[:, 0].max() == pytest.approx(figure.axes[0].get_xlim()[1])


def test_codes_that_are_not_finite_are_counted() -> None:
    points = scatter().points.copy()
    points[:2] = np.nan
    assert "2 of 300 codes are not finite, and left out." in all_of(draw(scatter(points=points)))
    assert "no finite code to draw" in all_of(draw(scatter(points=np.full_like(points, np.inf))))


@pytest.mark.parametrize("value", [0.0, 1e9])
def test_codes_that_are_all_the_same_have_a_place(value: float) -> None:
    figure = draw(scatter(points=np.full((300, 2), value)))
    low, high = figure.axes[0].get_xlim()
    assert low < value < high


def test_histograms_are_shares_of_a_class_on_one_scale() -> None:
    points = np.repeat([0.0, 1.0, 0.0, 1.0], [30, 10, 5, 5])[:, None]
    labels = np.repeat([0, 1], [40, 10])
    (axes,) = draw(strip(2, points=points, labels=labels)).axes
    filled = [patch.get_data() for patch in axes.patches if patch.get_fill()]  # type: ignore[attr-defined]
    heights = [np.asarray(data.values) - data.baseline for data in filled]
    assert [sorted(set(np.round(found / found.max(), 3))) for found in heights] == [[0, 0.333, 1], [0, 1]]
    assert heights[0].max() == pytest.approx(1.5 * heights[1].max())
    assert [text.get_text() for text in axes.get_yticklabels()] == ["class 1", "class 0"]


def test_what_is_said() -> None:
    assert {"code 1", "code 2"} == {draw(scatter()).axes[0].get_xlabel(), draw(scatter()).axes[0].get_ylabel()}
    said = all_of(draw(scatter()))
    assert "a class's name stands at the median" in said
    assert "All 300 test images." in said
    unlabelled = all_of(draw(scatter(1)))
    assert "colour" not in unlabelled
    assert "class" not in unlabelled
    several = all_of(draw(Panel("a", scatter()), Panel("b", strip(notes=("All 300 test images.", "Odd.")))))
    assert "Each panel has axes of its own." in several
    assert several.count("All 300 test images.") == 1
    assert several.count("Odd.") == 1


def test_other_classes_cannot_stand_beside_one_another() -> None:
    with pytest.raises(ValueError, match="different classes"):
        draw(Panel("a", scatter(3)), Panel("b", scatter(4)))


def moving(epochs: int = 3, *, dimensions: int = 2, count: int = 40, **changed: Any) -> CodesOverEpochs:
    """Codes that move away from zero."""
    labels = np.arange(count) % 2
    ends = np.random.default_rng(0).standard_normal((count, dimensions)) + 3 * labels[:, None]
    points = np.linspace(0.1, 1, epochs)[:, None, None] * ends
    fields: dict[str, Any] = {
        "epochs": tuple(range(0, 5 * epochs, 5)),
        "points": points.astype(np.float32),
        "labels": labels,
        "class_names": ("cat", "dog"),
        "axis_labels": ("code 1", "code 2")[:dimensions],
        "notes": ("The first 40 test images.",),
    }
    return CodesOverEpochs(**{**fields, **changed})


def frames_of(picture: CodesOverEpochs) -> list[Figure]:
    with house_style():
        return list(picture.frames(title="t"))


def test_the_gif_has_a_frame_an_epoch_and_stays_at_the_last(tmp_path: Path) -> None:
    path = moving().draw(tmp_path, title="t")
    assert path == tmp_path / "codes_over_epochs.gif"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["codes_over_epochs.gif", "codes_over_epochs.npz"]
    with Image.open(path) as gif:
        assert gif.n_frames == 3  # type: ignore[attr-defined]
        durations, corners = [], []
        for index in range(3):
            gif.seek(index)
            durations.append(gif.info["duration"])
            corners.append(gif.convert("RGB").getpixel((0, 0)))
    assert durations[0] == durations[1]
    assert durations[2] > 3 * durations[0]
    assert corners == [(255, 255, 255)] * 3


def test_each_frame_says_its_epoch_and_has_the_same_axes() -> None:
    frames = frames_of(moving())
    assert [[text for text in written(frame) if text.startswith(("epoch", "before"))] for frame in frames] == [
        ["before training"],
        ["epoch 5"],
        ["epoch 10"],
    ]
    assert len({(frame.axes[0].get_xlim(), frame.axes[0].get_ylim()) for frame in frames}) == 1
    assert len({tuple(frame.get_size_inches()) for frame in frames}) == 1
    picture = moving()
    for frame, points in zip(frames, picture.points, strict=True):
        drawn = points_in(frame)
        assert np.allclose(np.sort(drawn, axis=0), np.sort(points, axis=0), atol=1e-6)


@pytest.mark.parametrize("changed", [{}, {"dimensions": 1}, {"first": 0}])
def test_the_gif_shows_each_frame_as_it_is_drawn_alone(tmp_path: Path, changed: dict[str, int]) -> None:
    picture = moving(**{key: value for key, value in changed.items() if key != "first"})
    if "first" in changed:  # all codes are equal before training; the picture has a line about it
        picture.points[0] = changed["first"]
    with house_style():
        alone = [pixels_of(frame).astype(int) for frame in picture.frames(title="t")]
    with Image.open(picture.draw(tmp_path, title="t")) as gif:
        for index, expected in enumerate(alone):
            gif.seek(index)
            found = np.asarray(gif.convert("RGB")).astype(int)
            assert found.shape == expected.shape
            assert np.abs(found - expected).mean() < 0.5  # of 255: colours are reduced to 256
            assert np.mean(np.abs(found - expected).max(axis=-1) > 64) < 1e-3


def test_what_the_frames_share_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    monkeypatch.setattr(Axis, "draw", lambda axis, renderer: drawn.append(axis))
    moving(epochs=4).draw(tmp_path, title="t")
    assert len(drawn) == 2  # one axis across, one up


def test_of_many_epochs_thirty_become_frames() -> None:
    assert len(frames_of(moving(40))) == 30


def test_the_still_picture_shows_eight_epochs_or_five_of_each_panel() -> None:
    alone = draw(moving(12))
    assert len(alone.axes) == 8
    beside = draw(Panel("a", moving(12)), Panel("b", dataclasses.replace(moving(2), points=10 * moving(2).points)))
    assert len(beside.axes) == 7
    tops = sorted({round(axes.get_window_extent().y1) for axes in beside.axes})
    assert len(tops) == 2
    assert "a" in written(beside)
    assert {axes.get_xlim() for axes in beside.axes[:5]} != {axes.get_xlim() for axes in beside.axes[5:]}
    assert len({axes.get_xlim() for axes in beside.axes[:5]}) == 1
    assert "Each row has axes of its own." in all_of(beside)


def test_single_numbers_are_histograms() -> None:
    frame = frames_of(moving(2, dimensions=1))[0]
    assert [text.get_text() for text in frame.axes[0].get_yticklabels()] == ["dog", "cat"]
