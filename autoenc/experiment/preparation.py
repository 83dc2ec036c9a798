"""The preparation of a run: everything that can be refused before the run has a folder."""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Splits
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import RunDirectory
from autoenc.training.checkpoints import stored_digests

log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """A checked config, and what was loaded and built for it."""

    config: ExperimentConfig
    device: Device
    splits: Splits
    """All images are on the device, or on the CPU if they do not fit there."""
    model: AutoEncoder
    """Untrained, on the device."""
    started: float
    """`time.perf_counter()` when the preparation began."""


def prepare(config: ExperimentConfig, *, continues: RunDirectory | None = None, threads: int | None = None) -> Prepared:
    """Find the device and the packages of the tracker, load the images onto the device, and build the model.

    Nothing is written, except data that has to be downloaded. A run that `continues` has to have the images of its
    checkpoint. `threads` is the number of CPU threads where the config leaves it open; None: torch's choice.

    Raises:
        ValueError: something is not available, or the images are not the run's; the message is one line.
    """
    started = time.perf_counter()
    device = config.device.build()
    device.set_threads(threads)
    config.tracker.require()
    trained_on = {} if continues is None else stored_digests(continues.checkpoints)
    splits = config.build_splits(trained_on=trained_on).to(device.torch_device)
    if continues is None:
        for remark in splits.remarks:
            log.info("%s", remark)
    config.check_batches(image_count=len(splits.train))
    model = config.build_model(image_shape=splits.image_shape)
    device.place(model)
    return Prepared(config, device, splits, model, started)
