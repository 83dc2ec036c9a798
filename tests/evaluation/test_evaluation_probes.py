"""Probes against scikit-learn, and on vectors whose classes are known."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoenc.evaluation import probes
from autoenc.evaluation.probes import (
    INVERSE_PENALTY,
    Labelled,
    kmeans_accuracy,
    linear_probe,
    nearest_neighbours,
    probe_indices,
)


@pytest.fixture(scope="module")
def digits() -> tuple[Labelled, Labelled]:
    """The first 1,000 of scikit-learn's digits, pixels as vectors (N, 64), and the rest."""
    images, labels = load_digits(return_X_y=True)
    vectors, classes = torch.from_numpy(images).float(), torch.from_numpy(labels)
    return Labelled(vectors[:1000], classes[:1000]), Labelled(vectors[1000:], classes[1000:])


def rings(count: int = 100) -> Labelled:
    """Two classes on two circles: no line tells them apart, neighbours do."""
    angles, labels = torch.arange(count) * 0.7, torch.arange(count) % 2
    return Labelled(torch.stack([angles.cos(), angles.sin()], dim=1) * (1 + labels[:, None]), labels)


def share(predicted: torch.Tensor, labels: torch.Tensor) -> float:
    return (predicted == labels).double().mean().item()


# --- the linear probe ---


def test_the_linear_probe_is_near_the_optimum_of_its_loss(digits: tuple[Labelled, Labelled]) -> None:
    fitted_on, scored = digits
    mean = fitted_on.vectors.double().mean(0)
    values, directions = torch.linalg.eigh(torch.cov(fitted_on.vectors.double().T))
    whitening = directions[:, values > 1e-9] / values[values > 1e-9].sqrt()
    inputs, others = (
        torch.cat([(each.vectors.double() - mean) @ whitening, torch.ones(len(each.labels), 1)], dim=1)
        for each in digits
    )
    weights = torch.zeros(inputs.shape[1], 10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        errors = torch.nn.functional.cross_entropy(inputs @ weights, fitted_on.labels, reduction="sum")
        total = errors + weights[:-1].square().sum() / (2 * INVERSE_PENALTY)
        total.backward()
        return total

    optimizer.step(loss)
    predicted = linear_probe(fitted_on)(scored.vectors)
    assert share(predicted, (others @ weights).argmax(1)) > 0.98  # the tolerance moves images next to a boundary
    assert 0.9 < share(predicted, scored.labels) < 0.95


def reduced(digits: tuple[Labelled, Labelled], *, size: int) -> tuple[Labelled, Labelled]:
    """The first principal components of the pixels."""
    mean = digits[0].vectors.mean(0)
    directions = torch.linalg.svd(digits[0].vectors - mean, full_matrices=False).Vh[:size].T
    fitted_on, scored = (Labelled((each.vectors - mean) @ directions, each.labels) for each in digits)
    return fitted_on, scored


@pytest.mark.parametrize(("count", "whitened"), [(1000, True), (150, False)])
@pytest.mark.parametrize("classes", [10, 3, 2])
def test_the_linear_probe_is_that_of_scikit_learn(
    digits: tuple[Labelled, Labelled], count: int, whitened: bool, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (vectors, labels), scored = reduced(digits, size=20)
    fitted_on = Labelled(vectors[:count], labels[:count] % classes)
    scaler = PCA(whiten=True, svd_solver="full") if whitened else StandardScaler()
    reference = make_pipeline(scaler, LogisticRegression(C=INVERSE_PENALTY, tol=1e-8, max_iter=10_000))
    reference.fit(fitted_on.vectors.numpy(), fitted_on.labels.numpy())
    there = torch.from_numpy(reference.predict(scored.vectors.numpy()))
    usual = linear_probe(fitted_on)(scored.vectors)
    assert share(usual, there) > 0.95  # the tolerance moves images next to a boundary
    monkeypatch.setattr(probes, "TOLERANCE", 1e-8)
    monkeypatch.setattr(probes, "MOST_STEPS", 10_000)
    assert linear_probe(fitted_on)(scored.vectors).tolist() == there.tolist()


def test_constant_numbers_do_not_change_the_linear_probe(digits: tuple[Labelled, Labelled]) -> None:
    fitted_on, scored = reduced(digits, size=20)
    wider = [
        torch.cat([each.vectors, torch.full((len(each.labels), 4), 0.3), each.vectors[:, :3]], dim=1)
        for each in (fitted_on, scored)
    ]
    probe = linear_probe(Labelled(wider[0], fitted_on.labels))
    assert share(probe(wider[1]), linear_probe(fitted_on)(scored.vectors)) == 1


def test_the_linear_probe_does_not_depend_on_the_coordinates_of_a_code(digits: tuple[Labelled, Labelled]) -> None:
    fitted_on, scored = digits
    mixing = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))  # correlates the entries
    probe = linear_probe(Labelled(fitted_on.vectors @ mixing + 3, fitted_on.labels))
    assert share(probe(scored.vectors @ mixing + 3), linear_probe(fitted_on)(scored.vectors)) > 0.97


