"""Boxes of the error by class, and the worst reconstructions: how they are measured and drawn."""

from __future__ import annotations

import itertools
import sys
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.image import FigureImage
from matplotlib.patches import Rectangle

from autoenc.data.noise.corruption import Corruption
from autoenc.evaluation.batches import batches
from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.pictures.image_pixels import DENOISING_PROTOCOL
from autoenc.pictures.picture import Panel
from autoenc.pictures.subject import Subject
from autoenc.pictures.traversals import Traversals
from autoenc.pictures.worst import Worst
from tests.pictures.pages import all_of, draw, levels
from tests.pictures.subjects import measured, pixel_subject, spoil_codes


def errors(**changed: Any) -> ErrorByClass:
    """Of class "cat" the errors 0, 0.01, ..., 1; of class "dog" half of these; of class "eel" none."""
    cat = np.linspace(0, 1, 101)
    fields: dict[str, Any] = {
        "errors": np.concatenate([cat, cat / 2]).astype(np.float32),
        "labels": np.repeat([0, 1], 101),
        "class_names": ("cat", "dog", "eel"),
        "noisy": False,
    }
    return ErrorByClass(**{**fields, **changed})


def bars(axes: Axes) -> list[tuple[float, float, float]]:
    """Of each box: its left and right end, and its middle."""
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(box.get_x(), box.get_x() + box.get_width(), box.get_y() + box.get_height() / 2) for box in boxes]


def test_a_box_reaches_from_quartile_to_quartile() -> None:
    (axes,) = draw(errors()).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["all\n202 images", "cat\n101 images", "dog\n101 images"]
    _, cat, dog = bars(axes)
    assert cat == pytest.approx((0.25, 0.75, 1), abs=1e-6)
    assert dog == pytest.approx((0.125, 0.375, 2), abs=1e-6)
    segments = [collection.get_segments() for collection in axes.collections]  # type: ignore[attr-defined]
    whiskers, median = np.array(segments[2]), np.array(segments[3])  # of cat
    assert np.allclose(whiskers[:, :, 0], [[0.05, 0.25], [0.75, 0.95]], atol=1e-6)
    assert np.allclose(median[:, :, 0], 0.5)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row stands above
    assert axes.get_xlim()[0] == 0


def test_the_median_is_written_beside_a_single_box() -> None:
    figure = draw(errors())
    assert "median 0.5000" in all_of(figure)
    assert "median 0.2500" in all_of(figure)
    box = figure.axes[0].get_window_extent()
    assert all(text.get_window_extent().x1 <= box.x1 for text in figure.axes[0].texts)


def test_runs_stand_in_one_row_each_in_its_colour() -> None:
    half = errors(errors=errors().errors / 2)
    figure = draw(Panel("conv", errors()), Panel("linear", half))
    (axes,) = figure.axes
    found = bars(axes)
    assert found[2][:2] == pytest.approx((0.25, 0.75), abs=1e-6)
    assert found[3][:2] == pytest.approx((0.125, 0.375), abs=1e-6)
    assert found[2][2] < 1 < found[3][2]
    colors = [patch.get_facecolor() for patch in axes.patches[2:4]]
    assert len(set(colors)) == 2
    names = {text.get_text() for text in figure.texts}
    assert {"conv", "linear"} <= names
    heights = sorted((patch.get_y(), patch.get_y() + patch.get_height()) for patch in axes.patches)  # type: ignore[attr-defined]
    assert all(above[1] <= below[0] for above, below in itertools.pairwise(heights))


def test_the_text_says_which_error_is_measured() -> None:
    assert "noisy" not in all_of(draw(errors()))
    noisy = draw(errors(noisy=True))
    assert "denoising error: mean squared error over pixels in [0, 1]" in all_of(noisy)
    assert f"Denoising error of the test images, {DENOISING_PROTOCOL}: a box" in all_of(noisy)
    assert all_of(noisy).count(DENOISING_PROTOCOL) == 1
    mixed = all_of(draw(Panel("a", errors()), Panel("b", errors(noisy=True))))
    assert f"Errors of runs with noise are denoising errors, {DENOISING_PROTOCOL}." in mixed
    assert "denoising" not in all_of(draw(errors()))


