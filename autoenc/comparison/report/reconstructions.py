"""The test images that a run kept, and what it made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.report import sprites
from autoenc.comparison.report.arrays import list_of_texts, read_arrays
from autoenc.runs import ArrayError, RunRecord

MOST_CAPTION = 24


@dataclass(frozen=True, kw_only=True)
class Reconstructions:
    """The numbers of `figures/reconstructions.npz`; images are (K, C, H, W)."""

    clean: NDArray[Any]
    given: NDArray[Any]
    """What the model was given: the same as `clean` where there is no noise."""
    final: NDArray[Any]
    captions: Sequence[str]
    of: str
    """A hash: the same for the same clean images with the same captions."""

    @classmethod
    def read(cls, record: RunRecord) -> Reconstructions:
        """ArrayError where there is no such file, or it is something else."""
        names = ("clean", "given", "final")
        stored = read_arrays(file_of(record), inside=record.path, dimensions=dict.fromkeys(names, 4))
        clean, given, final = (stored.arrays[name] for name in names)
        for name, images in stored.arrays.items():
            sprites.check_images(images, name=name)
            if images.shape != clean.shape:
                raise ArrayError(f"has '{name}' of shape {images.shape}, and 'clean' of shape {clean.shape}")
        captions = list_of_texts(stored.values, "captions", count=len(clean), most=MOST_CAPTION)
        content = repr((clean.shape, captions)).encode() + clean.astype(np.float32).tobytes()
        return cls(clean=clean, given=given, final=final, captions=captions, of=hashlib.sha256(content).hexdigest())

    def first(self, count: int) -> Reconstructions:
        """Of the first images only."""
        return replace(
            self,
            clean=self.clean[:count],
            given=self.given[:count],
            final=self.final[:count],
            captions=self.captions[:count],
        )

    @property
    def noisy(self) -> bool:
        """Whether the model was given something else than the clean images."""
        return not np.array_equal(self.given, self.clean)

    @property
    def errors(self) -> NDArray[np.float64]:
        """The mean over pixels and channels of each image's squared error, (K,)."""
        with np.errstate(all="ignore"):  # numbers of others may be anything
            squared = (self.final.astype(np.float64) - self.clean) ** 2
            return np.asarray(squared.mean(axis=(1, 2, 3)))

    @property
    def largest_error(self) -> float:
        """Of a pixel, but for the few largest: where a scale for error images may end."""
        shown, wanted = (sprites.as_bytes(images).astype(np.float64) / 255 for images in (self.final, self.clean))
        return float(np.quantile(np.abs(shown - wanted).mean(axis=-1), 0.995))


def file_of(record: RunRecord) -> Path:
    """Where a run keeps these numbers."""
    return record.path / "figures" / "reconstructions.npz"
