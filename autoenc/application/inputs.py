"""From INPUT on the command line to images: a picture, a folder, an array file or a dataset's split."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from autoenc.application.array_files import SUFFIXES, array_images
from autoenc.application.image_batches import Batch, Fitting, ImageSource, numbered
from autoenc.application.picture_files import PictureFiles, Unreadable
from autoenc.data.datasets import DATASETS, Dataset, Split
from autoenc.data.datasets.folder_layout import log_passed_over
from autoenc.data.datasets.picture_search import find_pictures
from autoenc.data.datasets.splits import SPLITS
from autoenc.settings import ConfigError, listed, nearest

log = logging.getLogger(__name__)

OWN = "run"
"""Names the run's own dataset, with the run's settings, in `run:test`."""


@dataclass(frozen=True, kw_only=True)
class Datasets:
    """Where datasets are found."""

    usual: Callable[[str], Dataset]
    """From the name of a dataset to its usual settings."""
    own: Dataset
    """The run's."""
    own_split: Callable[[str], Split]
    """From the name of a split to the run's own, which has to have the run's images."""
    data_dir: Path


def check_input(text: str, *, key: str) -> None:
    """Refuse a text that names no file, folder or dataset's split; nothing is read. `key` is its option."""
    if not Path(text).expanduser().exists():
        _named_split(text, key=key)


def open_input(
    text: str, *, key: str, fitting: Fitting, datasets: Datasets, unreadable: Unreadable, limit: int | None
) -> ImageSource:
    """The images that `text` names. A file or folder takes precedence over a dataset of the same name.

    `text` is a picture, a folder, an `.npy` or `.npz` file, or a split such as `mnist:train` (`mnist`: the test split).
    `key` is its option, for messages. With a `limit`, only the first so many images are read.

    Raises:
        ConfigError: nothing has this name, or there are no images in it.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        found = find_pictures(path)
        if not found.pictures:
            raise ConfigError(key, "there are no pictures in this folder", value=text)
        log_passed_over(found, folder=path)
        files = PictureFiles(key=key, root=path, paths=found.pictures[:limit], fitting=fitting, unreadable=unreadable)
        return files.source()
    if not path.exists():
        return dataset_images(text, key=key, fitting=fitting, datasets=datasets, limit=limit)
    if path.suffix.lower() in SUFFIXES:
        return array_images(path, key=key, fitting=fitting, limit=limit)
    files = PictureFiles(key=key, root=path.parent, paths=[path], fitting=fitting, unreadable=unreadable)
    source = files.source()
    source.check(1)  # it may be a file of another kind
    return source


def dataset_images(text: str, *, key: str, fitting: Fitting, datasets: Datasets, limit: int | None) -> ImageSource:
    """The images of a split, named like their files, or else by their positions in the published file.

    Raises:
        ConfigError: they are not available.
    """
    name, split_name = _named_split(text, key=key)
    if name == OWN:
        split = datasets.own_split(split_name)
    else:
        splits = _like_own(name, datasets=datasets).build(data_dir=datasets.data_dir)
        split = getattr(splits, split_name)
    if not len(split):
        raise ConfigError(key, "this split has no images", value=text)
    images = split.images[:limit]  # uint8 (N, C, H, W)
    names = (numbered(split.indices.tolist()) if split.names is None else split.names)[:limit]
    fitting.log_resizing(Counter({(images.shape[3], images.shape[2]): len(images)}), description=text)
    facts = {
        "split": np.array(split_name),
        "labels": split.labels[:limit].numpy(),
        "indices": split.indices[:limit].numpy(),
    }

    def batches(size: int) -> Generator[Batch, None, None]:
        for start in range(0, len(names), size):
            yield Batch(names[start : start + size], fitting.fit(images[start : start + size]))

    own = f"{Path(getattr(datasets.own, 'path', '')).name or datasets.own.name} (the run's {split_name} split)"
    description = own if name == OWN else f"{name} ({split_name} split)"
    if name == datasets.own.name and split_name != "test":
        log.info("This is the default %s split of %s. The run's own is run:%s.", split_name, name, split_name)
    return ImageSource(description=description, names=names, batches=batches, facts=facts)


def _named_split(text: str, *, key: str) -> tuple[str, str]:
    """The dataset, which may be `OWN`, and the split of a text like `mnist:train`."""
    dataset, colon, split = text.partition(":")
    choices = DATASETS.names()
    if dataset not in {OWN, *choices}:
        problem = f"there is no such file or folder, and no such dataset{nearest(dataset, choices)}"
        raise ConfigError(key, f"{problem}; the datasets are {listed(choices)}", value=text)
    split = split if colon else "test"
    if split not in SPLITS:
        problem = f"there is no such split{nearest(split, SPLITS)}; the splits are {listed(SPLITS)}"
        raise ConfigError(key, problem, value=text)
    return dataset, split


def _like_own(name: str, *, datasets: Datasets) -> Dataset:
    """The usual dataset, black and white if the run's is, and grey if not.

    Otherwise, a model of black-and-white images would find all grey ones odd, whatever they show.
    """
    usual, binarization = datasets.usual(name), datasets.own.binarization
    if usual.binarization == binarization:
        return usual
    log.info("%s is taken with dataset.binarization=%s, as the run's %s is.", name, binarization, datasets.own.name)
    like_own = replace(usual, binarization=binarization)
    object.__setattr__(like_own, "name", name)  # `replace` copies only fields
    return like_own
