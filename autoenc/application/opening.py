"""From what a person typed to the pictures it means."""

from __future__ import annotations

from pathlib import Path

from autoenc.application.array_images import ArrayImages
from autoenc.application.dataset_images import DatasetImages, Datasets, named_split
from autoenc.application.fitting import Fitting
from autoenc.application.picture_files import PictureFiles, Unreadable
from autoenc.application.source import Source
from autoenc.application.stored_arrays import SUFFIXES
from autoenc.data.datasets.image_files import find_pictures
from autoenc.settings import ConfigError


def check_source(text: str, *, key: str) -> None:
    """See that `text` names something, before anything is read: a file or a folder, or else a dataset's split.

    Args:
        text: what was typed.
        key: where, for messages.

    Raises:
        ConfigError: it names nothing.
    """
    if not Path(text).expanduser().exists():
        named_split(text, key=key)


def open_source(
    text: str, *, key: str, fitting: Fitting, datasets: Datasets, unreadable: Unreadable, limit: int | None
) -> Source:
    """The pictures that `text` names: a picture, a folder, an array, or a dataset's split such as `mnist:train`.

    What is there on disk goes before a dataset of the same name.

    Args:
        text: what was typed.
        key: where, for messages.
        fitting: how pictures come to the model's shape.
        datasets: where datasets are found.
        unreadable: what becomes of pictures that cannot be read.
        limit: the most pictures, the first ones.

    Raises:
        ConfigError: there is nothing of that name, or there are no pictures in it.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        found = find_pictures(path).pictures
        if not found:
            raise ConfigError(key, "there are no pictures in this folder", value=text)
        return PictureFiles(key=key, root=path, paths=found[:limit], fitting=fitting, unreadable=unreadable)
    if not path.exists():
        return DatasetImages.open(text, key=key, fitting=fitting, datasets=datasets, limit=limit)
    if path.suffix.lower() in SUFFIXES:
        return ArrayImages.open(path, key=key, fitting=fitting, limit=limit)
    return PictureFiles(key=key, root=path.parent, paths=[path], fitting=fitting, unreadable=unreadable)
