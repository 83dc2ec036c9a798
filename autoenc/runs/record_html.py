"""A run as a piece of HTML, for a notebook: its settings in a line, its test scores, and its reconstructions."""

from __future__ import annotations

import base64
from html import escape

from autoenc.display_names import choice_label
from autoenc.progress import shown_path
from autoenc.runs.plain_values import printable
from autoenc.runs.record import RunRecord

LARGEST_PICTURE = 2**22
"""Bytes. A notebook keeps the picture in its own file."""


def as_html(record: RunRecord) -> str:
    """All text is escaped; the picture is part of the HTML. A run that has not finished has no table of scores."""
    parts = [f"<p><b>{escape(_title(record))}</b><br>{escape(_place(record))}</p>", _scores(record), _picture(record)]
    return "\n".join(part for part in parts if part)


def _title(record: RunRecord) -> str:
    settings = record.settings
    shown = {group: settings.get(group) for group in ("architecture", "bottleneck", "dataset", "noise")}
    names = [choice_label(group, str(name)) for group, name in shown.items() if name is not None and name != "none"]
    code_size, epochs = settings.get("architecture.code_size"), len(record.history)
    return ", ".join([*names, f"code size {code_size}", f"{epochs} epoch{'' if epochs == 1 else 's'}"])


def _place(record: RunRecord) -> str:
    page = record.path / "index.html"
    where = f"open {shown_path(page)}" if page.is_file() else shown_path(record.path)
    return printable(f"{record.state}; {where}", most=1000)


def _scores(record: RunRecord) -> str:
    """A row for each test score. The part of a unit after a colon, which explains it, is left out."""
    rows = [
        f"<tr><td style='text-align: left'>{escape(name)}</td><td>{value:.5g}</td>"
        f"<td style='text-align: left'>{escape(record.units.get(name, '').partition(':')[0])}</td></tr>"
        for name, value in (record.summary.get("test") or {}).items()
        if value is not None
    ]
    if not rows:
        return ""
    return "\n".join(["<table>", "<tr><th>test score</th><th>value</th><th>unit</th></tr>", *rows, "</table>"])


def _picture(record: RunRecord) -> str:
    path = record.path / "figures" / "reconstructions.png"
    try:
        content = path.read_bytes() if path.stat().st_size <= LARGEST_PICTURE else b""
    except OSError:
        return ""
    if not content.startswith(b"\x89PNG"):
        return ""
    encoded = base64.b64encode(content).decode("ascii")
    return f"<img alt='Test images and their reconstructions' src='data:image/png;base64,{encoded}' width='100%'>"
