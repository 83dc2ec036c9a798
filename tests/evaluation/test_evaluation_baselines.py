"""Baselines: against scikit-learn, scipy, closed forms, and published values on MNIST."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import median_filter as scipy_median_filter
from sklearn.decomposition import PCA
from torch import Tensor

from autoenc.data.datasets import Split
from autoenc.data.noise import NOISES, Noise
from autoenc.data.noise.pixels import Gaussian, NoNoise
from autoenc.evaluation.baselines import LinearAutoencoder, linear_denoiser, median_filter, principal_components
from autoenc.evaluation.evaluation_settings import Quick
from autoenc.evaluation.metrics import METRICS, Metric
from autoenc.evaluation.scored_split import ScoredSplit, Trained
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.losses import Loss
from autoenc.models.losses.likelihoods import BernoulliLikelihood
from autoenc.models.losses.pixel_means import BinaryCrossEntropy, MeanSquaredError
from tests.composed import composed_values
from tests.devices import cpu
from tests.real_data import real_splits


def pca_of(images: Tensor, *, components: int) -> LinearAutoencoder:
    found = principal_components(images, components=components, device=cpu())
    assert found is not None
    return found


def error(pca: LinearAutoencoder, images: Tensor) -> float:
    floats = images / 255
    return (pca.reconstruct(floats) - floats).square().mean().item()


def sklearn_error(train: Tensor, test: Tensor, *, components: int) -> float:
    fitted, tested = (images.flatten(1).double().numpy() / 255 for images in (train, test))
    pca = PCA(components, svd_solver="full").fit(fitted)
    return float(np.mean((pca.inverse_transform(pca.transform(tested)) - tested) ** 2))


def low_rank(count: int, *, seed: int, pixels: int = 32) -> Tensor:
    """uint8 images (N, 2, 4, pixels / 8), in which a few directions have most of the variance."""
    directions = np.random.default_rng(0).random((5, pixels))
    values = np.random.default_rng(seed).random((count, 5)) @ directions
    return torch.from_numpy((255 * values / 5).round().astype(np.uint8)).reshape(count, 2, 4, -1)


@pytest.mark.parametrize("components", [1, 3, 20])
@pytest.mark.parametrize("count", [200, 25], ids=["of pixels", "of images"])
def test_the_components_are_those_of_scikit_learn(count: int, components: int) -> None:
    train, test = low_rank(count, seed=1), low_rank(100, seed=2)
    expected = sklearn_error(train, test, components=components)
    assert error(pca_of(train, components=components), test) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("components", [9, 10, 16, 40])
def test_a_code_larger_than_the_rank_adds_no_arbitrary_direction(components: int) -> None:
    """Ten images span nine dimensions around their mean, in any order of the files."""
    generator = torch.Generator().manual_seed(0)
    train, test = (torch.randint(256, (n, 1, 4, 8), generator=generator, dtype=torch.uint8) for n in (10, 50))
    expected = sklearn_error(train, test, components=9)
    for order in (torch.arange(10), torch.randperm(10, generator=generator)):
        pca = pca_of(train[order], components=components)
        assert pca.encoder.shape == (32, 9)
        assert error(pca, test) == pytest.approx(expected, rel=1e-4)


def test_copies_and_constant_pixels_do_not_raise_the_rank() -> None:
    images = torch.randint(256, (6, 1, 2, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images[:, :, 0] = 7
    assert pca_of(images.repeat(50, 1, 1, 1), components=16).encoder.shape == (16, 5)


def test_as_many_components_as_pixels_leave_no_error() -> None:
    images = torch.randint(0, 256, (50, 1, 2, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert error(pca_of(images, components=60), images) == pytest.approx(0, abs=1e-9)


def test_pca_that_would_take_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.zeros(12, 1, 3, 3, dtype=torch.uint8)
    monkeypatch.setattr("autoenc.evaluation.baselines.MOST_DIMENSIONS", 8)
    assert principal_components(images, components=2, device=cpu()) is None
    assert linear_denoiser(images, noise=NoNoise(), components=2, device=cpu()) is None
    monkeypatch.setattr("autoenc.evaluation.baselines.MOST_NUMBERS", 30)
    assert principal_components(images[:4], components=2, device=cpu()) is None


def test_without_noise_the_linear_denoiser_is_pca() -> None:
    train, test = low_rank(400, seed=1), low_rank(100, seed=2)
    denoiser = linear_denoiser(train, noise=NoNoise(), components=3, device=cpu())
    assert denoiser is not None
    assert error(denoiser, test) == pytest.approx(error(pca_of(train, components=3), test), rel=1e-3)


def test_the_linear_denoiser_is_the_wiener_filter_of_its_rank() -> None:
    """White noise of variance s2 on clean directions of variance l: each is shrunk by l / (l + s2)."""
    train, std = low_rank(20_000, seed=1), 0.1
    noise = Gaussian(std=std, by="channel", clip=False)
    denoiser = linear_denoiser(train, noise=noise, components=2, device=cpu())
    assert denoiser is not None
    pixels = train.flatten(1).double() / 255
    variances, directions = torch.linalg.eigh(torch.cov(pixels.T))
    gains = variances[-2:] / (variances[-2:] + std**2)
    expected = directions[:, -2:] @ torch.diag(gains) @ directions[:, -2:].T
    torch.testing.assert_close((denoiser.encoder @ denoiser.decoder).double(), expected, rtol=0, atol=0.01)


def test_few_training_images_are_used_several_times() -> None:
    """Thirty images of 32 pixels could be mapped from their noisy versions exactly, by a map that is bad elsewhere."""
    train, test = low_rank(30, seed=1), low_rank(300, seed=2)
    noise = Gaussian(std=0.2, by="channel", clip=False)
    denoiser = linear_denoiser(train, noise=noise, components=5, device=cpu())
    assert denoiser is not None
    noisy = noise(test / 255, generator=torch.Generator().manual_seed(5)).images
    assert (denoiser.reconstruct(noisy) - test / 255).square().mean() < 0.3 * (noisy - test / 255).square().mean()


def test_the_median_filter_repeats_the_border() -> None:
    images = torch.rand(3, 2, 7, 5, generator=torch.Generator().manual_seed(0))
    expected = scipy_median_filter(images.numpy(), size=(1, 1, 3, 3), mode="nearest")
    torch.testing.assert_close(median_filter(images), torch.from_numpy(expected))


def measured(metric: Metric, trained: Trained, *, splits: Any) -> float:
    assert metric.per_split is not None
    found = metric.per_split(ScoredSplit(name="test", split=splits.test, trained=trained))
    assert isinstance(found, Tensor)
    assert found.shape == (len(splits.test),)
    return found.mean().item()


def noise_of(name: str, **settings: float) -> Noise:
    return NOISES.parse({**composed_values(f"noise={name}")["noise"], **settings})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (noise_of("salt_and_pepper", probability=0.2), [0.0965, 0.0154, 0.0198, 0.0170]),
        (noise_of("gaussian", std=0.3), [0.0465, 0.0192, 0.0175, 0.0135]),
        (noise_of("masking", probability=0.3), [0.0342, 0.0404, 0.0231, 0.0158]),
        (noise_of("occlusion", size=0.4), [0.0324, 0.0381, 0.0357, 0.0249]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_baselines_of_a_denoiser_on_mnist(noise: Noise, expected: list[float]) -> None:
    splits = real_splits("mnist")
    settings = Quick(nll_samples=0, probe_images=100)
    model = AutoEncoder(torch.nn.Identity(), torch.nn.Identity())
    trained = Trained(model=model, split=splits.train, noise=noise, code_size=64, device=cpu(), settings=settings)
    names = ("noise_mse", "median_mse", "pca_denoising_mse", "linear_denoising_mse")
    found = [measured(METRICS[name], trained, splits=splits) for name in names]
    assert found == pytest.approx(expected, abs=2.5e-4)
    assert measured(METRICS["mean_image_mse"], trained, splits=splits) == pytest.approx(0.0675, abs=5e-5)


def test_a_pixel_that_one_training_image_has_does_not_spoil_the_denoiser() -> None:
    """Its slope is fitted to a single image, and test images in which it is bright would be far off."""
    generator = torch.Generator().manual_seed(0)
    train, test = (torch.randint(256, (400, 1, 4, 8), generator=generator, dtype=torch.uint8) for _ in range(2))
    train[:, :, 0, 0], test[:, :, 0, 0] = 0, 255
    train[0, :, 0, 0] = 1
    denoiser = linear_denoiser(train, noise=noise_of("masking", probability=0.3), components=32, device=cpu())
    assert denoiser is not None
    left = (denoiser.reconstruct(test / 255) - test / 255).flatten(1)[:, 1:]
    assert left.square().mean() < 0.2  # the variance of the pixels is 0.08


def lowest(images: Tensor, *, loss: Loss) -> Tensor | float | None:
    split = Split(images, torch.zeros(len(images), dtype=torch.long))
    model = AutoEncoder(torch.nn.Identity(), torch.nn.Identity(), loss=loss)
    settings = Quick(nll_samples=0, probe_images=100)
    trained = Trained(model=model, split=split, noise=NoNoise(), code_size=2, device=cpu(), settings=settings)
    metric = METRICS["lowest_bce"]
    assert metric.per_split is not None
    return metric.per_split(ScoredSplit(name="test", split=split, trained=trained))


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), BernoulliLikelihood()])
def test_a_perfect_reconstruction_has_the_lowest_cross_entropy(loss: Loss) -> None:
    images = torch.randint(256, (6, 1, 2, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images[0] = 255
    found = lowest(images, loss=loss)
    assert isinstance(found, Tensor)
    floats = images.double() / 255
    expected = F.binary_cross_entropy(floats, floats, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(found, expected.float())


def test_other_losses_and_binary_pixels_have_no_lowest_cross_entropy() -> None:
    images = torch.randint(2, (6, 1, 2, 3), dtype=torch.uint8) * 255
    assert lowest(images, loss=BinaryCrossEntropy()) is None
    assert lowest(images // 2, loss=MeanSquaredError()) is None
