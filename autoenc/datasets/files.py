"""Files that must be exactly the published ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autoenc.datasets.errors import DatasetError, briefly


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A published file: its name without `.gz`, and size (bytes) and SHA-256 (hexadecimal) of what is inside."""

    name: str
    size: int
    sha256: str


AnyFile = TypeVar("AnyFile", bound=RemoteFile)


def missing(files: Sequence[AnyFile], *, folder: Path) -> list[AnyFile]:
    """Those of `files` that are not in `folder`; what cannot be looked at counts as missing."""
    return [file for file in files if not _is_there(folder / file.name)]


def verify(file: RemoteFile, *, dataset: str, folder: Path) -> None:
    """See that the file in `folder` is the published one, to the byte.

    Raises:
        DatasetError: it is not; the message names it and says what to do. The file is left as it is.
    """
    path = folder / file.name
    try:
        size = path.stat().st_size
        problem = "" if size == file.size else f"it has {size:,} bytes and should have {file.size:,}"
        if not problem and _sha256(path) != file.sha256:
            problem = "its content is not the published one (the SHA-256 differs)"
    except OSError as error:
        raise DatasetError(dataset, f"{path} cannot be read: {briefly(error)}") from error
    if problem:
        raise DatasetError(dataset, f"{path} is damaged: {problem}; delete it to have it downloaded again")


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
