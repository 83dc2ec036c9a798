"""The quality of samples, against closed forms and exhaustive computations, and the classifier behind it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from autoenc.data.datasets import Split
from autoenc.evaluation import image_classifier, sample_quality
from autoenc.evaluation.image_classifier import FEATURES, train_classifier
from autoenc.evaluation.sample_quality import frechet_distance, improved_precision_recall, nearest_errors, radii


def points(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- precision and recall ---


@pytest.mark.parametrize("neighbours", [1, 3])
def test_precision_and_recall_are_those_of_an_exhaustive_search(
    neighbours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def among(point: Tensor, others: Tensor) -> bool:
        for index, other in enumerate(others):
            distances = sorted(math.dist(other, each) for place, each in enumerate(others) if place != index)
            if math.dist(point, other) <= distances[neighbours - 1]:
                return True
        return False

    monkeypatch.setattr(sample_quality, "ROWS", 7)
    real, generated = points(30, 2, seed=0), 0.5 * points(20, 2, seed=1) + 1.5
    found = improved_precision_recall(real, generated, neighbours=neighbours)
    assert found.precision.tolist() == [among(point, real) for point in generated]
    assert found.recall.tolist() == [among(point, generated) for point in real]
    assert 0.3 < found.precision.double().mean() < 1
    assert 0 < found.recall.double().mean() < 0.5


def test_the_same_images_have_full_precision_and_recall_and_others_none() -> None:
    real = points(50, 8, seed=0)
    same = improved_precision_recall(real, real.flip(0))
    assert same.precision.all()
    assert same.recall.all()
    other = improved_precision_recall(real, real + 100)
    assert not other.precision.any()
    assert not other.recall.any()


def test_realism_leaves_out_the_images_that_are_far_from_all_others() -> None:
    real = torch.cat([points(30, 2, seed=0), 100 * points(20, 2, seed=1) + 1000])
    generated = torch.cat([real[:30], real[30:] + 1])
    found = improved_precision_recall(real, generated)
    assert found.precision.all()
    assert found.realism[:30].double().mean() > 0.7
    assert not found.realism[30:].any()


def test_one_real_image_again_and_again_is_precise_and_recalls_little() -> None:
    real = points(50, 8, seed=0)
    found = improved_precision_recall(real, real[:1] + 1e-6 * points(50, 8, seed=1))
    assert found.precision.all()
    assert found.recall.sum() <= 1


def test_known_radii_change_nothing() -> None:
    real, generated = points(30, 2, seed=0), points(20, 2, seed=1)
    found = improved_precision_recall(real, generated, real_radii=radii(real))
    expected = improved_precision_recall(real, generated)
    assert torch.equal(found.precision, expected.precision)
    assert torch.equal(found.recall, expected.recall)
    assert improved_precision_recall(real, generated, real_radii=torch.full((30,), 1e6)).precision.all()


# --- the nearest image ---


def test_errors_against_the_nearest_image_are_those_of_an_exhaustive_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_quality, "ROWS", 7)
    generator = torch.Generator().manual_seed(0)
    images, others = (torch.randint(256, (count, 1, 2, 3), generator=generator).byte() for count in (9, 25))
    excluded = torch.randint(25, (9, 2), generator=generator)
    errors = (images[:, None].double() - others.double()).div(255).square().flatten(2).mean(2)  # (9, 25)
    expected = errors.clone()
    expected.scatter_(1, excluded, math.inf)
    found, apart = nearest_errors(images, others), nearest_errors(images, others, apart_from=excluded)
    torch.testing.assert_close(found.double(), errors.amin(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(apart.double(), expected.amin(1), rtol=1e-4, atol=1e-6)
    assert (apart > found).any()


# --- the Fréchet distance ---


def test_the_frechet_distance_is_the_closed_form() -> None:
    mixing = points(3, 3, seed=2)
    real, generated = points(400, 3, seed=0) @ mixing + 1, points(300, 3, seed=1)
    means = real.mean(0).numpy() - generated.mean(0).numpy()
    covariances = [np.cov(each.numpy(), rowvar=False) for each in (real, generated)]
    root = np.trace(sqrtm(covariances[0] @ covariances[1])).real
    expected = means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * root
    assert frechet_distance(real, generated) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(real, real + 2) == pytest.approx(3 * 2**2)


def test_features_that_never_vary_count_by_their_means() -> None:
    real, generated = points(100, 3, seed=0), points(100, 3, seed=1)
    real[:, 2], generated[:, 2] = 0, 5
    assert frechet_distance(real, generated) - frechet_distance(real[:, :2], generated[:, :2]) == pytest.approx(25)


# --- the classifier ---


def bars(count: int, *, shape: tuple[int, int, int] = (1, 6, 6), seed: int = 0) -> Split:
    """Noisy images with a bright row, column or corner."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = torch.randint(100, (count, *shape), generator=generator, dtype=torch.uint8)
    images[labels == 0, :, 1] = 255
    images[labels == 1, :, :, -2] = 255
    images[labels == 2, :, :2, :2] = 255
    return Split(images, labels)


def test_the_classifier_learns_and_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 40)
    split, held_out = bars(200), bars(100, seed=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = train_classifier(split)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    second = train_classifier(split)
    assert first.correct(held_out).double().mean() > 0.95
    features = first.features(held_out.images)
    assert features.shape == (100, FEATURES)
    assert features.dtype == torch.float64
    assert torch.equal(features, second.features(held_out.images))
    # An image's features do not depend on the other images of its batch.
    alone = first.features(held_out.images[:3])
    torch.testing.assert_close(features[:3], alone, rtol=1e-4, atol=1e-4)


def test_the_classifier_is_the_same_whatever_the_threads_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 3)
    split = bars(200, shape=(1, 28, 28))
    first = train_classifier(split)
    torch.set_num_threads(2)
    second = train_classifier(split)
    assert torch.get_num_threads() == 2
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 1, 2), (3, 5, 28), (1, 40, 7)])
def test_the_classifier_fits_any_shape(channels: int, height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 1)
    images = torch.zeros(6, channels, height, width, dtype=torch.uint8)
    split = Split(images, torch.tensor([0, 1, 2, 4, 4, 4]))
    classifier = train_classifier(split)
    assert classifier(images / 255).shape == (6, 5)
    assert classifier.features(images).shape == (6, FEATURES)
