"""What has gone wrong inside a trained model: units, kernels and codes that do nothing."""

from __future__ import annotations

from autoenc.evaluation.health.activations import Activation, Observation, observed
from autoenc.evaluation.health.examination import codebook_uses, examine
from autoenc.evaluation.health.units import UnitStatistics, dead, first_layer_dead

__all__ = [
    "Activation",
    "Observation",
    "UnitStatistics",
    "codebook_uses",
    "dead",
    "examine",
    "first_layer_dead",
    "observed",
]
