"""The page itself: a template, its style and its program, and what they show, in one file."""

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
from autoenc.comparison.exports import write_text
from autoenc.comparison.report import document, texts
from autoenc.comparison.report.curves import curves
from autoenc.comparison.report.maps import maps
from autoenc.comparison.report.matrices import matrices
from autoenc.runs import RunRecord, printable

MOST_TITLE = 200

SCRIPTS = (
    "elements.js",
    "format.js",
    "store.js",
    "filter.js",
    "columns.js",
    "table.js",
    "differences.js",
    "chart.js",
    "curves.js",
    "lines.js",
    "points.js",
    "sprites.js",
    "matrix.js",
    "map.js",
    "main.js",
)
"""In the order in which they make one program."""


def write_report(records: Sequence[RunRecord], path: Path, *, title: str, metric: str | None = None) -> None:
    """Write the page, whole or not at all.

    Args:
        records: all of them, in whatever state.
        path: of the file.
        title: above the page.
        metric: what the runs are first ranked by; None for what tables rank them by unless it is said.

    Of a folder that cannot be read, or only in part, the page says why; what it leaves out to stay small, it says too.

    Raises:
        OSError: it cannot be written.
    """
    write_text(path, page(records, title=title, metric=metric))


def page(records: Sequence[RunRecord], *, title: str, metric: str | None = None) -> str:
    """The page as text."""
    name = printable(title, most=MOST_TITLE)
    style, program = _asset("report.css"), _program()
    parts = {
        "policy": _policy(style=style, program=program),
        "title": html.escape(name),
        "style": style,
        "data": as_json_in_html(contents(records, title=name, metric=metric)),
        "program": program,
    }
    # In one pass: what is put in is not looked through for places to put more in.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found.group(1)], _asset("report.html"))


def contents(records: Sequence[RunRecord], *, title: str, metric: str | None = None) -> dict[str, Any]:
    """What the page shows, as plain values."""
    shown = list(records[: document.MOST_RUNS])
    main = usual_metric(shown) if metric is None else metric
    drawn, images, planes = curves(shown), matrices(shown), maps(shown)
    set_to, scored = document.settings(shown), document.metrics(shown, main=main)
    notes = [*set_to.notes, *scored.notes, *drawn.notes, *images.notes, *planes.notes]
    if len(records) > len(shown):
        notes.insert(0, f"The first {len(shown):,} of {len(records):,} runs are in this page.")
    return {
        "title": title,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "mainMetric": None if main is None else printable(main, most=texts.MOST_LABEL),
        "warnings": document.warnings(shown, main),
        "runs": document.runs(shown),
        "settings": set_to.document,
        "metrics": scored.document,
        "curves": drawn.document,
        "matrices": images.document,
        "maps": planes.document,
        "notes": notes,
    }


def as_json_in_html(values: Mapping[str, Any]) -> str:
    """JSON in ASCII that neither ends the element it stands in nor begins one, whatever the values are."""
    written = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(*, style: str, program: str) -> str:
    """Content-Security-Policy: this program, this style and images that stand in the page; nothing else whatsoever."""
    allowed = {
        "default-src": "'none'",
        "script-src": f"'{_hash(program)}'",
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


def _program() -> str:
    """All scripts as one, whose names are nobody else's."""
    return '(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS) + "\n})();\n"


def _asset(name: str) -> str:
    return (resources.files("autoenc.comparison.report") / "assets" / name).read_text("utf-8")
