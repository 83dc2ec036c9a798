"""The choices of the config group `evaluation`: how a trained model is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from autoenc.registry import Choice, Registry
from autoenc.settings import NonNegativeInt, PositiveInt

Level = Literal["quick", "full"]
OtherDataset = Literal["auto", "mnist", "fashion_mnist", "kmnist"]


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Choice):
    """The settings that `quick` and `full` share."""

    level: ClassVar[Level]
    """`quick`: metrics that take little time next to the training; `full`: all metrics."""

    nll_samples: NonNegativeInt
    """Importance samples for each image in the negative log-likelihood of a variational model; 0: do not measure it."""
    probe_images: PositiveInt
    """Training images that the linear probe and the nearest neighbours are fitted to, at most."""
    train_images: PositiveInt | None = None
    """Training images that the model is scored on, at most, by a frozen draw; None: all. The test and the validation
    split are always scored as a whole."""
    nll_images: PositiveInt | None = None
    """Images of the test and of the validation split that have a negative log-likelihood, at most; None: all."""
    nll_train_images: NonNegativeInt = 0
    """The same for the training images that are scored. The defaults are for runs from before these settings."""


@dataclass(frozen=True, kw_only=True)
class Quick(EvaluationSettings):
    """`evaluation=quick`."""

    level = "quick"


@dataclass(frozen=True, kw_only=True)
class Full(EvaluationSettings):
    """`evaluation=full`."""

    level = "full"

    other_dataset: OtherDataset | None
    """The data set whose images are to be told from the test images by their errors.

    `auto`: Fashion-MNIST for MNIST, KMNIST and EMNIST; MNIST for Fashion-MNIST; none for others.
    """


@dataclass(frozen=True, kw_only=True)
class Denoising(Choice):
    """`evaluation=denoising`: finished runs, tested on noises that they were not trained on.

    A run cannot be trained with it.
    """

    noises: Mapping[str, Any]
    """By kind of noise, a list of severities; an empty list or null leaves the kind out."""
    limit: PositiveInt | None
    """The most test images; null: all."""


EVALUATIONS: Registry[EvaluationSettings | Denoising] = Registry(
    "evaluation", {"quick": Quick, "full": Full, "denoising": Denoising}
)
