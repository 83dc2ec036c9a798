"""What the decoder makes of codes: of a grid, of lines between images, of numbers varied, of random codes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from autoenc.data.noise import NOISES
from autoenc.pictures import samples as samples_module
from autoenc.pictures.codes import Codes
from autoenc.pictures.decoder_grid import DecoderGrid
from autoenc.pictures.interpolations import Interpolations
from autoenc.pictures.picture import Picture
from autoenc.pictures.samples import OF_ITSELF, Samples, nearest, variety
from autoenc.pictures.subject import Subject
from autoenc.pictures.traversals import Traversals
from tests.pictures.pages import all_of, draw
from tests.pictures.subjects import gaussian_subject, measured, pixel_subject, spoil_codes


def pixels(subject: Subject) -> torch.Tensor:
    """The test images' pixels in [0, 1], (N, 16): the first are their codes."""
    return subject.splits.test.images.flatten(1) / 255


def test_the_grid_spans_the_central_codes_and_each_image_is_that_of_its_code() -> None:
    subject = pixel_subject()
    picture = measured(DecoderGrid, subject)
    low, high = np.quantile(pixels(subject)[:, :2].numpy(), [0.025, 0.975], axis=0)
    assert picture.images.shape == (20, 20, 1, 4, 4)
    assert picture.across[[0, -1]] == pytest.approx([low[0], high[0]], abs=1e-6)
    assert picture.up[[-1, 0]] == pytest.approx([low[1], high[1]], abs=1e-6)
    assert np.allclose(np.diff(picture.across), np.diff(picture.across)[0], atol=1e-6)
    assert np.allclose(picture.images[:, :, 0, 0, 0], picture.across[None, :], atol=1e-3)  # code 1 is the first pixel
    assert np.allclose(picture.images[:, :, 0, 0, 1], picture.up[:, None], atol=1e-3)  # code 2 the second
    assert (picture.images.reshape(20, 20, 16)[..., 2:] == 0).all()


def test_a_single_number_makes_a_row() -> None:
    picture = measured(DecoderGrid, pixel_subject(1))
    assert picture.images.shape == (1, 20, 1, 4, 4)
    assert np.allclose(picture.images[0, :, 0, 0, 0], picture.across, atol=1e-3)
    assert picture.code_size == 1


def test_a_number_that_never_varies_still_has_a_grid() -> None:
    subject = pixel_subject()
    subject.splits.test.images[:, :, 0, 1] = 51
    picture = measured(DecoderGrid, subject)
    assert picture.up[[0, -1]] == pytest.approx([0.7, -0.3], abs=1e-6)


def test_lines_go_evenly_from_one_shown_image_to_the_next() -> None:
    subject = pixel_subject(16, classes=10)  # as many numbers as pixels: decoding a code gives the image
    picture = measured(Interpolations, subject)
    assert picture.start_names == tuple(f"class {index}" for index in (0, 2, 4, 6, 8))
    assert picture.end_names == tuple(f"class {index}" for index in (1, 3, 5, 7, 9))
    assert picture.images.shape == (5, 9, 1, 4, 4)
    assert np.allclose(picture.starts.reshape(5, 16), pixels(subject)[:10:2], atol=1e-3)
    assert np.allclose(picture.images[:, 0], picture.starts, atol=1e-3)
    assert np.allclose(picture.images[:, -1], picture.ends, atol=1e-3)
    quarter = 0.75 * picture.starts.astype(float) + 0.25 * picture.ends.astype(float)
    assert np.allclose(picture.images[:, 2], quarter, atol=2e-3)


def test_the_ends_are_test_images_and_not_their_reconstructions() -> None:
    subject = pixel_subject(2)
    picture = measured(Interpolations, subject)
    assert np.allclose(picture.ends[0].ravel(), pixels(subject)[1], atol=1e-3)
    assert not np.allclose(picture.images[0, -1].ravel(), pixels(subject)[1], atol=1e-3)


