"""Metrics: what is measured of a model, in which unit, and whether more of it is better.

The table of runs, their ranking, the pictures, the report and the search all read it from here. Importing this module
does not import torch. A package adds a metric by an entry point `metric.<name>` in the entry-point group
`autoenc.plugins`, whose value is a `Metric`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from autoenc.registry import load_plugin, plugins
from autoenc.settings import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.scores import SplitToScore
    from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput

log = logging.getLogger(__name__)

SPLITS = ("test", "validation", "train")
DENOISING = "denoising_"
OLD_DENOISING = "noisy_"
NOISY = "noisy_"
"""What the name of a metric begins with where the model is given the noisy images."""

LEAST_SQUARED_ERROR = 1e-10
"""The PSNR of a perfect image is infinite; it counts as 100 dB."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that a run reports.

    It has at most one of two functions. Metrics without one are by-products: the objective, or the time.
    """

    name: str
    unit: str = ""
    """Empty where it depends on the run, as that of the loss does: `summary.json` then has it."""
    better: Literal["higher", "lower"] | None = None
    """None: neither; no value of it is the best."""
    per_image: Callable[[AutoEncoder, AutoEncoderOutput, Tensor], Tensor] | None = None
    """From a model, its output without sampling, and the clean images (B, C, H, W) to a number an image, (B,).

    A denoising model reports such a metric twice: `<name>` from the clean and `noisy_<name>` from the noisy input.
    """
    per_split: Callable[[SplitToScore], float | None] | None = None
    """From a trained model and a split to a number, once, after training; None where it cannot be measured."""
    splits: tuple[str, ...] = SPLITS
    """Where it is measured."""
    baseline: str = ""
    """The metric that this one should be better than."""
    input: Literal["clean", "noisy"] = "noisy"
    """What the model is given; it matters only for a run with noise. On `clean`, runs of any noise are comparable."""
    scale: Literal["linear", "log"] = "linear"
    """Of an axis in a chart."""
    depends_on: tuple[str, ...] = ()
    """Settings, other than those of the images and the noise, that must be equal for two values to be comparable."""

    def from_noisy_input(self) -> Metric:
        """The same metric, of the reconstruction of the noisy image."""
        baseline = "linear_denoising_mse" if self.name == "mse" else ""
        return replace(
            self,
            name=DENOISING + self.name,
            unit=f"{self.unit}; from the noisy input to the clean image",
            input="noisy",
            baseline=baseline,
        )


def metrics() -> dict[str, Metric]:
    """Every metric by name, our own and those of installed packages."""
    return {**METRICS, **_of_plugins()}


def find_metric(key: str) -> Metric | None:
    """The metric of `mse`, `test.noisy_mse`, `validation/loss` or `seconds.training`; None of a name not known here."""
    first, _, rest = key.replace("/", ".").partition(".")
    name = rest if first in SPLITS and rest else first
    known = metrics()
    if name in known:
        return known[name]
    clean = known.get(name.removeprefix(NOISY).removeprefix(DENOISING))
    return None if clean is None or clean.per_image is None else clean.from_noisy_input()


def current_key(key: str) -> str:
    """`test.denoising_mse` of `test.noisy_mse`, its name in the first runs; also of a pattern. Others are unchanged."""
    group, dot, name = key.rpartition(".")
    return f"{group}{dot}{DENOISING}{name.removeprefix(OLD_DENOISING)}" if name.startswith(OLD_DENOISING) else key


def metric_names(*, split: str) -> list[str]:
    """The names that a metric of this split can have, `noisy_mse` among them."""
    there = [metric for metric in metrics().values() if split in metric.splits]
    return [*(metric.name for metric in there), *(NOISY + metric.name for metric in there if metric.per_image)]


def mean_squared_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the squared difference, (B,)."""
    return (output.reconstruction - clean).square().flatten(1).mean(1)


