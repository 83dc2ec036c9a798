"""The preparation of a run: everything that can be refused before the run has a folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Splits
from autoenc.devices import Device, keep_freed_memory
from autoenc.experiment.source_run import SourceRun, initialize
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import INITIAL_WEIGHTS, RunDirectory
from autoenc.training.checkpoints import stored_digests

log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """A checked config, and what was loaded and built for it."""

    config: ExperimentConfig
    device: Device
    splits: Splits
    """All images are on the device, or on the CPU if they do not fit there."""
    model: AutoEncoder
    """Untrained here, on the device."""
    started: float
    """`time.perf_counter()` when the preparation began."""
    digests: Mapping[str, str]
    """Of the images of each split, and of the weights of another run that this one started from."""
    source: SourceRun | None = None
    """None if the weights are random, or those of the run's own checkpoint replace them."""


def prepare(config: ExperimentConfig, *, continues: RunDirectory | None = None, threads: int | None = None) -> Prepared:
    """Find the device and the packages of the tracker, load the images onto the device, and build the model.

    Nothing is written, except data that has to be downloaded. A run that `continues` has to have the images of its
    checkpoint, and no longer needs the run that it started from. `threads` is the number of CPU threads where the
    config leaves it open; None: torch's choice.

    Raises:
        ValueError: something is not available, the images are not the run's, or no weights fit; one line.
    """
    started = time.perf_counter()
    device = config.device.build()
    device.set_threads(threads)
    keep_freed_memory()
    config.tracker.require()
    trained_on = {} if continues is None else stored_digests(continues.checkpoints)
    splits = config.build_splits(trained_on=trained_on).to(device.torch_device)
    if continues is None:
        for remark in splits.remarks:
            log.info("%s", remark)
    config.check_batches(image_count=len(splits.train))
    model = config.build_model(image_shape=splits.image_shape)
    digests = {**trained_on, **splits.digests}
    source = None
    if config.initialize_from is not None and not trained_on:
        source = initialize(model, config.initialize_from, part=config.initialize_part)
        digests[INITIAL_WEIGHTS] = source.digest
    device.place(model)
    return Prepared(config, device, splits, model, started, digests, source)