def test_each_number_is_varied_alone() -> None:
    subject = pixel_subject(3)
    images = subject.splits.test.images
    images[:, 0, 0, 1] //= 4  # the second number varies least
    images[:, 0, 0, 2] = 64 + images[:, 0, 0, 2] // 2
    picture = measured(Traversals, subject)
    coded = pixels(subject)[:, :3].numpy()
    assert picture.dimensions == (0, 2, 1)
    assert picture.standard_deviations == pytest.approx(coded.std(axis=0)[[0, 2, 1]], rel=1e-4)
    assert picture.images.shape == (3, 11, 1, 4, 4)
    made = picture.images.reshape(3, 11, 16)[:, :, :3]
    for row, dimension in enumerate(picture.dimensions):
        low, high = np.quantile(coded[:, dimension], [0.025, 0.975])
        expected = np.tile(coded[0], (11, 1))
        expected[:, dimension] = np.linspace(low, high, 11)
        assert np.allclose(made[row], expected, atol=1e-3)
        assert np.allclose(picture.code_values[row], np.linspace(low, high, 11), atol=1e-5)
    assert np.allclose(picture.original.ravel(), pixels(subject)[0], atol=1e-3)
    assert np.allclose(picture.reconstruction.ravel()[:3], coded[0], atol=1e-3)
    assert (picture.reconstruction.ravel()[3:] == 0).all()
    assert (picture.name, picture.code_size) == ("class 0", 3)


def test_at_most_sixteen_numbers_are_varied() -> None:
    picture = measured(Traversals, pixel_subject(20))
    assert len(picture.dimensions) == 16
    assert picture.code_size == 20
    assert list(picture.standard_deviations) == sorted(picture.standard_deviations, reverse=True)


def test_codes_that_are_not_finite_have_nothing_to_show() -> None:
    subject = pixel_subject()
    spoil_codes(subject)
    assert Traversals.measure(subject) is None
    assert DecoderGrid.measure(subject) is None


@pytest.mark.parametrize("kind", [Codes, DecoderGrid, Interpolations, Traversals])
def test_codes_that_are_posterior_means_are_said_to_be(kind: type[Picture]) -> None:
    said = "Codes of variational models are posterior means."
    variational, plain = (measured(kind, make) for make in (gaussian_subject(spread=1, deviation=0.5), pixel_subject()))
    assert said in all_of(draw(variational))
    assert said not in all_of(draw(plain))


Coded = Callable[[Tensor, Tensor], list[Tensor]]


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch) -> Coded:
    """Give codes to the training images and to the test images; the codes that are decoded come back in a list."""

    def call(train: Tensor, test: Tensor) -> list[Tensor]:
        decoded: list[Tensor] = []

        def decode(subject: Subject, codes: Tensor) -> Tensor:
            decoded.append(codes)
            return torch.zeros(len(codes), 1, 4, 4)

        def codes(subject: Subject, images: Tensor, **_: str) -> Tensor:
            return test if images is subject.splits.test.images else train

        monkeypatch.setattr(Subject, "codes", codes)
        monkeypatch.setattr(Subject, "sampled_codes", codes)
        monkeypatch.setattr(Subject, "decode", decode)
        return decoded

    return call


def normal(count: int, size: int, *, seed: int = 0) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_codes_that_are_normal_are_as_likely_as_they_can_be(coded: Coded) -> None:
    decoded = coded(normal(3000, 3), normal(2000, 3, seed=1))
    picture = measured(Samples, pixel_subject(3))
    assert picture.prior_log_likelihood == pytest.approx(OF_ITSELF, abs=0.03)
    assert picture.mixture_log_likelihood == pytest.approx(OF_ITSELF, abs=0.05)
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
    assert picture.mixture_log_likelihood == pytest.approx(OF_ITSELF - math.log(width), abs=0.1)
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
    picture = measured(Samples, pixel_subject(3))
    assert (decoded[1][:, 2] == 7).all()
    assert picture.prior_log_likelihood == pytest.approx(OF_ITSELF, abs=0.1)
    assert picture.mixture_log_likelihood == pytest.approx(OF_ITSELF, abs=0.2)


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (500, 70, "a mixture of 10 Gaussians with diagonal covariances, fitted to 500 training codes"),
        (100, 8, "a mixture of 5 Gaussians with full covariances, fitted to 100 training codes"),
        (10, 2, "a Gaussian with full covariance, fitted to 10 training codes"),
    ],
)
def test_the_mixture_is_as_large_as_the_codes_allow(coded: Coded, count: int, size: int, expected: str) -> None:
    coded(normal(count, size), normal(30, size, seed=1))
    picture = measured(Samples, pixel_subject(size, train=count, test=30))
    assert picture.mixture == expected


