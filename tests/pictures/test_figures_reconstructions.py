"""Reconstructions and their progress: of one run, and of several runs below one another."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.image_pixels import DENOISING_ERROR, ColorScale
from autoenc.pictures.picture import Panel
from autoenc.pictures.progress import Progress
from autoenc.pictures.reconstructions import Reconstructions
from tests.pictures.pages import all_of, check_layout, draw, drawn, written
from tests.pictures.subjects import measured, pixel_subject


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


def alone(picture: Reconstructions | Progress) -> Figure:
    return drawn(lambda: picture.own_figure(title=r"$\no$ digit"))


def test_rows_are_originals_inputs_and_reconstructions() -> None:
    figure = alone(final(100, 101, 102, given=flat(50, 51, 52)))
    assert rows(figure)[:3] == [[0, 1, 2], [50, 51, 52], [100, 101, 102]]


def test_the_error_is_absolute_and_darker_where_it_is_larger() -> None:
    clean = np.full((3, 3, 8, 8), 0.5)
    made = clean.copy()
    made[0, :, :, :4] += 0.4
    made[0, :, :, 4:] -= 0.4
    made[1, 0] += 0.3
    made[1, 1] -= 0.3  # in two of three channels: 0.2 in the mean
    figure = alone(final(clean=clean, given=clean, final=made))
    scale = ColorScale("", "Reds", low=0, high=0.4)
    errors = [np.asarray(image.get_array()) for image in figure.findobj(FigureImage)][-3:]
    for image, error in zip(errors, (0.4, 0.2, 0.0), strict=True):
        assert (image == scale.pixels(np.array([error]))[0]).all()
    grey = np.asarray(Image.fromarray(scale.pixels(np.linspace(0, 0.4, 50))[None]).convert("L"), dtype=int)[0]
    assert (np.diff(grey) < 0).all()
    assert "absolute error of a pixel, |reconstruction \N{MINUS SIGN} original|, mean over channels" in all_of(figure)


def test_reconstructions_say_what_they_show() -> None:
    clean = np.full((3, 1, 8, 8), 0.5)
    made = clean + np.array([0.1, 0.01, 0.0])[:, None, None, None]
    figure = alone(final(clean=clean, given=clean + 0.6, final=made))
    said = written(figure)
    labels = ["original", "noisy input", "(clipped to 0…1)", "reconstruction", "denoising error", "cat", "dog", "eel"]
    errors = ["MSE of the noise", "0.3600", "denoising error (MSE)", "0.0100", "1e-4", "0.0000"]
    assert {r"$\no$ digit", *labels, *errors} <= set(said)
    assert DENOISING_ERROR in all_of(figure)
    assert said.count("(clipped to 0…1)") == 1
    assert said.count("0.3600") == 3  # below each noisy input, the error of leaving the noise in
    clean_input = written(alone(final(1, 2, 3)))
    assert {"error", "MSE"} <= set(clean_input)
    assert not any("nois" in text for text in clean_input)


def test_what_is_not_a_number_is_said() -> None:
    made = flat(0, 1, 2)
    made[1, 0, 0, 0] = np.nan
    assert {"(not a number: white)", "not finite", "0.0000"} <= set(written(alone(final(final=made))))


def test_progress_shows_eight_of_many_snapshots() -> None:
    figure = alone(progress(*range(51)))
    labels = [text for text in written(figure) if text.startswith(("epoch", "before"))]
    assert labels == ["before training", *(f"epoch {epoch}" for epoch in (7, 14, 21, 29, 36, 43, 50))]
    assert "digit (8 of 51 snapshots)" in all_of(figure)
    assert [row[0] for row in rows(alone(progress(5, 10)))] == [0, 105, 110]


def test_several_runs_have_a_row_each_with_their_errors() -> None:
    figure = draw(Panel("conv", final(0, 1, 2)), Panel("linear", final(0, 1, 104)))
    assert rows(figure) == [[0, 1, 2], [0, 1, 2], [0, 1, 104]]
    said = written(figure)
    assert {"original", "conv", "linear", "cat", "dog", "eel"} <= set(said)
    assert said.count("mean MSE") == 2
    assert "0.0000 of these 3 images" in said
    assert "0.0533 of these 3 images" in said  # (102 / 255) ** 2 / 3
    assert said.count("0.0000") == 5
    assert said.count("0.1600") == 1


def test_the_same_noisy_input_is_shown_once() -> None:
    given = flat(9, 9, 9)
    figure = draw(Panel("conv", final(1, 1, 1, given=given)), Panel("linear", final(2, 2, 2, given=given)))
    assert rows(figure) == [[0, 1, 2], [9, 9, 9], [1, 1, 1], [2, 2, 2]]
    said = written(figure)
    assert {"noisy input", "mean MSE of the noise", DENOISING_ERROR} <= set(said)
    assert "1e-3 of these 3 images" in said  # (81 + 64 + 49) / 3 / 255^2
    assert [text.split(" (MSE)")[0] for text in said].count("mean denoising error") == 2


def test_different_noisy_inputs_stand_above_what_was_made_of_them() -> None:
    figure = draw(
        Panel("salt", final(1, 1, 1, given=flat(9, 9, 9))),
        Panel("none", final(2, 2, 2)),
        Panel("gaussian", final(3, 3, 3, given=flat(8, 8, 8))),
    )
    assert rows(figure) == [[0, 1, 2], [9, 9, 9], [1, 1, 1], [2, 2, 2], [8, 8, 8], [3, 3, 3]]
    assert {"noisy input \N{MIDDLE DOT} salt", "noisy input \N{MIDDLE DOT} gaussian"} <= set(written(figure))


def test_each_noisy_input_is_shown_once_and_named_by_its_first_run() -> None:
    panels = [
        Panel(f"{noise}, seed {seed}", final(10 * seed + level, 1, 1, given=flat(level, level, level)))
        for seed in (1, 2)
        for noise, level in (("salt", 9), ("blur", 8))
    ]
    figure = draw(*panels)
    assert rows(figure)[0] == [0, 9, 19, 29, 8, 18, 28]  # so many rows of three images are laid out sideways
    assert all_of(figure).replace(DENOISING_ERROR, "").count("noisy input") == 2
    for noise in ("salt", "blur"):
        assert f"noisy input \N{MIDDLE DOT} {noise}, seed 1 and 1 more" in all_of(figure)


@pytest.mark.parametrize(("count", "images"), [(3, 10), (12, 1), (12, 4), (40, 10)])
def test_long_names_leave_the_images_their_room(count: int, images: int) -> None:
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
    headings = [text for text in figure.findobj(Text) if "mean denoising error (MSE)" in text.get_text()]
    assert len(headings) <= 24
    boxes = [text.get_window_extent() for text in headings]
    beside = [(one, other) for one in boxes for other in boxes if one.x0 < other.x0 and abs(one.y0 - other.y0) < 2]
    assert all(other.x0 - one.x1 > 10 for one, other in beside)
    assert max(image.ox for image in figure.images) > 0.5 * figure.bbox.width  # type: ignore[attr-defined]


def test_of_many_runs_the_best_are_shown() -> None:
    said = "Of 30 runs the 24 best, by the mean MSE of these images, are shown."
    figure = draw(*(Panel(f"run {index}", final(130 - index, 1, 2)) for index in range(30)))
    shown = {level for row in rows(figure) for level in row}
    assert {101, 124} <= shown
    assert 125 not in shown
    assert said in " ".join(written(figure))
    noisy = draw(*(Panel(f"run {index}", final(9, 1, 2, given=flat(index, 1, 1))) for index in range(40, 80)))
    assert "Of 40 runs the 16 best" in " ".join(written(noisy))
    through = draw(*(Panel(f"run {index}", progress(0, 5, first=100 - index)) for index in range(30)))
    assert "Of 30 runs the 12 best" in " ".join(written(through))
    levels = {level for row in rows(through) for level in row}
    assert 71 in levels
    assert max(levels) == 82 + 5 + 2  # of the twelfth from the end, at the last epoch, the third image


def test_a_single_image_is_laid_out_sideways() -> None:
    one = {"clean": flat(0), "given": flat(0), "captions": ("cat",)}
    figure = draw(Panel("conv", final(102, **one)), Panel("linear", final(51, **one)))
    assert rows(figure) == [[0, 102, 51]]
    assert {"0.1600", "0.0400"} <= set(written(figure))


def test_progress_of_several_runs_is_that_of_the_epochs_they_share() -> None:
    figure = draw(Panel("conv", progress(0, 5, 10)), Panel("linear", progress(0, 7, 10, first=200)))
    assert [row[0] for row in rows(figure)] == [0, 100, 200, 110, 210]
    labels = [text for text in written(figure) if "\N{MIDDLE DOT}" in text]
    assert labels == [
        "before training \N{MIDDLE DOT} conv",
        "before training \N{MIDDLE DOT} linear",
        "epoch 10 \N{MIDDLE DOT} conv",
        "epoch 10 \N{MIDDLE DOT} linear",
    ]


def test_progress_of_denoisers_says_what_it_is_made_from() -> None:
    said = "Runs with noise reconstruct from the noisy input, which is not shown."
    assert said in written(alone(replace(progress(0, 5), noisy=True)))
    assert said not in written(alone(progress(0, 5)))


def test_only_some_epochs() -> None:
    picture = progress(0, 5, 10).only([10, 5, 15])
    assert picture.epochs == (5, 10)
    assert picture.snapshots[:, 0, 0, 0, 0] * 255 == pytest.approx([105, 110])
    with pytest.raises(ValueError, match=r"there are reconstructions of epochs \[0, 5\], not of \[7, 8\]"):
        progress(0, 5).only([7, 8])


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ([final(1, 1, 1), final(1, 1, 1, clean=flat(9, 9, 9))], "the panels show different test images"),
        ([final(1, 1, 1), final(1, 1, 1, captions=("a", "b", "c"))], "the panels show different test images"),
        ([progress(0, 5), progress(1, 6)], "the panels have no epoch in common"),
    ],
)
def test_what_cannot_stand_beside_one_another(panels: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*(Panel(str(index), panel) for index, panel in enumerate(panels)))


def test_the_mean_of_the_shown_images_stands_next_to_that_of_all_test_images() -> None:
    line = "Mean MSE: 0.0533 of these 3 images, 0.0210 of all test images."
    assert line in all_of(alone(final(0, 1, 104, test_error=0.021)))
    assert "of all test images" not in all_of(alone(final(0, 1, 104)))  # the numbers of an earlier run
    said = all_of(draw(Panel("conv", final(0, 1, 104, test_error=0.021)), Panel("linear", final(0, 1, 2))))
    assert "conv mean MSE 0.0533 of these 3 images 0.0210 of all test images" in said


def test_the_test_error_is_of_the_noisy_inputs_and_numbers_without_it_still_load(tmp_path: Path) -> None:
    subject = pixel_subject()
    picture = measured(Reconstructions, subject)
    errors = [float(batch.errors.mean()) for batch in subject.scored_test_batches()]
    assert picture.test_error == pytest.approx(errors[0], rel=1e-6)
    picture.save(tmp_path / "now.npz")
    stored = dict(np.load(tmp_path / "now.npz"))
    values = json.loads(str(stored["<values>"]))
    del values["test_error"]
    np.savez(tmp_path / "earlier.npz", **{**stored, "<values>": np.array(json.dumps(values))})
    assert math.isnan(Reconstructions.load(tmp_path / "earlier.npz").test_error)
