from __future__ import annotations

import pytest
import torch

from autoenc.data.datasets import Dataset, Split, Splits
from autoenc.data.datasets.binarization import Binarization, draw, frozen
from autoenc.data.datasets.splits import Pools, make_splits

RAMP = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(count: int) -> Split:
    return Split(torch.full((count, 2, 3, 4), 128, dtype=torch.uint8), torch.arange(count))


POOLS = Pools(train=grey(50), test=grey(20), class_names=("a", "b"))


def split(binarization: Binarization, *, split_seed: int = 0, validation_fraction: float = 0.2) -> Splits:
    settings = Dataset(
        validation_fraction=validation_fraction,
        split_seed=split_seed,
        limit=None,
        shuffle=True,
        binarization=binarization,
    )
    return make_splits(POOLS, settings=settings)


def parts(splits: Splits) -> list[Split]:
    return [splits.train, splits.validation, splits.test]


# --- a draw ---


def test_a_draw_has_only_zeros_and_ones_and_keeps_black_and_white() -> None:
    drawn = draw(RAMP.float() / 255, generator=generator())
    assert drawn.dtype == torch.float32
    assert drawn.shape == RAMP.shape
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    images = torch.cat([torch.zeros(1, 1, 300, 300), torch.ones(1, 1, 300, 300)])
    assert torch.equal(draw(images, generator=generator()), images)


def test_the_rate_of_white_is_the_grey_value() -> None:
    count = 4000
    images = (RAMP.float() / 255).expand(count, 1, 16, 16)
    rates = draw(images, generator=generator()).mean(dim=0, keepdim=True)
    expected = RAMP.float() / 255
    deviations = (rates - expected).abs() / ((expected * (1 - expected) / count).sqrt() + 1e-9)
    assert deviations.max() < 4.5  # standard deviations; of 256 draws one is above 4.5 in 600 seeds
    assert deviations.square().mean() == pytest.approx(1, abs=0.3)  # neither too few nor too many deviate


def test_every_pixel_and_channel_has_its_own_draw() -> None:
    drawn = draw(torch.full((1, 3, 100, 100), 0.5), generator=generator())
    red, green, blue = (channel.flatten() for channel in drawn[0])
    for one, other in ((red, green), (red, blue), (red[:-1], red[1:])):
        assert torch.corrcoef(torch.stack([one, other]))[0, 1].abs() < 0.05


def test_a_draw_does_not_depend_on_the_memory_format() -> None:
    images = torch.rand(4, 3, 6, 5, generator=generator(1))
    turned = images.to(memory_format=torch.channels_last)
    expected = draw(images, generator=generator())
    drawn = draw(turned, generator=generator())
    assert torch.equal(drawn, expected)
    assert drawn.is_contiguous(memory_format=torch.channels_last)
    assert expected.is_contiguous()


def test_the_smallest_probabilities_count_in_half_precision_too() -> None:
    images = torch.full((1, 1, 500, 500), 1 / 255, dtype=torch.bfloat16)
    drawn = draw(images, generator=generator())
    assert drawn.dtype == torch.bfloat16
    assert drawn.float().mean() == pytest.approx(1 / 255, rel=0.1)


# --- a frozen split ---


def test_a_frozen_split_depends_on_its_seed_and_name() -> None:
    images = RAMP.repeat(5, 1, 1, 1)
    first = frozen(images, seed=0, split="test")
    assert first.dtype == torch.uint8
    assert set(first.flatten().tolist()) == {0, 255}
    assert torch.equal(first, frozen(images, seed=0, split="test"))
    assert not torch.equal(first, frozen(images, seed=1, split="test"))
    assert not torch.equal(first, frozen(images, seed=0, split="validation"))
    assert torch.equal(images, RAMP.repeat(5, 1, 1, 1))


def test_the_draw_of_a_frozen_split_is_pinned() -> None:
    """Likelihoods can be compared only when everyone is scored on the same draw."""
    drawn = frozen(torch.full((1, 1, 4, 8), 128, dtype=torch.uint8), seed=0, split="test")
    assert "".join(str(value) for value in (drawn.flatten() // 255).tolist()) == "11100101111011001111101011111100"


def test_the_images_of_a_large_split_have_different_draws_which_do_not_depend_on_its_size() -> None:
    images = torch.full((2500, 1, 8, 8), 128, dtype=torch.uint8)
    drawn = frozen(images, seed=0, split="train")
    assert len(torch.unique(drawn.flatten(1), dim=0)) == 2500
    assert torch.equal(frozen(images[:1500], seed=0, split="train"), drawn[:1500])


# --- a dataset's splits ---


@pytest.mark.parametrize("binarization", ["static", "dynamic"])
def test_scored_images_are_drawn_once_with_the_seed(binarization: Binarization) -> None:
    splits, again, other = split(binarization), split(binarization), split(binarization, split_seed=1)
    for part, same, different, before in zip(
        parts(splits), parts(again), parts(other), parts(split("none")), strict=True
    ):
        assert set(part.images.flatten().tolist()) == {0, 255}
        assert part.images.is_contiguous()
        assert torch.equal(part.images, same.images)
        assert not torch.equal(part.images, different.images)
        assert torch.equal(part.labels, before.labels)
    assert not torch.equal(splits.validation.images, splits.test.images[:10])


def test_static_and_dynamic_splits_differ_only_in_the_grey_training_images() -> None:
    static, dynamic = split("static"), split("dynamic")
    assert all(torch.equal(a.images, b.images) for a, b in zip(parts(static), parts(dynamic), strict=True))
    assert static.train_probabilities is None
    assert dynamic.train_probabilities is not None
    assert torch.equal(dynamic.train_probabilities, split("none").train.images)


def test_the_pool_is_not_changed_or_copied() -> None:
    splits = split("dynamic", validation_fraction=0)
    assert (POOLS.train.images == 128).all()
    assert splits.train_probabilities is not None
    assert splits.train_probabilities.data_ptr() == POOLS.train.images.data_ptr()
    assert splits.validation.images.shape == (0, 2, 3, 4)
