"""Noise: its distribution on many pixels, and that it is seeded, new each time, and leaves its input alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autoenc.noise import NOISES, Dropout, Gaussian, Masking, Noise, NoNoise, SaltAndPepper
from autoenc.settings import ConfigError

SHAPE = (50, 3, 60, 50)
PIXELS = math.prod(SHAPE)
NOISY: dict[str, Noise] = {
    "gaussian": Gaussian(std=0.3, clip=True),
    "gaussian unclipped": Gaussian(std=0.3, clip=False),
    "salt_and_pepper": SaltAndPepper(probability=0.2, salt=0.5),
    "masking": Masking(probability=0.3),
    "dropout": Dropout(probability=0.3),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(level: float = 0.5) -> Tensor:
    return torch.full(SHAPE, level)


def share(where: Tensor) -> float:
    return where.double().mean().item()


def five_sigma(probability: float, *, of: float = PIXELS) -> float:
    """How far the share of a coin's heads is from its probability at the most, but for once in two million."""
    return 5 * math.sqrt(probability * (1 - probability) / of)


noisy_ones = pytest.mark.parametrize("noise", NOISY.values(), ids=NOISY.keys())


def test_the_choices() -> None:
    assert NOISES.names() == ["dropout", "gaussian", "masking", "none", "salt_and_pepper"]


def test_none_is_the_identity_and_draws_nothing() -> None:
    images, generator = torch.rand(2, 1, 3, 3), seeded()
    before = generator.get_state()
    assert NoNoise()(images, generator=generator) is images
    assert torch.equal(generator.get_state(), before)


def test_all_but_none_corrupt() -> None:
    assert not NoNoise.corrupts
    assert all(noise.corrupts for noise in NOISY.values())


# --- distributions ---


@pytest.mark.parametrize("salt", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("probability", [0.0, 0.05, 0.2, 1.0])
def test_shares_of_salt_and_pepper(probability: float, salt: float) -> None:
    noisy = SaltAndPepper(probability=probability, salt=salt)(grey(), generator=seeded())
    white, black = probability * salt, probability * (1 - salt)
    assert share(noisy == 1) == pytest.approx(white, abs=five_sigma(white))
    assert share(noisy == 0) == pytest.approx(black, abs=five_sigma(black))
    assert share(noisy == 0.5) == pytest.approx(1 - probability, abs=five_sigma(probability))
    assert share((noisy == 0) | (noisy == 1) | (noisy == 0.5)) == 1  # nothing else


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.3, 1.0])
def test_share_of_masked_pixels(probability: float) -> None:
    noisy = Masking(probability=probability)(grey(), generator=seeded())
    assert share(noisy == 0) == pytest.approx(probability, abs=five_sigma(probability))
    assert share((noisy == 0) | (noisy == 0.5)) == 1


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.3, 0.9])
def test_dropout_rescales_what_it_leaves_and_keeps_the_mean(probability: float) -> None:
    noisy = Dropout(probability=probability)(grey(0.8), generator=seeded())
    kept = noisy != 0
    assert share(~kept) == pytest.approx(probability, abs=five_sigma(probability))
    torch.testing.assert_close(noisy[kept], torch.full_like(noisy[kept], 0.8 / (1 - probability)))
    noise_of_mean = 0.8 * five_sigma(probability) / (1 - probability)
    assert noisy.double().mean().item() == pytest.approx(0.8, abs=noise_of_mean + 1e-6)


def test_dropout_may_exceed_white() -> None:
    assert Dropout(probability=0.5)(grey(1.0), generator=seeded()).max() == 2


@pytest.mark.parametrize("std", [0.01, 0.3, 2.0])
def test_gaussian_is_normal_with_its_standard_deviation(std: float) -> None:
    added = (Gaussian(std=std, clip=False)(grey(), generator=seeded()) - 0.5).double()
    assert added.mean().item() == pytest.approx(0, abs=5 * std / math.sqrt(PIXELS))
    # The standard error of a standard deviation is std / sqrt(2 n).
    assert added.std().item() == pytest.approx(std, abs=5 * std / math.sqrt(2 * PIXELS))
    for sigmas, beyond in [(1, 0.317311), (2, 0.045500), (3, 0.002700)]:
        assert share(added.abs() > sigmas * std) == pytest.approx(beyond, abs=five_sigma(beyond))