def test_errors_that_are_not_finite_are_left_out_and_counted() -> None:
    values = errors().errors.copy()
    values[0] = np.nan
    values[101:] = np.inf
    figure = draw(errors(errors=values))
    assert "102 errors are not finite and left out." in all_of(figure)
    assert "no finite error" in all_of(figure)
    assert len(bars(figure.axes[0])) == 2
    assert "no finite error" in all_of(draw(errors(errors=np.full(202, np.nan))))


def test_the_hardest_class_stands_first() -> None:
    picture = errors(errors=errors().errors[::-1].copy())  # now the dog has the larger errors
    (axes,) = draw(picture).axes
    assert [text.get_text().split("\n")[0] for text in axes.get_yticklabels()] == ["all", "dog", "cat"]
    assert bars(axes)[1] == pytest.approx((0.25, 0.75, 1), abs=1e-6)
    much_harder = errors(errors=np.concatenate([errors().errors[:101] * 5, errors().errors[101:]]))
    (axes,) = draw(Panel("a", picture), Panel("b", much_harder)).axes
    assert [text.get_text().split("\n")[0] for text in axes.get_yticklabels()] == ["all", "cat", "dog"]


def test_a_class_that_a_panel_lacks_is_sorted_by_the_others() -> None:
    only_cats = errors(errors=errors().errors[:101], labels=np.zeros(101, dtype=int))
    (axes,) = draw(Panel("a", errors()), Panel("b", only_cats)).axes
    assert [text.get_text().split("\n")[0] for text in axes.get_yticklabels()] == ["all", "cat", "dog"]


def test_of_a_thousand_classes_the_hardest_and_the_easiest_are_shown() -> None:
    labels = np.arange(2000) % 1000
    names = tuple(f"class {index}" for index in range(1000))
    figure = draw(errors(errors=labels / 1000, labels=labels, class_names=names))
    shown = [text.get_text().split("\n")[0] for text in figure.axes[0].get_yticklabels()]
    assert shown == ["all", *(f"class {index}" for index in [*range(999, 984, -1), *range(14, -1, -1)])]
    assert "970 between them are left out" in all_of(figure)
    assert figure.bbox.height < 2500


def test_many_classes_and_names_have_room() -> None:
    labels = np.arange(300) % 30
    picture = errors(errors=labels / 1000, labels=labels, class_names=tuple(f"a long name {i}" for i in range(30)))
    ticks = [text.get_window_extent() for text in draw(picture).axes[0].get_yticklabels()]
    assert len(ticks) == 31
    assert not any(box.padded(-1).overlaps(other.padded(-1)) for box, other in itertools.pairwise(ticks))
    assert all(box.x0 >= 0 for box in ticks)


def worst(count: int = 3, **changed: Any) -> Worst:
    """Originals of the levels 0, 1, ..., noisy inputs of 100, 101, ..., reconstructions of 200, 201, ..."""

    def images(first: int) -> np.ndarray[Any, np.dtype[np.float16]]:
        level = (first + np.arange(count))[:, None, None, None] / 255
        return np.broadcast_to(level, (count, 1, 8, 8)).astype(np.float16)

    fields: dict[str, Any] = {
        "clean": images(0),
        "given": images(100),
        "reconstructions": images(200),
        "errors": np.linspace(0.5, 0.25, count),
        "names": tuple(f"class {index}" for index in range(count)),
        "noisy": True,
        "count": 1234,
    }
    return Worst(**{**fields, **changed})


def test_rows_are_originals_inputs_and_reconstructions() -> None:
    figure = draw(worst())
    assert levels(figure) == [0, 1, 2, 100, 101, 102, 200, 201, 202]
    text = all_of(figure)
    assert "The 3 largest denoising errors of 1,234 test images." in text
    assert f"the mean squared error over pixels, {DENOISING_PROTOCOL}; below each noisy input" in text
    assert text.count(DENOISING_PROTOCOL) == 1
    for expected in ("class 0", "class 2", "0.5000", "0.3750", "0.2500"):
        assert expected in text
    assert text.count("0.1537") == 3  # (100 / 255)^2, stored in half precision: the error of the noise
    assert "enois" not in all_of(draw(worst(noisy=False)))


