"""Write published files whole and checked, and unpack them from zip and tar.gz files."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from autoenc.data.datasets.published_sets import Archive, PublishedFile, brief_reason, content_problem

CHUNK = 1 << 18
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)


class WrongContent(Exception):  # noqa: N818  (an answer of a server, and a reason to ask the next one)
    """A server or an archive has something other than the published file. The message is a short reason."""


@contextmanager
def written_whole(file: PublishedFile, *, folder: Path) -> Iterator[BinaryIO]:
    """A handle to write the content of `file` to. Then it is checked and gets its name; after an error nothing is left.

    Raises:
        WrongContent: the size or the digest is wrong.
    """
    partial = folder / f"{file.name}.part"
    try:
        with partial.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        problem = content_problem(file, partial)
        if problem:
            raise WrongContent(f"{file.name} {problem}")
        partial.replace(folder / file.name)
    finally:
        partial.unlink(missing_ok=True)


def write_unpacked(file: PublishedFile, published: IO[bytes], *, to: BinaryIO) -> None:
    """Copy a file, unpacked if it is published gzipped. Stop as soon as it has more bytes than it should have.

    Raises:
        WrongContent: it has more, or is damaged.
    """
    left = file.size + 1
    try:
        content = gzip.GzipFile(fileobj=published) if file.gzipped else published
        while piece := content.read(min(CHUNK, left)):
            left -= len(piece)
            if left == 0:
                raise WrongContent(f"{file.name} has more than the {file.size:,} bytes it should have")
            to.write(piece)
    except _DAMAGED as error:
        raise WrongContent(f"{file.published_name} cannot be unpacked: {brief_reason(error)}") from error


def unpack(archive: Archive, files: Sequence[PublishedFile], *, path: Path, folder: Path) -> Iterator[None]:
    """Unpack `files` from the archive at `path` into `folder`, under their own names. Yields after each file.

    Raises:
        WrongContent: the archive is damaged, or a file is not in it, or has another size or digest.
        OSError: `folder` cannot be written to.
    """
    try:
        with zipfile.ZipFile(path) if path.suffix == ".zip" else tarfile.open(path, "r:gz") as opened:
            for file in files:
                published = _member(opened, archive.prefix + file.published_name)
                with published, written_whole(file, folder=folder) as handle:
                    write_unpacked(file, published, to=handle)
                yield
    except _DAMAGED as error:
        raise WrongContent(brief_reason(error)) from error


def _member(opened: zipfile.ZipFile | tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        content = opened.open(name) if isinstance(opened, zipfile.ZipFile) else opened.extractfile(name)
    except KeyError:
        content = None
    if content is None:  # a folder or a link in a tar file
        raise WrongContent(f"it has no {name}")
    return content
