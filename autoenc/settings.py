"""Settings: the types of their fields, and the check of a mapping against a dataclass.

Settings are frozen dataclasses. Their fields are the schema of a YAML file. `checked` turns the contents of that file
into an instance, or raises an error of one line with the wrong key and the right values.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Le, Lt

from autoenc.synonyms import MEANT

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
ThreadCount = Annotated[int, Ge(1), Le(4096)]
Probability = Annotated[float, Ge(0), Le(1)]
ProperFraction = Annotated[float, Ge(0), Lt(1)]

T = TypeVar("T")


class ConfigError(ValueError):
    """A setting that cannot be used. The message is one line: the key, the value, and what is allowed."""

    def __init__(self, key: str, problem: str, *, value: object = dataclasses.MISSING) -> None:
        given = key if value is dataclasses.MISSING else f"{key}={_as_typed(value)}"
        super().__init__(f"{given}: {problem}")
        self.key = key


def checked(settings: type[T], values: Mapping[str, Any], *, key: str) -> T:
    """An instance of the dataclass `settings` made from `values`, the node `key` of the config.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type or is out of range.
    """
    from pydantic import ValidationError

    check_keys(values, allowed=field_names(settings), key=key)
    adapter = _adapter(settings)
    for name, value in values.items():
        if not _is_plain(value):
            raise _wrong_value(adapter, name, values=values, key=key)
    try:
        # As JSON, because pydantic's strict mode then accepts a list as a tuple and an int as a float, and nothing else
        # ("3" as 3, 1 as true).
        return adapter.validate_json(json.dumps(dict(values)), strict=True)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise _as_config_error(error, adapter, values=values, key=key) from None


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""A cache, because making one takes as long as a training step."""


def _adapter(settings: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    if settings not in _ADAPTERS:
        _ADAPTERS[settings] = TypeAdapter(settings)
    return _ADAPTERS[settings]


def check_keys(values: Mapping[str, Any], *, allowed: Iterable[str], key: str) -> None:
    """Refuse a key that is not among `allowed`, with the nearest spelling."""
    choices = list(allowed)
    for name in values:
        if name not in choices:
            problem = f"there is no such key{nearest(str(name), choices)}; the keys are {listed(choices)}"
            raise ConfigError(join(key, name), problem, value=values[name])


def as_utf8(name: str) -> str:
    r"""The name of a file, with an escape such as `\xe9` for each byte that is not UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")


def check_utf8(name: str, *, key: str) -> None:
    """Refuse the name of a folder that a config file cannot store, because its bytes are not UTF-8."""
    if name != as_utf8(name):
        raise ConfigError(key, f"'{as_utf8(name)}' is not UTF-8, so no file can record it; rename the folder")


def field_names(settings: type[Any]) -> list[str]:
    """The names of a dataclass's fields, in their order."""
    return [field.name for field in dataclasses.fields(settings)]


def nearest(word: str, choices: Iterable[str], *, others: Iterable[str] = ()) -> str:
    """`" (did you mean 'conv'?)"`, or an empty text if no choice is similar to `word`.

    Other names for the same (`vae`), and the last part of a choice (`epochs` of `training.epochs`) are similar, too.
    `others` are what the word may mean instead, for which it has to be more similar.
    """
    choices, others = list(choices), list(others)
    found = (
        _same(word, choices)
        or _same(word, others)
        or _similar(word, choices, cutoff=0.75)
        or _similar(word, others, cutoff=0.75)
        or _similar(word, choices, cutoff=0.5)
    )
    return f" (did you mean {' or '.join(map(repr, found))}?)" if 0 < len(found) <= MOST_HINTS else ""


MOST_HINTS = 3
"""If a word may mean more, there is no hint."""


def _same(word: str, choices: Sequence[str]) -> list[str]:
    """The choices that a word means: the same, their last part, or another name for one."""
    for meant in (word, *MEANT.get(_simple(word), ())):
        if found := [choice for choice in choices if _simple(choice) == _simple(meant)]:
            return found
    found = []
    for meant in (word, *MEANT.get(_simple(word), ())):
        name = _simple(meant.rpartition("=")[2])
        found += [choice for choice in choices if _simple(_last_part(choice)) == name]
    return list(dict.fromkeys(found))


def _similar(word: str, choices: Sequence[str], *, cutoff: float) -> list[str]:
    """The choices that begin with a word, or else the one that is spelt most like it."""
    if len(word) >= SHORTEST_BEGINNING:
        found = [choice for choice in choices if _simple(_last_part(choice)).startswith(_simple(word))]
        if found:
            return found
    names = {_simple(_last_part(choice)): choice for choice in reversed(choices)}
    names |= {_simple(choice): choice for choice in reversed(choices)}
    return [names[name] for name in difflib.get_close_matches(_simple(word), names, n=1, cutoff=cutoff)]


SHORTEST_BEGINNING = 3


def _simple(text: str) -> str:
    return re.sub(r"[-_. ]", "", text.lower()) or text


def _last_part(text: str) -> str:
    return re.split(r"[.=]", text)[-1]


def listed(choices: Iterable[str]) -> str:
    """The choices as a message lists them."""
    return ", ".join(choices) or "none"


def join(*parts: object) -> str:
    """The dotted path of a key. Empty parts are the top level."""
    return ".".join(str(part) for part in parts if part != "")


def flattened(values: Mapping[str, Any], *, path: str = "") -> dict[str, Any]:
    """Nested values by dotted key. An empty group is a value."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = join(path, name)
        found |= flattened(value, path=key) if isinstance(value, Mapping) and value else {key: value}
    return found


def _is_plain(value: object) -> bool:
    """Whether the value is valid JSON: no date or bytes from YAML's tags, and no infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _as_config_error(
    error: ValidationError, adapter: TypeAdapter[Any], *, values: Mapping[str, Any], key: str
) -> ConfigError:
    first = error.errors(include_url=False)[0]
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return ConfigError(join(key, *first["loc"]), "it is required, but not set")
    if first["type"] == "value_error":  # raised by a `__post_init__`, with its own message
        raised = first["ctx"]["error"]
        return raised if isinstance(raised, ConfigError) else ConfigError(key, str(raised))
    return _wrong_value(adapter, str(first["loc"][0]), values=values, key=key)


