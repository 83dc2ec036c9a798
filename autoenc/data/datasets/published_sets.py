"""Data sets as they are published: which files they have, and whether a file is the published one."""

from __future__ import annotations

import gzip
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.settings import ConfigError


class DatasetError(ConfigError):
    """A dataset's files are missing or damaged. The message is one line."""

    def __init__(self, dataset: str, problem: str) -> None:
        super().__init__("dataset", " ".join(problem.split()), value=dataset)


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A published file.

    `size` (bytes) and `digest` are those of the content. With `gzipped`, the file is published as `<name>.gz`, which
    has the digest `packed_digest`. Digests are written `sha256:<hexadecimal>` or `md5:...`; None if none is published.
    `aliases` are other names under which people keep it.
    """

    name: str
    size: int
    digest: str | None = None
    gzipped: bool = True
    packed_digest: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def published_name(self) -> str:
        """Its name on a mirror or in an archive."""
        return f"{self.name}.gz" if self.gzipped else self.name

    @property
    def names(self) -> list[str]:
        """The names under which it is used, if it is on the disk."""
        plain = [self.name, *self.aliases]
        return [*plain, *(f"{name}.gz" for name in plain if self.gzipped)]

    def is_packed(self, path: Path) -> bool:
        """Whether it is gzipped at `path`."""
        return self.gzipped and path.suffix == ".gz"

    def is_recognizable(self, path: Path) -> bool:
        """Whether a digest tells the file at `path` from all others."""
        return self.digest is not None or (self.is_packed(path) and self.packed_digest is not None)


@dataclass(frozen=True, kw_only=True)
class Archive(PublishedFile):
    """A zip or tar.gz file that has all files of a set, their names behind `prefix`.

    It stays on the disk if `kept`, because a later run may unpack other files from it.
    """

    gzipped: bool = False
    prefix: str
    kept: bool


@dataclass(frozen=True, kw_only=True)
class PublishedSet:
    """A data set: its files, the folder below `data_dir` that keeps them, and the mirrors to download them from.

    A mirror is an address that ends in a slash. It has each file under its published name, or the `archive`.
    """

    name: str
    folder: str
    mirrors: tuple[str, ...]
    train: tuple[PublishedFile, ...]
    test: tuple[PublishedFile, ...]
    class_names: tuple[str, ...]
    archive: Archive | None = None

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """All files that are read."""
        return *self.train, *self.test


def content_problem(file: PublishedFile, path: Path) -> str:
    """What is wrong with the file at `path`, as the end of a sentence; empty if it is the published one.

    Without a published digest, only the size is checked.

    Raises:
        OSError, EOFError, zlib.error: it cannot be read, or cannot be unpacked.
    """
    if file.digest is None and file.is_packed(path):
        with path.open("rb") as packed:
            if problem := digest_problem(packed, file.packed_digest):
                return problem
    with _opened(file, path) as content:
        problem = digest_problem(content, file.digest)
        size = content.seek(0, io.SEEK_END)
    return problem if size == file.size else f"has {size:,} bytes and should have {file.size:,}"


def digest_problem(content: gzip.GzipFile | IO[bytes], digest: str | None) -> str:
    """As `content_problem`, for the digest alone. Without a published digest, nothing is wrong."""
    if digest is None:
        return ""
    algorithm, _, expected = digest.partition(":")
    found = hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False))  # type: ignore[arg-type]
    return "" if found.hexdigest() == expected else f"is not the published file (its {algorithm} should be {expected})"


def read_content(file: PublishedFile, path: Path) -> NDArray[np.uint8]:
    """The bytes (N,) of the file at `path`, unpacked if it is gzipped there."""
    with _opened(file, path) as content:
        return np.frombuffer(bytearray(content.read()), dtype=np.uint8)


def _opened(file: PublishedFile, path: Path) -> gzip.GzipFile | IO[bytes]:
    return gzip.open(path) if file.is_packed(path) else path.open("rb")


def checked_labels(labels: Tensor, *, published: PublishedSet, path: Path, first: int = 0) -> Tensor:
    """Labels (N,) that count from `first`, as int64 (N,) that count from 0.

    Raises:
        DatasetError: a label has no class; the message has the label and `path`.
    """
    last = first + len(published.class_names) - 1
    odd = labels[(labels < first) | (labels > last)]
    if len(odd):
        raise DatasetError(published.name, f"{path} has the label {int(odd[0])}; labels must be from {first} to {last}")
    return labels.to(torch.int64) - first


def brief_reason(error: BaseException) -> str:
    """The reason for an error, without its number, on one printable line of at most 160 characters."""
    cause = getattr(error, "reason", None)  # a `URLError` wraps the error that happened
    if isinstance(cause, BaseException):
        return brief_reason(cause)
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:160]
