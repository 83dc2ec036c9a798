"""Files that are published together, in one zip or gzipped tar file."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from autoenc.data.datasets.errors import briefly
from autoenc.data.datasets.files import RemoteFile, written_whole

_CHUNK = 1 << 18
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)


class BadArchive(Exception):  # noqa: N818  (what the caller tells in its own words)
    """A file is not in an archive, or not as it should be; the message says why, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Archive(RemoteFile):
    """A published archive, and what stands before the names of the files inside.

    A zip file may be read in any order and is `kept` where a set has more files than are wanted at once.
    """

    gzipped: bool = False
    prefix: str
    kept: bool


class _Member(NamedTuple):
    name: str
    content: BinaryIO


def unpack(archive: Archive, files: Sequence[RemoteFile], *, folder: Path, done: Callable[[], None]) -> None:
    """Put `files`, from the archive in `folder`, beside it; each whole, or not at all. `done` is told of each.

    Nothing is unpacked by the name it has in the archive: only members with the names of `files` are read, and they
    are written under the names of `files`.

    Raises:
        BadArchive: one of them is not in it, or has another size or digest.
        OSError: `folder` cannot be written to.
    """
    wanted = {archive.prefix + file.published_name: file for file in files}
    try:
        for member in _members(folder / archive.name, names=wanted):
            _store(wanted[member.name], member.content, folder=folder)
            del wanted[member.name]
            done()
    except _BROKEN as error:
        raise BadArchive(briefly(error)) from error
    if wanted:
        raise BadArchive(f"it has no {', '.join(wanted)}")


def _members(path: Path, *, names: Mapping[str, RemoteFile]) -> Iterator[_Member]:
    """Those that are in the archive; `names` may lose the names that were seen already."""
    return _zip_members(path, names=list(names)) if path.suffix == ".zip" else _tar_members(path, names=names)


def _zip_members(path: Path, *, names: Iterable[str]) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(set(names) & set(archive.namelist())):
            with archive.open(name) as content:
                yield _Member(name, cast("BinaryIO", content))


def _tar_members(path: Path, *, names: Mapping[str, RemoteFile]) -> Iterator[_Member]:
    with tarfile.open(path, "r:gz") as archive:
        for entry in archive:  # in its order: to go back in a gzipped file is to begin anew
            content = archive.extractfile(entry) if entry.name in names and entry.isfile() else None
            if content is not None:
                with content:
                    yield _Member(entry.name, cast("BinaryIO", content))
            if not names:
                return


def _store(file: RemoteFile, packed: BinaryIO, *, folder: Path) -> None:
    checksum = file.checksum
    digest = None if checksum is None else checksum.start()
    with written_whole(folder / file.name) as handle:
        left = file.size + 1
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=packed)) if file.gzipped else packed
        while piece := stream.read(min(_CHUNK, left)):
            left -= len(piece)
            handle.write(piece)
            if digest is not None:
                digest.update(piece)
        if left != 1:
            amount = "more" if left == 0 else f"{file.size + 1 - left:,}"
            raise BadArchive(f"its {file.name} has {amount} bytes instead of {file.size:,}")
        problem = "" if checksum is None or digest is None else checksum.problem(digest)
        if problem:
            raise BadArchive(f"its {file.name} is another: {problem}")
