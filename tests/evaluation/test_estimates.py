from __future__ import annotations

import math
import sys

import pytest
from scipy import stats

from autoenc.evaluation.estimates import Estimate, estimate


@pytest.mark.parametrize("count", [2, 3, 4, 40, 41, 2000])
def test_the_interval_is_that_of_scipy(count: int) -> None:
    values = [0.02 + 0.001 * math.sin(number) for number in range(count)]
    found = estimate(values)
    low, high = stats.t.interval(0.95, count - 1, loc=sum(values) / count, scale=stats.sem(values))
    assert found.mean == pytest.approx((low + high) / 2)
    assert found.half_width == pytest.approx((high - low) / 2)
    assert found.count == count
    assert found.deviation == pytest.approx(stats.tstd(values))


def test_single_and_huge_numbers_have_a_mean() -> None:
    assert estimate([0.5]) == Estimate(0.5, None, 1)
    assert estimate([sys.float_info.max] * 3) == Estimate(sys.float_info.max, 0.0, 3, 0.0)
    assert estimate([1.7e308, -1.7e308]) == Estimate(0.0, None, 2)  # no float is large enough for the interval


def test_equal_numbers_have_no_interval_of_rounding_errors() -> None:
    differences = [0.3 - 0.29, 0.2 - 0.19, 0.11 - 0.1]
    assert len(set(differences)) > 1
    assert estimate(differences).rounded == "0.01 ± 0"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(0.00314, 0.00062, 5), "0.00314 ± 0.00062"),
        (Estimate(0.0000002, 0.0009, 5), "0.00000 ± 0.00090"),
        (Estimate(1.5, 0.0, 2), "1.5 ± 0"),
        (Estimate(45.5345, 0.0, 2), "45.53 ± 0"),
        (Estimate(219891.0, 0.0, 2), "219,891 ± 0"),
        (Estimate(12345.6, 789.0, 3), "12,346 ± 789"),
        (Estimate(3e-12, 1e-12, 3), "3e-12 ± 1e-12"),
        (Estimate(0.0, 0.0, 3), "0 ± 0"),
        (Estimate(0.5, None, 1), "0.50"),
    ],
)
def test_a_difference_has_two_digits_of_its_interval(found: Estimate, text: str) -> None:
    assert found.rounded == text
