"""The run folders among the paths that a command was given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from autoenc.comparison.formatting import listed_in_words
from autoenc.runs import printable


def folders_among(paths: Sequence[Path]) -> list[Path]:
    """Drop plain files if there is a folder too, with a warning: `outputs/*` includes a sweep's table and page.

    If there is no folder, nothing is dropped, and the reader reports the mistake.
    """
    files = [path for path in paths if path.is_file()]
    if not files or not any(path.is_dir() for path in paths):
        return list(paths)
    names = listed_in_words(printable(path.name) for path in files)
    sys.stderr.write(f"warning: ignored, because they are not folders: {names}\n")
    return [path for path in paths if path not in files]
