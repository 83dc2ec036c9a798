"""The language of `--where`: which runs to show. Read by hand, and nothing of it is ever executed.

    architecture=conv and test.mse<0.01
    noise in (gaussian, masking) and not (state = failed or seed > 2)
    label ~ 'conv*'

A comparison is a key, an operator and a value. `=` (or `==`) and `!=` compare numbers as numbers and the rest as text,
`<`, `<=`, `>`, `>=` numbers alone; `in (...)` and `not in (...)` stand for several `=`; `~` and `!~` look for a part of
the text, or, with `*` or `?` in it, for the whole of it, without regard to case. What a run does not have matches none
of them, `!=` neither, but for `= null`. `not` binds closest, then `and`, then `or`. Texts with spaces or signs in them
stand in quotes.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from autoenc.comparison.keys import Keys, value_of
from autoenc.comparison.literals import Literal, as_number, is_equal, is_like
from autoenc.comparison.wording import is_number, listed_in_words, said
from autoenc.runs import RunRecord, printable
from autoenc.settings import ConfigError, nearest

OPTION = "--where"
LONGEST = 10_000  # characters
DEEPEST = 50  # parentheses and nots inside one another

Condition = Callable[[RunRecord], bool]


@dataclass(frozen=True)
class Where:
    """A condition that was typed."""

    text: str
    matches: Condition
    asked: Sequence[tuple[str, str]]
    """The keys and texts that were asked for by `=` and `in`."""

    def said_of_no_match(self, records: Sequence[RunRecord]) -> str:
        """What to answer where it matches none of the runs: what they have instead of what was asked for."""
        hints = [f"no run of these {len(records)} matches"]
        for key, text in self.asked:
            values = list(dict.fromkeys(said(value_of(record, key)) for record in records))
            if text not in values and len(hints) < 3:
                hints.append(f"{key} is {listed_in_words(values, last='or')}{nearest(text, values)}")
        return printable("; ".join(hints))


def parse_where(text: str, keys: Keys) -> Where:
    """The condition that a text says, over runs that know these keys.

    Raises:
        ConfigError: it makes no sense; the message names the place.
    """
    if len(text) > LONGEST:
        raise ConfigError(OPTION, f"it is longer than {LONGEST:,} characters")
    parser = _Parser(text, keys)
    return Where(text, parser.whole(), parser.asked)


class _Token(NamedTuple):
    kind: str
    """`word`, `quoted`, `operator`, `(`, `)`, `,` or `end`."""
    text: str
    start: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator> ==|!=|<=|>=|!~|=|<|>|~ )
      | (?P<parenthesis> [(),] )
      | (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
      | (?P<list> \[ [^\]]* \] )
      | (?P<word> [^\s()=!<>~,'"\[\]]+ )
    )""",
    re.VERBOSE | re.DOTALL,
)

_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_WORDS = ("and", "or", "not", "in")


@dataclass
class _Parser:
    text: str
    keys: Keys
    asked: list[tuple[str, str]] = field(default_factory=list)
    depth: int = 0

    def __post_init__(self) -> None:
        self._tokens = self._read()
        self._at = 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._next.kind != "end":
            self._complain("'and', 'or' or the end was to come here")
        return condition

    def _read(self) -> list[_Token]:
        tokens, place = [], 0
        while self.text[place:].strip():
            match = _TOKEN.match(self.text, place)
            if match is None:
                start = place + len(self.text[place:]) - len(self.text[place:].lstrip())
                rest = self.text[start]
                why = "this quote or bracket is not closed" if rest in "'\"[" else "this sign means nothing here"
                self._complain(why, token=_Token("word", rest, start))
            kind = str(match.lastgroup)
            found = match[kind]
            tokens.append(_Token(found if kind == "parenthesis" else kind, found, match.start(kind)))
            place = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _take_word(self, word: str) -> bool:
        """Whether the next token is this word, which is then taken."""
        found = self._next.kind == "word" and self._next.text.lower() == word
        self._at += found
        return found

    def _expect(self, kind: str) -> None:
        if self._take_if(kind) is None:
            self._complain(f"'{kind}' was to come here")

    def _take_if(self, kind: str) -> _Token | None:
        return self._take() if self._next.kind == kind else None

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._take_word("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._take_word("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _one(self) -> Condition:
        self.depth += 1
        if self.depth > DEEPEST:
            self._complain(f"more than {DEEPEST} parentheses inside one another")
        if self._take_word("not"):
            inner = self._one()
            condition: Condition = lambda record: not inner(record)  # noqa: E731
        elif self._take_if("("):
            condition = self._either()
            self._expect(")")
        else:
            condition = self._comparison()
        self.depth -= 1
        return condition

    def _comparison(self) -> Condition:
        token = self._take()
        if token.kind != "word" or token.text.lower() in _WORDS:
            self._complain("a key was to come here, as in architecture=conv", token=token)
        key = self.keys.found(token.text, option=OPTION, place=f"at character {token.start + 1}: ")
        negated = self._take_word("not")
        if self._take_word("in"):
            return self._membership(key, negated=negated)
        if negated:
            self._complain("'in' was to come here")
        sign = self._take()
        if sign.kind != "operator":
            self._complain(f"after '{token.text}' one of = != < <= > >= ~ in was to come", token=sign)
        return self._compared(key, sign.text, self._next)

    def _compared(self, key: str, sign: str, token: _Token) -> Condition:
        literal = self._literal()
        if sign in _ORDERS:
            limit, order = literal.number, _ORDERS[sign]
            if limit is None:
                self._complain(f"'{sign}' needs a number", token=token)
            return lambda record: is_number(value := value_of(record, key)) and order(value, limit)
        if sign in {"~", "!~"}:
            return lambda record: is_like(value_of(record, key), literal.text, wanted=sign == "~")
        if sign == "!=":
            return lambda record: (value_of(record, key) is not None) and not is_equal(value_of(record, key), literal)
        self.asked.append((key, literal.text))
        return lambda record: is_equal(value_of(record, key), literal)

    def _membership(self, key: str, *, negated: bool) -> Condition:
        self._expect("(")
        literals = [self._literal()]
        while self._take_if(","):
            literals.append(self._literal())
        self._expect(")")
        if negated:
            return lambda record: (
                value_of(record, key) is not None
                and not any(is_equal(value_of(record, key), literal) for literal in literals)
            )
        self.asked.extend((key, literal.text) for literal in literals)
        return lambda record: any(is_equal(value_of(record, key), literal) for literal in literals)

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "quoted":
            return Literal(re.sub(r"\\(.)", r"\1", token.text[1:-1]), number=None, null=False)
        if token.kind not in {"word", "list"} or token.text.lower() in _WORDS:
            self._complain("a value was to come here; one with spaces or signs in it stands in quotes", token=token)
        return Literal(token.text, number=as_number(token.text), null=token.text == "null")

    def _complain(self, problem: str, *, token: _Token | None = None) -> NoReturn:
        token = token or self._next
        place = "at the end" if token.kind == "end" else f"at character {token.start + 1}, '{token.text}'"
        raise ConfigError(OPTION, f"{place}: {problem}", value=self.text)
