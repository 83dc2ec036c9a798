"""The `comparison` node of the config: what a sweep ends with. No run depends on it, so no run's config has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoenc.settings import NonNegativeInt

ComparedPicture = Literal[
    "loss_curves",
    "final_losses",
    "error_against",
    "reconstructions",
    "progress",
    "codes",
    "decoder_grid",
    "error_by_class",
    "gradients",
    "kernels",
    "samples",
    "sparsity",
    "spectrum",
    "codebook",
]


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """What stands on the one page that a sweep ends with, under one another, and in its table."""

    title: str | None
    """Over the page; null: one that says what varies."""
    pictures: tuple[ComparedPicture, ...]
    """Those of which a run has no numbers are left out, with a word in the log."""
    metric: str
    """Of `summary.json`: the table's and the charts' error."""
    against: str | None
    """For `error_against`: the key of the numeric setting on the horizontal axis."""
    epochs: tuple[NonNegativeInt, ...] | None
    """For `progress`: whose reconstructions to show; null: all that were kept."""
