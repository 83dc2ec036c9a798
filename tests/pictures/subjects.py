"""Subjects of models made by hand, whose pictures are known, and of whole configs, untrained."""

from __future__ import annotations

import copy
import functools
import math
import pickle
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from autoenc.config import parse
from autoenc.data.datasets import Split, Splits
from autoenc.data.noise import NOISES
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.bottleneck import Plain
from autoenc.models.bottlenecks.variational import LOG_VARIANCE_LIMIT
from autoenc.pictures.picture import Picture
from autoenc.pictures.subject import Subject
from tests.composed import composed_values

CPU = Device(torch_device=torch.device("cpu"), threads=1, precision="float32", channels_last=False, compile=False)


PictureType = TypeVar("PictureType", bound=Picture)


def measured(kind: type[PictureType], subject: Subject) -> PictureType:
    """A picture that applies to its subject, as another process receives it to draw it."""
    picture = kind.measure(subject)
    assert picture is not None
    passed_on: PictureType = pickle.loads(pickle.dumps(picture))
    return passed_on


def images_of(*shape: int, seed: int = 0) -> Tensor:
    """Random uint8 images of a shape (N, C, H, W)."""
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def subject_of(
    model: AutoEncoder,
    *,
    train: Tensor,
    test: Tensor,
    untrained: AutoEncoder | None = None,
    train_probabilities: Tensor | None = None,
    classes: int = 3,
    **changed: Any,
) -> Subject:
    """A subject of a model made by hand; `untrained` is the same model before training. The classes take turns."""

    def split(images: Tensor) -> Split:
        return Split(images, torch.arange(len(images)) % classes)

    names = tuple(f"class {index}" for index in range(classes))
    before = copy.deepcopy(model if untrained is None else untrained)
    fields: dict[str, Any] = {
        "model": model.eval(),
        "build_untrained": lambda: copy.deepcopy(before),
        "noise": NOISES.parse({"name": "none"}),
        "has_upsampling": False,
        "splits": Splits(split(train), split(train[:0]), split(test), names, train_probabilities),
        "device": CPU,
        "code_snapshots": {},
        "shown_snapshots": {},
    }
    return Subject(**{**fields, **changed})


def pixel_subject(code_size: int = 2, *, train: int = 200, test: int = 60, **changed: Any) -> Subject:
    """A subject whose codes are the first of 16 pixels; the decoder puts them back and leaves the others black."""
    encoder, decoder = nn.Linear(16, code_size), nn.Linear(code_size, 16)
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(code_size, 16))
        decoder.weight.copy_(torch.eye(16, code_size))
        encoder.bias.zero_()
        decoder.bias.zero_()
    model = AutoEncoder(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 4, 4))),
        bottleneck=Plain(code_size=code_size),
    )
    return subject_of(model, train=images_of(train, 1, 4, 4), test=images_of(test, 1, 4, 4, seed=2), **changed)


def gaussian_subject(*, spread: float, deviation: float, collapsed: int = 0, **changed: Any) -> Subject:
    """A variational subject: its aggregate posterior is N(0, spread^2 + deviation^2) for both active entries of a code.

    The means of its 10,000 posteriors are N(0, spread^2), their standard deviation is `deviation`. Further entries are
    N(0, 1) for every image.
    """
    size, width = 2 + collapsed, 0.12
    values = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    images = (255 * (0.5 + width * values)).round().clamp(0, 255).to(torch.uint8).reshape(-1, 1, 1, 2)
    encoder = nn.Linear(2, 2 * size)
    with torch.no_grad():
        encoder.weight.copy_(spread / width * torch.eye(2 * size, 2))
        log_variances = torch.zeros(size)
        log_variances[:2] = LOG_VARIANCE_LIMIT * math.atanh(2 * math.log(deviation) / LOG_VARIANCE_LIMIT)
        means = -0.5 * encoder.weight.sum(1)[:size]
        encoder.bias.copy_(torch.cat([means, log_variances]))
    settings = {"name": "gaussian", "beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0, "samples": 1}
    model = AutoEncoder(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(nn.Linear(size, 2), nn.Unflatten(1, (1, 1, 2))),
        bottleneck=BOTTLENECKS.parse(settings).build(code_size=size),
    )
    return subject_of(model, train=images[:10_000], test=images[10_000:], **changed)


def spoil_codes(subject: Subject, value: float = torch.nan) -> None:
    """Make every code of a `pixel_subject` this value."""
    nn.init.constant_(list(subject.model.encoder.parameters())[1], value)


def subject_from(*overrides: str, train: Tensor, test: Tensor, **changed: Any) -> Subject:
    """The subject of the model that `train.py` would build for this command line, untrained, with other images."""
    config = parse(composed_values("device=cpu", "data_dir=/data", *overrides))
    build = functools.partial(config.build_model, image_shape=Split(test, torch.arange(len(test))).image_shape)
    return subject_of(
        build(),
        train=train,
        test=test,
        build_untrained=build,
        noise=config.noise,
        has_upsampling=hasattr(config.architecture, "upsampling"),
        **changed,
    )
