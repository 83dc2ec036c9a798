"""The run that another one starts from: its checkpoint, and the copy of the weights that fit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from autoenc.comparison.formatting import listed_in_words
from autoenc.display_names import run_label
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import RunDirectory, read_run
from autoenc.settings import ConfigError
from autoenc.training.checkpoints import Checkpoint, CheckpointError, load_trained
from autoenc.training.initial_weights import FittingWeights, Part, take_weights

KEY = "initialize_from"


class SourceRun(NamedTuple):
    """The run whose weights another one starts from."""

    label: str
    """Printable."""
    epoch: object
    """The epoch that the weights are from; None if the checkpoint does not say."""
    digest: str
    """The SHA-256 of the file of weights."""
    weights: FittingWeights


def initialize(model: AutoEncoder, folder: Path, *, part: Part | None) -> SourceRun:
    """Give the model the weights of the run in `folder` that fit.

    They are the weights that the run was tested with; of a run that is still training, the best so far. Nothing in the
    folder is executed.

    Raises:
        ConfigError: there is no run or no usable checkpoint, or no layer fits.
    """
    checkpoint = load_source(folder)
    weights = take_weights(model, checkpoint.model, part=part)
    label = run_label(read_run(folder).config)
    if not weights.taken:
        layers = "layers" if part is None else f"layers of the {part}"
        problem = f"none of the {layers} of that run ({label}) fits this model: {differences(weights)}"
        raise ConfigError(KEY, problem, value=str(folder))
    return SourceRun(label, checkpoint.values.get("epoch"), checkpoint.digest, weights)


def load_source(folder: Path) -> Checkpoint:
    """The checkpoint of the run to start from.

    Raises:
        ConfigError: there is no run, or it has no usable checkpoint.
    """
    run_directory = RunDirectory.open(folder, key=KEY)
    try:
        checkpoint = load_trained(run_directory.checkpoints)
    except CheckpointError as error:
        raise ConfigError(KEY, str(error), value=str(folder)) from None
    if checkpoint is None:
        raise ConfigError(KEY, "the run has no checkpoint yet", value=str(folder))
    return checkpoint


def differences(weights: FittingWeights) -> str:
    """The layers that do not fit, with the shapes here and there."""
    return listed_in_words(f"{layer} ({why})" for layer, why in weights.left.items())
