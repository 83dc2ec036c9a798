"""Noise on each pixel separately: its distribution, counted on many pixels."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autoenc.data.noise import Noise
from autoenc.data.noise.corruption import By
from autoenc.data.noise.pixels import Dropout, Gaussian, Masking, SaltAndPepper, Speckle

SHAPE = (50, 3, 60, 50)
PIXELS = math.prod(SHAPE)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(level: float = 0.5) -> Tensor:
    return torch.full(SHAPE, level)


def noisy(noise: Noise, images: Tensor) -> Tensor:
    return noise(images, generator=seeded()).images


def share(where: Tensor) -> float:
    return where.double().mean().item()


def five_sigma(probability: float, *, of: float = PIXELS) -> float:
    """Five standard errors of a share; a correct noise exceeds them once in two million draws."""
    return 5 * math.sqrt(probability * (1 - probability) / of)


@pytest.mark.parametrize(("probability", "salt"), [(0.0, 0.5), (0.05, 0.25), (0.2, 0.0), (0.2, 0.5), (1.0, 1.0)])
@pytest.mark.parametrize(("by", "channels"), [("channel", 3), ("pixel", 1)])
def test_shares_of_salt_and_pepper(by: By, channels: int, probability: float, salt: float) -> None:
    """One draw per pixel leaves a third of the draws to average."""
    given = noisy(SaltAndPepper(probability=probability, salt=salt, by=by), grey())
    white, black, draws = probability * salt, probability * (1 - salt), PIXELS * channels / 3
    assert share(given == 1) == pytest.approx(white, abs=five_sigma(white, of=draws))
    assert share(given == 0) == pytest.approx(black, abs=five_sigma(black, of=draws))
    assert share(given == 0.5) == pytest.approx(1 - probability, abs=five_sigma(probability, of=draws))
    assert share((given == 0) | (given == 1) | (given == 0.5)) == 1  # nothing else


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.3, 0.9])
def test_dropout_rescales_the_other_pixels_above_1_and_keeps_the_mean(probability: float) -> None:
    given = noisy(Dropout(probability=probability, by="channel"), grey(0.8))
    kept = given != 0
    assert share(~kept) == pytest.approx(probability, abs=five_sigma(probability))
    torch.testing.assert_close(given[kept], torch.full_like(given[kept], 0.8 / (1 - probability)))
    noise_of_mean = 0.8 * five_sigma(probability) / (1 - probability)
    assert given.double().mean().item() == pytest.approx(0.8, abs=noise_of_mean + 1e-6)


def assert_normal(numbers: Tensor, *, std: float) -> None:
    numbers = numbers.double()
    assert numbers.mean().item() == pytest.approx(0, abs=5 * std / math.sqrt(numbers.numel()))
    # The standard error of a standard deviation is std / sqrt(2 n).
    assert numbers.std().item() == pytest.approx(std, abs=5 * std / math.sqrt(2 * numbers.numel()))
    for sigmas, beyond in [(1, 0.317311), (2, 0.045500), (3, 0.002700)]:
        there = share(numbers.abs() > sigmas * std)
        assert there == pytest.approx(beyond, abs=five_sigma(beyond, of=numbers.numel()))


@pytest.mark.parametrize("std", [0.01, 0.3, 2.0])
def test_gaussian_is_normal_with_its_standard_deviation(std: float) -> None:
    assert_normal(noisy(Gaussian(std=std, by="channel", clip=False), grey()) - 0.5, std=std)
    assert_normal(noisy(Gaussian(std=std, by="pixel", clip=False), grey())[:, 1] - 0.5, std=std)


@pytest.mark.parametrize("level", [0.25, 1.0])
def test_speckle_is_normal_in_proportion_to_the_brightness(level: float) -> None:
    given = noisy(Speckle(std=0.3, by="channel", clip=False), grey(level))
    assert_normal(given - level, std=0.3 * level)


@pytest.mark.parametrize("kind", [Gaussian, Speckle])
def test_normal_noise_is_clipped_to_0_1_if_the_config_says_so(kind: Any) -> None:
    free = noisy(kind(std=2.0, by="channel", clip=False), grey())
    clipped = noisy(kind(std=2.0, by="channel", clip=True), grey())
    assert free.min() < 0
    assert free.max() > 1
    assert clipped.min() == 0
    assert clipped.max() == 1
    torch.testing.assert_close(clipped, free.clamp(0, 1), rtol=0, atol=0)


# --- separate draws ---

KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gaussian": (Gaussian, {"std": 0.3, "clip": True}),
    "speckle": (Speckle, {"std": 0.3, "clip": True}),
    "salt_and_pepper": (SaltAndPepper, {"probability": 0.2, "salt": 0.5}),
    "masking": (Masking, {"probability": 0.3}),
    "dropout": (Dropout, {"probability": 0.3}),
}
every_kind = pytest.mark.parametrize(("kind", "fields"), KINDS.values(), ids=KINDS.keys())


def correlation(one: Tensor, other: Tensor) -> float:
    return torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1].item()


@every_kind
def test_channels_have_their_own_draws_or_share_one(kind: Any, fields: dict[str, Any]) -> None:
    apart = noisy(kind(by="channel", **fields), grey()).double()
    together = noisy(kind(by="pixel", **fields), grey())
    pairs = apart[:, 1:].numel()
    assert correlation(apart[:, 1:], apart[:, :-1]) == pytest.approx(0, abs=5 / math.sqrt(pairs))
    assert torch.equal(together[:, 0], together[:, 1])
    assert torch.equal(together[:, 0], together[:, 2])


# --- corrupted pixels and random numbers ---


@pytest.mark.parametrize("by", ["channel", "pixel"])
def test_the_corrupted_pixels_are_those_of_the_lowest_numbers(by: By) -> None:
    """Pinned: uniform numbers in the order of the pixels, salt below `probability * salt`, pepper up to it."""
    images = torch.rand(4, 3, 5, 7)
    drawn = torch.empty((4, 3 if by == "channel" else 1, 5, 7)).uniform_(generator=seeded())
    given, corrupted = SaltAndPepper(probability=0.4, salt=0.25, by=by)(images, generator=seeded())
    assert torch.equal(corrupted, drawn < 0.4)
    drawn = drawn.expand_as(images)
    by_hand = torch.where(drawn < 0.1, 1.0, torch.where(drawn < 0.4, 0.0, images))
    assert torch.equal(given, by_hand)


def test_normal_numbers_are_added_in_the_order_of_the_pixels() -> None:
    images = torch.rand(4, 3, 5, 7)
    drawn = torch.empty(4, 3, 5, 7).normal_(generator=seeded())
    given = noisy(Gaussian(std=0.3, by="channel", clip=False), images)
    torch.testing.assert_close(given, images + 0.3 * drawn)
    drawn = torch.empty(4, 1, 5, 7).normal_(generator=seeded())
    given = noisy(Speckle(std=0.3, by="pixel", clip=False), images)
    torch.testing.assert_close(given, images * (1 + 0.3 * drawn))


@pytest.mark.parametrize("by", ["channel", "pixel"])
def test_a_drawn_pixel_counts_as_corrupted_even_if_its_value_stays(by: By) -> None:
    black = grey(0.0)
    noises: list[Noise] = [Masking(probability=0.3, by=by), SaltAndPepper(probability=0.3, salt=0.0, by=by)]
    for noise in noises:
        given, corrupted = noise(black, generator=seeded())
        assert torch.equal(given, black)
        assert share(corrupted) == pytest.approx(0.3, abs=five_sigma(0.3, of=PIXELS / 3))


@pytest.mark.parametrize("by", ["channel", "pixel"])
@pytest.mark.parametrize("kind", [Masking, Dropout])
def test_masked_and_dropped_pixels_are_corrupted_and_rescaled_ones_are_not(kind: Any, by: By) -> None:
    given, corrupted = kind(probability=0.3, by=by)(grey(), generator=seeded())
    assert corrupted.shape == (SHAPE if by == "channel" else (50, 1, 60, 50))
    assert torch.equal(corrupted.expand(SHAPE), given == 0)


@pytest.mark.parametrize("kind", [Gaussian, Speckle])
@pytest.mark.parametrize(("std", "counts"), [(0.3, True), (0.0, False)])
def test_normal_noise_corrupts_every_pixel_or_none(kind: Any, std: float, counts: bool) -> None:
    images = torch.zeros(2, 3, 4, 4)
    corrupted = kind(std=std, by="pixel", clip=True)(images, generator=seeded()).corrupted
    assert torch.equal(corrupted.expand_as(images), torch.full_like(images, counts, dtype=torch.bool))


# --- severity ---


@pytest.mark.parametrize("by", ["channel", "pixel"])
def test_the_severity_multiplies_only_the_strength(by: By) -> None:
    assert Gaussian(std=0.4, by=by, clip=True).at(0.5) == Gaussian(std=0.2, by=by, clip=True)
    assert Speckle(std=0.4, by=by, clip=False).at(0.25) == Speckle(std=0.1, by=by, clip=False)
    salt = SaltAndPepper(probability=0.4, salt=0.3, by=by)
    assert salt.at(0.5) == SaltAndPepper(probability=0.2, salt=0.3, by=by)
    assert Masking(probability=0.4, by=by).at(0.5) == Masking(probability=0.2, by=by)
    assert Dropout(probability=0.4, by=by).at(0.0) == Dropout(probability=0.0, by=by)


def test_the_pixels_of_a_weaker_noise_are_among_those_of_the_stronger() -> None:
    noise = SaltAndPepper(probability=0.4, salt=0.5, by="channel")
    weak = noise.at(0.5)(grey(), generator=seeded()).corrupted
    strong = noise(grey(), generator=seeded()).corrupted
    assert weak.any()
    assert not (weak & ~strong).any()
