"""Which pictures of a folder belong to which split and class."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from autoenc.data.datasets.file_kinds import file_kind
from autoenc.data.datasets.picture_search import SUFFIXES, Found, find_pictures
from autoenc.data.datasets.published_sets import brief_reason
from autoenc.overrides import as_value
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, as_utf8, listed

CLASSLESS = "images"
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""The names of folders that hold a split, in upper or lower case."""
MOST_NAMED = 10

logger = logging.getLogger("autoenc.data.datasets")


class Picture(NamedTuple):
    """An image to read. `name` is the path of its file relative to the dataset's folder, with slashes."""

    path: Path
    page: int
    name: str
    class_name: str

    def paged(self, count: int) -> list[Picture]:
        """The pages of this file as images; from 1 in their names, from 0 in `page`."""
        if count == 1:
            return [self]
        return [self._replace(page=page, name=f"{self.name}#{page + 1}") for page in range(count)]


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """The pictures of each split, sorted by name."""

    train: list[Picture]
    """Also those of the validation split, if this has no folder."""
    validation: list[Picture] | None
    """Those of the validation split's folder; None if there is none."""
    test: list[Picture]
    folders: Mapping[str, str]
    """The folder of each split that has one."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted({picture.class_name for pictures in self.pools.values() for picture in pictures}))

    @property
    def pools(self) -> dict[str, list[Picture]]:
        """The pictures by split."""
        pools = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: pictures for name, pictures in pools.items() if pictures is not None}


def read_layout(folder: Path, *, test_fraction: float, use_validation: bool) -> FolderLayout:
    """List the pictures of each split, by the rules of `ImageFolder`.

    The draw of the test split depends only on the names of the files, so that most of it stays the same when pictures
    are added. Without `use_validation`, a folder for validation is not read.

    Raises:
        ConfigError: there are no pictures for a split, or it is not clear which pictures are.
    """
    found = _found(folder)
    inside: dict[str, list[Path]] = {}  # by the first folder in their path; "" for pictures outside of folders
    for path in found.pictures:
        parts = path.relative_to(folder).parts
        inside.setdefault(parts[0] if len(parts) > 1 else "", []).append(path)
    folders = _split_folders(folder, others=inside)
    if not folders:
        pictures = _with_classes(found.pictures, folder=folder, root=folder)
        _warn_of_nested_splits(pictures, root=folder)
        train, test = _drawn_pools(pictures, test_fraction=test_fraction)
        return FolderLayout(train=train, validation=None, test=test, folders={})
    if not use_validation and "validation" in folders:
        logger.info("%s is not read, because dataset.validation_fraction is 0", folder / folders.pop("validation"))
    _warn_of_unread(inside, root=folder)
    pools = {
        split: _with_classes(inside.get(name, []), folder=folder / name, root=folder) for split, name in folders.items()
    }
    if "test" not in folders:
        pools["train"], pools["test"] = _drawn_pools(pools["train"], test_fraction=test_fraction)
    return FolderLayout(train=pools["train"], validation=pools.get("validation"), test=pools["test"], folders=folders)


def drawn(pictures: Sequence[Picture], *, count: int, purpose: str) -> list[Picture]:
    """Some of the pictures, chosen by their names alone, sorted."""
    # Hashes of the names replace a random draw, because they are the same in every version of a library.
    order = sorted(pictures, key=lambda picture: derived_seed(0, f"{purpose} of pictures: {picture.name}"))
    return sorted(order[:count])


def log_passed_over(found: Found, *, folder: Path) -> None:
    """Log the folders that are not read, because they are read under another name."""
    if found.passed_over:
        names = some(
            f"{path.relative_to(folder)} (read as {kept.relative_to(folder)})"
            for path, kept in found.passed_over.items()
        )
        logger.info("%s has several names for the same folders. Not read again: %s", folder, names)


def refused(folder: Path | str, problem: str) -> ConfigError:
    """An error about a dataset's folder. The message is one line, even if the names of files are not printable."""
    return ConfigError("dataset.path", one_line(problem), value=str(folder))


def existing(path: str | None, *, kinds: Sequence[str], required: str) -> Path:
    """The file or folder `path`, as an absolute path. `required` says what it has to be.

    Raises:
        ConfigError: it is not set, or there is nothing of these `kinds`: see `file_kind`.
    """
    if not path:
        raise ConfigError("dataset.path", required, value=path)
    try:
        found = Path(path).expanduser().absolute()
    except RuntimeError as error:  # an unknown user's home
        raise refused(path, str(error)) from None
    try:
        kind = file_kind(found)
    except (OSError, ValueError):
        missing = "there is no such " + " or ".join(kind.removeprefix("a ") for kind in kinds)
        raise refused(path, missing + ("" if found == Path(path) else f" in {Path.cwd()}")) from None
    if kind not in kinds:
        raise refused(path, f"it is {kind}")
    return found