def _wrong_value(adapter: TypeAdapter[Any], name: str, *, values: Mapping[str, Any], key: str) -> ConfigError:
    field, value = adapter.json_schema()["properties"][name], values[name]
    hint = nearest(value, _named(field)) if isinstance(value, str) else ""
    return ConfigError(join(key, name), f"it must be {_described(field)}{hint}", value=value)


def _named(schema: Mapping[str, Any]) -> list[str]:
    """The texts among which a JSON schema lets choose."""
    options = [schema, *schema.get("anyOf", ())]
    return [str(choice) for option in options for choice in option.get("enum", ())]


def _described(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words: "a whole number of at least 1"."""
    if "anyOf" in schema:
        options = sorted(schema["anyOf"], key=lambda option: option.get("type") == "array")  # a list's items come last
        return " or ".join(dict.fromkeys(_described(option) for option in options))
    if "enum" in schema:
        return "one of " + listed(str(choice) for choice in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        items = schema.get("prefixItems", [schema.get("items", {})])
        count = f" of {len(items)}" if "prefixItems" in schema else ""
        return f"a list{count}, each item {_described(items[0])}"
    return _TYPES.get(schema.get("type", ""), "something else") + _range(schema)


_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "null": "null",
    "object": "a group of keys",
}


def _range(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']:g} to {schema['maximum']:g}"
    return " and".join(f" {words} {schema[bound]:g}" for bound, words in _BOUNDS.items() if bound in schema)


_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}


def _as_typed(value: object) -> str:
    """A value as it is written on the command line; text that looks like a number gets quotes."""
    if isinstance(value, str):
        odd = value in {"", "true", "false", "null"} or _NUMBER.fullmatch(value) or not value.isprintable()
        return repr(value) if odd else value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_as_typed, value))}]"
    return json.dumps(value, default=str)


_NUMBER = re.compile(r"[-+]?[0-9]+\.?[0-9]*(e[-+]?[0-9]+)?", re.IGNORECASE)
