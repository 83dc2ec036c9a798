"""The description of a metric. Importing this module does not import torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.evaluation_settings import EvaluationSettings, Level
    from autoenc.evaluation.scored_split import ScoredSplit
    from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput

SPLITS = ("test", "validation", "train")
HELD_OUT = ("test", "validation")
DENOISING = "denoising_"
"""The prefix of metrics that compare the reconstruction of the noisy image with the clean image."""

FROM_NOISY_TO_CLEAN = "from the noisy input to the clean image"
"""The part of their units that tells them from errors on clean images."""
LOGARITHMIC_UNITS = ("decibel", "nats")


def is_logarithmic(unit: str) -> bool:
    """Whether numbers of this unit are logarithms, whose ratios mean nothing: 20 dB is not twice 10 dB."""
    return any(word in unit.lower() for word in LOGARITHMIC_UNITS)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that a run reports.

    It has at most one of two functions. Metrics without one are by-products: the objective, or the time.
    """

    name: str
    unit: str = ""
    """Empty if it depends on the run, such as the unit of the loss. `summary.json` then has it.

    `{nll_samples}` stands for the setting `evaluation.nll_samples`, and so on.
    """
    better: Literal["higher", "lower"] | None = None
    """None: no value is better than another."""
    per_image: Callable[[AutoEncoder, AutoEncoderOutput, Tensor], Tensor] | None = None
    """From a model, its output without sampling, and the clean images (B, C, H, W) to a number an image, (B,).

    A run with noise reports such a metric twice: `<name>` from the clean and `denoising_<name>` from the noisy input.
    """
    per_split: Callable[[ScoredSplit], Tensor | float | None] | None = None
    """From a trained model and a split to a number an image, (N,), which are averaged, or to one number.

    Called once, after training. None where it cannot be measured.
    """
    level: Level = "quick"
    """`full` metrics are only measured with `evaluation=full`."""
    baselines: tuple[str, ...] = ()
    """The metrics that this one is shown next to, in the order of charts. It should be better than the last one."""
    denoising_baselines: tuple[str, ...] = ()
    """The same for `denoising_<name>`."""
    short_name: str = ""
    """What charts call a baseline, such as PCA. Only baselines have one: metrics that depend on no trained model."""
    long_name: str = ""
    """What sentences call a baseline. `{numbers}` stands for the size of the code of a linear model."""
    splits: tuple[str, ...] = SPLITS
    """Where it is measured."""
    input: Literal["clean", "noisy"] = "noisy"
    """What the model is given; it matters only for a run with noise. On `clean`, runs of any noise are comparable."""
    scale: Literal["linear", "log"] = "linear"
    """Of an axis in a chart."""
    depends_on: tuple[str, ...] = ()
    """Settings, other than those of the images and the noise, that must be equal for two values to be comparable."""

    @property
    def has_code(self) -> bool:
        """Whether it is a baseline whose code has as many numbers as that of the model."""
        return "{numbers}" in self.long_name

    def in_words(self, *, numbers: str) -> str:
        """A baseline in a sentence: `PCA with 32 numbers`, given `32 numbers`."""
        return (self.long_name or self.short_name).format(numbers=numbers)

    def denoising(self) -> Metric:
        """The same metric, from the noisy input to the clean image."""
        unit = f"{self.unit}; {FROM_NOISY_TO_CLEAN}"
        return replace(self, name=DENOISING + self.name, unit=unit, input="noisy", baselines=self.denoising_baselines)

    def unit_in(self, settings: EvaluationSettings) -> str:
        """The unit, with the values of the settings that it names. Other braces stay."""
        unit = self.unit
        for name, value in asdict(settings).items():
            unit = unit.replace(f"{{{name}}}", str(value))
        return unit


full_metric = functools.partial(Metric, level="full", splits=HELD_OUT, input="clean")
"""A metric of the clean held-out images that only `evaluation=full` measures."""
