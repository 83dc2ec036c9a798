"""What a folder says as JSON that may stand on a page: short texts that can be shown, and numbers of few digits."""

from __future__ import annotations

import json
import math
from typing import Any

from autoenc.comparison.reading.text import printable

Plain = str | int | float | bool | None

MOST_LABEL = 120  # characters
MOST_VALUE = 160
MOST_SENTENCE = 600
LARGEST = 2**53  # beyond it, a browser's whole numbers have gaps


def value(found: Any) -> Plain:
    """A setting's value: a number, a truth value or null as they are, anything else as text."""
    if found is None or isinstance(found, bool):
        return found
    if isinstance(found, (int, float)):
        return number(found)
    if isinstance(found, str):
        return printable(found, most=MOST_VALUE)
    try:
        written = json.dumps(found, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        written = f"({type(found).__name__})"
    return printable(written, most=MOST_VALUE)


def identity(found: Any) -> object:
    """Equal for what is the same setting: 1 and true are equal, and not the same setting."""
    written = value(found)
    return type(written), written


def number(found: float, *, digits: int = 6) -> int | float | str:
    """A number in few digits; what is not finite, for which JSON has no word, as JavaScript writes it."""
    if isinstance(found, int) and abs(found) < LARGEST:
        return found
    try:
        size = float(found)
    except OverflowError:
        size = math.inf if found > 0 else -math.inf
    if math.isnan(size):
        return "NaN"
    if math.isinf(size):
        return "Infinity" if size > 0 else "-Infinity"
    return _short(float(f"{size:.{digits}g}"))


def _short(size: float) -> int | float:
    """Without a fraction of zero, which would be two characters more."""
    return int(size) if size.is_integer() and abs(size) < LARGEST else size
