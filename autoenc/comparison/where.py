"""The language of `--where`, which selects runs. It is parsed here, and nothing in it is executed.

    architecture=conv and test.mse<0.01
    noise in (gaussian, masking) and not (state = failed or seed > 2)
    label ~ 'conv*'

A comparison is a key, an operator and a value. `=` (or `==`) and `!=` compare numbers as numbers and the rest as text.
`<`, `<=`, `>`, `>=` compare only numbers. `in (...)` and `not in (...)` stand for several `=`. `~` and `!~` look for a
part of the text, or match the whole text if the value has `*` or `?` in it; case is ignored. A key that a run does not
have matches nothing except `= null`. `not` binds closest, then `and`, then `or`. Texts with spaces or special
characters are quoted.
"""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, TypeVar

from autoenc.comparison.formatting import as_typed, is_number, listed_in_words
from autoenc.comparison.keys import Keys, is_pattern, matches_pattern, value_of
from autoenc.display_names import value_label
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError, nearest

OPTION = "--where"
MOST_HINTS = 2
DEEPEST = 50
"""Nested parentheses and nots."""
KEYWORDS = ("and", "or", "not", "in")
ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

T = TypeVar("T")
Condition = Callable[[RunRecord], bool]


@dataclass(frozen=True)
class Where:
    """A parsed condition."""

    matches: Condition
    asked: Sequence[tuple[str, str]]
    """The keys and texts that `=` and `in` ask for."""

    def explain_no_match(self, records: Sequence[RunRecord]) -> str:
        """That no run matches, and which values the runs have instead of those asked for."""
        hints = []
        for key, text in self.asked:
            values = list(dict.fromkeys(as_typed(value_of(record, key)) for record in records))
            if text not in values:
                named = listed_in_words(_with_label(key, value) for value in values)
                hints.append(f"no run has {key}={text}; the values are {named}{nearest(text, values)}")
        return "; ".join(hints[:MOST_HINTS]) or f"no run of these {len(records)} matches"


def _with_label(key: str, value: str) -> str:
    """A value as the condition takes it, and its display name in brackets."""
    label = value_label(key, value)
    return value if label == value else f"{value} ({label})"


def parse_where(text: str, keys: Keys) -> Where:
    """Parse a condition on runs that have these keys.

    Raises:
        ConfigError: it is malformed; the message has the position.
    """
    parser = _Parser(text, keys)
    return Where(parser.parse(), parser.asked)


