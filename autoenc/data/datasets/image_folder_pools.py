"""The pictures of a folder, listed by pool (training and test) and class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from autoenc.data.datasets.image_files import SUFFIXES, find_pictures
from autoenc.data.datasets.published_sets import brief_reason
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, listed

CLASSLESS = "images"
POOLS = ("train", "test")

logger = logging.getLogger("autoenc.data.datasets")


class Picture(NamedTuple):
    """A file to read. `name` is its path relative to the dataset's folder, with slashes."""

    path: Path
    name: str
    class_name: str


class ImageFolderPools(NamedTuple):
    """The pictures of both pools, each sorted by name, and the names of the classes, sorted."""

    train: list[Picture]
    test: list[Picture]
    class_names: tuple[str, ...]


def list_pictures(folder: Path, *, test_fraction: float, limit: int | None) -> ImageFolderPools:
    """List the pictures of both pools: those in the folders `train` and `test`; without these, a draw of all pictures.

    The draw depends only on the names of the files. It is the same for every seed, and most of it stays the same when
    pictures are added. `limit` pictures of each pool are drawn in the same way.

    Raises:
        ConfigError: `folder` has no pictures, too few, or pictures both with and without a class.
    """
    has_pools = all((folder / name).is_dir() for name in POOLS)
    train, test = _published_pools(folder) if has_pools else _drawn_pools(folder, test_fraction=test_fraction)
    class_names = tuple(sorted({picture.class_name for picture in (*train, *test)}))
    train, test = (pool if limit is None else _drawn(pool, count=limit, purpose="limit") for pool in (train, test))
    return ImageFolderPools(train, test, class_names)


def _published_pools(folder: Path) -> tuple[list[Picture], list[Picture]]:
    others = [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and entry.name not in POOLS]
    if others:
        logger.info("%s has folders train and test; its other folders are not read: %s", folder, listed(others))
    return _pool(folder / "train", root=folder), _pool(folder / "test", root=folder)


def _drawn_pools(folder: Path, *, test_fraction: float) -> tuple[list[Picture], list[Picture]]:
    pictures = _pool(folder, root=folder)
    size, count = len(pictures), round(len(pictures) * test_fraction)
    if not 0 < count < size:
        problem = f"of {size} pictures, {count} would be for the test and {size - count} for training and validation; "
        raise ConfigError("dataset.test_fraction", problem + "both need at least 1", value=test_fraction)
    test = _drawn(pictures, count=count, purpose="test split")
    return sorted(set(pictures) - set(test)), test


def _pool(folder: Path, *, root: Path) -> list[Picture]:
    """The pictures in a folder. Its folders are their classes; without folders they have no class."""
    try:
        found = find_pictures(folder)
    except OSError as error:
        raise refused(root, f"{error.filename} cannot be read: {brief_reason(error)}") from error
    if not found.pictures:
        raise refused(root, f"there are no pictures in {folder}; their names end in {listed(SUFFIXES)}")
    if found.others:
        kinds = listed(f"{count} {suffix or 'without a suffix'}" for suffix, count in found.others.most_common(10))
        logger.info("%s has %d other files, which are skipped: %s", folder, found.others.total(), kinds)
    class_names = _class_names(found.pictures, folder=folder, root=root)
    return [
        Picture(path, path.relative_to(root).as_posix(), class_name)
        for path, class_name in zip(found.pictures, class_names, strict=True)
    ]


def _class_names(pictures: Sequence[Path], *, folder: Path, root: Path) -> list[str]:
    """The class of each picture in a pool's folder."""
    inside = [path.relative_to(folder).parts for path in pictures]
    loose = sum(len(parts) == 1 for parts in inside)
    if 0 < loose < len(inside):
        folders = listed(sorted({parts[0] for parts in inside if len(parts) > 1})[:10])
        problem = f"{folder} has {loose} pictures outside of its folders of pictures ({folders}), which are classes"
        raise refused(root, f"{problem}; move these pictures into a folder, or out of {folder}")
    return [CLASSLESS if loose else parts[0] for parts in inside]


def refused(folder: Path | str, problem: str) -> ConfigError:
    """An error about a dataset's folder. The message is one line, even if the names of files are not printable."""
    printable = "".join(character if character.isprintable() else "?" for character in problem)
    return ConfigError("dataset.path", printable, value=str(folder))


def _drawn(pictures: Sequence[Picture], *, count: int, purpose: str) -> list[Picture]:
    # Hashes of the names replace a random draw, because they are the same in every version of a library.
    order = sorted(pictures, key=lambda picture: derived_seed(0, f"{purpose} of pictures: {picture.name}"))
    return sorted(order[:count])
