"""The comparison of two settings or models by the interval of their difference, as a sentence without its full stop."""

from __future__ import annotations

from dataclasses import replace

from autoenc.evaluation.estimates import Estimate


def verdict(difference: Estimate, *, names: tuple[str, str], over: str, higher_is_better: bool) -> str:
    """`conv is 0.0031 ± 0.0006 better than mlp (5 seeds)`, or that there is no significant difference.

    Args:
        difference: the first minus the second, with an interval if there are several numbers.
        names: the first and the second.
        over: the numbers that the mean is over: `seeds`, `test images`.
        higher_is_better: whether larger values are better.
    """
    size, count = replace(difference, mean=abs(difference.mean)).rounded, f"{difference.count:,} {over}"
    if difference.half_width is None or abs(difference.mean) <= difference.half_width:
        return f"{names[0]} and {names[1]} show no significant difference ({size}, {count})"
    better, worse = names if (difference.mean > 0) == higher_is_better else names[::-1]
    return f"{better} is {size} better than {worse} ({count})"
