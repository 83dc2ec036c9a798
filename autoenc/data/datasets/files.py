"""Files that must be exactly the published ones."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, TypeVar

from autoenc.data.datasets.errors import DatasetError, briefly

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PARTIAL = ".part"


class Digest(Protocol):
    """What grows with each piece of a file."""

    def update(self, data: ReadableBuffer, /) -> None: ...  # noqa: D102
    def hexdigest(self) -> str: ...  # noqa: D102


class Checksum(NamedTuple):
    """A published digest, and by what it was made."""

    algorithm: str
    expected: str

    def start(self) -> Digest:
        """A digest of nothing yet."""
        return hashlib.new(self.algorithm.replace("-", ""), usedforsecurity=False)

    def problem(self, digest: Digest) -> str:
        """What is wrong with content of this digest; empty when nothing is."""
        fits = digest.hexdigest() == self.expected
        return "" if fits else f"the content is not the published one (the {self.algorithm} differs)"


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A published file: its name here, its size in bytes, and its digests (hexadecimal) where they are known.

    With `gzipped` it is published as `<name>.gz`, of which `packed_sha256` is the digest. A file whose own digests
    nobody has published is checked while it is packed, and later by its size and by what its format demands.
    """

    name: str
    size: int
    sha256: str | None = None
    md5: str | None = None
    gzipped: bool = True
    packed_sha256: str | None = None

    @property
    def published_name(self) -> str:
        """As a mirror or an archive has it."""
        return f"{self.name}.gz" if self.gzipped else self.name

    @property
    def checksum(self) -> Checksum | None:
        """The best digest that is known of the content."""
        if self.sha256 is not None:
            return Checksum("SHA-256", self.sha256)
        return None if self.md5 is None else Checksum("MD5", self.md5)

    @property
    def packed_checksum(self) -> Checksum | None:
        """The digest of the file as it is published."""
        return None if self.packed_sha256 is None else Checksum("SHA-256", self.packed_sha256)


AnyFile = TypeVar("AnyFile", bound=RemoteFile)


def missing(files: Sequence[AnyFile], *, folder: Path) -> list[AnyFile]:
    """Those of `files` that are not in `folder`; what cannot be looked at counts as missing."""
    return [file for file in files if not _is_there(folder / file.name)]


def verify(file: RemoteFile, *, dataset: str, folder: Path) -> None:
    """See that the file in `folder` is the published one, to the byte where a digest of it is known.

    Raises:
        DatasetError: it is not; the message names it and says what to do. The file is left as it is.
    """
    path = folder / file.name
    try:
        size = path.stat().st_size
        fits = size == file.size
        problem = _content_problem(file, path) if fits else f"it has {size:,} bytes and should have {file.size:,}"
    except OSError as error:
        raise DatasetError(dataset, f"{path} cannot be read: {briefly(error)}") from error
    if problem:
        raise DatasetError(dataset, f"{path} is damaged: {problem}; delete it to have it downloaded again")


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the name `path` in the end, on the disk; or, after an error, is gone again."""
    for leftover in path.parent.glob(f"{path.name}.????????{PARTIAL}"):  # of a process that was killed
        leftover.unlink()
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("xb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _content_problem(file: RemoteFile, path: Path) -> str:
    checksum = file.checksum
    if checksum is None:
        return ""
    with path.open("rb") as content:
        return checksum.problem(hashlib.file_digest(content, checksum.start))  # type: ignore[arg-type]
