"""One run's reconstructions as ever; several runs' under one another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autoenc.pictures.reconstructions_beside import Progress, Reconstructions
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text
from numpy.typing import NDArray

from autoenc.pictures import draw_progress, draw_reconstructions
from autoenc.pictures.image_pixels import Given, grouped, input_label
from autoenc.pictures.picture import Panel
from tests.pictures.pages import check_layout

Draw = Callable[..., Figure]


def flat(*levels: int) -> NDArray[np.float32]:
    """Images of one grey level each, (N, 1, 8, 8)."""
    grey = (np.array(levels) / 255).astype(np.float32)[:, None, None, None]
    return np.broadcast_to(grey, (len(levels), 1, 8, 8)).copy()


def final(*levels: int, **changed: Any) -> Reconstructions:
    fields: dict[str, Any] = {
        "clean": flat(0, 1, 2),
        "given": flat(0, 1, 2),
        "final": flat(*levels),
        "captions": ("cat", "dog", "eel"),
    }
    return Reconstructions(**{**fields, **changed})


def progress(*epochs: int, first: int = 100) -> Progress:
    """In epoch e images of the levels `first` + e and so on."""
    snapshots = np.stack([flat(first + epoch, first + epoch + 1, first + epoch + 2) for epoch in epochs])
    return Progress(clean=flat(0, 1, 2), epochs=epochs, snapshots=snapshots, captions=("cat", "dog", "eel"))


def rows(figure: Figure) -> list[list[int]]:
    """The grey levels of the images, row by row."""
    found: dict[int, list[tuple[int, int]]] = {}
    for image in figure.images:
        assert isinstance(image, FigureImage)
        found.setdefault(-int(image.oy), []).append((int(image.ox), int(np.asarray(image.get_array())[0, 0, 0])))
    return [[level for _, level in sorted(found[top])] for top in sorted(found)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_one_run_is_drawn_as_ever(tmp_path: Path) -> None:
    noisy = final(50, 60, 70, given=flat(9, 9, 9))
    clean = final(50, 60, 70)
    for name, picture, given in (("noisy", noisy, noisy.given), ("clean", clean, None)):
        (tmp_path / name).mkdir()
        path = picture.draw(tmp_path / name, title="t")
        assert path == tmp_path / name / "reconstructions.png"
        before = tmp_path / f"{name}.png"
        draw_reconstructions(
            flat(0, 1, 2),
            noisy=given,
            reconstructions=flat(50, 60, 70),
            path=before,
            title="t",
            captions=("cat", "dog", "eel"),
        )
        assert path.read_bytes() == before.read_bytes()
    again = Reconstructions.load(tmp_path / "noisy" / "reconstructions.npz")
    assert np.array_equal(again.final, noisy.final)
    assert again.noisy
    assert not clean.noisy


def test_several_runs_have_a_row_each_with_their_errors(draw: Draw) -> None:
    figure = draw(Panel("conv", final(0, 1, 2)), Panel("linear", final(0, 1, 104)))
    assert rows(figure) == [[0, 1, 2], [0, 1, 2], [0, 1, 104]]
    written = texts(figure)
    assert {"original", "conv", "linear", "cat", "dog", "eel"} <= set(written)
    assert "mean MSE 0.0000" in written
    assert "mean MSE 0.0533" in written  # (102 / 255) ** 2 / 3
    assert written.count("0.0000") == 5
    assert written.count("0.1600") == 1


def test_the_same_noisy_input_is_shown_once(draw: Draw) -> None:
    given = flat(9, 9, 9)
    figure = draw(Panel("conv", final(1, 1, 1, given=given)), Panel("linear", final(2, 2, 2, given=given)))
    assert rows(figure) == [[0, 1, 2], [9, 9, 9], [1, 1, 1], [2, 2, 2]]
    assert "noisy input" in texts(figure)


def test_different_noisy_inputs_stand_above_what_was_made_of_them(draw: Draw) -> None:
    figure = draw(
        Panel("salt", final(1, 1, 1, given=flat(9, 9, 9))),
        Panel("none", final(2, 2, 2)),
        Panel("gaussian", final(3, 3, 3, given=flat(8, 8, 8))),
    )
    assert rows(figure) == [[0, 1, 2], [9, 9, 9], [1, 1, 1], [2, 2, 2], [8, 8, 8], [3, 3, 3]]
    assert {"noisy input \N{MIDDLE DOT} salt", "noisy input \N{MIDDLE DOT} gaussian"} <= set(texts(figure))


def test_each_noisy_input_is_shown_once_with_what_its_runs_have_in_common(draw: Draw) -> None:
    panels = [
        Panel(f"mlp, seed {seed}, {noise}", final(10 * seed + level, 1, 1, given=flat(level, level, level)))
        for seed in (1, 2)
        for noise, level in (("salt", 9), ("blur, weak", 8))
    ]
    figure = draw(*panels)
    assert rows(figure)[0] == [0, 9, 19, 29, 8, 18, 28]  # so many rows of three images are laid out sideways
    noisy = [text for text in texts(figure) if text.startswith("noisy input")]
    assert noisy == ["noisy input \N{MIDDLE DOT} salt", "noisy input \N{MIDDLE DOT} blur, weak"]


def test_inputs_whose_runs_have_nothing_in_common_are_named_by_the_first() -> None:
    groups = grouped([Given(label, flat(level)) for label, level in (("a", 1), ("b", 2), ("c", 1), ("d", 1))])
    assert [group.members for group in groups] == [[0, 2, 3], [1]]
    assert [input_label(group, groups) for group in groups] == [
        "noisy input \N{MIDDLE DOT} a and 2 more",
        "noisy input \N{MIDDLE DOT} b",
    ]


@pytest.mark.parametrize("images", [1, 4, 10])
@pytest.mark.parametrize("count", [3, 12, 40])
def test_long_names_leave_the_images_their_room(draw: Draw, count: int, images: int) -> None:
    name = "architecture fully connected, code activation sigmoid, learning rate 0.001, noise probability 0.1, seed "
    clean, noisy = flat(*range(images)), [flat(*[level] * images) for level in (100, 101)]
    captions = tuple(f"class {index}" for index in range(images))
    figure = draw(
        *(
            Panel(f"{name}{index}", final(clean=clean, given=noisy[index % 2], final=clean, captions=captions))
            for index in range(count)
        )
    )
    check_layout(figure)
    sizes = {np.asarray(image.get_array()).shape[1] for image in figure.images}
    assert min(sizes) >= 72
    headings = [text for text in figure.findobj(Text) if "mean MSE 0" in text.get_text()]
    assert len(headings) <= 24
    boxes = [text.get_window_extent() for text in headings]
    beside = [(one, other) for one in boxes for other in boxes if one.x0 < other.x0 and abs(one.y0 - other.y0) < 2]
    assert all(other.x0 - one.x1 > 10 for one, other in beside)
    assert max(image.ox for image in figure.images) > 0.5 * figure.bbox.width  # type: ignore[attr-defined]


def test_of_many_runs_the_best_are_shown(draw: Draw) -> None:
    said = "Of 30 runs the 24 best, by the mean MSE of these images, are shown."
    figure = draw(*(Panel(f"run {index}", final(130 - index, 1, 2)) for index in range(30)))
    shown = {level for row in rows(figure) for level in row}
    assert {101, 124} <= shown
    assert 125 not in shown
    assert said in " ".join(texts(figure))
    noisy = draw(*(Panel(f"run {index}", final(9, 1, 2, given=flat(index, 1, 1))) for index in range(40, 80)))
    assert "Of 40 runs the 16 best" in " ".join(texts(noisy))
    through = draw(*(Panel(f"run {index}", progress(0, 5, first=100 - index)) for index in range(30)))
    assert "Of 30 runs the 12 best" in " ".join(texts(through))
    levels = {level for row in rows(through) for level in row}
    assert 71 in levels
    assert max(levels) == 82 + 5 + 2  # of the twelfth from the end, at the last epoch, the third image


def test_a_single_image_is_laid_out_sideways(draw: Draw) -> None:
    one = {"clean": flat(0), "given": flat(0), "captions": ("cat",)}
    figure = draw(Panel("conv", final(102, **one)), Panel("linear", final(51, **one)))
    assert rows(figure) == [[0, 102, 51]]
    assert {"0.1600", "0.0400"} <= set(texts(figure))


def test_progress_of_one_run_is_drawn_as_ever(tmp_path: Path) -> None:
    picture = progress(0, 5, 10)
    path = picture.draw(tmp_path, title="t")
    assert path == tmp_path / "progress.png"
    snapshots = list(zip(picture.epochs, picture.snapshots, strict=True))
    draw_progress(flat(0, 1, 2), snapshots=snapshots, path=tmp_path / "p.png", title="t", captions=picture.captions)
    assert path.read_bytes() == (tmp_path / "p.png").read_bytes()
    again = Progress.load(tmp_path / "progress.npz")
    assert again.epochs == (0, 5, 10)
    assert np.array_equal(again.snapshots, picture.snapshots)


def test_progress_of_several_runs_is_that_of_the_epochs_they_share(draw: Draw) -> None:
    figure = draw(Panel("conv", progress(0, 5, 10)), Panel("linear", progress(0, 7, 10, first=200)))
    assert [row[0] for row in rows(figure)] == [0, 100, 200, 110, 210]
    labels = [text for text in texts(figure) if "\N{MIDDLE DOT}" in text]
    assert labels == [
        "before training \N{MIDDLE DOT} conv",
        "before training \N{MIDDLE DOT} linear",
        "epoch 10 \N{MIDDLE DOT} conv",
        "epoch 10 \N{MIDDLE DOT} linear",
    ]


def test_of_many_epochs_some_are_shown(draw: Draw) -> None:
    figure = draw(*(Panel(label, progress(*range(20))) for label in "abcd"))
    first = rows(figure)[0]  # seventeen rows of three images each are laid out sideways
    assert [level - 100 for level in first[1::4]] == [0, 6, 13, 19]


def test_only_some_epochs() -> None:
    picture = progress(0, 5, 10).only([10, 5, 15])
    assert picture.epochs == (5, 10)
    assert picture.snapshots[:, 0, 0, 0, 0] * 255 == pytest.approx([105, 110])
    with pytest.raises(ValueError, match="there are reconstructions of epochs 0, 5, not of epochs 7, 8"):
        progress(0, 5).only([7, 8])


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ([final(1, 1, 1), final(1, 1, 1, clean=flat(9, 9, 9))], "the panels show different test images"),
        ([final(1, 1, 1), final(1, 1, 1, captions=("a", "b", "c"))], "the panels show different test images"),
        ([progress(0, 5), progress(1, 6)], "the panels have no epoch in common"),
    ],
)
def test_what_cannot_stand_beside_one_another(draw: Draw, panels: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*(Panel(str(index), panel) for index, panel in enumerate(panels)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="final: expected the shape of the clean images"):
        final(1, 2)
    with pytest.raises(ValueError, match="captions: expected one for each of 3 images"):
        final(1, 2, 3, captions=("a",))
    with pytest.raises(ValueError, match="epochs: expected 2 in rising order"):
        progress(5, 0)
