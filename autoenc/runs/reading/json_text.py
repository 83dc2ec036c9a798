"""A stranger's JSON."""

from __future__ import annotations

import json
from typing import Any

from autoenc.runs.reading.plain import (
    DEEPEST,
    LARGEST_FLOAT,
    TOO_DEEP,
    TOO_MANY,
    Parsed,
    UnreadableError,
    first_line,
    is_odd,
    shared,
    texts,
    weight,
)


def parse_json(content: bytes, *, most: int) -> Parsed:
    """The value of a JSON text with at most so many values in it.

    Raises:
        UnreadableError: it is no JSON, or has more, or they lie too deep.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise UnreadableError(TOO_DEEP) from None
    except ValueError as error:
        raise UnreadableError(f"is no JSON: {first_line(error)}") from None
    sieve = _Sieve(most)
    return Parsed(sieve.sifted(value, 0), most - sieve.left, sieve.odd)


class _Sieve:
    """JSON's values made plain."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.odd = False

    def sifted(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            text = shared(value)
            self._take(weight(text))
            return text
        if kind is dict or kind is list:
            self._enter(len(value), depth)
            if kind is dict:
                # Of as many letters as keys usually have, a key is part of its value.
                self._take(max(0, weight("".join(value)) - len(value)))
                return {
                    texts.get(key) or shared(key): item
                    if type(item) is float and -LARGEST_FLOAT <= item <= LARGEST_FLOAT  # most are
                    else self.sifted(item, depth + 1)
                    for key, item in value.items()
                }
            return [self.sifted(item, depth + 1) for item in value]
        if is_odd(value):
            self.odd = True
            return None
        return value

    def _enter(self, count: int, depth: int) -> None:
        self._take(count)
        if depth >= DEEPEST:
            raise UnreadableError(TOO_DEEP)

    def _take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise UnreadableError(TOO_MANY)
