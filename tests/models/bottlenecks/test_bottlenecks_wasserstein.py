"""The Wasserstein penalty: by hand, in expectation, and what is learned from it."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.wasserstein import SCALES, squared_discrepancy

SETTINGS = {"name": "wasserstein", "weight": 2.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def kernel(first: float, second: float, *, size: int) -> float:
    constants = [scale * 2 * size for scale in SCALES]
    return sum(constant / (constant + (first - second) ** 2) for constant in constants)


def test_the_discrepancy_by_hand() -> None:
    codes, draws = [0.0, 1.0, 3.0], [0.5, -2.0, 1.0]
    same = sum(kernel(a, b, size=1) for group in (codes, draws) for a, b in permutations(group, 2))
    across = sum(kernel(a, b, size=1) for a in codes for b in draws)
    expected = same / 6 - 2 * across / 9
    given = [torch.tensor(group, dtype=torch.float64).unsqueeze(1) for group in (codes, draws)]
    assert squared_discrepancy(*given).item() == pytest.approx(expected, rel=1e-9)


def discrepancies(*, mean: float, std: float, batches: int = 300) -> Tensor:
    source = generator()
    draws = [torch.randn(20, 3, generator=source, dtype=torch.float64) for _ in range(2 * batches)]
    return torch.stack([squared_discrepancy(mean + std * a, b) for a, b in zip(draws[::2], draws[1::2], strict=True)])


def test_it_is_zero_in_expectation_for_the_same_distribution_and_can_be_below() -> None:
    values = discrepancies(mean=0.0, std=1.0)
    assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5
    assert values.min() < 0


def test_the_penalty_is_weighed_and_the_diagnostic_is_not() -> None:
    codes = torch.randn(8, 3, generator=generator())
    bottleneck = BOTTLENECKS.parse(SETTINGS).build(code_size=3)
    draws = bottleneck.draw(codes, generator=generator(1))
    assert draws is not None
    assert draws.shape == (8, 3)
    output = bottleneck(codes, draws=draws)
    torch.testing.assert_close(output.penalty, 2 * squared_discrepancy(codes, draws))
    torch.testing.assert_close(output.diagnostics["mmd"], output.penalty / 2)
    variance = bottleneck.statistics(codes, indices=None)["code_variance"]
    torch.testing.assert_close(variance, codes.var(0, correction=0).mean())
    assert output.code is codes
    assert torch.equal(output.samples[0], codes)


def test_draws_are_one_for_an_image_however_many_codes_are_asked_for() -> None:
    bottleneck = BOTTLENECKS.parse(SETTINGS).build(code_size=3)
    draws = bottleneck.draw(torch.empty(2000, 3), generator=generator(), samples=7)
    assert draws is not None
    assert draws.shape == (2000, 3)
    assert abs(draws.mean().item()) < 0.05
    assert draws.std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("count", [1, 8])
def test_where_there_is_nothing_to_compare_with_there_is_no_penalty(count: int) -> None:
    codes = torch.randn(count, 3, requires_grad=True)
    bottleneck = BOTTLENECKS.parse(SETTINGS).build(code_size=3)
    output = bottleneck(codes, draws=torch.randn(1, 3) if count == 1 else None)
    assert output.penalty.item() == 0
