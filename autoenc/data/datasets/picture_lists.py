"""Which pictures of a folder are for training and which for the test, and what class each belongs to."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from autoenc.data.datasets.errors import briefly
from autoenc.data.datasets.pictures import SUFFIXES, scan
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, listed

CLASSLESS = "images"
POOLS = ("train", "test")

logger = logging.getLogger("autoenc.data.datasets")


class Picture(NamedTuple):
    """A file that is to be read."""

    path: Path
    name: str
    """Relative to the dataset's folder, with slashes."""
    class_name: str


class Lists(NamedTuple):
    """The pictures of both pools, each sorted by name, and the names of the classes, sorted."""

    train: list[Picture]
    test: list[Picture]
    class_names: tuple[str, ...]


def list_pictures(folder: Path, *, test_fraction: float, limit: int | None) -> Lists:
    """What to read: the folders `train` and `test` in `folder`; without them, a draw of all there is.

    The draw depends on the names of the files alone: the test pictures of different seeds are the same, and most of
    them stay the same when pictures are added. `limit` of each pool are drawn in the same way.

    Raises:
        ConfigError: `folder` has no pictures, not enough of them, or pictures both with and without a class.
    """
    if all((folder / name).is_dir() for name in POOLS):
        train, test = (_pool(folder / name, root=folder) for name in POOLS)
        others = [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and entry.name not in POOLS]
        if others:
            logger.info("%s has folders train and test; nothing else there is read: %s", folder, listed(others))
    else:
        everything = _pool(folder, root=folder)
        test = _drawn(everything, count=_test_count(len(everything), fraction=test_fraction), purpose="test split")
        train = sorted(set(everything) - set(test))
    class_names = tuple(sorted({picture.class_name for picture in (*train, *test)}))
    train, test = (pool if limit is None else _drawn(pool, count=limit, purpose="limit") for pool in (train, test))
    return Lists(train, test, class_names)


def _pool(folder: Path, *, root: Path) -> list[Picture]:
    """The pictures in a folder: those of a class in a folder of its name, or all without one."""
    try:
        found = scan(folder)
    except OSError as error:
        raise refused(root, f"{error.filename} cannot be read: {briefly(error)}") from error
    if not found.pictures:
        raise refused(root, f"there are no pictures in {folder}; their names end in {listed(SUFFIXES)}")
    if found.others:
        logger.info("%s has %d other files, which are passed over: %s", folder, *_counted(found.others))
    inside = [path.relative_to(folder).parts for path in found.pictures]
    loose = sum(len(parts) == 1 for parts in inside)
    if 0 < loose < len(inside):
        folders = listed(sorted({parts[0] for parts in inside if len(parts) > 1})[:10])
        problem = f"{folder} has {loose} pictures beside folders of pictures ({folders}), which would be classes"
        raise refused(root, f"{problem}; put these pictures into a folder too, or elsewhere")
    return [
        Picture(path, path.relative_to(root).as_posix(), CLASSLESS if loose else parts[0])
        for path, parts in zip(found.pictures, inside, strict=True)
    ]


def refused(folder: Path | str, problem: str) -> ConfigError:
    """What is wrong with a dataset's folder, on one line whatever the files in it are called."""
    printable = "".join(character if character.isprintable() else "?" for character in problem)
    return ConfigError("dataset.path", printable, value=str(folder))


def _counted(others: Counter[str]) -> tuple[int, str]:
    kinds = (f"{count} {suffix or 'without a suffix'}" for suffix, count in others.most_common(10))
    return others.total(), listed(kinds)


def _drawn(pictures: Sequence[Picture], *, count: int, purpose: str) -> list[Picture]:
    # Hashes of the names stand in for a random draw, because those never change with a library's version.
    order = sorted(pictures, key=lambda picture: derived_seed(0, f"{purpose} of pictures: {picture.name}"))
    return sorted(order[:count])


def _test_count(size: int, *, fraction: float) -> int:
    count = round(size * fraction)
    if not 0 < count < size:
        problem = f"of {size} pictures, {count} would be for the test and {size - count} for training and validation; "
        raise ConfigError("dataset.test_fraction", problem + "both need at least 1", value=fraction)
    return count
