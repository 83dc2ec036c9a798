"""Lines about the splits of a data set, for the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from autoenc.data.datasets.folder_layout import CLASSLESS, some
from autoenc.data.datasets.splits import SPLITS, Splits

PURPOSES = {"train": "training", "validation": "validation", "test": "the test"}
"""What the pictures of a split are for."""

logger = logging.getLogger("autoenc.data.datasets")


def split_sizes(splits: Splits, *, origins: Mapping[str, str]) -> str:
    """The size of each split, where it is from if it was not drawn, and the names of the classes."""
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    known = {"validation": "drawn", "test": "drawn"} | dict(origins)
    texts = [
        f"{name} {len(split):,}" + (f" ({known[name]})" if name in known else "")
        for name, split in parts.items()
        if len(split)
    ]
    sizes, names = ", ".join(texts), splits.class_names
    if names == (CLASSLESS,):
        return f"images: {sizes}; no classes"
    return f"images: {sizes}; {'1 class' if len(names) == 1 else f'{len(names):,} classes'}: {some(names)}"


def warn_of_missing_classes(splits: Splits, *, folders: Mapping[str, str]) -> None:
    """Log the classes without an image in some split."""
    present = {name: set(getattr(splits, name).labels.tolist()) for name in SPLITS if len(getattr(splits, name))}
    if "validation" not in folders:  # drawn from the images for training
        present["train"] |= present.pop("validation", set())
    for name, labels in present.items():
        if missing := [class_name for label, class_name in enumerate(splits.class_names) if label not in labels]:
            logger.warning("classes without an image for %s: %s", PURPOSES[name], some(missing))
