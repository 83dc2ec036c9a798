"""A stranger's YAML."""

from __future__ import annotations

import math
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from autoenc.runs.reading.plain import (
    A_VALUE,
    DEEPEST,
    MOST_SHARED,
    SHARED_TEXT,
    TOO_DEEP,
    TOO_MANY,
    Parsed,
    UnreadableError,
    first_line,
    is_odd,
    room,
    shared,
    weight,
)

LONGEST_NUMBER = 100
"""Digits; to read one of a million takes minutes."""
_REFERS = "refers to its own parts (YAML's aliases), which no run writes"
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(content: bytes, *, most: int) -> Parsed:
    """The value of a YAML text with at most so many values in it.

    It is put together from the parser's events, which know no depth and no expansion, so that what would take much
    memory, or the stack, is refused before it does. Aliases are refused altogether: no run writes one. A tag is left
    unread but for YAML's own of a text, and a date is a text.

    Raises:
        UnreadableError: it is no YAML, has several documents, has more values, or they lie too deep.
    """
    loader = None
    try:
        loader = _Loader(content)
        builder = _Builder(most)
        while True:
            event = loader.get_event()
            if event is None:
                break
            builder.take(event)
    except yaml.YAMLError as error:
        raise UnreadableError(f"is no YAML: {first_line(error)}") from None
    except ValueError as error:  # bytes that are no text
        raise error if isinstance(error, UnreadableError) else UnreadableError("is no YAML") from None
    finally:
        if loader is not None:
            loader.dispose()
    return Parsed(builder.document, most - builder.left, builder.odd)


class _Builder:
    """YAML's events put together, without recursion."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.odd = False
        self.document: Any = None
        self._documents = 0
        self._open: list[Any] = []
        self._keys: list[str | None] = []
        """Of each open table the key whose value comes next."""
        self._lengths: list[int] = []
        """Of each open table the bytes of the keys that lead to it, which come before every key of it in a record's
        `settings`.
        """

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            tables = self._open
            if tables and self._keys[-1] is None and type(tables[-1]) is dict:
                self._keys[-1] = shared(event.value)
            else:
                self._put(self._scalar(event))
        elif kind is yaml.MappingStartEvent:
            self._begin({})
        elif kind is yaml.SequenceStartEvent:
            self._begin([])
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self._open.pop()
            self._keys.pop()
            self._lengths.pop()
        elif kind is yaml.AliasEvent:
            raise UnreadableError(_REFERS)
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise UnreadableError("has several documents")

    def _begin(self, container: Any) -> None:
        if self._open and self._keys[-1] is None and isinstance(self._open[-1], dict):
            raise UnreadableError("has a key that is no text")
        if len(self._open) >= DEEPEST:
            raise UnreadableError(TOO_DEEP)
        length = self._length()
        self._put(container)
        self._open.append(container)
        self._keys.append(None)
        self._lengths.append(length)

    def _put(self, value: Any) -> None:
        self.left -= 1 + (weight(value) if type(value) is str else 0) + self._length() // A_VALUE
        if self.left < 0:
            raise UnreadableError(TOO_MANY)
        if not self._open:
            self.document = value
        elif isinstance(self._open[-1], list):
            self._open[-1].append(value)
        else:
            self._open[-1][self._keys[-1]] = value
            self._keys[-1] = None

    def _length(self) -> int:
        """Of the keys that lead to the value that comes next."""
        key = self._keys[-1] if self._keys else None
        return self._lengths[-1] + room(key) if key is not None else 0

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:  # in quotes, or with a tag
            return shared(event.value)
        value = _resolved(event.value)
        if is_odd(value):
            self.odd = True
            return None
        return value


_scalars: dict[str, Any] = {}


def _resolved(text: str) -> Any:
    """What YAML takes an unquoted text for."""
    if text in _scalars:
        return _scalars[text]
    value = _RESOLVE.value(text)
    if len(text) <= SHARED_TEXT:
        if len(_scalars) >= MOST_SHARED:
            _scalars.clear()
        _scalars[text] = value
    return value


class _Resolve:
    """YAML 1.1's rules, by PyYAML's own tables."""

    def __init__(self) -> None:
        self._resolver, self._constructor = Resolver(), SafeConstructor()
        self._makers: dict[str, Any] = {
            "tag:yaml.org,2002:null": self._constructor.construct_yaml_null,
            "tag:yaml.org,2002:bool": self._constructor.construct_yaml_bool,
            "tag:yaml.org,2002:int": self._constructor.construct_yaml_int,
            "tag:yaml.org,2002:float": self._constructor.construct_yaml_float,
        }

    def value(self, text: str) -> Any:
        tag = self._resolver.resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        maker = self._makers.get(tag)
        if maker is None:
            return shared(text)
        if len(text) > LONGEST_NUMBER:
            return math.nan
        try:
            return maker(ScalarNode(tag, text))
        except ValueError:  # its rule and its maker differ on 0x_
            return shared(text)


_RESOLVE = _Resolve()
