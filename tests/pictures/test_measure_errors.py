"""The worst images and the error by class: which images, which errors, from which input."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from autoenc.evaluation.batches import batches
from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.pictures.subject import Subject
from autoenc.pictures.worst import Worst
from tests.pictures.subjects import measured, pixel_subject, spoil_codes


class Brightened(NamedTuple):
    """What `Brighter` makes of images."""

    images: Tensor


class Brighter:
    """A noise that is known: it adds 0.5."""

    corrupts = True

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Brightened:
        return Brightened(images + 0.5)


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


def test_the_worst_of_several_batches_are_the_worst_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Worst.measure(pixel_subject())
    monkeypatch.setattr(sys.modules[batches.__module__], "BATCH_SIZE", 7)
    parts = Worst.measure(pixel_subject())
    assert whole is not None
    assert parts is not None
    assert np.array_equal(whole.clean, parts.clean)
    assert whole.names == parts.names
    assert len(list(pixel_subject().scored_test_batches())) == 9


def test_noise_is_on_the_input_and_not_on_the_target() -> None:
    subject = pixel_subject(noise=Brighter())
    picture = measured(Worst, subject)
    assert picture.noisy
    assert np.allclose(picture.given, picture.clean + np.float16(0.5), atol=2e-3)
    by_class = measured(ErrorByClass, subject)
    assert by_class.noisy
    assert np.allclose(by_class.errors, errors_of(subject) + 2 * 0.25 / 16, atol=1e-6)


def test_errors_by_class_are_those_of_every_test_image() -> None:
    subject = pixel_subject()
    picture = measured(ErrorByClass, subject)
    assert np.allclose(picture.errors, errors_of(subject), atol=1e-6)
    assert picture.labels.tolist() == subject.splits.test.labels.tolist()
    assert picture.class_names == subject.splits.class_names
    assert not picture.noisy


def test_few_images_are_all_shown() -> None:
    assert len(measured(Worst, pixel_subject(test=4)).errors) == 4


def test_what_is_not_finite_is_worst() -> None:
    subject = pixel_subject()
    spoil_codes(subject, torch.inf)
    picture = measured(Worst, subject)
    assert not np.isfinite(picture.errors).any()
