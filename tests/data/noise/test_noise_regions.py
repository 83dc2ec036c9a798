"""Blur compared with a convolution by hand, and the position and area of an occluding patch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from autoenc.data.noise.regions import Blur, Occlusion


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blurred(images: Tensor, *, std: float) -> Tensor:
    return Blur(std=std)(images, generator=seeded()).images


def patches(images: Tensor, *, size: float, value: float = 0.0, seed: int = 0) -> Tensor:
    return Occlusion(size=size, value=value)(images, generator=seeded(seed)).corrupted


# --- blur ---


def blurred_by_hand(image: Tensor, *, std: float) -> Tensor:
    """(H, W), pixel by pixel in two dimensions; border pixels are repeated."""
    radius = math.floor(4 * std + 0.5)
    height, width = image.shape
    result = torch.zeros_like(image)
    total = 0.0
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            weight = math.exp(-(down**2 + right**2) / (2 * std**2))
            rows = (torch.arange(height) + down).clamp(0, height - 1)
            columns = (torch.arange(width) + right).clamp(0, width - 1)
            result += weight * image[rows][:, columns]
            total += weight
    return result / total


@pytest.mark.parametrize(
    ("shape", "std"), [((2, 3, 8, 8), 1.5), ((1, 1, 29, 31), 0.5), ((2, 1, 1, 5), 4.0), ((1, 2, 1, 1), 0.2)], ids=str
)
def test_a_blur_equals_the_convolution_by_hand(shape: tuple[int, int, int, int], std: float) -> None:
    """The widest kernel, of 33 pixels, is larger than its image."""
    images = torch.rand(shape, dtype=torch.float64, generator=seeded(1))
    by_hand = torch.stack([blurred_by_hand(image, std=std) for image in images.flatten(0, 1)]).reshape(shape)
    torch.testing.assert_close(blurred(images, std=std), by_hand, rtol=0, atol=1e-12)
    torch.testing.assert_close(blurred(images.float(), std=std).double(), by_hand, rtol=0, atol=1e-6)


@pytest.mark.parametrize("std", [0.5, 20.0])
def test_a_blur_stays_between_the_darkest_and_the_brightest_of_its_channel(std: float) -> None:
    images = (torch.rand(20, 3, 9, 9, generator=seeded(2)) > 0.3).float()
    images[:, 2] *= 0.25
    images[:, 2] += 0.5
    given = blurred(images, std=std)
    assert given.min() >= 0
    assert given.max() <= 1
    assert given[:, 2].min() >= 0.5
    assert given[:, 2].max() <= 0.75


def test_autocast_does_not_change_a_blur() -> None:
    images = torch.rand(2, 1, 8, 8, generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        given = blurred(images, std=1.0)
    assert torch.equal(given, blurred(images, std=1.0))


@pytest.mark.parametrize(("std", "counts"), [(0.0, False), (0.12, False), (0.3, True), (2.0, True)])
def test_a_blur_corrupts_every_pixel_unless_its_kernel_is_a_single_pixel_and_draws_nothing(
    std: float, counts: bool
) -> None:
    images, generator = torch.rand(2, 3, 4, 4), seeded()
    given, corrupted = Blur(std=std)(images, generator=generator)
    assert torch.equal(generator.get_state(), seeded().get_state())
    assert torch.equal(corrupted.expand_as(images), torch.full_like(images, counts, dtype=torch.bool))
    assert torch.equal(given, images) != counts


# --- occlusion ---


@pytest.mark.parametrize(
    ("size", "shape", "rows", "columns"),
    [
        (0.4, (28, 28), 11, 11),  # 11.2
        (0.5, (29, 31), 15, 16),  # 14.5 and 15.5: halves go up
        (0.25, (8, 32), 2, 8),
        (0.01, (28, 28), 1, 1),  # never less than a pixel
        (1.0, (8, 9), 8, 9),
        (0.0, (8, 9), 0, 0),
    ],
)
def test_the_patch_is_a_rectangle_of_its_size(size: float, shape: tuple[int, int], rows: int, columns: int) -> None:
    images = torch.rand(200, 3, *shape, generator=seeded(1)).clamp_min(0.01)
    given, patch = Occlusion(size=size, value=0.0)(images, generator=seeded())
    assert patch.shape == (200, 1, *shape)
    assert torch.equal(given, torch.where(patch, 0.0, images))
    assert torch.equal(patch.sum((1, 2, 3)), torch.full((200,), rows * columns))
    down, across = patch.any(3).squeeze(1), patch.any(2).squeeze(1)  # (B, H) and (B, W)
    assert torch.equal(down.sum(1), torch.full((200,), rows))
    assert torch.equal(across.sum(1), torch.full((200,), columns))
    for line in (down, across):  # without a gap: it begins once at the most
        assert (line[:, 1:] & ~line[:, :-1]).sum(1).max() <= 1


def test_every_position_of_the_patch_is_equally_likely() -> None:
    count = 40_000
    patch = patches(torch.zeros(count, 1, 5, 4), size=0.5)  # 3 by 2 pixels, so 3 by 3 places
    assert patch.sum((1, 2, 3)).unique().tolist() == [6]
    first = patch.flatten(1).int().argmax(1)
    top, left = first // 4, first % 4
    places = torch.bincount(top * 3 + left, minlength=9)
    assert len(places) == 9  # none beyond; the corners 0, 2, 6 and 8 among them
    expected, sigma = count / 9, math.sqrt(count * (1 / 9) * (8 / 9))
    assert (places - expected).abs().max() < 5 * sigma


@pytest.mark.parametrize("place", [0.0, 1 - 2**-24])
def test_the_smallest_and_largest_numbers_give_the_corners(monkeypatch: pytest.MonkeyPatch, place: float) -> None:
    """A number just under 1 must not push the patch over the border."""
    monkeypatch.setattr(torch, "rand", lambda size, **_: torch.full(size, place))
    for side in (5, 7, 28, 31, 1000):
        (patch,) = patches(torch.zeros(1, 1, side, side), size=0.4)
        there = patch[0].nonzero()
        length = math.floor(0.4 * side + 0.5)
        assert len(there) == length**2
        assert there.min() == (0 if place == 0 else side - length)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_the_patch_has_its_value_and_counts_as_corrupted_even_if_nothing_changes(value: float) -> None:
    images = torch.full((10, 2, 8, 8), value)
    given, patch = Occlusion(size=0.5, value=value)(images, generator=seeded())
    assert torch.equal(given, images)
    assert patch.sum() == 10 * 16
    given = Occlusion(size=0.5, value=value)(torch.full_like(images, 0.3), generator=seeded()).images
    assert torch.equal(given == value, patch.expand_as(given))


def test_a_weaker_occlusion_is_a_smaller_patch_inside_the_stronger() -> None:
    noise = Occlusion(size=0.6, value=0.5)
    assert noise.at(0.5) == Occlusion(size=0.3, value=0.5)
    small = noise.at(0.5)(torch.zeros(50, 1, 30, 30), generator=seeded()).corrupted
    large = noise(torch.zeros(50, 1, 30, 30), generator=seeded()).corrupted
    assert not (small & ~large).any()
    assert small.sum() * 4 == large.sum()


def test_bfloat16_does_not_change_the_positions() -> None:
    images = torch.zeros(50, 1, 200, 200)
    assert torch.equal(patches(images.bfloat16(), size=0.1), patches(images, size=0.1))
