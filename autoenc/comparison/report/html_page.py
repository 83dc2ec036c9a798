"""The report as one file: the template, its style and program, and the data that they show."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from autoenc.comparison.columns import usual_metric
from autoenc.comparison.comparison_warnings import baseline_findings, ranking_warnings
from autoenc.comparison.exports import write_text
from autoenc.comparison.grouping import groups_by_seed
from autoenc.comparison.paired import paired_lines
from autoenc.comparison.ranking import comparable_sections, rank
from autoenc.comparison.report import report_data
from autoenc.comparison.report.code_maps import code_maps
from autoenc.comparison.report.curves import curves
from autoenc.comparison.report.links import run_links, sweep_links
from autoenc.comparison.report.reconstructions import reconstructions
from autoenc.palette import CLASS_COLORS
from autoenc.runs import RunRecord, printable

SCRIPTS = (
    "elements.js", "format.js", "store.js", "groups.js", "filter.js", "columns.js", "table.js", "rows.js",
    "differences.js", "chart.js", "curves.js", "lines.js", "points.js", "sprites.js", "matrix.js", "map.js", "main.js",
)  # fmt: skip
"""In the order in which they form one program."""


def write_report(records: Sequence[RunRecord], path: Path, *, title: str, metric: str | None = None) -> None:
    """Write the page of runs in any state, whole or not at all; ranked by `metric`, or by the tables' default metric.

    It links to the pages of runs and the pictures of a sweep that lie in its folder by then.

    Raises:
        OSError: it cannot be written.
    """
    write_text(path, page(records, title=title, metric=metric, folder=path.parent))


def page(records: Sequence[RunRecord], *, title: str, metric: str | None = None, folder: Path | None = None) -> str:
    """The page as text, with links to what lies in the folder."""
    title = printable(title)
    colors = "".join(f"--color-{number}: {color};" for number, color in enumerate(CLASS_COLORS))
    style = f":root {{{colors}}}\n{asset('report.css')}"
    scripts = "\n".join(asset(name) for name in SCRIPTS)
    program = f'(() => {{\n"use strict";\n{scripts}\n}})();\n'  # one scope of its own
    parts = {
        "policy": content_policy(style=style, program=program),
        "title": html.escape(title),
        "style": style,
        "data": as_json_in_html(contents(records, title=title, metric=metric, folder=folder)),
        "program": program,
    }
    # One pass: placeholders inside the inserted parts stay as they are.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found.group(1)], asset("report.html"))


def contents(
    records: Sequence[RunRecord], *, title: str, metric: str | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """What the page shows, as plain values."""
    shown = list(records[: report_data.MOST_RUNS])
    main = usual_metric(shown) if metric is None else metric
    parts = {
        "settings": report_data.settings(shown),
        "metrics": report_data.metrics(shown, main=main),
        "curves": curves(shown),
        "matrices": reconstructions(shown),
        "maps": code_maps(shown),
    }
    notes = [note for part in parts.values() for note in part.notes]
    if len(records) > len(shown):
        notes.insert(0, f"The first {len(shown):,} of {len(records):,} runs are in this page.")
    return {
        "title": title,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "mainMetric": main,
        "warnings": [] if main is None else ranking_warnings(comparable_sections(shown, main), main),
        "links": [] if folder is None else sweep_links(shown, folder),
        "runs": report_data.runs(shown),
        "pages": [] if folder is None else run_links(shown, folder),
        "groups": report_data.groups(shown),
        "baselines": baseline_findings(shown, main),
        "comparisons": _comparisons(shown, main),
        **{name: part.document for name, part in parts.items()},
        "notes": notes,
    }


def _comparisons(records: Sequence[RunRecord], metric: str | None) -> list[list[str]]:
    """For each section, a heading and the sentences that compare settings paired by seed."""
    sections = groups_by_seed(rank(records, metric=metric)) or []
    return [] if metric is None else [lines for groups in sections if (lines := paired_lines(groups, metric))]


def as_json_in_html(values: Mapping[str, Any]) -> str:
    """JSON in ASCII that neither ends the element it stands in nor starts another."""
    written = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def content_policy(*, style: str, program: str | None = None) -> str:
    """Content-Security-Policy: only this style, this program if there is one, and images inside the page."""
    allowed = {
        "default-src": "'none'",
        "script-src": "'none'" if program is None else f"'{_hash(program)}'",
        "style-src": f"'{_hash(style)}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")


def asset(name: str) -> str:
    """The text of a file of the report."""
    return (resources.files("autoenc.comparison.report") / "assets" / name).read_text("utf-8")
