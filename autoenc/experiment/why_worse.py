"""Why a model is worse than its baseline, as far as its curves, settings and reconstructions tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from autoenc.comparison.formatting import is_number
from autoenc.comparison.report.images import has_picture, read_picture
from autoenc.display_names import choice_label
from autoenc.evaluation.overfitting import overfitting_onset
from autoenc.runs import ArrayError, RunRecord

STILL_IMPROVING = 0.01
"""The share by which the loss falls over the last tenth of the epochs, if training was stopped too early."""
DIVERGED = 0.1
"""The share by which both losses end above their minima, if training diverged."""
NO_BETTER = 0.9
"""A model whose error is above this share of the mean image's is no better than the mean image."""
SAME = 0.001
"""The share by which losses differ that count as equal."""
FEW_STEPS = 500
"""If training was stopped too early after fewer steps, their number is the reason."""
LEAST_VARIANCE = 0.05
"""Reconstructions are alike if they vary less than this share of the originals."""
LEAST_COLOUR = 0.2
"""Reconstructions are grey if they have less than this share of the originals' colour."""


class Reason(NamedTuple):
    """A sentence, and what it means or what to do."""

    sentence: str
    explanation: str


def reasons(record: RunRecord, *, loses: bool) -> Iterator[Reason]:
    """The reasons, the most telling first; of a model that does not lose, what would make it better still."""
    if not loses:
        yield from (*_narrow_layer(record), *_overfitting(record))
        return
    found = [
        *([*_divergence(record)] or _no_progress(record)),
        *_narrow_layer(record),
        *_weak_noise(record),
        *_variational_model(record),
        *_short_training(record),
        *_poor_reconstructions(record),
        *_overfitting(record),
        *_linear_model(record),
    ]
    yield from found or _levelled_off(record)


def _curve(record: RunRecord, key: str) -> list[float | None]:
    return [row.get(key) for row in record.history]


def _main_curve(record: RunRecord) -> tuple[str, list[float]]:
    """The validation loss, or the training loss of a run without a validation split; and its name."""
    for split in ("validation", "train"):
        values = [value for value in _curve(record, f"{split}/loss") if value is not None]
        if values:
            return ("validation" if split == "validation" else "training"), values
    return "training", []


class _LateFall(NamedTuple):
    """How far the lowest loss fell over the last tenth of the epochs."""

    share: float
    words: str


def _late_fall(record: RunRecord) -> _LateFall | None:
    """None for fewer than two epochs."""
    name, losses = _main_curve(record)
    if len(losses) < 2:
        return None
    late = max(1, round(len(losses) / 10))
    before, after = min(losses[:-late]), min(losses)
    share = (before - after) / max(abs(before), 1e-12)
    over = f"over the last {late} of {len(losses)} epochs" if late > 1 else "in the last epoch"
    return _LateFall(share, f"the {name} loss {_fall(before, after)} {over}")


def still_improving(record: RunRecord) -> bool:
    """Whether the loss was still falling when training ended."""
    fall = _late_fall(record)
    return fall is not None and fall.share > STILL_IMPROVING


def _fall(before: float, after: float) -> str:
    """In per cent, whole ones from 10 on; of a loss that may be negative, per cents mean nothing."""
    if after == before:
        return "did not fall"
    if after <= 0:
        return f"fell from {before:.5g} to {after:.5g}"
    percent = 100 * (before - after) / before
    return f"fell by {percent:.0f} %" if percent >= 10 else f"fell by {percent:.2g} %"


def _divergence(record: RunRecord) -> Iterator[Reason]:
    curves = [
        [value for value in _curve(record, f"{split}/loss") if value is not None] for split in ("train", "validation")
    ]
    if not all(curves) or not all(losses[-1] - min(losses) > DIVERGED * abs(min(losses)) for losses in curves):
        return
    train, _ = curves
    yield Reason(
        f"Training diverged: the training loss rose from {min(train):.4g} in epoch {train.index(min(train)) + 1} to "
        f"{train[-1]:.4g} at the end.",
        "Lower optimizer.learning_rate, or set training.gradient_clip=1.",
    )


def _no_progress(record: RunRecord) -> Iterator[Reason]:
    """Of a model that is no better than the average image, and was best in the first half of its epochs."""
    test, (name, losses) = record.scores, _main_curve(record)
    error, average = test.get("mse"), test.get("mean_image_mse")
    if error is None or average is None or error < NO_BETTER * average or len(losses) < 2:
        return
    best = next(epoch for epoch, loss in enumerate(losses, start=1) if loss - min(losses) <= SAME * abs(min(losses)))
    rate = record.settings.get("optimizer.learning_rate")
    if best <= len(losses) / 2:
        used = f" than {rate:g}" if is_number(rate) else ""
        yield Reason(
            f"Training stopped making progress: the {name} loss did not fall after epoch {best} of {len(losses)}.",
            f"The learning rate is probably too large. Use a smaller optimizer.learning_rate{used}.",
        )


