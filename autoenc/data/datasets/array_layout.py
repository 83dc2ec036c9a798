"""Which arrays of a file or folder are the images and labels of which split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoenc.data.datasets.folder_layout import SPLIT_FOLDERS, refused, some
from autoenc.data.datasets.stored_arrays import StoredArray, readable, stored_arrays
from autoenc.settings import ConfigError

KEY = "dataset.path"

_WHOLE = "whole"
"""Instead of a split: the array has the images of all splits."""

DSPRITES_LABELS = "latents_classes"

_SPLITS = {word: split for split, words in SPLIT_FOLDERS.items() for word in words} | {"t10k": "test"}
_IMAGES = ("images", "image", "imgs", "x", "data")
_LABELS = ("labels", "label", "y", "targets", "target")
_IGNORED = re.compile(r"idx\d|ubyte")


@dataclass(frozen=True, kw_only=True)
class ArrayLayout:
    """The arrays by split. Images for the test, and for validation, are drawn from `train` if they have no array."""

    images: Mapping[str, StoredArray]
    labels: Mapping[str, StoredArray]
    unused: tuple[str, ...]
    """The names of the other arrays."""


def read_array_layout(path: Path, *, images: str | None, labels: str | None, use_validation: bool) -> ArrayLayout:
    """The arrays in a file, or in the files of a folder, by the rules of `autoenc.data.datasets.arrays.Arrays`.

    `images` and `labels` name arrays that the rules do not know. Without `use_validation`, those for validation are
    not used.

    Raises:
        ConfigError: it is not clear which arrays are the images, or a file cannot be read.
    """
    arrays = _in_folder(path) if path.is_dir() else stored_arrays(path, key=KEY)
    if not arrays:
        raise refused(path, "there are no arrays in it; numpy.savez_compressed(FILE, images=...) writes some")
    found = _by_role(path, arrays)
    if images is not None:  # the splits have other images
        found = {role: {_WHOLE: named[_WHOLE]} if _WHOLE in named else {} for role, named in found.items()}
        found["images"] = {_WHOLE: _named(arrays, images, key="dataset.images", path=path)}
    if not found["images"]:
        if len(arrays) > 1:
            problem = f"it has the arrays {some(arrays)}; dataset.images=NAME says which of them has the images"
            raise refused(path, problem)
        found["images"] = {_WHOLE: next(iter(arrays.values()))}
    _check_splits(path, found["images"])
    if labels is not None:
        if _WHOLE not in found["images"]:
            problem = f"the images are in splits: {_names(found['images'])}; set dataset.images too"
            raise ConfigError("dataset.labels", problem, value=labels)
        found["labels"] = {_WHOLE: _named(arrays, labels, key="dataset.labels", path=path)}
    of_images = _by_split(found["images"], use_validation=use_validation)
    of_labels = _by_split(found["labels"], use_validation=use_validation)
    of_labels = {split: array for split, array in of_labels.items() if split in of_images}
    used = {array.name for array in (*of_images.values(), *of_labels.values())}
    unused = tuple(name for name in arrays if name not in used)
    return ArrayLayout(images=of_images, labels=of_labels, unused=unused)


def _in_folder(folder: Path) -> dict[str, StoredArray]:
    """The arrays in the `.npy` and IDX files of a folder. A file that is there both packed and unpacked counts once."""
    with readable(folder, key=KEY):
        paths = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    names = [
        name
        for name in paths
        if name.removesuffix(".gz").endswith((".npy", "ubyte"))
        and not (name.endswith(".gz") and name.removesuffix(".gz") in paths)
    ]
    if not names:
        others = "an .npz file is named itself, and pictures are for dataset=image_folder"
        raise refused(folder, f"there are no .npy and no IDX files in this folder; {others}")
    return {name: array for each in names for name, array in stored_arrays(paths[each], key=KEY).items()}


def _by_role(path: Path, arrays: Mapping[str, StoredArray]) -> dict[str, dict[str, StoredArray]]:
    """The arrays that are `images` and `labels`, by split."""
    found: dict[str, dict[str, StoredArray]] = {"images": {}, "labels": {}}
    for name, array in arrays.items():
        role = _role(name)
        if role is None:
            continue
        of_split = found[role[0]]
        if role[1] in of_split:
            both = some([of_split[role[1]].name, name])
            raise refused(path, f"{both} may both be the {role[0]}; dataset.{role[0]}=NAME names one, or rename one")
        of_split[role[1]] = array
    return found


def _role(name: str) -> tuple[str, str] | None:
    """What an array is by the words of its name, such as `train_images` or `t10k-labels-idx1-ubyte`: role and split.

    None if another word is among them.
    """
    if name == DSPRITES_LABELS:
        return "labels", _WHOLE
    words = [word for word in re.split(r"[-_.\s]", name.lower()) if word and not _IGNORED.fullmatch(word)]
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    roles = ["images" if word in _IMAGES else "labels" for word in words if word in (*_IMAGES, *_LABELS)]
    if len(roles) != 1 or len(splits) > 1 or len(words) != len(roles) + len(splits):
        return None
    return roles[0], splits[0] if splits else _WHOLE


def _by_split(named: Mapping[str, StoredArray], *, use_validation: bool) -> dict[str, StoredArray]:
    """The arrays by the split that they are used for. Without arrays for the test, those for validation are for it."""
    found = dict(named)
    if _WHOLE in found:
        return {"train": found[_WHOLE]}
    if "validation" in found and "test" not in found:
        found["test"] = found.pop("validation")
    if not use_validation:
        found.pop("validation", None)
    return found


def _named(arrays: Mapping[str, StoredArray], name: str, *, key: str, path: Path) -> StoredArray:
    if name not in arrays:
        raise ConfigError(key, f"there is no such array in {path}; it has {some(arrays)}", value=name)
    return arrays[name]


def _check_splits(path: Path, images: Mapping[str, StoredArray]) -> None:
    if _WHOLE in images and len(images) > 1:
        problem = f"it has images with and without a split: {_names(images)}; dataset.images=NAME picks one of them"
        raise refused(path, problem)
    if _WHOLE not in images and "train" not in images:
        problem = f"it has {_names(images)}, but no images for training; dataset.images=NAME divides one of them"
        raise refused(path, problem)


def _names(arrays: Mapping[str, StoredArray]) -> str:
    return some(array.name for array in arrays.values())
