"""A training step with every choice of every setting that it depends on. The choices are those of the registries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from autoenc.config import GROUPS
from autoenc.data.datasets import Split
from autoenc.data.datasets.binarization import Binarization
from autoenc.data.datasets.splits import Pools, make_splits
from autoenc.devices import Precision
from autoenc.evaluation.batches import as_floats
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.run import _build_step
from autoenc.models.output_ranges import OUTPUT_RANGES
from autoenc.training.step import TrainingStep
from tests.test_family import EMPHASIS, NOT_THE_DEFAULT, Settings, combined

SHAPE = (2, 5, 6)


def _cases() -> Iterator[Settings]:
    """Each choice with the defaults of all other settings, except those that it cannot do without."""
    for group in ("architecture", "bottleneck", "loss", "optimizer"):
        yield from ({group: {"name": name}} for name in GROUPS[group].names())
    for group, choices in NOT_THE_DEFAULT.items():
        yield from ({**_needed(values), group: values} for values in choices)
    for name in GROUPS["noise"].names():
        yield {"noise": {"name": name}, "training": {} if name == "none" else {"severity_start": 0.2}}
    yield from ({"architecture": {"output": output}} for output in OUTPUT_RANGES)
    yield from ({"dataset": {"binarization": kind}} for kind in get_args(Binarization))
    yield from ({"device": {"precision": precision}} for precision in get_args(Precision))
    yield {"training": {"gradient_clip": 1.0}}


def _needed(values: dict[str, object]) -> Settings:
    if values.get("kind") == "kl":
        return {"architecture": {"code_activation": "sigmoid"}}
    return {"noise": {"name": "masking"}} if values is EMPHASIS else {}


CASES = list(_cases())


def prepared(settings: Settings, *, device: torch.device) -> Prepared:
    """A run of these settings on a device, with 20 training images, 20 test images and three classes."""
    config = combined(settings)
    on = replace(config.device.build(), torch_device=device, channels_last=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (40, *SHAPE), generator=generator, dtype=torch.uint8)
    train, test = (Split(part, torch.arange(len(part)) % 3) for part in images.split(20))
    splits = make_splits(Pools(train, test, class_names=("a", "b", "c")), settings=config.dataset).to(device)
    model = config.build_model(image_shape=SHAPE)
    on.place(model)
    return Prepared(config, on, splits, model, started=0.0, digests={})


def step_and_images(run: Prepared) -> tuple[TrainingStep, Tensor]:
    """The step of a run, and the images that its batches are made of, (N, C, H, W) in [0, 1]."""
    probabilities = run.splits.train_probabilities
    stored = run.splits.train.images if probabilities is None else probabilities
    return _build_step(run), as_floats(stored, device=run.device)
