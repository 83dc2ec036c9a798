"""The folders that a command was given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from autoenc.runs import printable

MOST_NAMED = 5


def folders_among(paths: Sequence[Path]) -> list[Path]:
    """Without the plain files, where there is a folder too: `outputs/*` names a sweep's table and page beside its jobs.

    What was left out is said in one line. Of nothing but files, or of what is not there, the reader says what is wrong.
    """
    files = [path for path in paths if path.is_file()]
    others = [path for path in paths if path not in files]
    if not files or not any(path.is_dir() for path in others):
        return list(paths)
    names = ", ".join(printable(path.name) for path in files[:MOST_NAMED])
    more = f" and {len(files) - MOST_NAMED} more" if len(files) > MOST_NAMED else ""
    sys.stderr.write(f"warning: no folders, and left out: {names}{more}\n")
    return others
