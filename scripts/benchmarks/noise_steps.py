"""Training steps of one model with different kinds of noise, which take turns in one process.

    python -m scripts.benchmarks.noise_steps --rounds 5 --result result.json

All noises share the model, its optimizer and the images: Fashion-MNIST (from AUTOENC_DATA) in batches of 128. A round
has as many steps with each noise, in a random order that changes from batch to batch.

The result is a list with an entry for each architecture, noise and round. Its `seconds` are those of a step, and
`noise_seconds`, `forward_seconds`, `backward_seconds` (with the loss) and `optimizer_seconds` are its parts. They are
medians over the steps of a round. On a CPU they are processor time of all threads, because steps are so short that
other processes would interrupt most of them. On a GPU they are time on the clock: the parts are the times to start the
kernels, and `seconds` include a wait for the device.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from autoenc.command_line.compose import usual_settings
from autoenc.config import GROUPS
from autoenc.data.noise import Noise
from autoenc.data.noise.corruption import Corruption
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.training.step import TrainingStep

Found = TypeVar("Found")

STEPS, FIRST_STEPS, BATCH_SIZE = 100, 20, 128
PARTS = ("noise", "forward", "backward", "optimizer")
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "one_layer": ("mlp", {"hidden": [], "code_size": 100, "code_activation": "sigmoid", "tied": True}),
    "conv": ("conv", {}),
}
"""The model of the preset denoising_kernels, which computes little, and a convolutional one, which computes much."""
UNIFORM_DROPOUT, DROPOUT_LAYER = "uniform_dropout", "dropout_layer"
NOISES = ("none", "gaussian", "salt_and_pepper", "masking", "dropout", UNIFORM_DROPOUT, DROPOUT_LAYER)
"""Kinds of noise, and dropout in two more ways: from uniform numbers, and as torch's layer draws it."""


def main() -> None:
    """Take the steps and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS, help="with each noise in a round")
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    device = GROUPS["device"].parse(usual_settings("device", options.device)).build()
    images = _images(options.images, device=device)
    found = [
        {"architecture": architecture, **row}
        for architecture in ARCHITECTURES
        for row in _rounds(architecture, images, rounds=options.rounds, steps=options.steps, device=device)
    ]
    if options.result:
        options.result.write_text(json.dumps(found))


def _images(count: int, *, device: Device) -> Tensor:
    """(N, 1, 28, 28) in [0, 1], on the device."""
    settings = {**usual_settings("dataset", "fashion_mnist"), "validation_fraction": 0.0, "limit": count}
    splits = GROUPS["dataset"].parse(settings).build(data_dir=Path(os.environ["AUTOENC_DATA"]))
    pixels: Tensor = splits.train.images.to(device.torch_device) / 255
    return pixels.to(memory_format=torch.channels_last)


def _rounds(
    architecture: str, images: Tensor, *, rounds: int, steps: int, device: Device
) -> Iterator[dict[str, str | int | float]]:
    """A row for each round and noise."""
    training = _Training.of(architecture, device=device, image_shape=images.shape[1:])
    order = random.Random(0)  # noqa: S311 - no secret
    for count, number in ((FIRST_STEPS, None), *((steps, number) for number in range(rounds))):
        times: dict[str, list[dict[str, float]]] = {name: [] for name in NOISES}
        for _ in range(count):
            batch = images[torch.tensor(order.sample(range(len(images)), min(BATCH_SIZE, len(images))))]
            for name in order.sample(NOISES, len(NOISES)):
                times[name].append(training.timed(name, batch))
        if number is None:
            continue  # the first steps allocate memory
        for name, taken in times.items():
            medians = {part: statistics.median(each[part] for each in taken) for part in taken[0]}
            yield {"noise": name, "round": number, **medians}


class _Training(NamedTuple):
    """A model in training with each of the noises."""

    steps: Mapping[str, TrainingStep]
    """By noise. They share the model and the optimizer."""
    clock: _Clock

    @classmethod
    def of(cls, architecture: str, *, device: Device, image_shape: torch.Size) -> _Training:
        torch.manual_seed(0)
        name, settings = ARCHITECTURES[architecture]
        chosen = GROUPS["architecture"].parse({**usual_settings("architecture", name), **settings})
        bottleneck = GROUPS["bottleneck"].parse(usual_settings("bottleneck", "plain")).build(code_size=chosen.code_size)
        loss = GROUPS["loss"].parse(usual_settings("loss", "mse")).build(image_shape=image_shape)
        parts = chosen.build(tuple(image_shape), feature_size=bottleneck.feature_size)
        model = AutoEncoder(*parts, bottleneck=bottleneck, loss=loss, output=chosen.output)
        device.place(model)
        optimizer = GROUPS["optimizer"].parse(usual_settings("optimizer", "adam")).build(model.parameters())
        clock = _Clock(time.process_time if device.torch_device.type == "cpu" else time.perf_counter)
        model.forward = clock.timed("forward", model.forward)  # type: ignore[method-assign]
        optimizer.step = clock.timed("optimizer", optimizer.step)
        generator = torch.Generator(device.torch_device).manual_seed(0)

        def step(noise: str) -> TrainingStep:
            timed = cast("Noise", clock.timed("noise", _corrupt(noise)))  # a step only calls it
            return TrainingStep(model, noise=timed, optimizer=optimizer, device=device, generator=generator)

        return cls({name: step(name) for name in NOISES}, clock)

    def timed(self, noise: str, batch: Tensor) -> dict[str, float]:
        """The seconds of a step and of its parts."""
        started = self.clock.now()
        self.steps[noise].train_step(batch).item()  # synchronizes
        seconds, begins, ends = self.clock.now() - started, self.clock.begins, self.clock.ends
        parts = {part: ends[part] - begin for part, begin in begins.items()}
        parts["backward"] = begins["optimizer"] - ends["forward"]
        return {"seconds": seconds, **{f"{part}_seconds": parts[part] for part in PARTS}}


class _Clock:
    """When the parts of the last step began and ended."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.begins: dict[str, float] = {}
        self.ends: dict[str, float] = {}

    def timed(self, part: str, function: Callable[..., Found]) -> Callable[..., Found]:
        """The same function, whose time is noted."""

        @functools.wraps(function)
        def noted(*arguments: Any, **keywords: Any) -> Found:
            self.begins[part] = self.now()
            found = function(*arguments, **keywords)
            self.ends[part] = self.now()
            return found

        return noted


def _corrupt(name: str) -> Callable[..., Corruption]:
    """The noise of a name."""
    if name not in _DROPOUTS:
        noise: Noise = GROUPS["noise"].parse(usual_settings("noise", name))
        return noise.__call__
    draw, probability = _DROPOUTS[name], usual_settings("noise", "dropout")["probability"]

    def corrupt(images: Tensor, *, generator: torch.Generator) -> Corruption:
        noisy = draw(images, probability, generator)
        return Corruption(noisy, noisy == 0)

    return corrupt


def uniform_dropout(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Dropout that compares uniform numbers with the probability."""
    draw = torch.empty_like(images).uniform_(generator=generator)
    return images * (draw >= probability).to(images.dtype).div_(1 - probability)


def dropout_layer(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:  # noqa: ARG001
    """Torch's dropout, which draws from torch's own generator."""
    return F.dropout(images, probability)


_DROPOUTS: Mapping[str, Callable[..., Tensor]] = {UNIFORM_DROPOUT: uniform_dropout, DROPOUT_LAYER: dropout_layer}


if __name__ == "__main__":
    main()