def test_of_many_training_images_some_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_module, "MOST_FITTED", 50)
    picture = measured(Samples, pixel_subject())
    assert picture.mixture.endswith("fitted to 50 training codes")
    assert picture.mixture_images.dtype == np.float16


# 10,000 images with two active entries: the standard error of a mean log-density is sqrt(2 / 20,000) / 2 = 0.005.
def log_density(mean_square: float) -> float:
    """The mean log-density under N(0, 1) of numbers with this mean square."""
    return -0.5 * (mean_square + math.log(2 * math.pi))


def test_codes_of_a_variational_model_are_sampled() -> None:
    subject = gaussian_subject(spread=0.75**0.5, deviation=0.5)  # the aggregate posterior is N(0, I)
    picture = measured(Samples, subject)
    assert picture.prior_log_likelihood == pytest.approx(OF_ITSELF, abs=0.02)
    assert picture.mixture_log_likelihood == pytest.approx(OF_ITSELF, abs=0.02)
    assert (picture.code_size, picture.collapsed) == (2, 0)
    of_means = log_density(float(subject.finite_test_codes.square().mean()))
    assert of_means == pytest.approx(log_density(0.75), abs=0.02)  # -1.294: as if they crowded near the origin


def test_collapsed_entries_do_not_count() -> None:
    picture = measured(Samples, gaussian_subject(spread=2.0, deviation=0.5, collapsed=3))
    assert (picture.code_size, picture.collapsed) == (5, 3)
    assert picture.prior_log_likelihood == pytest.approx(log_density(4.25), abs=0.06)  # and not 2/5 of it
    assert picture.mixture_log_likelihood == pytest.approx(OF_ITSELF - math.log(4.25) / 2, abs=0.03)


def test_entries_are_collapsed_on_what_the_model_is_given() -> None:
    blackening = NOISES.parse({"name": "masking", "probability": 1.0, "by": "channel"})
    assert measured(Samples, gaussian_subject(spread=2.0, deviation=0.5, noise=blackening)).collapsed == 2


def test_a_mixture_leaves_collapsed_entries_to_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Tensor] = []

    def decode(subject: Subject, codes: Tensor) -> Tensor:
        decoded.append(codes)
        return torch.zeros(len(codes), 1, 1, 2)

    monkeypatch.setattr(Subject, "decode", decode)
    measured(Samples, gaussian_subject(spread=20.0, deviation=0.5, collapsed=3))
    _, mixture = decoded
    assert float(mixture[:, :2].std()) == pytest.approx(20, rel=0.2)
    assert float(mixture[:, 2:].std()) == pytest.approx(1, rel=0.2)


def test_a_model_with_collapsed_entries_only_counts_them() -> None:
    picture = measured(Samples, gaussian_subject(spread=0.0, deviation=1.0))
    assert (picture.code_size, picture.collapsed) == (2, 2)
    assert picture.prior_log_likelihood == pytest.approx(OF_ITSELF, abs=0.02)


def test_sampled_codes_are_frozen_and_differ_between_splits() -> None:
    subject = gaussian_subject(spread=1.0, deviation=0.5)
    images = subject.splits.test.images[:20]
    first, again, other = (subject.sampled_codes(images, split=split) for split in ("test", "test", "train"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    plain = pixel_subject()
    images = plain.splits.test.images
    assert torch.equal(plain.sampled_codes(images, split="test"), plain.codes(images))


@pytest.mark.parametrize("value", [torch.nan, 1.0])
def test_without_codes_that_vary_there_are_no_samples(coded: Coded, value: float) -> None:
    coded(torch.full((100, 2), value), normal(20, 2))
    assert Samples.measure(pixel_subject()) is None


def test_variety_is_relative_to_real_images() -> None:
    """Corners of a square of side 1, two pixels; the distances between them are 1 and its diagonal."""
    square = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]).reshape(4, 1, 1, 2)
    assert variety(0.25 * square, reals=square) == pytest.approx(0.25)
    assert nearest(square, reals=square.clone()) == 0
    assert nearest(square + 2, reals=square) == pytest.approx((math.sqrt(8) + 2 * math.sqrt(5) + math.sqrt(2)) / 4)
    alike = torch.zeros(4, 1, 1, 2)
    assert variety(alike, reals=square) == 0
    assert math.isnan(variety(square, reals=alike))
    assert math.isnan(nearest(square, reals=alike))
    assert math.isnan(variety(square, reals=square[:1]))
    assert math.isnan(nearest(square, reals=square[:1]))
