"""The numbers of a run's picture, of which the page shows a few: arrays of given dimensions, and short texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from autoenc.runs import Archive, ArrayError, Limits, opened_archive, printable

LIMITS = Limits(file_bytes=2**25, array_bytes=2**26, members=32)
"""Less than `autoenc.pictures` takes: the page has the pictures of many runs."""
MOST_TEXT = 100_000  # characters of the values that are no arrays
VALUES = "<values>"  # as in autoenc.pictures.picture


class Stored(NamedTuple):
    """What was asked for."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]


def read_arrays(path: Path, *, inside: Path, dimensions: Mapping[str, int]) -> Stored:
    """The arrays named in `dimensions`, each of that many dimensions, and the other values.

    Args:
        path: of the file.
        inside: the run's folder; a link that leads out of it is not followed.
        dimensions: by the name of each array, how many it has to have.

    Raises:
        ArrayError: it cannot be read, is too large, or holds something else.
    """
    try:
        place = path.resolve(strict=True)
        if not place.is_relative_to(inside.resolve()):
            raise ArrayError("is a link to somewhere else")
        with opened_archive(place, limits=LIMITS) as archive:
            arrays = {name: archive.array(name, kinds="fiu", dimensions=n) for name, n in dimensions.items()}
            return Stored(arrays, _values(archive))
    except OSError as error:
        raise ArrayError(f"cannot be read: {error.strerror or error}") from None


def _values(archive: Archive) -> dict[str, Any]:
    values = json.loads(str(archive.array(VALUES, kinds="U", dimensions=0, most=4 * MOST_TEXT)))
    if not isinstance(values, dict):
        raise ArrayError(f"has '{VALUES}' that are no table")
    return values


def list_of_texts(values: Mapping[str, Any], name: str, *, most: int, count: int | None = None) -> list[str]:
    """A list among the values, of the given length, as texts of at most `most` characters that may be shown.

    Raises:
        ArrayError: it is something else.
    """
    found = values.get(name)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ArrayError(f"has no list of texts called '{name}'")
    if count is not None and len(found) != count:
        raise ArrayError(f"has {len(found)} of '{name}', and not {count}")
    return [printable(text, most=most) for text in found]
