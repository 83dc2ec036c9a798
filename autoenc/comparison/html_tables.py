"""Lines and tables of a comparison as a piece of HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autoenc.comparison.columns import Column
from autoenc.comparison.tables import Line, Table
from autoenc.markup import Markup, element

_TAGS = {"plain": "p", "heading": "h4", "warning": "p", "note": "small"}


def as_html(parts: Iterable[Line | Table]) -> str:
    """Lines as paragraphs, tables with the best values in bold; all text is escaped."""
    return "\n".join(_line(part) if isinstance(part, Line) else _table(part) for part in parts)


def _line(line: Line) -> Markup:
    return element(_TAGS[line.kind], line.text, style="display: block; margin: 0.3em 0")


def _table(columns: Sequence[Column]) -> Markup:
    heads = element("tr", *(element("th", one.key) for one in columns))
    rows = range(len(columns[0].cells)) if columns else ()
    return element("table", heads, *(element("tr", *(_cell(one, row) for one in columns)) for row in rows))


def _cell(column: Column, row: int) -> Markup:
    text, side = column.cells[row], "right" if column.right else "left"
    style = f"text-align: {side}; white-space: nowrap"
    return element("td", element("b", text) if row in column.best else text, style=style)
