"""The choices of the config group `evaluation`: what is measured of a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from autoenc.registry import Choice, Registry
from autoenc.settings import NonNegativeInt

Level = Literal["quick", "full"]


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Choice):
    """What all choices have."""

    level: ClassVar[Level]
    """The metrics that are measured: `quick` ones take little time next to the training, `full` are all."""

    nll_samples: NonNegativeInt
    """Importance samples for each image in the negative log-likelihood of a variational model; 0: do not measure it."""


@dataclass(frozen=True, kw_only=True)
class Quick(EvaluationSettings):
    """`evaluation=quick`."""

    level = "quick"


@dataclass(frozen=True, kw_only=True)
class Full(EvaluationSettings):
    """`evaluation=full`."""

    level = "full"


EVALUATIONS: Registry[EvaluationSettings] = Registry("evaluation", {"quick": Quick, "full": Full})
