"""The denoising matrix: trained models on kinds and severities of noise that they were not trained on.

A severity is the strength in the noise's own setting: `std`, `probability` or `size`. Each noise has the draws of
the test split, so every model gets the same noisy images. A gain is in decibels over a baseline on the same noisy
images: doing nothing, or a 3x3 median filter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.data.noise import NOISES, Compose, Noise
from autoenc.devices import Device
from autoenc.display_names import choice_label
from autoenc.evaluation.baselines import median_filter
from autoenc.evaluation.frozen_noise import inputs
from autoenc.evaluation.metrics import LEAST_SQUARED_ERROR
from autoenc.models.autoencoder import AutoEncoder
from autoenc.progress import steps
from autoenc.settings import ConfigError, join, listed, nearest

KEY = "evaluation.noises"


class NoiseLevel(NamedTuple):
    """A column of the matrix: a noise at one severity."""

    noise: Noise
    kind: str
    """In words, with the settings that are not the usual ones."""
    strength: str
    """The setting that the severity is a value of; empty for a noise without a single strength."""
    severity: str
    """As text; empty too."""

    @property
    def name(self) -> str:
        """`gaussian 0.3`."""
        return f"{self.kind} {self.severity}".strip()

    @property
    def heading(self) -> str:
        """`Gaussian noise (std)`."""
        if not self.strength:
            return self.kind
        _, comma, unusual = self.kind.partition(", ")
        return f"{choice_label('noise', self.noise.name)}{comma}{unusual} ({self.strength})"


class DenoisingErrors(NamedTuple):
    """The mean squared error per pixel, against the clean image, of N images under C noises; float32."""

    noise: NDArray[np.float32]
    """Of the noisy images themselves, (C, N)."""
    median: NDArray[np.float32]
    """Of the noisy images after a 3x3 median filter, (C, N)."""
    denoising: NDArray[np.float32]
    """Of the reconstructions of R models, (R, C, N)."""


class MeanGain(NamedTuple):
    """The mean of a model's gains under some noises, in dB."""

    value: float
    standard_error: float | None
    """Over images; None of a single image."""
    averaged: tuple[int, ...]
    """The columns of these noises."""


UsualSettings = Callable[[str], Mapping[str, Any]]
"""From a kind of noise to the values of its YAML; empty if there is none."""


def noise_levels(noises: Mapping[str, Any], *, usual_settings: UsualSettings) -> list[NoiseLevel]:
    """The noises of `Denoising`, the settings, in their order, each with its usual settings.

    Raises:
        ConfigError: a kind does not exist or has no strength, or a severity is out of range.
    """
    levels = []
    for kind, severities in noises.items():
        strength = _strength(kind)
        if not isinstance(severities, list | None):
            raise ConfigError(join(KEY, kind), "it must be a list of severities, such as [0.1, 0.3]", value=severities)
        for severity in severities or ():
            noise = NOISES.parse({**usual_settings(kind), "name": kind, strength: severity}, key=join(KEY, kind))
            levels.append(level_of(noise, usual_settings=usual_settings))
    if not levels:
        raise ConfigError(KEY, "it has no severity of any noise", value=dict(noises))
    return levels


def level_of(noise: Noise, *, usual_settings: UsualSettings) -> NoiseLevel:
    """The level of any noise, for example of the one that a model was trained on."""
    if isinstance(noise, Compose):
        parts = [level_of(part, usual_settings=usual_settings).name for part in noise.noises.values()]
        return NoiseLevel(noise, " and ".join(parts), "", "")
    strength, usual = getattr(noise, "strength", ""), usual_settings(noise.name)
    values = {field.name: getattr(noise, field.name) for field in dataclasses.fields(cast("Any", noise))}
    unusual = [f"{key} {value}".lower() for key, value in values.items() if key != strength and value != usual.get(key)]
    kind = ", ".join([noise.name.replace("_", " "), *unusual])
    return NoiseLevel(noise, kind, strength, f"{values[strength]:g}" if strength else "")


