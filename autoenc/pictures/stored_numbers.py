"""The numbers of a picture, from an `.npz` that anyone may have made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoenc.runs import Limits, opened_archive

LIMITS = Limits(file_bytes=2**28, array_bytes=2**28, members=64)
"""A picture's own take a few megabytes."""


def stored_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays in a file, by name.

    Raises:
        OSError: there is no such file, or it may not be read.
        ValueError: it is no plain file, too large, or holds something else.
    """
    with opened_archive(path, limits=LIMITS) as archive:
        return {name: archive.array(name) for name in archive.names}
