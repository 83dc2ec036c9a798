"""What is said of a run: over its pictures, and in its log before it begins."""

from __future__ import annotations

import logging

from autoenc.config import ExperimentConfig
from autoenc.experiment.preparation import Prepared
from autoenc.training.loop import Trainer

log = logging.getLogger(__name__)


def title_of(config: ExperimentConfig) -> str:
    """What stands over the pictures of a run."""
    groups = ("architecture", "bottleneck", "dataset", "noise")
    names = {group: config.values[group]["name"].replace("_", " ") for group in groups}
    bottleneck = "" if names["bottleneck"] == "plain" else f", {names['bottleneck']} bottleneck,"
    noise = "" if names["noise"] == "none" else f", {names['noise']} noise"
    code_size = config.architecture.code_size
    return f"{names['architecture']} autoencoder{bottleneck} on {names['dataset']}{noise}, code size {code_size}"


def announce(prepared: Prepared, trainer: Trainer) -> None:
    """Log what is trained on what, and what about it may not be meant."""
    splits = prepared.splits
    sizes = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    counts = [f"{len(split):,} for {use}" for use, split in sizes.items() if len(split)]
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    log.info("%s, on %s.", title_of(prepared.config), prepared.device.description)
    shape = "x".join(str(size) for size in splits.train.image_shape)
    log.info("%s parameters; images of %s: %s.", f"{parameters:,}", shape, ", ".join(counts))
    model = trainer.model
    asked = prepared.config.loss.build(output=prepared.config.architecture.output, image_shape=splits.train.image_shape)
    if model.loss.reads_logits and prepared.config.architecture.output == "identity":
        log.warning("architecture.output=identity leaves (0, 1), where this loss has no gradient; sigmoid is usual.")
    if model.bottleneck.variational and not asked.in_nats:
        hint = "loss=gaussian learns its variance" if asked.reads_logits is False else "it takes grey for probabilities"
        log.info("loss=%s becomes its likelihood: %s; %s.", _name(prepared, "loss"), model.loss.unit, hint)
    if _name(prepared, "loss") == "bernoulli" and prepared.config.dataset.binarization == "none":
        log.warning(
            "loss=bernoulli is a likelihood of black and white, and dataset.binarization=none leaves pixels grey."
        )


def _name(prepared: Prepared, group: str) -> str:
    return str(prepared.config.values[group]["name"])
