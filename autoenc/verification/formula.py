"""Formulas over the numbers of runs, such as `conv.test.mse / full.test.mse`. Nothing in them is executed as Python."""

from __future__ import annotations

import ast
import json
import math
import operator
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autoenc.runs import VALUES, RunRecord, read_arrays
from autoenc.settings import ConfigError, listed

Numbers = RunRecord | Mapping[str, Any]
"""Where a name of a formula finds its numbers: a run, or a row of a benchmark."""

MOST_BYTES = 2**28
"""Of the arrays that belong to one picture."""

_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "log10": math.log10,
    "max": max,
    "mean": lambda *numbers: statistics.mean(numbers),
    "min": min,
    "sqrt": math.sqrt,
}


class MissingNumberError(ValueError):
    """A run lacks a number that a formula names."""


class Formula:
    """A formula over named runs.

    - `run.test.mse`: any of `RunRecord.metrics`;
    - `run[10].train.loss`: the same after epoch 10, from `metrics.jsonl`;
    - `run.kernels.roughness`: a number of `figures/kernels.npz`, of an array the mean;
    - `run.health.collapsed_units`: an entry of `health` in `summary.json`;
    - numbers, + - * /, comparisons (1 if true, else 0), abs, log10, max, mean, min and sqrt.

    Raises:
        ConfigError: it is something else.
    """

    def __init__(self, text: str, *, key: str) -> None:
        self._text, self._key = text, key
        try:
            self._root = ast.parse(text, mode="eval").body
        except SyntaxError:
            raise ConfigError(key, "it is not a formula", value=text) from None
        self.names: set[str] = set()
        """Of the runs."""
        self._check(self._root)

    def value(self, runs: Mapping[str, Numbers]) -> float:
        """Its value with these runs.

        Raises:
            MissingNumberError: a run lacks a number, or the value is not finite.
        """
        try:
            found = float(self._value(self._root, runs))
        except (ArithmeticError, ValueError) as error:
            if isinstance(error, MissingNumberError):
                raise
            raise MissingNumberError(f"{self._text} has no value: {error}") from None
        if not math.isfinite(found):
            raise MissingNumberError(f"{self._text} is not finite")
        return found

    def _check(self, node: ast.AST) -> None:
        match node:
            case ast.Constant(value=int() | float()):
                return
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                parts = [left, right]
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                parts = [left, right]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                parts = [operand]
            case ast.Call(func=ast.Name(id=name), args=[_, *_] as parts, keywords=[]) if name in _FUNCTIONS:
                pass
            case ast.Attribute() if (place := _place(node)) is not None:
                self.names.add(place.run)
                return
            case _:
                problem = f"{ast.unparse(node)!r} is not allowed; there are numbers, RUN.NUMBER, RUN[EPOCH].NUMBER, "
                raise ConfigError(
                    self._key, f"{problem}+ - * /, comparisons and {listed(_FUNCTIONS)}", value=self._text
                )
        for part in parts:
            self._check(part)

    def _value(self, node: ast.AST, runs: Mapping[str, Numbers]) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                return _OPERATORS[type(op)](self._value(left, runs), self._value(right, runs))
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](self._value(operand, runs))
            case ast.Call(func=ast.Name(id=name), args=parts):
                return _FUNCTIONS[name](*(self._value(part, runs) for part in parts))
        place = _place(node)
        assert place is not None  # checked
        return _number(runs[place.run], place)


class _Place(NamedTuple):
    """Where a number is: `run[10].train.loss`."""

    run: str
    epoch: int | None
    path: tuple[str, ...]


def _place(node: ast.AST) -> _Place | None:
    path: tuple[str, ...] = ()
    while isinstance(node, ast.Attribute):
        path = (node.attr, *path)
        node = node.value
    match node:
        case ast.Name(id=run):
            return _Place(run, None, path)
        case ast.Subscript(value=ast.Name(id=run), slice=ast.Constant(value=int() as epoch)):
            return _Place(run, epoch, path)
    return None


def _number(numbers: Numbers, place: _Place) -> float:
    found: Any = None
    name, path = ".".join(place.path), place.path
    if not isinstance(numbers, RunRecord):
        found = numbers.get(name)
    elif place.epoch is not None:
        rows = [row for row in numbers.history if row.get("epoch") == place.epoch]
        found = rows[0].get("/".join(path)) if rows else None
    elif path[0] == "health":
        found = numbers.summary
        for part in path:
            found = (found or {}).get(part)
    else:
        found = numbers.metrics.get(name)
        if found is None and len(path) == 2:
            found = _number_of_picture(numbers.path, *path)
    if not isinstance(found, int | float):
        whose = numbers.name if isinstance(numbers, RunRecord) else "the benchmark"
        after = "" if place.epoch is None else f" after epoch {place.epoch}"
        raise MissingNumberError(f"{whose} has no {name}{after}")
    return found


def _number_of_picture(run: Path, picture: str, name: str) -> float | None:
    path = run / "figures" / f"{picture}.npz"
    arrays = read_arrays(path, most=MOST_BYTES, names=[name, VALUES]) if path.is_file() else {}
    if name in arrays:
        return float(arrays[name].mean()) if arrays[name].size else None
    found: float | None = json.loads(str(arrays[VALUES])).get(name) if VALUES in arrays else None
    return found
