"""Lines and tables of a comparison as a piece of HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from autoenc.comparison.columns import Column
from autoenc.comparison.tables import Line, Table

_TAGS = {"plain": "p", "heading": "h4", "warning": "p", "note": "small"}


def as_html(parts: Iterable[Line | Table]) -> str:
    """Lines as paragraphs, tables with the best values in bold; all text is escaped."""
    return "\n".join(_line(part) if isinstance(part, Line) else _table(part) for part in parts)


def _line(line: Line) -> str:
    tag = _TAGS[line.kind]
    return f"<{tag} style='display: block; margin: 0.3em 0'>{escape(line.text)}</{tag}>"


def _table(columns: Sequence[Column]) -> str:
    heads = "".join(f"<th>{escape(one.key)}</th>" for one in columns)
    rows = range(len(columns[0].cells)) if columns else ()
    body = "\n".join(f"<tr>{''.join(_cell(one, row) for one in columns)}</tr>" for row in rows)
    return f"<table>\n<tr>{heads}</tr>\n{body}\n</table>"


def _cell(column: Column, row: int) -> str:
    text = escape(column.cells[row])
    side = "right" if column.right else "left"
    return (
        f"<td style='text-align: {side}; white-space: nowrap'>{f'<b>{text}</b>' if row in column.best else text}</td>"
    )