def denoising_errors(
    models: Sequence[AutoEncoder], images: Tensor, *, levels: Sequence[NoiseLevel], device: Device
) -> DenoisingErrors:
    """Test the models, which are on the device and in eval mode, on images of the test split, uint8 (N, C, H, W).

    Raises:
        ConfigError: a noise changes no pixel, so that there is nothing to remove.
    """
    found = [_errors(models, images, level=level, device=device) for level in steps(levels, name="noises")]
    errors = np.stack(found, axis=1)  # (2 + R, C, N)
    return DenoisingErrors(noise=errors[0], median=errors[1], denoising=errors[2:])


def gain_db(baseline: NDArray[Any], errors: NDArray[Any]) -> NDArray[np.float64]:
    """10 log10(baseline / errors), of errors averaged over images, (..., N) to (...).

    Not the mean of each image's gain: an image whose noise happens to change little, such as black pixels that are
    masked, would outweigh all others. A perfect reconstruction counts as an error of 1e-10, as in `psnr`.
    """
    return np.asarray(10 * np.log10(_means(baseline) / _means(errors)))


def mean_gains(
    errors: DenoisingErrors, *, listed: NDArray[np.bool_], trained_on: NDArray[np.bool_]
) -> list[dict[str, MeanGain]]:
    """The metrics of each of R models by name; without those that are the mean of no noise.

    Args:
        errors: under C noises.
        listed: whether a noise is among those of the settings, (C,). Only these are averaged.
        trained_on: whether it is the noise that the model was trained on, (R, C).
    """
    found = []
    for denoising, own in zip(errors.denoising, trained_on, strict=True):
        chosen = {
            "denoising_gain_db": (errors.noise, listed),
            "denoising_gain_unseen_db": (errors.noise, listed & ~own),
            "denoising_gain_over_median_db": (errors.median, listed),
        }
        found.append(
            {
                name: mean_gain_db(baseline, denoising, averaged=np.flatnonzero(columns))
                for name, (baseline, columns) in chosen.items()
                if columns.any()
            }
        )
    return found


def mean_gain_db(baseline: NDArray[Any], errors: NDArray[Any], *, averaged: NDArray[np.intp]) -> MeanGain:
    """The mean of the gains in some columns of errors (C, N). The standard error is by the delta method."""
    baseline, errors = baseline[averaged], errors[averaged]
    shares = [part / _means(part)[:, None] for part in (baseline, errors)]
    influence = 10 / np.log(10) * (shares[0] - shares[1]).mean(0)  # (N,): of each image on the mean gain
    images = len(influence)
    standard_error = float(influence.std(ddof=1) / np.sqrt(images)) if images > 1 else None
    return MeanGain(float(gain_db(baseline, errors).mean()), standard_error, tuple(averaged.tolist()))


def _means(errors: NDArray[Any]) -> NDArray[np.float64]:
    """(..., N) to (...)."""
    return np.asarray(np.maximum(errors.mean(-1, dtype=np.float64), LEAST_SQUARED_ERROR))


def _strength(kind: str) -> str:
    """The field that holds the strength of a kind of noise."""
    kinds = {name: getattr(NOISES.settings_class(name), "strength", None) for name in NOISES.names()}
    choices = [name for name, strength in kinds.items() if strength is not None]
    if kind not in choices:
        reason = "it has no single strength" if kind in kinds else f"there is no such noise{nearest(kind, choices)}"
        raise ConfigError(join(KEY, kind), f"{reason}; the choices are {listed(choices)}")
    return str(kinds[kind])


def _errors(models: Sequence[AutoEncoder], images: Tensor, *, level: NoiseLevel, device: Device) -> NDArray[np.float32]:
    """Of the noisy images, the median filter and each model, (2 + R, N)."""
    found = []
    for clean, noisy, _ in inputs(images, noise=level.noise, split="test", device=device):
        with torch.no_grad(), device.autocast():
            made = [noisy, median_filter(noisy), *(model(noisy).reconstruction.float() for model in models)]
        found.append(torch.stack([(each - clean).square().flatten(1).mean(1) for each in made]))
    errors: NDArray[np.float32] = torch.cat(found, dim=1).cpu().numpy()  # synchronizes once a noise
    if not errors[0].any():
        raise ConfigError(join(KEY, level.noise.name), f"at {level.severity} it changes no pixel of the test images")
    return errors
