"""Find the files of a published set on this machine, under the names and in the folders that people keep them in."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from autoenc.data.datasets.file_kinds import require_file
from autoenc.data.datasets.published_sets import (
    DatasetError,
    PublishedFile,
    PublishedSet,
    brief_reason,
    content_problem,
)

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class LocalFiles:
    """Where the files of a set are."""

    paths: dict[str, Path]
    """The intact files, by their published names."""
    missing: list[PublishedFile]
    refused: list[str]
    """The files that have the right name and cannot be used, each with the reason."""


def verified_files(published: PublishedSet, *, data_dir: Path) -> dict[str, Path]:
    """The paths of the set's files by their names. Missing files are downloaded; existing files are never changed.

    Raises:
        DatasetError: a file is damaged, or is missing and cannot be downloaded.
    """
    before = found = find_files(published.files, published=published, data_dir=data_dir)
    if before.missing:
        from autoenc.data.datasets.download import download

        download(published, data_dir=data_dir)
        found = find_files(published.files, published=published, data_dir=data_dir)
    for refused in before.refused:
        logger.warning("not used: %s", refused)
    return found.paths


def find_files(files: Sequence[PublishedFile], *, published: PublishedSet, data_dir: Path) -> LocalFiles:
    """Look for `files` in all `places`, under all their names, and check their content.

    Raises:
        DatasetError: the only copy of a file is damaged, and a download would replace it.
    """
    found = LocalFiles(paths={}, missing=[], refused=[])
    for file in files:
        problems: dict[Path, str] = {}
        for path in _candidates(file, published=published, data_dir=data_dir):
            problem = _problem(file, path, is_shared=path.parent == data_dir)
            if not problem:
                found.paths[file.name] = path
                break
            problems[path] = problem
        else:
            own = data_dir / published.folder / file.name
            if own in problems:
                raise DatasetError(published.name, f"{own} {problems[own]}; delete it to have it downloaded again")
            found.missing.append(file)
        found.refused.extend(f"{path} {problem}" for path, problem in problems.items())
    return found


def places(published: PublishedSet) -> list[str]:
    """The folders below `data_dir` that may have the files: the set's own, those around it, and one with its name.

    The last one is `data_dir`. Several sets may keep files of the same names there.
    """
    around = [str(folder) for folder in PurePath(published.folder).parents]
    return [published.folder, *around[:-1], published.name, around[-1]]


def _candidates(file: PublishedFile, *, published: PublishedSet, data_dir: Path) -> Iterator[Path]:
    for place in places(published):
        for name in file.names:
            path = data_dir / place / name
            if os.path.exists(path):  # noqa: PTH110  (pathlib's raises if the folder may not be read)
                yield path


def _problem(file: PublishedFile, path: Path, *, is_shared: bool) -> str:
    """Why the file at `path` is not used, as the end of a sentence; empty if it is the published one."""
    if is_shared and not file.is_recognizable(path):
        return "may be of another set, because no digest of it is published; put it into a folder of this set"
    try:
        require_file(path)
        return content_problem(file, path)
    except (OSError, EOFError, zlib.error) as error:
        return f"cannot be read: {brief_reason(error)}"
