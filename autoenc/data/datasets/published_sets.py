"""Data sets as they are published: which files they have, where these are kept, and whether they are intact."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
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
    """

    name: str
    size: int
    digest: str | None = None
    gzipped: bool = True
    packed_digest: str | None = None

    @property
    def published_name(self) -> str:
        """Its name on a mirror or in an archive."""
        return f"{self.name}.gz" if self.gzipped else self.name


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


def verified_folder(published: PublishedSet, *, data_dir: Path) -> Path:
    """The folder with the set's files. Missing files are downloaded; existing files are checked and never changed.

    Raises:
        DatasetError: a file is damaged, or is missing and cannot be downloaded.
    """
    folder = data_dir / published.folder
    if missing(published.files, folder=folder):
        from autoenc.data.datasets.download import download

        download(published, data_dir=data_dir)
    for file in published.files:
        verify(file, dataset=published.name, folder=folder)
    return folder


def missing(files: Sequence[PublishedFile], *, folder: Path) -> list[PublishedFile]:
    """The files that are not in `folder`, or in a folder that may not be read."""
    return [file for file in files if not os.path.exists(folder / file.name)]  # noqa: PTH110  (pathlib's may raise)


def verify(file: PublishedFile, *, dataset: str, folder: Path) -> None:
    """Check the size of the file in `folder`, and its digest if one is published.

    Raises:
        DatasetError: the file is damaged or cannot be read; the message has its path.
    """
    path = folder / file.name
    try:
        problem = content_problem(file, path)
    except OSError as error:
        raise DatasetError(dataset, f"{path} cannot be read: {brief_reason(error)}") from error
    if problem:
        raise DatasetError(dataset, f"{path} is damaged: it {problem}; delete it to have it downloaded again")


def content_problem(file: PublishedFile, path: Path) -> str:
    """What is wrong with the file at `path`, as the end of a sentence; empty if it is the published one."""
    size = path.stat().st_size
    if size != file.size:
        return f"has {size:,} bytes and should have {file.size:,}"
    with path.open("rb") as content:
        return digest_problem(content, file.digest)


def digest_problem(content: BinaryIO, digest: str | None) -> str:
    """As `content_problem`, for the digest alone. Without a published digest, nothing is wrong."""
    if digest is None:
        return ""
    algorithm, _, expected = digest.partition(":")
    found = hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False))  # type: ignore[arg-type]
    return "" if found.hexdigest() == expected else f"is not the published file (its {algorithm} differs)"


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
