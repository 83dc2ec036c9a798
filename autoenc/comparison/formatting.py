"""Values as text: as they are typed on the command line, and numbers with the digits that tell them apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

FEWEST_DIGITS, MOST_DIGITS = 4, 7
"""Significant digits of the numbers in a column."""
WIDEST_RANGE = 1000
"""Numbers that differ by a larger factor do not share a number of decimals."""
SMALLEST, LARGEST = 1e-4, 1e9
"""The range of numbers that are written without an exponent."""
MOST_LISTED = 8
_as_json = json.JSONEncoder(default=str, ensure_ascii=False).encode  # json.dumps makes an encoder for each value


def as_typed(value: Any) -> str:
    """A value as it would be typed on the command line; a missing one is `null`."""
    if isinstance(value, str):
        return value or "''"
    if isinstance(value, float):
        return f"{value:.12g}"
    return _as_json(value)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value can be ordered as a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def format_numbers(values: Sequence[float | None]) -> list[str]:
    """Format the numbers of a column with as few digits as tell different ones apart; None is empty.

    Numbers of similar size get the same number of decimals, so that the points line up.
    """
    known = [value for value in values if value is not None]
    if all(float(value).is_integer() and abs(value) < 1e15 for value in known):
        return ["" if value is None else f"{value:,.0f}" for value in values]
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        style = _style(known, digits=digits)
        texts = ["" if value is None else f"{value:{style}}" for value in values]
        if len(set(texts)) >= len(set(values)):
            break
    return texts


def _style(values: Sequence[float], *, digits: int) -> str:
    sizes = [abs(value) for value in values if value] or [1.0]
    if max(sizes) <= WIDEST_RANGE * min(sizes) and min(sizes) >= SMALLEST and max(sizes) < LARGEST:
        return f",.{max(0, digits - 1 - math.floor(math.log10(min(sizes))))}f"
    return f".{digits}g"


def listed_in_words(words: Iterable[str], *, last: str = "and") -> str:
    """The first few words, with `last` before the final one."""
    found = list(words)
    if len(found) > MOST_LISTED:
        return f"{', '.join(found[:MOST_LISTED])} {last} {len(found) - MOST_LISTED} more"
    return f"{', '.join(found[:-1])} {last} {found[-1]}" if len(found) > 1 else "".join(found)