def mean_absolute_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the absolute difference, (B,)."""
    return (output.reconstruction - clean).abs().flatten(1).mean(1)


def peak_signal_to_noise_ratio(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """-10 log10 of the mean squared error, in decibels, for a peak of 1; (B,)."""
    return -10 * mean_squared_error(model, output, clean).clamp(min=LEAST_SQUARED_ERROR).log10()


def binary_cross_entropy(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """The mean over pixels of -t log x - (1 - t) log(1 - x), in nats, (B,); from logits."""
    import torch.nn.functional as F

    logits = model.output_range.to_logits(output.raw)
    return F.binary_cross_entropy_with_logits(logits, clean, reduction="none").flatten(1).mean(1)


def structural_similarity(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean structural similarity, (B,)."""
    from autoenc.evaluation.structural_similarity import similarity

    return similarity(output.reconstruction, clean)


def negative_log_likelihood(scored: SplitToScore) -> float | None:
    """-log p(image) in nats, by importance sampling; None where no samples are asked for."""
    from autoenc.evaluation.likelihood import negative_log_likelihood as estimate

    samples = scored.nll_samples
    if not samples:
        return None
    log.info("Estimating the likelihood of the test images from %d samples each.", samples)
    return estimate(scored.model, scored.images, device=scored.device, samples=samples)


def pca_error(scored: SplitToScore) -> float | None:
    """The error of PCA, fitted to the training images, with as many components as the code has numbers."""
    from autoenc.evaluation.baselines import pca_error as error

    found = error(scored.train_images, scored.images, components=scored.code_size, device=scored.device)
    if found is None:
        log.info("Images of so many pixels are too large for PCA: there is no pca_mse.")
    return found


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="loss", better="lower", scale="log"),
        Metric(name="reconstruction", better="lower", scale="log"),
        Metric(name="penalty"),
        Metric(
            name="mse",
            unit="mean over pixels of the squared error, pixels in [0, 1]",
            better="lower",
            per_image=mean_squared_error,
            baseline="pca_mse",
            input="clean",
            scale="log",
        ),
        Metric(
            name="mae",
            unit="mean over pixels of the absolute error, pixels in [0, 1]",
            better="lower",
            per_image=mean_absolute_error,
            input="clean",
            scale="log",
        ),
        Metric(
            name="psnr",
            unit="decibels, mean over images, peak 1",
            better="higher",
            per_image=peak_signal_to_noise_ratio,
            input="clean",
        ),
        Metric(
            name="bce",
            unit="nats per pixel",
            better="lower",
            per_image=binary_cross_entropy,
            input="clean",
            scale="log",
        ),
        Metric(
            name="ssim",
            unit="structural similarity, 1 at the most",
            better="higher",
            per_image=structural_similarity,
            input="clean",
        ),
        Metric(
            name="elbo_nats",
            unit="nats an image, higher is better: the evidence lower bound, of sampled codes, the penalty unweighted",
            better="higher",
            input="clean",
            depends_on=("loss",),
        ),
        Metric(
            name="nll_nats",
            unit="nats an image, lower is better: the negative log-likelihood, estimated by importance sampling; "
            "with few samples it is too high",
            better="lower",
            per_split=negative_log_likelihood,
            splits=("test",),
            input="clean",
            depends_on=("loss", "evaluation.nll_samples"),
        ),
        Metric(
            name="pca_mse",
            unit="the mse of PCA with as many components as the code has numbers: the linear baseline",
            per_split=pca_error,
            splits=("test",),
            input="clean",
            scale="log",
            depends_on=("dataset.split_seed",),
        ),
        Metric(name="seconds", unit="seconds", better="lower", splits=()),
        Metric(
            name="images_per_second",
            unit="training images a second, validation and checkpoints included in the time",
            better="higher",
            splits=(),
        ),
    )
}


@functools.cache
def _of_plugins() -> dict[str, Metric]:
    found = {name: load_plugin(point) for name, point in plugins("metric").items()}
    for name, metric in found.items():
        if not isinstance(metric, Metric) or metric.name != name:
            raise ConfigError("metric.name", "the plugin is not a Metric of this name", value=name)
    return found