def test_gaussian_is_clipped_where_it_says_so() -> None:
    free = Gaussian(std=0.5, clip=False)(grey(), generator=seeded())
    clipped = Gaussian(std=0.5, clip=True)(grey(), generator=seeded())
    assert free.min() < 0
    assert free.max() > 1
    assert clipped.min() == 0
    assert clipped.max() == 1
    torch.testing.assert_close(clipped, free.clamp(0, 1), rtol=0, atol=0)


@noisy_ones
def test_every_pixel_of_every_channel_and_image_is_corrupted_by_itself(noise: Noise) -> None:
    changed = (noise(grey(), generator=seeded()) > 0.5).double()  # brighter or not
    if isinstance(noise, Masking):
        changed = (noise(grey(), generator=seeded()) == 0).double()
    changed -= changed.mean()
    variance = changed.square().mean()
    neighbours = {
        "image": (changed[1:], changed[:-1]),
        "channel": (changed[:, 1:], changed[:, :-1]),
        "row": (changed[:, :, 1:], changed[:, :, :-1]),
        "column": (changed[..., 1:], changed[..., :-1]),
    }
    for name, (one, other) in neighbours.items():
        correlation = ((one * other).mean() / variance).item()
        assert correlation == pytest.approx(0, abs=5 / math.sqrt(one.numel())), name


@pytest.mark.parametrize(
    "noise",
    [
        Gaussian(std=0.0, clip=True),
        Gaussian(std=0.0, clip=False),
        SaltAndPepper(probability=0.0, salt=0.5),
        SaltAndPepper(probability=0.0, salt=1.0),
        Masking(probability=0.0),
        Dropout(probability=0.0),
    ],
    ids=repr,
)
def test_no_probability_or_deviation_is_no_noise(noise: Noise) -> None:
    images = torch.rand(SHAPE)
    assert torch.equal(noise(images, generator=seeded()), images)


# --- manners ---


@noisy_ones
def test_the_input_stays_as_it_was(noise: Noise) -> None:
    images = torch.rand(4, 1, 8, 8)
    before = images.clone()
    noisy = noise(images, generator=seeded())
    assert torch.equal(images, before)
    assert not torch.equal(noisy, before)
    assert noisy.untyped_storage().data_ptr() != images.untyped_storage().data_ptr()


@noisy_ones
def test_the_same_state_gives_the_same_noise_and_the_next_draw_another(noise: Noise) -> None:
    images, generator = torch.rand(4, 1, 8, 8), seeded(3)
    first, second = noise(images, generator=generator), noise(images, generator=generator)
    assert not torch.equal(first, second)
    generator.manual_seed(3)
    assert torch.equal(noise(images, generator=generator), first)
    assert torch.equal(noise(images, generator=generator), second)
    assert not torch.equal(noise(images, generator=seeded(4)), first)


@noisy_ones
def test_only_the_given_generator_is_drawn_from(noise: Noise) -> None:
    before = torch.get_rng_state()
    noise(torch.rand(1, 1, 2, 2, generator=seeded()), generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)


@noisy_ones
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 5, 7), (1, 1, 1, 1), (0, 1, 8, 8)], ids=str)
def test_shapes_and_types_stay(noise: Noise, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    noisy = noise(torch.rand(shape, dtype=dtype), generator=seeded())
    assert noisy.shape == shape
    assert noisy.dtype == dtype


@noisy_ones
def test_the_memory_format_stays_and_does_not_change_the_noise(noise: Noise) -> None:
    images = torch.rand(2, 3, 5, 7)
    noisy = noise(images.to(memory_format=torch.channels_last), generator=seeded())
    assert noisy.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(noisy, noise(images, generator=seeded()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "masking", "probability": 2}, "noise.probability=2: it must be a number from 0 to 1"),
        (
            {"name": "dropout", "probability": 1},  # nothing would be left to rescale
            "noise.probability=1: it must be a number of at least 0 and below 1",
        ),
        ({"name": "gaussian", "std": -1, "clip": True}, "noise.std=-1: it must be a number of at least 0"),
        ({"name": "gaussian", "std": 0.1, "clip": 1}, "noise.clip=1: it must be true or false"),
        (
            {"name": "salt_and_pepper", "probability": 0.1, "salt": 1.1},
            "noise.salt=1.1: it must be a number from 0 to 1",
        ),
        ({"name": "none", "std": 1}, "noise.std=1: there is no such key; the keys are none"),
    ],
)
def test_wrong_fields_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NOISES.parse(values)
    assert str(caught.value) == message
