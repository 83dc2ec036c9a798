"""Values of a folder as text that is safe to print, and numbers with the digits that tell them apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from autoenc.runs import printable

FEWEST_DIGITS, MOST_DIGITS = 4, 7
"""Significant, of the numbers of a column."""

WIDEST_RANGE = 1000
"""Numbers that differ by a larger factor do not share a number of decimals."""

MOST_LISTED = 8

SMALLEST, LARGEST = 1e-4, 1e9
"""Of the numbers that are written without an exponent."""


def said(value: Any) -> str:
    """A value as it would be typed on the command line, in one line; a missing one is `null`."""
    if isinstance(value, str):
        return printable(value) or "''"
    if isinstance(value, float):
        return f"{value:.12g}"
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int):
        return str(value)
    return printable(json.dumps(value, default=str, ensure_ascii=False))


_CONSTANTS = {None: "null", True: "true", False: "false"}


def is_number(value: object) -> bool:
    """Whether a value can be ordered as a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(values: Sequence[float | None]) -> list[str]:
    """The numbers of a column, with as few digits as tell different ones apart; nothing for None.

    Where they are of about one size they have as many decimals as one another, so that the points stand in a line.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if all(float(value).is_integer() and abs(value) < 1e15 for value in finite):
        return ["" if value is None else f"{value:,.0f}" for value in values]
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        texts = _with_digits(values, finite, digits=digits)
        if len(set(texts)) >= len({"" if value is None else repr(float(value)) for value in values}):
            break
    return texts


def _with_digits(values: Sequence[float | None], finite: Sequence[float], *, digits: int) -> list[str]:
    sizes = [abs(value) for value in finite if value] or [1.0]
    style = f".{digits}g"
    if max(sizes) <= WIDEST_RANGE * min(sizes) and min(sizes) >= SMALLEST and max(sizes) < LARGEST:
        style = f",.{max(0, digits - 1 - math.floor(math.log10(min(sizes))))}f"
    return ["" if value is None else f"{value:{style}}" for value in values]


def listed_in_words(words: Iterable[str], *, last: str = "and") -> str:
    """The first few, with a word before the last."""
    found = list(words)
    if len(found) > MOST_LISTED:
        return f"{', '.join(found[:MOST_LISTED])} {last} {len(found) - MOST_LISTED} more"
    return f"{', '.join(found[:-1])} {last} {found[-1]}" if len(found) > 1 else "".join(found)
