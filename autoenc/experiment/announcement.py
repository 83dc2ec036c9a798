"""The lines at the beginning of a run's log."""

from __future__ import annotations

import logging

from autoenc.comparison.formatting import listed_in_words
from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Splits
from autoenc.display_names import choice_label, training_line
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.source_run import SourceRun, differences
from autoenc.models.autoencoder import AutoEncoder

log = logging.getLogger(__name__)

FEW_DUPLICATES = 0.01
"""The share of a split's images that may be training images too without a warning."""


def announce(prepared: Prepared) -> None:
    """Log the model, the images and the device, and warn of settings that seldom fit together."""
    config, splits, model = prepared.config, prepared.splits, prepared.model
    sizes = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    counts = [f"{len(split):,} for {use}" for use, split in sizes.items() if len(split)]
    shape = "x".join(str(size) for size in splits.image_shape)
    log.debug("%s", training_line(config.values))  # for the log: the terminal has it already
    images = f"images of {shape}: {', '.join(counts)}"
    log.info(
        "%s parameters, on %s; %s.",
        f"{model.parameter_count:,}",
        choice_label("device", prepared.device.description),
        images,
    )
    if prepared.source is not None:
        _report_source(config, source=prepared.source)
    _report_duplicates(splits)
    _warn_of_unusual_settings(config, model)


def _report_source(config: ExperimentConfig, *, source: SourceRun) -> None:
    """Log which layers have the weights of another run, and why others do not."""
    weights, part = source.weights, config.initialize_part
    count = sum(tensor.numel() for tensor in weights.tensors.values())
    layers = f"{len(weights.taken)} of {len(weights.taken) + len(weights.left)} layers"
    log.info(
        "Initial weights from %s (%s%s): %s numbers in %s%s: %s.",
        config.initialize_from,
        source.label,
        "" if source.epoch is None else f", after epoch {source.epoch}",
        f"{count:,}",
        layers,
        "" if part is None else f" of the {part}",
        listed_in_words(weights.taken),
    )
    if weights.left:
        log.info("Not taken, and random instead: %s.", differences(weights))


def _report_duplicates(splits: Splits) -> None:
    """Log how many images are equal, pixel by pixel: as a warning if many images for training score the model too."""
    found, level = [], logging.INFO
    for key, count in splits.duplicates.items():
        split, across, earlier = key.partition("_in_")
        size = len(getattr(splits, split))
        if count:
            verbs = ("is in", "repeats") if count == 1 else ("are in", "repeat")
            also = f"{verbs[0]} {earlier} too" if across else f"{verbs[1]} an earlier one"
            found.append(f"{count:,} of {size:,} {split} images {also}")
        if across and earlier == "train" and count > FEW_DUPLICATES * size:
            level = logging.WARNING
    if found:
        advice = " Their errors do not show how well the model does on new images." if level == logging.WARNING else ""
        log.log(level, "Duplicate images: %s.%s", "; ".join(found), advice)


def _warn_of_unusual_settings(config: ExperimentConfig, model: AutoEncoder) -> None:
    if model.loss.reads_logits and config.architecture.output == "identity":
        log.warning("architecture.output=identity leaves (0, 1), where this loss has no gradient; sigmoid is usual.")
    if model.bottleneck.variational and not config.loss.in_nats:
        hint = (
            "it takes grey values for probabilities" if model.loss.reads_logits else "loss=gaussian learns the variance"
        )
        log.info("loss=%s becomes its likelihood: %s; %s.", config.loss.name, model.loss.unit, hint)
    if config.loss.name == "bernoulli" and config.dataset.binarization == "none":
        log.warning(
            "loss=bernoulli is a likelihood of black and white pixels, but dataset.binarization=none keeps grey ones."
        )