def _weak_noise(record: RunRecord) -> Iterator[Reason]:
    test = record.scores
    noise, linear = test.get("noise_mse"), test.get("pca_mse")
    if noise is not None and linear is not None and noise < linear:
        yield Reason(
            f"The noise is weak: its error, {noise:.4g}, is below what PCA with the same code size loses of clean "
            f"images, {linear:.4g}.",
            "Doing nothing is hard to beat then. Use stronger noise, or a larger architecture.code_size.",
        )


def _poor_reconstructions(record: RunRecord) -> Iterator[Reason]:
    if not has_picture(record, "reconstructions"):
        return
    try:
        arrays, _ = read_picture(record, "reconstructions", {"clean": 4, "final": 4})
    except ArrayError:
        return
    clean, made = (np.nan_to_num(arrays[name].astype(np.float64)) for name in ("clean", "final"))  # (K, C, H, W)
    if len(clean) > 1 and made.var(axis=0).mean() < LEAST_VARIANCE * clean.var(axis=0).mean():
        yield Reason(
            "The reconstructions are nearly all alike: the decoder ignores the code.",
            f"The model has learned little more than the average image.{_initialization_advice(record)}",
        )
    elif clean.shape[1] == 3 and made.std(axis=1).mean() < LEAST_COLOUR * clean.std(axis=1).mean():
        yield Reason(
            "The reconstructions are nearly grey, although the images have colours.",
            "A model learns brightness first, because it lowers the error most. Train for more steps, or with a larger "
            "architecture.code_size.",
        )


def _short_training(record: RunRecord) -> list[Reason]:
    """Of a single epoch, no curve tells whether training was still improving."""
    unfinished = [*_unfinished_training(record)]
    return [*_few_steps(record)] or unfinished if unfinished or len(record.history) == 1 else []


def _few_steps(record: RunRecord) -> Iterator[Reason]:
    epochs, size = record.metrics.get("epochs"), record.settings.get("training.batch_size")
    images = (record.summary.get("images") or {}).get("train")
    if not epochs or not images or not is_number(size) or size <= 0:
        return
    batches = math.ceil(images / size)
    if epochs * batches < FEW_STEPS:
        yield Reason(
            f"Training took only {epochs * batches:,.0f} steps: {epochs:g} epoch{'s' if epochs > 1 else ''} of "
            f"{batches:,} batch{'es' if batches > 1 else ''}, for {images:,} images.",
            "Raise training.epochs. A smaller training.batch_size gives more steps in each epoch.",
        )


def _narrow_layer(record: RunRecord) -> Iterator[Reason]:
    size = record.summary.get("code_size")
    for key in ("architecture.hidden_sizes", "architecture.hidden"):
        widths = record.settings.get(key)
        if not isinstance(widths, list) or not widths or not all(map(is_number, widths)) or not size:
            continue
        if min(widths) < size:
            yield Reason(
                f"A hidden layer is narrower than the code: {min(widths)} units, for a code of {size:g} numbers.",
                f"The code holds no more than this layer lets through. Widen {key}.",
            )


def _overfitting(record: RunRecord) -> Iterator[Reason]:
    onset = overfitting_onset(_curve(record, "train/loss"), _curve(record, "validation/loss"))
    if onset is not None:
        yield Reason(
            f"The model overfits after epoch {onset}: the validation loss rises while the training loss falls.",
            "More epochs do not help. Use more training images, noise, or a smaller network. The weights of the best "
            "epoch were tested.",
        )


def _linear_model(record: RunRecord) -> Iterator[Reason]:
    if record.settings.get("architecture") in ("linear", "conv_linear"):
        yield Reason(
            "The model is linear, so it can at best equal its linear baseline: PCA, or the best linear denoiser.",
            "See Baldi and Hornik 1989. Other architectures, such as architecture=fully_connected, can be better.",
        )


def _variational_model(record: RunRecord) -> Iterator[Reason]:
    if "elbo_nats" in record.scores:
        name = choice_label("bottleneck", str(record.settings.get("bottleneck")))
        yield Reason(
            f"A {name} gives up some accuracy on purpose: it adds noise to its codes, so that they can be sampled.",
            f"Compare its elbo_nats with that of other models of its kind.{_likelihood_advice(record)}",
        )


def _likelihood_advice(record: RunRecord) -> str:
    if record.settings.get("loss") != "mse":
        return ""
    return " loss=mse is a likelihood with a variance of 1/2, which hides details: loss=gaussian learns the variance."


def _unfinished_training(record: RunRecord) -> Iterator[Reason]:
    fall = _late_fall(record)
    if fall is not None and still_improving(record):
        epochs = 2 * len(record.history)
        yield Reason(
            f"Training was still improving: {fall.words}.",
            f"Train longer, for example with training.epochs={epochs}, or with a higher optimizer.learning_rate.",
        )


def _levelled_off(record: RunRecord) -> Iterator[Reason]:
    fall = _late_fall(record)
    if fall is not None:
        yield Reason(
            f"Training has levelled off: {fall.words}.",
            "More epochs alone will not help. Try another optimizer.learning_rate, or wider layers."
            f"{_initialization_advice(record)}",
        )


def _initialization_advice(record: RunRecord) -> str:
    used = record.settings.get("architecture.initialization")
    return "" if used in (None, "auto") else " architecture.initialization=auto often trains faster."
