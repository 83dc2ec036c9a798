"""How good a model is on a split of the data."""

from __future__ import annotations

from autoenc.evaluation.batches import BATCH_SIZE, as_floats, batches, fetch, frozen_generator
from autoenc.evaluation.likelihood import negative_log_likelihood
from autoenc.evaluation.linear_baseline import pca_error
from autoenc.evaluation.metrics import METRICS, UNITS
from autoenc.evaluation.scores import measure

__all__ = [
    "BATCH_SIZE",
    "METRICS",
    "UNITS",
    "as_floats",
    "batches",
    "fetch",
    "frozen_generator",
    "measure",
    "negative_log_likelihood",
    "pca_error",
]
