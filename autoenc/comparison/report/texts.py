"""What a folder says as JSON that may stand on a page: short texts that can be shown, and numbers."""

from __future__ import annotations

import json
import math
from typing import Any

from autoenc.runs import printable

Plain = str | int | float | bool | dict[str, str] | None
"""`{"number": "Infinity"}` is a number that JSON or a browser has no word for."""

MOST_LABEL = 120  # characters
MOST_VALUE = 160
MOST_SENTENCE = 600
LARGEST = 2**53  # beyond it, a browser's whole numbers have gaps
MOST_BITS = 512  # of a whole number that is shown with all its digits


def value(found: Any) -> Plain:
    """A setting's value: a number, a truth value or null as they are, anything else as text."""
    if found is None or isinstance(found, bool):
        return found
    if isinstance(found, (int, float)):
        return _as_it_is(found)
    return printable(_as_text(found), most=MOST_VALUE)


def _as_it_is(found: float) -> Plain:
    """A number with all its digits."""
    if isinstance(found, int) and abs(found) >= LARGEST and found.bit_length() <= MOST_BITS:
        return {"number": str(found)}
    written = number(found)
    return {"number": written} if isinstance(written, str) else written


def _as_text(found: Any) -> str:
    """All of it."""
    if isinstance(found, str):
        return found
    try:
        return json.dumps(found, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return f"({type(found).__name__})"


def identity(found: Any) -> object:
    """Equal for what is the same setting, however little of it is shown: 1 and 1.0 are, 1 and true are not."""
    if found is None or isinstance(found, bool):
        return bool, found
    if isinstance(found, (int, float)):
        return float, "nan" if isinstance(found, float) and math.isnan(found) else found
    return str, _as_text(found)


def number(found: float, *, digits: int | None = None) -> int | float | str:
    """A number, in so many digits if they are said; what is not finite, for which JSON has no word, as JavaScript."""
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
    return _short(size if digits is None else float(f"{size:.{digits}g}"))


def _short(size: float) -> int | float:
    """Without a fraction of zero, which would be two characters more."""
    return int(size) if size.is_integer() and abs(size) < LARGEST else size
