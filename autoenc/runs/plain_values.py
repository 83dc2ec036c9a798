"""Files of unknown origin read into plain values, within limits. `autoenc.runs.reading` has the trust model."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, BinaryIO

MOST_VALUES = 20_000
"""In one file; a config has about sixty."""
DEEPEST = 16
"""Levels of nesting; a config has four."""
LONGEST_KEY, LONGEST_TEXT, LONGEST_NUMBER = 200, 4000, 100
"""Characters."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class UnreadableError(ValueError):
    """Why a file is refused; the message can follow the file's name."""


def read_file(path: str, *, most: int) -> bytes:
    """The content of a plain file of at most so many bytes.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableError: it is larger, is a link, a pipe or a device, or cannot be read.
    """
    content, cut = read_end(path, most=most)
    if cut:
        raise UnreadableError(f"is larger than {most // 1024:,} kB")
    return content


def read_end(path: str, *, most: int) -> tuple[bytes, bool]:
    """At most the last so many bytes of a plain file, and whether there is more before them.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableError: it is a link, a pipe or a device, or cannot be read.
    """
    try:
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            return file.read(most), size > most
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None


def open_plain(path: str) -> BinaryIO:
    """Open a plain file.

    Raises:
        OSError: there is no such file, or it cannot be read.
        UnreadableError: it is a link, a pipe or a device; these are not opened.
    """
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise UnreadableError("is a link, which is not followed")
    _check_plain(mode)
    file = os.fdopen(os.open(path, _FLAGS), "rb")
    try:
        _check_plain(os.fstat(file.fileno()).st_mode)  # it may have been replaced in between
    except BaseException:
        file.close()
        raise
    return file


def _check_plain(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnreadableError("is no plain file")


def printable(text: str, *, most: int = LONGEST_TEXT) -> str:
    r"""The text on one line, without characters that act on a terminal, table or page.

    Control characters, line breaks, marks of writing direction, characters of no width and halves of surrogate pairs
    become escapes: `\x1b`, `\u202e`. Text longer than `most` characters ends in an ellipsis.
    """
    if len(text) > most:
        text = text[: most - 1] + "…"
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":  # a space that does not break, or a wide one
        return " "
    return character.encode("unicode_escape").decode("ascii")


def parse_json(content: bytes) -> Any:
    """The value of a JSON text; UnreadableError if it is none."""
    try:
        return json.loads(content)
    except RecursionError:
        raise UnreadableError(TOO_DEEP) from None
    except ValueError as error:
        raise UnreadableError(f"is no JSON: {first_line(error)}") from None


def parse_yaml(content: bytes) -> Any:
    """The value of a YAML text, with dates as text; UnreadableError if it is none.

    Depth, aliases and tags are checked in the parser's events, before anything is built from them.
    """
    import yaml

    try:
        _check_events(content)
        return _value_of(_loader()(content).get_single_node())
    except yaml.YAMLError as error:
        raise UnreadableError(f"is no YAML: {first_line(error)}") from None
    except UnicodeDecodeError:
        raise UnreadableError("is no YAML: it is no text") from None


def _check_events(content: bytes) -> None:
    import yaml

    depth = values = 0
    for event in yaml.parse(content, Loader=_loader()):
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableError("has YAML aliases, which no run writes")
        if getattr(event, "tag", None) is not None:
            raise UnreadableError("has YAML tags, which no run writes")
        values += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UnreadableError(TOO_DEEP)
        if values > MOST_VALUES:
            raise UnreadableError(TOO_MANY)


def _value_of(node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return [_value_of(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UnreadableError("has a key that is no text")
            if key.value in values:
                raise UnreadableError(f"has the key '{printable(key.value, most=LONGEST_KEY)}' twice")
            values[key.value] = _value_of(value)
        return values
    return None if node is None else _scalar(node)


def _scalar(node: Any) -> Any:
    from yaml.constructor import SafeConstructor

    maker = getattr(SafeConstructor, f"construct_yaml_{node.tag.rpartition(':')[2]}", None)
    if maker is None or not node.tag.endswith((":null", ":bool", ":int", ":float")):
        return node.value
    if len(node.value) > LONGEST_NUMBER:
        return math.inf
    try:
        return maker(SafeConstructor(), node)
    except ValueError:  # 0x_ has the form of a number and is none
        return node.value


@cache
def _loader() -> Any:
    """PyYAML's loader, the fast one if it is installed, which also takes 1e-4 for a number."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    exponent = re.compile(r"[-+]?\d[\d_]*[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+0123456789"))
    return Loader


TOO_DEEP = "has values that are nested too deeply"
TOO_MANY = "has too many values"


class Cleaner:
    """Makes parsed values safe to use: finite numbers of 64 bits, printable text, limited depth and number."""

    def __init__(self, *, exact: bool) -> None:
        self._text: Callable[[str], str] = str if exact else printable
        self._key: Callable[[str], str] = str if exact else _shown_key
        self._values = 0
        self.left_out = False
        """Whether a number was replaced by None because it is not finite or too large."""

    def clean(self, value: Any, depth: int = 0) -> Any:
        """The value made safe.

        Raises:
            UnreadableError: it is nested too deeply or has too many values.
        """
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is dict or kind is list:
            self._values += len(value)
            if self._values > MOST_VALUES:
                raise UnreadableError(TOO_MANY)
            if depth >= DEEPEST:
                raise UnreadableError(TOO_DEEP)
            if kind is list:
                return [self.clean(item, depth + 1) for item in value]
            return {self._key(key): self.clean(item, depth + 1) for key, item in value.items()}
        if (kind is float and not math.isfinite(value)) or (kind is int and not -(2**63) <= value < 2**63):
            self.left_out = True
            return None
        return value


@lru_cache(maxsize=20_000)  # thousands of configs share their keys
def _shown_key(key: str) -> str:
    return printable(key, most=LONGEST_KEY)


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return printable((str(error) or type(error).__name__).splitlines()[0], most=LONGEST_KEY)
