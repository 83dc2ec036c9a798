"""Relative links from the report to what lies below its folder: the runs' pages, the sweep's pictures and slides."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from autoenc.runs import RunRecord

SWEEP_FILES = ("comparison.png", "slides")
"""What a sweep writes next to its report."""


def run_links(records: Sequence[RunRecord], folder: Path) -> list[str | None]:
    """The address of each run's page, relative to the folder; None if it is elsewhere or does not exist."""
    return [_link(record.path / "index.html", folder) for record in records]


def sweep_links(records: Sequence[RunRecord], folder: Path) -> list[tuple[str, str]]:
    """The names and addresses of a sweep's files if some run is a job of the sweep in this folder."""
    if all(record.path.resolve().parent != folder.resolve() for record in records):
        return []
    links = [(name, _link(folder / name, folder)) for name in SWEEP_FILES]
    return [(name, link) for name, link in links if link is not None]


def _link(path: Path, folder: Path) -> str | None:
    if not path.exists() or not path.resolve().is_relative_to(folder.resolve()):
        return None
    # Quoted: a ":" would end the name of a scheme such as "javascript:".
    return quote(os.fsencode(path.resolve().relative_to(folder.resolve()))) + ("/" if path.is_dir() else "")
