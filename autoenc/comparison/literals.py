"""Values that were typed in a condition, and which values of a run are the same."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from autoenc.comparison.keys import is_pattern, matches_pattern
from autoenc.comparison.wording import is_number, said

LONGEST_WHOLE = 100
"""Characters; no value of a run has more than twenty digits."""


class Literal(NamedTuple):
    """A value as it was typed."""

    text: str
    number: int | float | None
    null: bool


def as_number(text: str) -> int | float | None:
    """The number that a text says, a whole one exactly, which a float cannot hold; None where it says none."""
    for kind in (int, float) if len(text) <= LONGEST_WHOLE else (float,):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def is_equal(value: Any, literal: Literal) -> bool:
    """Numbers as numbers, texts letter by letter, and what is neither as it would be typed."""
    if value is None or literal.null:
        return value is None and literal.null
    if is_number(value) and literal.number is not None:
        return bool(value == literal.number) or (math.isnan(value) and math.isnan(literal.number))
    if isinstance(value, str):
        return value == literal.text
    return "".join(said(value).split()) == "".join(literal.text.split())


def is_like(value: Any, pattern: str, *, wanted: bool) -> bool:
    """Whether a value has a part like this, or, if not `wanted`, has none; no value does either."""
    if value is None:
        return False
    text = value if isinstance(value, str) else said(value)
    found = matches_pattern(text, pattern) if is_pattern(pattern) else pattern.lower() in text.lower()
    return found == wanted
