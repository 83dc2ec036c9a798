"""Labels from stored arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.data.datasets.array_layout import DSPRITES_LABELS, ArrayLayout
from autoenc.data.datasets.folder_layout import CLASSLESS, some
from autoenc.data.datasets.stored_arrays import StoredArray

_DSPRITES_SHAPES = ("square", "ellipse", "heart")
"""The classes in the second column of dSprites' labels: colour, shape, scale, orientation and two positions."""

_ROWS = 2**20


class Labels(NamedTuple):
    """The labels of each array of images, int64 (N,), from 0."""

    numbers: Mapping[str, Tensor]
    class_names: tuple[str, ...]
    remarks: Sequence[str]


def read_labels(layout: ArrayLayout, *, required: bool) -> Labels:
    """The labels of the images. Without labels that are one whole number for each image, there is one class.

    Raises:
        ConfigError: there are more or fewer labels than images, or they cannot be used and are `required`.
    """
    counts = {split: len(array) for split, array in layout.images.items()}
    for split, array in layout.labels.items():
        if len(array) != counts[split]:
            problem = f"{array.name} has {len(array):,} labels for the {counts[split]:,} images of the array "
            raise array.refused(problem + layout.images[split].name)
    # Without memory for each, because the images behind the counts are not read yet.
    classless = {split: torch.zeros(1, dtype=torch.int64).expand(count) for split, count in counts.items()}
    if not layout.labels:
        return Labels(classless, (CLASSLESS,), [])
    unusable = [array for array in layout.labels.values() if not _are_classes(array)]
    problem = ""
    if unusable:
        kind = f"{unusable[0].dtype} {unusable[0].shape}"
        problem = f"labels are whole numbers (N,) or (N, 1), and {unusable[0].name} has {kind}"
    elif unlabelled := [array.name for split, array in layout.images.items() if split not in layout.labels]:
        problem = f"{some(unlabelled)} has none"
    if problem and required:
        raise unusable[0].refused(problem)
    if problem:
        return Labels(classless, (CLASSLESS,), [f"no labels are used: {problem}"])
    found = {split: _values(array) for split, array in layout.labels.items()}
    classes = np.unique(np.concatenate(list(found.values())))
    numbers = {split: torch.from_numpy(np.searchsorted(classes, values)) for split, values in found.items()}
    names = tuple(map(str, classes.tolist()))
    if _is_dsprites(layout.labels["train"]) and names == ("0", "1", "2"):
        names = _DSPRITES_SHAPES
    return Labels(numbers, names, [])


def _are_classes(array: StoredArray) -> bool:
    single = len(array.shape) == 1 or array.shape[1:] == (1,)
    return array.dtype.kind in "bui" and (single or _is_dsprites(array))


def _is_dsprites(array: StoredArray) -> bool:
    return array.name == DSPRITES_LABELS and array.shape[1:] == (6,)


def _values(array: StoredArray) -> NDArray[np.int64]:
    """The classes as they are stored, (N,)."""
    column = 1 if _is_dsprites(array) else 0
    chunks = [chunk.reshape(len(chunk), -1)[:, column] for chunk in array.chunks(_ROWS)]
    return np.concatenate(chunks).astype(np.int64)
