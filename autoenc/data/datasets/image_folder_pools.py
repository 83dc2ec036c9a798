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
    if all((folder / name).is_dir() for name in POOLS):
        train, test = (_pool(folder / name, root=folder) for name in POOLS)
        others = [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and entry.name not in POOLS]
        if others:
            logger.info("%s has folders train and test; its other folders are not read: %s", folder, listed(others))
    else:
        everything = _pool(folder, root=folder)
        test = _drawn(everything, count=_test_count(len(everything), fraction=test_fraction), purpose="test split")
        train = sorted(set(everything) - set(test))
    class_names = tuple(sorted({picture.class_name for picture in (*train, *test)}))
    train, test = (pool if limit is None else _drawn(pool, count=limit, purpose="limit") for pool in (train, test))
    return ImageFolderPools(train, test, class_names)


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
    inside = [path.relative_to(folder).parts for path in found.pictures]
    loose = sum(len(parts) == 1 for parts in inside)
    if 0 < loose < len(inside):
        folders = listed(sorted({parts[0] for parts in inside if len(parts) > 1})[:10])
        problem = f"{folder} has {loose} pictures outside of its folders of pictures ({folders}), which are classes"
        raise refused(root, f"{problem}; move these pictures into a folder, or out of {folder}")
    return [
        Picture(path, path.relative_to(root).as_posix(), CLASSLESS if loose else parts[0])
        for path, parts in zip(found.pictures, inside, strict=True)
    ]


def refused(folder: Path | str, problem: str) -> ConfigError:
    """An error about a dataset's folder. The message is one line, even if the names of files are not printable."""
    printable = "".join(character if character.isprintable() else "?" for character in problem)
    return ConfigError("dataset.path", printable, value=str(folder))


def _drawn(pictures: Sequence[Picture], *, count: int, purpose: str) -> list[Picture]:
    # Hashes of the names replace a random draw, because they are the same in every version of a library.
    order = sorted(pictures, key=lambda picture: derived_seed(0, f"{purpose} of pictures: {picture.name}"))
    return sorted(order[:count])


def _test_count(size: int, *, fraction: float) -> int:
    count = round(size * fraction)
    if not 0 < count < size:
        problem = f"of {size} pictures, {count} would be for the test and {size - count} for training and validation; "
        raise ConfigError("dataset.test_fraction", problem + "both need at least 1", value=fraction)
    return count
