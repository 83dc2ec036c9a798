"""A model so small that what its portraits must show is known: codes are pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from autoenc.portraits.subject import Subject
from torch import Tensor, nn

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Split, Splits
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import Plain

MakeSubject = Callable[..., Subject]

CPU = Device(torch_device=torch.device("cpu"), threads=1, precision="float32", channels_last=False, compile=False)


class Clean:
    """The images as they are."""

    corrupts = False


def pixel_model(code_size: int, *, pixels: int = 16) -> AutoEncoder:
    """The code is the first pixels (times 1); the decoder puts them back, and leaves the others black."""
    encoder, decoder = nn.Linear(pixels, code_size), nn.Linear(code_size, pixels)
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(code_size, pixels))
        decoder.weight.copy_(torch.eye(pixels, code_size))
        encoder.bias.zero_()
        decoder.bias.zero_()
    side = int(pixels**0.5)
    return AutoEncoder(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (1, side, side))),
        bottleneck=Plain(code_size=code_size),
    )


def split(count: int, *, seed: int, classes: int) -> Split:
    """Random images of 1 x 4 x 4; the classes take turns."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(count) % classes)


@pytest.fixture
def make_subject() -> MakeSubject:
    """A subject of the model above, or of one that is given."""

    def call(
        code_size: int = 2,
        *,
        model: AutoEncoder | None = None,
        train: int = 200,
        test: int = 60,
        classes: int = 3,
        noise: Any = None,
        code_snapshots: Mapping[int, Tensor] | None = None,
        **further: Any,
    ) -> Subject:
        names = tuple(f"class {index}" for index in range(classes))
        splits = Splits(
            train=split(train, seed=0, classes=classes),
            validation=split(0, seed=1, classes=classes),
            test=split(test, seed=2, classes=classes),
            class_names=names,
        )
        return Subject(
            model=(pixel_model(code_size) if model is None else model).eval(),
            config=cast(ExperimentConfig, SimpleNamespace(noise=Clean() if noise is None else noise)),
            splits=splits,
            device=CPU,
            code_snapshots={} if code_snapshots is None else code_snapshots,
            **{"shown_snapshots": {}, **further},
        )

    return call
