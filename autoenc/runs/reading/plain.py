"""Plain values within bounds: what a stranger's YAML and JSON may hold.

Nothing is executed, resolved or made an object of: values are texts, finite numbers, true, false, null, and lists and
tables of them, so that each can be written as JSON, and every text is printable.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from autoenc.runs.reading.text import printable

DEEPEST = 24
"""Lists and tables inside one another; a run's config has four."""
LARGEST_WHOLE_NUMBER = 2**63
LARGEST_FLOAT = sys.float_info.max
SHARED_TEXT, MOST_SHARED = 200, 20_000

TOO_DEEP = "has values too deep inside one another"
TOO_MANY = "has too many values"
"""Or too much text, which counts for values."""


class UnreadableError(ValueError):
    """Why the content of a file is not taken: words that can follow the file's name."""


class Parsed(NamedTuple):
    """A file's content."""

    value: Any
    size: int
    """How many values it has in all, a text counting for as many more as `weight` says: what bounds the memory."""
    odd: bool
    """Whether a number was left out, as null, that is not finite or too large."""


def is_odd(value: object) -> bool:
    """Whether it is a number that JSON does not have, or that does not fit where numbers are counted with."""
    if isinstance(value, float):
        return not -LARGEST_FLOAT <= value <= LARGEST_FLOAT
    return isinstance(value, int) and not -LARGEST_WHOLE_NUMBER <= value < LARGEST_WHOLE_NUMBER


def room(text: str) -> int:
    """Bytes of memory that its letters take: one each, or up to four where there is any that is not of ASCII."""
    return sys.getsizeof(text) - _EMPTY


_EMPTY = sys.getsizeof("")
A_VALUE = 64
"""Bytes of text that count for one value."""


def weight(text: str) -> int:
    """For how many values more than a number a text counts."""
    return room(text) // A_VALUE if len(text) >= A_VALUE // 4 else 0


texts: dict[str, str] = {}
"""What `shared` has given out, by what it was given."""


def shared(text: str) -> str:
    """The text, printable; one object for all runs that have it: thousands of configs have the same keys."""
    found = texts.get(text)
    if found is not None:
        return found
    shown = printable(text)
    if len(text) <= SHARED_TEXT:
        if len(texts) >= MOST_SHARED:
            texts.clear()
        texts[text] = shown
    return shown


def first_line(error: BaseException) -> str:
    """Of an error's message."""
    return printable((str(error) or type(error).__name__).splitlines()[0], most=200)
