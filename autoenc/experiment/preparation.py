"""What a run needs before it may make a folder."""

from __future__ import annotations

import time
from typing import NamedTuple

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Splits
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder


class Prepared(NamedTuple):
    """What a run needs before it may make a folder: checked, loaded and built, so that what cannot be has said so."""

    config: ExperimentConfig
    device: Device
    splits: Splits
    model: AutoEncoder
    """Untrained, and on the device."""
    started: float
    """`time.perf_counter()` when the preparations began."""


def prepare(config: ExperimentConfig, *, threads: int | None = None) -> Prepared:
    """Find the device and what the tracker needs, load the images, build the model.

    Nothing is written, but for data that has to be downloaded.

    Where the config leaves it open, `threads` says how many CPU threads there are to be; None: as torch would have it.

    Raises:
        ValueError: one of them is not there; the message is one line.
    """
    started = time.perf_counter()
    device = config.device.build()
    device.set_threads(threads)
    config.tracker.require()
    splits = config.dataset.build(data_dir=config.data_dir)
    model = config.build_model(image_shape=splits.image_shape)
    device.place(model)
    return Prepared(config, device, splits, model, started)
