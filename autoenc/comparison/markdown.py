"""A comparison as Markdown: what the terminal shows, for an issue or a page of notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from autoenc.comparison.blocks import Block, Grid
from autoenc.comparison.columns import Column
from autoenc.runs import printable

_WORD = re.compile(r"[^\s`|]+|[`|]+")
_LINKED = re.compile(r"www\.|://|@|#\d", re.IGNORECASE)
"""What GitHub and others make links, mentions and references of. They do so with the text that comes of the Markdown,
so that nothing is escaped from them but code.
"""
_SIGNS = re.compile(r"[\\`*|<>~$&@]|\](?=\()|(?<![^\W_])_|_(?![^\W_])")
"""What means something where it stands: of brackets the middle of a link, and `_` at an end of a word alone."""
_AT_THE_START = re.compile(r"[-+#=\[]|\d+[.)](?!\S)")
"""What makes a list, a heading or the target of a link of a whole line."""
_NUMBER = re.compile(r"[-+0-9.,e ±()]*")


def as_markdown(blocks: Iterable[Block]) -> str:
    """The words as paragraphs and the tables as GitHub's."""
    parts = []
    for block in blocks:
        if isinstance(block, Grid):
            parts.append(as_markdown_table(block.columns))
        else:
            text = escaped(printable(block.text))
            parts.append(f"### {text}" if block.kind == "heading" else text)
    return "\n\n".join(parts) + "\n"


def as_markdown_table(columns: Sequence[Column]) -> str:
    """A table of which the best of a column is bold."""
    head = _row([escaped(printable(one.key)) for one in columns])
    rule = _row(["---:" if one.right else "---" for one in columns])
    rows = [_row([_cell(one, number) for one in columns]) for number in range(len(columns[0].cells))]
    return "\n".join([head, rule, *rows])


def escaped(text: str) -> str:
    """A text that Markdown shows as it is: neither it nor HTML reads any of its signs, and it leads to nobody."""
    hidden = _WORD.sub(lambda found: f"`{found[0]}`" if _LINKED.search(found[0]) else _without_signs(found[0]), text)
    return f"&#{ord(text[0])};{hidden[1:]}" if _AT_THE_START.match(text) else hidden


def _without_signs(text: str) -> str:
    return _SIGNS.sub(lambda found: f"&#{ord(found[0])};" if found[0] in "&<>@|" else f"\\{found[0]}", text)


def _cell(one: Column, number: int) -> str:
    cell = one.cells[number]
    if not (one.right and _NUMBER.fullmatch(cell)):
        cell = escaped(cell)
    return f"**{cell}**" if number in one.best else cell


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
