"""Files of unknown origin read into plain values, within limits. `autoenc.runs.reading` has the trust model."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

DEEPEST = 16
"""Levels of nesting; a config has four."""
LONGEST_KEY, LONGEST_TEXT = 200, 4000
"""Characters."""

TOO_DEEP = "has values that are nested too deeply"

_EXPONENT = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$")
_FLOAT = ("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


class UnreadableError(Exception):
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
        with open(path, "rb", opener=_open_plain) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            return file.read(min(size, most)), size > most  # Python allocates as much as it is asked for
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnreadableError("is a link, which is not followed") from None
        raise UnreadableError(f"cannot be read: {error.strerror}") from None


def _open_plain(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe is not waited for
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableError("is no plain file")
    return descriptor


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
        return yaml.load(content, Loader=_loader())  # noqa: S506 - derived from the safe loader
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two over a number that is none
        raise UnreadableError(f"is no YAML: {first_line(error)}") from None


def _check_events(content: bytes) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(content, Loader=_loader()):
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableError("has YAML aliases, which no run writes")
        if getattr(event, "tag", None) is not None:
            raise UnreadableError("has YAML tags, which no run writes")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UnreadableError(TOO_DEEP)


@cache
def _loader() -> Any:
    """PyYAML's safe loader, the fast one if it is installed, with dates as text and 1e-4 as a number."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_scalar)
    Loader.add_implicit_resolver(*_FLOAT)
    return Loader


def as_yaml(values: Mapping[str, Any]) -> bytes:
    """Plain values as YAML. Text that `parse_yaml` would read as a number is quoted."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_implicit_resolver(*_FLOAT)
    return yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True).encode()


def clean(value: Any, *, exact: bool = False, depth: int = 0) -> Any:
    """A parsed value with finite numbers of 64 bits and, unless `exact`, printable text.

    Other numbers become text, such as `nan`. UnreadableError if it is nested too deeply.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        return printable(value) if kind is str and not exact else _clean_number(value)
    if depth == DEEPEST:
        raise UnreadableError(TOO_DEEP)
    if kind is list:
        return [clean(item, exact=exact, depth=depth + 1) for item in value]
    key_of = _exact_key if exact else _printable_key
    return {key_of(key): clean(item, exact=exact, depth=depth + 1) for key, item in value.items()}


def _clean_number(value: Any) -> Any:
    if type(value) is float and not math.isfinite(value):
        return str(value)
    too_large = type(value) is int and not -(2**63) <= value < 2**63
    return "a number of more than 64 bits" if too_large else value


def _exact_key(key: object) -> str:
    return key if isinstance(key, str) else str(clean(key))


@lru_cache(maxsize=20_000)  # thousands of configs share their keys
def _printable_key(key: object) -> str:
    return printable(_exact_key(key), most=LONGEST_KEY)


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return printable((str(error) or type(error).__name__).splitlines()[0], most=LONGEST_KEY)
