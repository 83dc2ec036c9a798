"""Codes of test images: as they are, on their principal components, by t-SNE; and as training goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from autoenc.pictures import codes as codes_module
from autoenc.pictures.code_space import principal_plane, random_indices
from autoenc.pictures.codes import Codes
from autoenc.pictures.codes_over_epochs import CodesOverEpochs
from tests.pictures.subjects import measured, pixel_subject, spoil_codes


def stretched(count: int = 500) -> Tensor:
    """Codes of three numbers with variances near 16, 1 and 9, in this order, around (5, 5, 5)."""
    generator = torch.Generator().manual_seed(0)
    return 5 + torch.randn(count, 3, generator=generator) * torch.tensor([4.0, 1.0, 3.0])


@pytest.mark.parametrize(("size", "projection"), [(1, "pca"), (2, "tsne")])
def test_one_number_or_two_are_drawn_as_they_are(size: int, projection: str) -> None:
    subject = pixel_subject(size, projection=projection)
    picture = measured(Codes, subject)
    pixels = subject.splits.test.images.flatten(1)[:, :size] / 255
    assert np.allclose(picture.points, pixels.numpy(), atol=1e-6)
    assert picture.labels.tolist() == subject.splits.test.labels.tolist()
    assert picture.axis_labels == ("code 1", "code 2")[:size]
    assert picture.class_names == ("class 0", "class 1", "class 2")
    assert picture.notes == ("All 60 test images.",)


def test_more_numbers_are_projected_where_they_vary_most() -> None:
    coded = stretched()
    plane = principal_plane(coded)
    first, second = plane.project(coded).T
    assert np.corrcoef(first, coded[:, 0])[0, 1] > 0.99  # not mirrored
    assert np.corrcoef(second, coded[:, 2])[0, 1] > 0.99
    variances = np.cov(coded.T.numpy())
    shares = np.sort(np.linalg.eigvalsh(variances))[::-1] / np.trace(variances)
    assert plane.shares == pytest.approx(shares[:2].tolist())
    assert np.allclose(plane.project(coded).mean(axis=0), 0, atol=1e-5)
    assert measured(Codes, pixel_subject(5)).notes == ("All 60 test images.", "Codes of 5 numbers are projected.")
    assert plane.axis_labels[0] == f"principal component 1, {100 * shares[0]:.3g} % of variance"


def test_codes_that_are_not_finite_do_not_spoil_the_projection() -> None:
    coded = stretched()
    broken = torch.cat([coded, torch.full((2, 3), torch.nan), torch.full((1, 3), torch.inf)])
    assert principal_plane(broken).shares == principal_plane(coded).shares
    projected = principal_plane(broken).project(broken)
    assert np.isfinite(projected[:-3]).all()
    assert not np.isfinite(projected[-3:]).any()


def test_codes_that_never_vary_have_a_plane() -> None:
    assert principal_plane(torch.ones(5, 3)).shares == (0, 0)


def test_of_many_images_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes_module, "MOST", 20)
    subject = pixel_subject()
    picture = measured(Codes, subject)
    assert picture.points.shape == (20, 2)
    assert picture.notes == ("20 of 60 test images.",)
    chosen = random_indices(60, most=20)
    assert picture.labels.tolist() == (chosen % 3).tolist()
    assert set(picture.labels.tolist()) == {0, 1, 2}
    assert np.allclose(picture.points, subject.splits.test.images[chosen].flatten(1)[:, :2].numpy() / 255, atol=1e-6)


def test_tsne_on_demand_keeps_neighbours() -> None:
    subject = pixel_subject(3, projection="tsne")
    halves = subject.splits.test.images  # two clouds: dark images and light ones
    halves[::2] //= 8
    halves[1::2] = 255 - halves[1::2] // 8
    picture = measured(Codes, subject)
    assert picture.axis_labels == ("t-SNE 1", "t-SNE 2")
    assert "By t-SNE from 3 numbers (perplexity 19.7)" in picture.notes[1]
    dark, light = picture.points[::2], picture.points[1::2]
    middles = np.linalg.norm(dark.mean(axis=0) - light.mean(axis=0))
    assert middles > max(np.linalg.norm(part - part.mean(axis=0), axis=1).max() for part in (dark, light))


def test_tsne_leaves_out_what_is_not_finite() -> None:
    subject = pixel_subject(3, projection="tsne")
    spoil_codes(subject)
    picture = measured(Codes, subject)
    assert not np.isfinite(picture.points).any()


def test_snapshots_are_projected_as_the_last_of_them() -> None:
    last = stretched(50)
    picture = measured(CodesOverEpochs, pixel_subject(3, code_snapshots={10: last, 0: torch.zeros(50, 3), 5: last / 2}))
    assert picture.epochs == (0, 5, 10)
    plane = principal_plane(last)
    assert np.allclose(picture.points[2], plane.project(last))
    assert np.allclose(picture.points[1], plane.project(last / 2))
    assert np.allclose(picture.points[0], picture.points[0][0])
    assert picture.labels.tolist() == [index % 3 for index in range(50)]
    assert picture.axis_labels == plane.axis_labels
    assert picture.notes[0] == "The first 50 test images."
    assert "projected on the principal components of the codes of the last epoch." in picture.notes[1]


def test_snapshots_of_two_numbers_are_as_they_are() -> None:
    first, last = torch.rand(4, 2), torch.rand(4, 2)
    picture = measured(CodesOverEpochs, pixel_subject(2, code_snapshots={1: first, 2: last}))
    assert np.array_equal(picture.points, torch.stack([first, last]).numpy())
    assert len(picture.notes) == 1
