"""Score a finished run again, without training, and add the scores to its summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoenc.runs import RunDirectory


def add_to_summary(run_directory: RunDirectory, added: Mapping[str, Any]) -> dict[str, Any]:
    """Replace `summary.json` by one with the entries `added`; the others stay. Returns its content."""
    summary = _merged(run_directory.summary(), added)
    run_directory.write_summary(summary)
    return summary


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Tables inside tables are merged, too."""
    both = {
        key: _merged(old[key], value) if isinstance(value, Mapping) and isinstance(old.get(key), Mapping) else value
        for key, value in new.items()
    }
    return {**old, **both}
