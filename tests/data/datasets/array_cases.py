"""Small files in the layouts of published data sets, and the dataset `arrays`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autoenc.data.datasets import DATASETS, Splits

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (40, 6, 5), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


def arrays(path: Path | None, *, data_dir: Path = Path("/nowhere"), **changes: Any) -> Splits:
    """The splits of `dataset=arrays` with its usual settings, and some changes."""
    usual = {
        "images": None,
        "labels": None,
        "value_range": None,
        "test_fraction": 0.25,
        "validation_fraction": 0.2,
        "split_seed": 0,
        "limit": None,
        "shuffle": True,
        "binarization": "none",
    }
    values = {"name": "arrays", "path": path and str(path), **usual, **changes}
    return DATASETS.parse(values).build(data_dir=data_dir)


def medmnist(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any] = LABELS[:, None]) -> dict[str, Any]:
    """The arrays of MedMNIST: images (N, 28, 28) or (N, 28, 28, 3) and labels (N, 1)."""
    parts = {"train": slice(0, 24), "val": slice(24, 32), "test": slice(32, 40)}
    return {
        f"{split}_{kind}": array[part]
        for split, part in parts.items()
        for kind, array in (("images", images), ("labels", labels))
    }


def dsprites(count: int = 40) -> dict[str, Any]:
    """The arrays of dSprites: images of 0 and 1, six factors, and a pickled dict."""
    classes = np.stack([np.zeros(count), np.arange(count) % 3, *([np.arange(count) % 5] * 4)], axis=1)
    return {
        "metadata": np.array({"title": "dSprites"}, dtype=object),
        "imgs": (GREY[:count] > 127).astype(np.uint8),
        "latents_classes": classes.astype(np.int64),
        "latents_values": classes * 0.5,
    }
