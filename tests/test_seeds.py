"""Seeds: one for each purpose, and the same one for ever."""

from __future__ import annotations

import itertools

import pytest
import torch

from autoenc.seeds import derived_seed

PURPOSES = ["initialisation", "noise", "shuffling", "layers", ""]


@pytest.mark.parametrize(
    ("seed", "purpose", "value"),
    [
        # printf '0:shuffling' | sha256sum | cut -c1-16. A change would give every old run another result.
        (0, "shuffling", 0xE09A944BB90D1861 >> 1),
        (7, "initialisation", 0xF1F311C8B91A6F21 >> 1),
    ],
)
def test_a_seed_never_changes(seed: int, purpose: str, value: int) -> None:
    assert derived_seed(seed, purpose) == value


def test_every_purpose_and_seed_has_its_own() -> None:
    seeds = [derived_seed(seed, purpose) for seed, purpose in itertools.product(range(200), PURPOSES)]
    assert len(set(seeds)) == len(seeds)


def test_a_digit_does_not_slide_from_the_seed_into_the_purpose() -> None:
    assert derived_seed(1, "1:x") != derived_seed(11, ":x")
    assert derived_seed(12, "3") != derived_seed(1, "23")


def test_seeds_fill_the_range_that_torch_takes() -> None:
    seeds = [derived_seed(seed, "range") for seed in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    # The mean of 1000 uniform numbers is within 5 standard errors of the middle.
    assert abs(sum(seeds) / 1000 / 2**63 - 0.5) < 5 / (12 * 1000) ** 0.5
    torch.Generator().manual_seed(max(seeds))
