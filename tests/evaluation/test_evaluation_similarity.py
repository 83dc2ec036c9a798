"""Structural similarity: against the formula written out window by window, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from autoenc.evaluation.structural_similarity import similarity


def written_out(x: Tensor, y: Tensor) -> float:
    """The paper's equation 13 in every window of every channel of two images (C, H, W)."""
    height, width = x.shape[1:]
    tall, wide = (min(11, side if side % 2 else side - 1) for side in (height, width))
    weights = [
        [math.exp(-((i - tall // 2) ** 2 + (j - wide // 2) ** 2) / (2 * 1.5**2)) for j in range(wide)]
        for i in range(tall)
    ]
    w = torch.tensor(weights, dtype=torch.float64)
    w = w / w.sum()
    values = []
    for channel in range(len(x)):
        for top in range(height - tall + 1):
            for left in range(width - wide + 1):
                a = x[channel, top : top + tall, left : left + wide].double()
                b = y[channel, top : top + tall, left : left + wide].double()
                mean_a, mean_b = (w * a).sum(), (w * b).sum()
                var_a, var_b = (w * (a - mean_a) ** 2).sum(), (w * (b - mean_b) ** 2).sum()
                covariance = (w * (a - mean_a) * (b - mean_b)).sum()
                luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
                structure = (2 * covariance + 0.03**2) / (var_a + var_b + 0.03**2)
                values.append(luminance * structure)
    return torch.stack(values).mean().item()


def some_images(shape: tuple[int, int, int], *, count: int = 2) -> tuple[Tensor, Tensor]:
    """Smooth ones, and the same with noise."""
    generator = torch.Generator().manual_seed(0)
    channels, height, width = shape
    waves = torch.sin(torch.arange(height)[:, None] / 3 + torch.arange(width) / 2)
    x = 0.5 + 0.4 * waves * torch.rand(count, channels, 1, 1, generator=generator)
    return x, (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize(
    "shape", [(1, 28, 28), (3, 16, 12), (1, 11, 11), (1, 8, 8), (2, 10, 13), (1, 5, 30), (1, 1, 12), (3, 1, 1)]
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_against_the_formula(shape: tuple[int, int, int], memory_format: torch.memory_format) -> None:
    x, y = some_images(shape)
    found = similarity(x.to(memory_format=memory_format), y.to(memory_format=memory_format))
    wanted = [written_out(image, other) for image, other in zip(x, y, strict=True)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)


def test_it_is_one_for_the_same_image_and_less_for_another() -> None:
    x, y = some_images((3, 20, 24))
    torch.testing.assert_close(similarity(x, x), torch.ones(2))
    torch.testing.assert_close(similarity(x, y), similarity(y, x))
    assert (similarity(x, y) < 0.95).all()
    assert (similarity(x, 1 - x) < 0).all()  # light and dark exchanged: the covariance is negative


def test_of_flat_images_only_the_brightness_counts() -> None:
    x, y = torch.full((1, 1, 12, 12), 0.2), torch.full((1, 1, 12, 12), 0.6)
    assert similarity(x, y).item() == pytest.approx((0.24 + 1e-4) / (0.4 + 1e-4), abs=1e-4)
    black = torch.zeros(1, 1, 12, 12)
    assert similarity(black, black).item() == 1


def test_channels_and_images_count_alike() -> None:
    x, y = some_images((3, 14, 14))
    by_channel = [similarity(x[:, [channel]], y[:, [channel]]) for channel in range(3)]
    torch.testing.assert_close(similarity(x, y), torch.stack(by_channel).mean(0))


def test_in_bfloat16_it_is_computed_in_float32() -> None:
    x, y = (images.bfloat16() for images in some_images((1, 28, 28)))
    wanted = similarity(x.float(), y.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = similarity(x, y)
    assert torch.equal(found, wanted)
    assert similarity(x.double(), y).dtype == torch.float64
