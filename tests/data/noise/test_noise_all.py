"""Properties of every noise: seeded, new in each batch, scaled by the severity, and its input unchanged."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from autoenc.data.noise import NOISES, Compose, Noise
from autoenc.data.noise.pixels import Dropout, Gaussian, Masking, NoNoise, SaltAndPepper, Speckle
from autoenc.data.noise.regions import Blur, Occlusion
from autoenc.settings import ConfigError

NOISY: dict[str, Noise] = {
    "gaussian": Gaussian(std=0.3, by="channel", clip=True),
    "gaussian unclipped by pixel": Gaussian(std=0.3, by="pixel", clip=False),
    "speckle": Speckle(std=0.3, by="channel", clip=True),
    "speckle unclipped by pixel": Speckle(std=0.3, by="pixel", clip=False),
    "salt_and_pepper": SaltAndPepper(probability=0.2, salt=0.5, by="channel"),
    "salt_and_pepper by pixel": SaltAndPepper(probability=0.2, salt=0.5, by="pixel"),
    "masking": Masking(probability=0.3, by="channel"),
    "masking by pixel": Masking(probability=0.3, by="pixel"),
    "dropout": Dropout(probability=0.3, by="channel"),
    "dropout by pixel": Dropout(probability=0.3, by="pixel"),
    "blur": Blur(std=1.5),
    "occlusion": Occlusion(size=0.4, value=0.3),
    "compose": Compose(
        noises={
            "patch": Occlusion(size=0.4, value=1.0),
            "blur": Blur(std=1.0),
            "grain": Speckle(std=0.2, by="pixel", clip=True),
        }
    ),
}
IN_RANGE = [name for name in NOISY if "unclipped" not in name and "dropout" not in name]
DRAWING = [name for name in NOISY if name != "blur"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape or (4, 3, 8, 9), dtype=dtype, generator=seeded(1))


noisy_ones = pytest.mark.parametrize("noise", NOISY.values(), ids=NOISY.keys())
drawing_ones = pytest.mark.parametrize("noise", [NOISY[name] for name in DRAWING], ids=DRAWING)


def test_none_is_the_identity_and_draws_nothing() -> None:
    images, generator = pictures(), seeded()
    before = generator.get_state()
    given, corrupted = NoNoise()(images, generator=generator)
    assert given is images
    assert corrupted.numel() == 1
    assert not corrupted.expand_as(images).any()
    assert torch.equal(generator.get_state(), before)
    assert NoNoise().at(0.5) == NoNoise()
    assert not NoNoise().corrupts


@noisy_ones
def test_the_mask_is_true_wherever_a_pixel_changed(noise: Noise) -> None:
    images = pictures()
    given, corrupted = noise(images, generator=seeded())
    assert corrupted.dtype == torch.bool
    assert corrupted.ndim == 4
    changed = given != images
    assert changed.any()
    if not isinstance(noise, Dropout):  # where the rescaled rest changes too
        assert not (changed & ~corrupted).any()


@pytest.mark.parametrize("name", IN_RANGE)
def test_pixels_stay_in_0_1(name: str) -> None:
    images = (pictures(20, 3, 8, 8) * 3 - 1).clamp(0, 1)  # many black and white pixels
    given = NOISY[name](images, generator=seeded()).images
    assert given.min() >= 0
    assert given.max() <= 1


# --- severity ---


@noisy_ones
def test_full_severity_is_the_noise_itself(noise: Noise) -> None:
    assert noise.at(1.0) is noise
    assert noise.at(0.5) != noise
    assert type(noise.at(0.5)) is type(noise)


@noisy_ones
def test_at_severity_0_no_pixel_changes_or_counts_as_corrupted(noise: Noise) -> None:
    images = pictures()
    given, corrupted = noise.at(0.0)(images, generator=seeded())
    assert torch.equal(given, images)
    assert not corrupted.any()


@noisy_ones
def test_a_higher_severity_is_a_larger_error_from_equally_many_random_numbers(noise: Noise) -> None:
    images = pictures(64, 3, 8, 8)
    errors, states = [], []
    for severity in (0.0, 0.25, 0.5, 1.0):
        generator = seeded()
        errors.append((noise.at(severity)(images, generator=generator).images - images).square().mean())
        states.append(generator.get_state())
    assert 0 == errors[0] < errors[1] < errors[2] < errors[3]
    assert all(torch.equal(state, states[0]) for state in states)


# --- inputs and outputs ---


@noisy_ones
def test_the_input_is_not_changed(noise: Noise) -> None:
    images = pictures()
    before = images.clone()
    given = noise(images, generator=seeded()).images
    assert torch.equal(images, before)
    assert not torch.equal(given, before)
    assert given.untyped_storage().data_ptr() != images.untyped_storage().data_ptr()


@drawing_ones
def test_the_same_state_gives_the_same_noise_and_the_next_draw_differs(noise: Noise) -> None:
    images, generator, unused = pictures(), seeded(3), torch.get_rng_state()
    first, second = noise(images, generator=generator), noise(images, generator=generator)
    assert not torch.equal(first.images, second.images)
    generator.manual_seed(3)
    for drawn in (first, second):
        again = noise(images, generator=generator)
        assert torch.equal(again.images, drawn.images)
        assert torch.equal(again.corrupted, drawn.corrupted)
    assert not torch.equal(noise(images, generator=seeded(4)).images, first.images)
    assert torch.equal(torch.get_rng_state(), unused)


@noisy_ones
@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 3, 5, 7), torch.float64), ((1, 1, 1, 1), torch.float32), ((0, 3, 5, 7), torch.float32)]
)
def test_the_shape_and_the_dtype_stay(noise: Noise, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    given, corrupted = noise(pictures(*shape, dtype=dtype), generator=seeded())
    assert given.shape == shape
    assert given.dtype == dtype
    corrupted.expand(shape)


@noisy_ones
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 1, 5, 7), (1, 3, 1, 7)], ids=str)
def test_the_memory_format_stays_and_does_not_change_the_noise(noise: Noise, shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    plain = noise(images, generator=seeded())
    given = noise(images.to(memory_format=torch.channels_last), generator=seeded())
    assert plain.images.is_contiguous()
    assert given.images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(given.images, plain.images)
    assert torch.equal(given.corrupted.expand(shape), plain.corrupted.expand(shape))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "masking", "probability": 2, "by": "pixel"}, "noise.probability=2: it must be a number from 0 to 1"),
        ({"name": "dropout", "probability": 1, "by": "pixel"}, "noise.probability=1: it must be a number of at least"),
        ({"name": "masking", "probability": 0.1, "by": "image"}, "noise.by=image: it must be one of channel, pixel"),
        ({"name": "gaussian", "std": -1, "by": "pixel", "clip": True}, "noise.std=-1: it must be a number of at least"),
        ({"name": "blur", "std": 101}, "noise.std=101: it must be a number from 0 to 100"),
        ({"name": "occlusion", "size": 1.5, "value": 0}, "noise.size=1.5: it must be a number from 0 to 1"),
    ],
)
def test_wrong_fields_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NOISES.parse(values)
    assert str(caught.value).startswith(message)