def test_notes_stand_under_their_images() -> None:
    figure = draw(worst())
    for note, level in (("class 1", 1), ("0.3750", 201)):
        (text,) = (text for text in figure.texts if text.get_text() == note)
        (image,) = (image for image in figure.images if np.asarray(image.get_array())[0, 0, 0] == level)
        assert isinstance(image, FigureImage)
        box, middle = text.get_window_extent(), int(image.ox) + image.get_size()[1] / 2
        assert abs((box.x0 + box.x1) / 2 - middle) < 2
        assert 0 < int(image.oy) - box.y1 < 20


def test_twenty_stand_in_two_rows_of_ten() -> None:
    figure = draw(worst(20, noisy=False))
    assert levels(figure) == [*range(10), *range(200, 210), *range(10, 20), *range(210, 220)]
    assert "The 20 largest" in all_of(figure)
    assert "The 10 largest" in all_of(draw(worst(14)))  # whole rows


def test_each_panel_has_its_own_ten() -> None:
    figure = draw(Panel("a", worst(20)), Panel("b", worst(12, noisy=False)))
    assert len(levels(figure)) == 50
    text = all_of(figure)
    assert "The 10 largest errors of 1,234 test images, separately for each run." in text
    assert f"Errors of runs with noise are denoising errors, {DENOISING_PROTOCOL}." in text
    assert "a \N{MIDDLE DOT} noisy input" in text
    assert "b \N{MIDDLE DOT} noisy input" not in text


def errors_of(subject: Subject) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of the model that keeps the first two pixels of 16 and makes the others black, by hand."""
    pixels = subject.splits.test.images.flatten(1).double().numpy() / 255
    errors: np.ndarray[tuple[int], np.dtype[np.float64]] = (pixels[:, 2:] ** 2).sum(axis=1) / 16
    return errors


def test_the_worst_are_the_largest_errors_in_order() -> None:
    subject = pixel_subject()
    picture = measured(Worst, subject)
    expected = errors_of(subject)
    order = np.argsort(-expected)[:20]
    assert np.allclose(picture.errors, expected[order], atol=1e-6)
    images = subject.splits.test.images[torch.from_numpy(order.copy())].numpy() / 255
    assert np.allclose(picture.clean, images, atol=1e-3)
    assert np.allclose(picture.given, images, atol=1e-3)
    assert np.allclose(picture.reconstructions.reshape(20, 16)[:, :2], images.reshape(20, 16)[:, :2], atol=1e-3)
    assert picture.names == tuple(f"class {index % 3}" for index in order)
    assert (picture.noisy, picture.count) == (False, 60)


def test_images_of_a_single_class_have_no_label() -> None:
    subject = pixel_subject(classes=1)
    assert set(measured(Worst, subject).names) == {""}
    assert "class" not in " ".join(all_of(draw(Panel("", measured(Traversals, subject)))))


def test_the_worst_of_several_batches_are_the_worst_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measured(Worst, pixel_subject())
    monkeypatch.setattr(sys.modules[batches.__module__], "BATCH_SIZE", 7)
    parts = measured(Worst, pixel_subject())
    assert np.array_equal(whole.clean, parts.clean)
    assert whole.names == parts.names
    assert len(list(pixel_subject().scored_test_batches())) == 9


def test_noise_is_on_the_input_and_not_on_the_target() -> None:
    brighter = Mock(corrupts=True, side_effect=lambda images, generator: Corruption(images + 0.5, images > 0))
    subject = pixel_subject(noise=brighter)
    picture = measured(Worst, subject)
    assert picture.noisy
    assert np.allclose(picture.given, picture.clean + np.float16(0.5), atol=2e-3)
    by_class = measured(ErrorByClass, subject)
    assert by_class.noisy
    assert np.allclose(by_class.errors, errors_of(subject) + 2 * 0.25 / 16, atol=1e-6)
    assert by_class.labels.tolist() == subject.splits.test.labels.tolist()
    assert by_class.class_names == subject.splits.class_names
    assert not measured(ErrorByClass, pixel_subject()).noisy


def test_what_is_not_finite_is_worst() -> None:
    subject = pixel_subject()
    spoil_codes(subject, torch.inf)
    picture = measured(Worst, subject)
    assert not np.isfinite(picture.errors).any()
    assert "not finite" in all_of(draw(picture))
