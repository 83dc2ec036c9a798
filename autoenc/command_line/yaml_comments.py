"""The comments in our YAML, which explain what a file is for and what its keys mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

_STARTS_A_LINE = re.compile(r"\s|[A-Z][\w ]*(\([^)]*\) \w+)?: |\w+: ")
"""What begins a new line in a joined comment: an indented table, `Look for: ...`, or a value and what it means."""


class Comments(NamedTuple):
    """The comments of a file."""

    head: str
    """The first lines: what the file is for."""
    keys: dict[str, str]
    """Of each dotted key; empty if it has none."""


def read_comments(path: Path) -> Comments:
    """The comments of a YAML file. Lines that were wrapped are joined."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = []
    for line in lines:
        if not line.startswith("#"):
            break
        head.append(line.removeprefix("#").removeprefix(" "))
    root = yaml.compose("\n".join(lines), Loader=yaml.SafeLoader)
    keys = dict(_keys(root, lines, path="")) if isinstance(root, yaml.MappingNode) else {}
    return Comments(_joined([line for line in head if not line.startswith("@package")]), keys)


def _keys(node: yaml.MappingNode, lines: Sequence[str], *, path: str) -> Iterator[tuple[str, str]]:
    for key, value in node.value:
        name = f"{path}{key.value}"
        is_block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        end = key.end_mark if is_block else value.end_mark
        comment = [lines[end.line][end.column :].partition("#")[2].removeprefix(" ")]
        for line in lines[end.line + 1 :]:
            if not re.match(r"\s+#", line):
                break
            comment.append(line.strip().removeprefix("#").removeprefix(" "))
        yield name, _joined(comment)
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, lines, path=f"{name}.")


def _joined(lines: Sequence[str]) -> str:
    text, previous = "", ""
    for line in lines:
        begins = _STARTS_A_LINE.match(line) or previous[:1].isspace()
        text += f"\n{line}" if begins else f" {line}"
        previous = line
    return text.strip()
