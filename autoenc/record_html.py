"""A run as a piece of HTML, for a notebook: its settings in a line, its test scores, and its reconstructions."""

from __future__ import annotations

from autoenc.display_names import run_label
from autoenc.evaluation.score_rows import ScoreRow, score_rows
from autoenc.markup import Markup, element
from autoenc.progress import shown_path
from autoenc.runs.embedded_pictures import as_data_url, newest_picture
from autoenc.runs.plain_values import printable
from autoenc.runs.record import RunRecord

LARGEST_PICTURE = 2**22
"""Bytes. A notebook keeps the picture in its own file."""


def as_html(record: RunRecord) -> str:
    """All text is escaped; the picture is part of the HTML. A run that has not finished has no table of scores."""
    epochs = len(record.history)
    title = f"{run_label(record.config)}, {epochs} epoch{'' if epochs == 1 else 's'}"
    head = element("p", element("b", title), element("br"), _place(record))
    return "\n".join([head, *_scores(score_rows(record)), *_picture(record)])


def _place(record: RunRecord) -> str:
    page = record.path / "index.html"
    where = f"open {shown_path(page)}" if page.is_file() else shown_path(record.path)
    return printable(f"{record.state}; {where}", most=1000)


def _scores(rows: list[ScoreRow]) -> list[Markup]:
    if not rows:
        return []
    head = element("tr", *(element("th", text) for text in ("test score", "value", "baselines", "unit")))
    return [element("table", head, *map(_score, rows))]


def _score(row: ScoreRow) -> Markup:
    cells = (row.name, row.value, ", ".join(map(" ".join, row.baselines)), row.unit)
    return element("tr", *(element("td", cell, style="text-align: left") for cell in cells))


def _picture(record: RunRecord) -> list[Markup]:
    path = newest_picture(record.path, "reconstructions")
    source = path and as_data_url(path, most=LARGEST_PICTURE)
    return [element("img", alt="Test images and their reconstructions", src=source, width="100%")] if source else []
