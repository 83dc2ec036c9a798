"""Subjects of models made by hand, and of whole configs, untrained."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor

from autoenc.config import ExperimentConfig, parse
from autoenc.data.datasets import Split, Splits
from autoenc.data.noise import NOISES, Noise
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.portraits.subject import Subject
from tests.composed import composed_values

CPU = Device(torch_device=torch.device("cpu"), threads=1, precision="float32", channels_last=False, compile=False)
NO_NOISE: Noise = NOISES.parse({"name": "none"})


def images_of(*shape: int, seed: int = 0) -> Tensor:
    """Random uint8 images of a shape (N, C, H, W)."""
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def splits_of(train: Tensor, test: Tensor, *, train_probabilities: Tensor | None = None) -> Splits:
    def split(images: Tensor) -> Split:
        return Split(images, torch.arange(len(images)) % 3)

    return Splits(split(train), split(train[:0]), split(test), ("a", "b", "c"), train_probabilities)


def subject_of(
    model: AutoEncoder,
    *,
    train: Tensor,
    test: Tensor,
    untrained: AutoEncoder | None = None,
    noise: Noise = NO_NOISE,
    train_probabilities: Tensor | None = None,
    **architecture: Any,
) -> Subject:
    """A model by hand; `untrained` is what the run began with, and `architecture` its settings."""
    before = copy.deepcopy(model if untrained is None else untrained)
    stand_in = SimpleNamespace(
        noise=noise,
        architecture=SimpleNamespace(**architecture),
        build_model=lambda image_shape: copy.deepcopy(before),
    )
    return Subject(
        model=model.eval(),
        config=cast("ExperimentConfig", stand_in),
        splits=splits_of(train, test, train_probabilities=train_probabilities),
        device=CPU,
        code_snapshots={},
        shown_snapshots={},
    )


def subject_from(*overrides: str, train: Tensor, test: Tensor) -> Subject:
    """What `train.py` would build for this command line, untrained, with other images."""
    config = parse(composed_values("device=cpu", "data_dir=/data", *overrides))
    splits = splits_of(train, test)
    return Subject(
        model=config.build_model(image_shape=splits.image_shape).eval(),
        config=config,
        splits=splits,
        device=CPU,
        code_snapshots={},
        shown_snapshots={},
    )