class _Token(NamedTuple):
    kind: str
    """The name of a group of `_TOKEN`."""
    text: str
    start: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator> ==|!=|<=|>=|!~|=|<|>|~ )
      | (?P<sign> [(),] )
      | (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
      | (?P<list> \[ [^\]]* \] )
      | (?P<word> [^\s()=!<>~,'"\[\]]+ )
      | (?P<end> $ )
      | (?P<unknown> . )
    )""",
    re.VERBOSE | re.DOTALL,
)


class _Value(NamedTuple):
    """A value of the condition."""

    text: str
    number: int | float | None = None
    is_null: bool = False

    def equals(self, value: Any) -> bool:
        """Compare numbers as numbers, texts letter by letter, and the rest as it would be typed."""
        if value is None or self.is_null:
            return value is None and self.is_null
        if is_number(value) and self.number is not None:
            return bool(value == self.number)
        if isinstance(value, str):
            return value == self.text
        return "".join(as_typed(value).split()) == "".join(self.text.split())

    def is_like(self, value: Any) -> bool:
        text = value if isinstance(value, str) else as_typed(value)
        return matches_pattern(text, self.text) if is_pattern(self.text) else self.text.lower() in text.lower()


class _Parser:
    def __init__(self, text: str, keys: Keys) -> None:
        self.text, self.keys = text, keys
        self.asked: list[tuple[str, str]] = []
        self.depth = self.at = 0
        matches = ((str(found.lastgroup), found) for found in _TOKEN.finditer(text))
        self.tokens = [_Token(kind, found[kind], found.start(kind)) for kind, found in matches]
        for token in self.tokens:
            if token.kind == "unknown":
                is_open = token.text in "'\"["
                self._fail("this quote or bracket is not closed" if is_open else "this sign has no meaning here", token)

    def parse(self) -> Condition:
        condition = self._alternatives()
        if self._next.kind != "end":
            self._fail("expected 'and', 'or' or the end")
        return condition

    def _alternatives(self) -> Condition:
        parts = self._separated("or", self._conjunction)
        return lambda record: any(part(record) for part in parts)

    def _conjunction(self) -> Condition:
        parts = self._separated("and", self._term)
        return lambda record: all(part(record) for part in parts)

    def _separated(self, sign: str, parse: Callable[[], T]) -> list[T]:
        found = [parse()]
        while self._take(sign):
            found.append(parse())
        return found

    def _term(self) -> Condition:
        self.depth += 1
        if self.depth > DEEPEST:
            self._fail(f"more than {DEEPEST} nested parentheses")
        if self._take("not"):
            inner = self._term()
            condition: Condition = lambda record: not inner(record)  # noqa: E731
        elif self._take("("):
            condition = self._alternatives()
            self._expect(")")
        else:
            condition = self._comparison()
        self.depth -= 1
        return condition

    def _comparison(self) -> Condition:
        token = self._advance()
        if token.kind != "word" or token.text.lower() in KEYWORDS:
            self._fail("expected a key, as in architecture=conv", token)
        key = self.keys.find(token.text, option=OPTION, place=f"at character {token.start + 1}: ")
        negated = self._take("not")
        if negated or self._next.text.lower() == "in":
            self._expect("in")
            return self._membership(key, self._list(), negated=negated)
        sign = self._advance()
        if sign.kind != "operator":
            self._fail(f"after '{token.text}' expected one of = != < <= > >= ~ in", sign)
        place, value = self._next, self._value()
        if sign.text in ORDERS:
            number, order = value.number, ORDERS[sign.text]
            if number is None:
                self._fail(f"'{sign.text}' needs a number", place)
            return lambda record: is_number(found := value_of(record, key)) and bool(order(found, number))
        if sign.text in {"~", "!~"}:
            wanted = sign.text == "~"
            return lambda record: (found := value_of(record, key)) is not None and value.is_like(found) == wanted
        return self._membership(key, [value], negated=sign.text == "!=")

    def _membership(self, key: str, values: Sequence[_Value], *, negated: bool) -> Condition:
        if not negated:
            self.asked.extend((key, value.text) for value in values)

        def condition(record: RunRecord) -> bool:
            found = value_of(record, key)
            return not (negated and found is None) and any(value.equals(found) for value in values) != negated

        return condition

    def _list(self) -> list[_Value]:
        self._expect("(")
        values = self._separated(",", self._value)
        self._expect(")")
        return values

    def _value(self) -> _Value:
        token = self._advance()
        if token.kind == "quoted":
            return _Value(re.sub(r"\\(.)", r"\1", token.text[1:-1]))
        if token.kind not in {"word", "list"} or token.text.lower() in KEYWORDS:
            self._fail("expected a value; one with spaces or special characters has to be quoted", token)
        return _Value(token.text, number=_as_number(token.text), is_null=token.text == "null")

    @property
    def _next(self) -> _Token:
        return self.tokens[self.at]

    def _advance(self) -> _Token:
        token = self._next
        self.at += token.kind != "end"
        return token

    def _take(self, text: str) -> bool:
        """Advance past the next token if it is this keyword or sign."""
        found = self._next.kind in {"word", "sign"} and self._next.text.lower() == text
        self.at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(f"expected '{text}'")

    def _fail(self, problem: str, token: _Token | None = None) -> NoReturn:
        token = token or self._next
        place = "at the end" if token.kind == "end" else f"at character {token.start + 1}, '{token.text}'"
        raise ConfigError(OPTION, f"{place}: {problem}", value=self.text)


def _as_number(text: str) -> int | float | None:
    """The number in a text, whole ones exactly, which a float cannot hold; None if there is none."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return None
