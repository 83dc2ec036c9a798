"""Samples: where the codes come from, and how likely those of the test images are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from autoenc.pictures import samples as samples_module
from autoenc.pictures.samples import Samples
from autoenc.pictures.subject import Subject
from tests.pictures.subjects import measured, pixel_subject

Coded = Callable[[Tensor, Tensor], list[Tensor]]


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch) -> Coded:
    """Give codes to the training images and to the test images; the codes that are decoded come back in a list."""

    def call(train: Tensor, test: Tensor) -> list[Tensor]:
        decoded: list[Tensor] = []

        def decode(subject: Subject, codes: Tensor) -> Tensor:
            decoded.append(codes)
            return torch.zeros(len(codes), 1, 4, 4)

        monkeypatch.setattr(Subject, "codes", lambda subject, images: test if images is subject.test_images else train)
        monkeypatch.setattr(Subject, "decode", decode)
        return decoded

    return call


def normal(count: int, size: int, *, seed: int = 0) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


OF_NORMAL = -0.5 * math.log(2 * math.pi * math.e)


def test_codes_that_are_normal_are_as_likely_as_they_can_be(coded: Coded) -> None:
    decoded = coded(normal(3000, 3), normal(2000, 3, seed=1))
    picture = measured(Samples, pixel_subject())
    assert picture.prior_log_likelihood == pytest.approx(OF_NORMAL, abs=0.03)
    assert picture.mixture_log_likelihood == pytest.approx(OF_NORMAL, abs=0.05)
    assert picture.mixture == "a mixture of 10 Gaussians with full covariances, fitted to 3,000 training codes"
    prior, mixture = decoded
    assert prior.shape == mixture.shape == (64, 3)
    assert abs(float(prior.mean())) < 0.2
    assert float(prior.std()) == pytest.approx(1, abs=0.15)
    assert picture.prior_images.shape == (64, 1, 4, 4)


def test_codes_elsewhere_are_unlikely_under_the_prior_and_likely_under_the_mixture(coded: Coded) -> None:
    place, width = torch.tensor([30.0, -20.0]), 0.5
    decoded = coded(place + width * normal(1000, 2), place + width * normal(1000, 2, seed=1))
    picture = measured(Samples, pixel_subject())
    expected = -0.5 * ((900 + 400) / 2 + width**2 + math.log(2 * math.pi))
    assert picture.prior_log_likelihood == pytest.approx(expected, rel=1e-2)
    assert picture.mixture_log_likelihood == pytest.approx(OF_NORMAL - math.log(width), abs=0.1)
    prior, mixture = decoded
    assert (prior.abs() < 6).all()
    assert ((mixture - place).abs() < 6 * width).all()


def test_the_mixture_has_the_shape_of_the_codes(coded: Coded) -> None:
    far = torch.tensor([[8.0, 0.0], [0.0, 8.0], [-8.0, 0.0]])
    train = far[torch.arange(900) % 3] + 0.1 * normal(900, 2)
    (_, mixture), _ = coded(train, train[:50] + 0.01), Samples.measure(pixel_subject())
    nearest = torch.cdist(mixture, far).argmin(dim=1)
    assert (torch.cdist(mixture, far).amin(dim=1) < 1).all()
    assert set(nearest.tolist()) == {0, 1, 2}
    assert int((nearest.diff() != 0).sum()) > 15  # not component after component, of which there are ten


def test_a_number_that_never_varies_stays_and_does_not_count(coded: Coded) -> None:
    def with_seven(codes: Tensor) -> Tensor:
        return torch.cat([codes, torch.full((len(codes), 1), 7.0)], dim=1)

    train, test = normal(500, 2), normal(300, 2, seed=1)
    decoded = coded(with_seven(train), with_seven(test))
    picture = measured(Samples, pixel_subject())
    assert (decoded[1][:, 2] == 7).all()
    assert picture.prior_log_likelihood == pytest.approx(OF_NORMAL, abs=0.1)
    assert picture.mixture_log_likelihood == pytest.approx(OF_NORMAL, abs=0.2)


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (500, 70, "a mixture of 10 Gaussians with diagonal covariances, fitted to 500 training codes"),
        (100, 8, "a mixture of 5 Gaussians with full covariances, fitted to 100 training codes"),
        (60, 20, "a mixture of 3 Gaussians with diagonal covariances, fitted to 60 training codes"),
        (10, 2, "a Gaussian with full covariance, fitted to 10 training codes"),
    ],
)
def test_the_mixture_is_as_large_as_the_codes_allow(
    coded: Coded,
    count: int,
    size: int,
    expected: str,
) -> None:
    coded(normal(count, size), normal(30, size, seed=1))
    picture = measured(Samples, pixel_subject(train=count, test=30))
    assert picture.mixture == expected


def test_of_many_training_images_some_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_module, "MOST_FITTED", 50)
    picture = measured(Samples, pixel_subject())
    assert picture.mixture.endswith("fitted to 50 training codes")
    assert picture.mixture_images.dtype == np.float16


@pytest.mark.parametrize("value", [torch.nan, 1.0])
def test_without_codes_that_vary_there_are_no_samples(coded: Coded, value: float) -> None:
    coded(torch.full((100, 2), value), normal(20, 2))
    assert Samples.measure(pixel_subject()) is None