def one_line(text: str) -> str:
    """The text with a question mark instead of each character that is not printable."""
    return "".join(character if character.isprintable() else "?" for character in text)


def some(names: Iterable[str]) -> str:
    """The first names, and the number of the others."""
    names = list(names)
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return one_line(listed(names[:MOST_NAMED])) + more


def _found(folder: Path) -> Found:
    try:
        found = find_pictures(folder)
    except OSError as error:
        raise refused(folder, f"{error.filename} cannot be read: {brief_reason(error)}") from error
    if not found.pictures:
        raise _without_pictures(folder, root=folder)
    if found.others:
        kinds = some(f"{count} {suffix or 'without a suffix'}" for suffix, count in found.others.most_common())
        logger.info("%s has %d other files, which are skipped: %s", folder, found.others.total(), kinds)
    log_passed_over(found, folder=folder)
    return found


def _split_folders(folder: Path, *, others: Iterable[str]) -> dict[str, str]:
    """The folder of each split; empty if no folder is named like a split. `others` are all folders with pictures."""
    with os.scandir(folder) as entries:  # iterdir would ask the disk about each picture
        names = sorted(entry.name for entry in entries if entry.is_dir())
    found = {split: [name for name in names if name.lower() in known] for split, known in SPLIT_FOLDERS.items()}
    for split, same in found.items():
        if len(same) > 1:
            raise refused(folder, f"the folders {' and '.join(same)} both name the {split} split; rename or merge them")
    folders = {split: same[0] for split, same in found.items() if same}
    if not folders:
        return {}
    if "train" not in folders:
        given = " and ".join(folders.values())
        raise refused(
            folder,
            f"it has {given}, but no folder train; add one, rename {given} if it is a class, or set "
            f"dataset.path={as_value(str(folder / next(iter(folders.values()))))} to divide these pictures",
        )
    others = sorted(set(others) - set(folders.values()))
    if len(folders) == 1 and others:
        name = folders["train"]
        listing = some(other or "pictures outside of folders" for other in others)
        raise refused(
            folder,
            f"it has the folder {name} next to {listing}; rename {name} if it is a class, or set "
            f"dataset.path={as_value(str(folder / name))} to read only this folder",
        )
    if "test" not in folders and "validation" in folders:
        folders["test"] = folders.pop("validation")
        logger.info("%s has no folder test, so %s is the test split", folder, folders["test"])
    return folders


def _warn_of_unread(inside: Mapping[str, Sequence[Path]], *, root: Path) -> None:
    known = {name for names in SPLIT_FOLDERS.values() for name in names}
    unread = {name: len(paths) for name, paths in inside.items() if name.lower() not in known}
    if unread:
        listing = some(f"{count:,} {f'in {name}' if name else 'outside of folders'}" for name, count in unread.items())
        logger.warning("%s: pictures next to the folders of the splits are not read: %s", root, listing)


def _warn_of_nested_splits(pictures: Sequence[Picture], *, root: Path) -> None:
    known = {name: split for split, names in SPLIT_FOLDERS.items() for name in names}
    second = [parts[1] for picture in pictures if len(parts := picture.path.relative_to(root).parts) > 2]
    nested = sorted({name for name in second if name.lower() in known})
    if len({known[name.lower()] for name in nested}) > 1:
        logger.warning(
            "%s has %s inside of its class folders. Their pictures are divided again: folders of splits have to be "
            "outside of class folders",
            *(root, some(nested)),
        )


def _drawn_pools(pictures: list[Picture], *, test_fraction: float) -> tuple[list[Picture], list[Picture]]:
    size, count = len(pictures), round(len(pictures) * test_fraction)
    if not 0 < count < size:
        problem = f"of {size} pictures, {count} would be for the test and {size - count} for training and validation; "
        raise ConfigError("dataset.test_fraction", problem + "both need at least 1", value=test_fraction)
    test = drawn(pictures, count=count, purpose="test split")
    return sorted(set(pictures) - set(test)), test


def _with_classes(paths: Sequence[Path], *, folder: Path, root: Path) -> list[Picture]:
    """The pictures of a folder. Its folders are their classes; without folders they have no class."""
    if not paths:
        raise _without_pictures(folder, root=root)
    inside = [path.relative_to(folder).parts for path in paths]
    loose = sum(len(parts) == 1 for parts in inside)
    if 0 < loose < len(inside):
        folders = some(sorted({parts[0] for parts in inside if len(parts) > 1}))
        problem = f"{folder} has {loose} pictures outside of its folders of pictures ({folders}), which are classes"
        raise refused(root, f"{problem}; move these pictures into a folder, or out of {folder}")
    return [
        Picture(path, 0, as_utf8(path.relative_to(root).as_posix()), CLASSLESS if loose else as_utf8(parts[0]))
        for path, parts in zip(paths, inside, strict=True)
    ]


def _without_pictures(folder: Path, *, root: Path) -> ConfigError:
    return refused(root, f"there are no pictures in {folder}; their names end in {listed(SUFFIXES)}")