def test_vectors_of_many_numbers_are_standardized(digits: tuple[Labelled, Labelled]) -> None:
    """Whitened with 300 images, the pixels would hide the classes."""
    fitted_on, scored = digits
    few = Labelled(fitted_on.vectors[:300], fitted_on.labels[:300])
    assert share(linear_probe(few)(scored.vectors), scored.labels) > 0.85


def test_the_linear_probe_cannot_tell_rings_apart_and_neighbours_can() -> None:
    assert share(linear_probe(rings())(rings().vectors), rings().labels) < 0.7
    assert share(nearest_neighbours(rings())(rings().vectors), rings().labels) == 1


def test_classes_keep_their_numbers() -> None:
    vectors = torch.tensor([[-1.0], [-1.1], [1.0], [1.1]])
    fitted_on = Labelled(vectors, torch.tensor([7, 7, 3, 3]))
    assert linear_probe(fitted_on)(vectors).tolist() == [7, 7, 3, 3]
    assert nearest_neighbours(fitted_on, neighbours=2)(vectors).tolist() == [7, 7, 3, 3]


# --- the nearest neighbours ---


@pytest.mark.parametrize("neighbours", [1, 2, 5])
def test_the_nearest_neighbours_vote_as_in_scikit_learn(digits: tuple[Labelled, Labelled], neighbours: int) -> None:
    fitted_on, scored = reduced(digits, size=20)  # of pixels, a few distances are equal
    fitted_on = Labelled(fitted_on.vectors, fitted_on.labels * 3)
    reference = KNeighborsClassifier(neighbours, algorithm="brute")
    reference.fit(fitted_on.vectors.numpy(), fitted_on.labels.numpy())
    found = nearest_neighbours(fitted_on, neighbours=neighbours)(scored.vectors)
    assert found.tolist() == reference.predict(scored.vectors.numpy()).tolist()


def test_neighbours_of_vectors_far_from_the_origin_are_found() -> None:
    # In float32 the squares of these are a hundred times coarser than the squared distances between them.
    ring = rings()
    far = Labelled(ring.vectors + 10_000, ring.labels)
    assert share(nearest_neighbours(far)(far.vectors), ring.labels) == 1


def test_there_may_be_fewer_vectors_than_neighbours() -> None:
    fitted_on = Labelled(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([4, 4, 5]))
    assert nearest_neighbours(fitted_on)(torch.tensor([[2.0]])).tolist() == [4]


# --- k-means ---


def test_separate_clusters_are_matched_whatever_their_order() -> None:
    labels = torch.arange(60) % 3
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    offsets = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    assert kmeans_accuracy(Labelled(centres[labels] + offsets, labels)) == 1
    assert kmeans_accuracy(Labelled(centres[labels] + offsets, labels * 4 + 1)) == 1  # classes 1, 5 and 9
    mixed = labels.clone()
    mixed[:6] = (mixed[:6] + 1) % 3
    assert kmeans_accuracy(Labelled(centres[labels] + offsets, mixed)) == pytest.approx(0.9)


def test_codes_that_are_all_the_same_are_one_cluster() -> None:
    assert kmeans_accuracy(Labelled(torch.ones(10, 2), torch.arange(10) % 2)) == 0.5


def test_the_matching_is_the_best_of_all() -> None:
    # Points at four places, so the clusters are known. The largest class of cluster 0 is also that of cluster 1.
    counts = np.array([[9, 8, 0, 1], [8, 1, 1, 1], [0, 2, 5, 4], [3, 0, 4, 0]])
    place, label = np.nonzero(counts)
    places = np.repeat(place, counts[place, label])
    labels = np.repeat(label, counts[place, label])
    best = max(sum(counts[row, order[row]] for row in range(4)) for order in permutations(range(4)))
    found = kmeans_accuracy(Labelled(torch.from_numpy(places).float()[:, None] * 10, torch.from_numpy(labels)))
    assert found == pytest.approx(best / counts.sum())
    assert best < counts.max(axis=1).sum()


# --- the images that probes are fitted to ---


def test_the_images_are_a_frozen_draw_from_the_whole_split() -> None:
    chosen = probe_indices(10_000, most=1000)
    assert torch.equal(chosen, probe_indices(10_000, most=1000))
    assert len(chosen.unique()) == 1000
    assert torch.equal(chosen, chosen.sort().values)
    sorted_labels = torch.arange(10_000) // 1000
    assert torch.bincount(sorted_labels[chosen], minlength=10).min() > 70
    assert probe_indices(5, most=10).tolist() == probe_indices(5, most=None).tolist() == [0, 1, 2, 3, 4]
