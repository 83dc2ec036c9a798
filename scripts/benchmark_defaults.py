"""Compare the defaults with a plain PyTorch script: how well does each architecture learn?

    python scripts/benchmark_defaults.py                    # all tasks, three seeds
    python scripts/benchmark_defaults.py --quick            # one seed, 5 epochs, the digits only
    python scripts/benchmark_defaults.py --tasks conv mlp --datasets mnist --seeds 1

Each model is trained on the first 6,000 images (1,437 digits) in batches of 64, and scored on the whole test split. No
images are kept for validation, and the last weights are scored. `autoenc` is `conf/` as it is: initial weights, widths,
optimizer and its learning rate. `script` is what one writes without this package: torch's default layers, Adam with a
learning rate of 1e-3, and for convolutions a linear layer on both sides of the code. Both have the same code size, loss
and noise, and widths of the same sizes. The numbers are averages over the seeds, with the standard deviation.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.command_line.compose import usual_settings
from autoenc.config import GROUPS
from autoenc.models.autoencoder import AutoEncoder
from autoenc.training.step import TrainingStep

IMAGES, BATCH_SIZE, EPOCHS = 6000, 64, (5, 20)
DATASETS = ("digits", "mnist", "fashion_mnist")
Scored = Callable[[Tensor, Tensor], Tensor]
"""From the model's input and the clean images, both (B, C, H, W), to a number for each image, (B,)."""


@dataclass(frozen=True)
class Task:
    """One row for each dataset. `settings` are those of the architecture; `pythae` is known after 5 epochs."""

    name: str
    architecture: str
    datasets: tuple[str, ...] = DATASETS
    settings: Mapping[str, Any] = field(default_factory=dict)
    noise: str = "none"
    bottleneck: str = "plain"
    loss: str = "mse"
    pythae: float | None = None


TASKS = (
    Task("denoising, 64 codes", "denoising_conv", ("mnist",), noise="salt_and_pepper", pythae=0.0184),
    Task("mlp, 32 codes", "mlp", ("fashion_mnist",), {"code_size": 32}, pythae=0.0171),
    Task("mlp, 8 codes", "mlp", ("fashion_mnist",), {"code_size": 8}, pythae=0.0188),
    Task("VAE, 2 codes, ELBO", "mlp", ("mnist",), {"code_size": 2}, bottleneck="gaussian", loss="bce", pythae=-168.9),
    *(Task(name, name) for name in ("linear", "fully_connected", "mlp", "wide", "deep")),
    *(Task(name, name) for name in ("conv", "conv_linear", "residual")),
    Task("denoising_conv", "denoising_conv", noise="salt_and_pepper"),
)


def main() -> None:
    """Train, and print the rows of a Markdown table as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", help="the beginnings of their names")
    parser.add_argument("--datasets", nargs="+", default=DATASETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", nargs="+", type=int, default=EPOCHS, help="the epochs to score after")
    parser.add_argument("--quick", action="store_true", help="one seed, 5 epochs, the digits only")
    options = parser.parse_args()
    if options.quick:
        options.datasets, options.seeds, options.epochs = ["digits"], 1, [5]
    torch.set_num_threads(1)
    print("| task | dataset | epochs | autoenc | script | pythae |\n| --- | --- | --- | --- | --- | --- |")
    for task, dataset in itertools.product(TASKS, options.datasets):
        if dataset in task.datasets and (not options.tasks or task.name.startswith(tuple(options.tasks))):
            _print_rows(task, dataset, options)


def _print_rows(task: Task, dataset: str, options: argparse.Namespace) -> None:
    train, test = _images(dataset)
    columns = [
        [list(trained(task, train, test, seed=seed, epochs=options.epochs)) for seed in range(options.seeds)]
        for trained in (_autoenc, _script)
    ]
    for number, epochs in enumerate(options.epochs):
        cells = [_cell([scores[number] for scores in column]) for column in columns]
        known = task.pythae if epochs == EPOCHS[0] else None
        cells.append("" if known is None else str(known))
        print(f"| {task.name} | {dataset} | {epochs} | {' | '.join(cells)} |", flush=True)


def _cell(scores: list[float]) -> str:
    digits = 4 if abs(scores[0]) < 1 else 1
    spread = f" ± {statistics.stdev(scores):.{digits}f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.{digits}f}{spread}"


def _images(dataset: str) -> tuple[Tensor, Tensor]:
    """The images for training and for the test, (N, C, H, W) in [0, 1]."""
    folder = Path(os.environ.get("AUTOENC_DATA", "~/.cache/autoenc")).expanduser()
    splits = _choice("dataset", dataset, validation_fraction=0.0, limit=IMAGES).build(data_dir=folder)
    return tuple((part.images / 255).to(memory_format=torch.channels_last) for part in (splits.train, splits.test))


def _choice(group: str, name: str, **settings: Any) -> Any:
    return GROUPS[group].parse({**usual_settings(group, name), **settings})


def _batches(images: Tensor, *, seed: int, epochs: list[int]) -> Iterator[Tensor | None]:
    """Shuffled batches; None after each of the `epochs` to score after."""
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(1, max(epochs) + 1):
        for indices in torch.randperm(len(images), generator=generator).split(BATCH_SIZE):
            yield images[indices]
        if epoch in epochs:
            yield None


def _average(score: Scored, test: Tensor, *, noise: Any) -> float:
    generator = torch.Generator().manual_seed(0)  # the same noise for all models
    with torch.no_grad():
        parts = [score(noise(clean, generator=generator).images, clean) for clean in test.split(1000)]
    return torch.cat(parts).mean().item()


def _autoenc(task: Task, train: Tensor, test: Tensor, *, seed: int, epochs: list[int]) -> Iterator[float]:
    """The test scores with the defaults of `conf/`."""
    torch.manual_seed(seed)
    architecture = _choice("architecture", task.architecture, **task.settings)
    bottleneck = _choice("bottleneck", task.bottleneck).build(code_size=architecture.code_size)
    shape = tuple(train.shape[1:])
    parts = architecture.build(shape, feature_size=bottleneck.feature_size)
    loss = _choice("loss", task.loss).build(image_shape=shape)
    model = AutoEncoder(*parts, bottleneck=bottleneck, loss=loss, output=architecture.output)
    device = _choice("device", "cpu", threads=1).build()
    device.place(model)
    generator = torch.Generator().manual_seed(seed)
    noise, optimizer = _choice("noise", task.noise), _choice("optimizer", "adam").build(model.parameters())
    step = TrainingStep(model, noise=noise, optimizer=optimizer, device=device, generator=generator)

    def score(given: Tensor, clean: Tensor) -> Tensor:
        output = model(given, draws=model.draw(given, generator=generator))
        return model.elbo(output, target=clean) if bottleneck.variational else _squared(output.reconstruction, clean)

    for batch in _batches(train, seed=seed, epochs=epochs):
        if batch is None:
            with model.evaluating():
                yield _average(score, test, noise=noise)
        else:
            step.train_step(batch)


def _script(task: Task, train: Tensor, test: Tensor, *, seed: int, epochs: list[int]) -> Iterator[float]:
    """The test scores of a plain script."""
    torch.manual_seed(seed)
    settings = {**usual_settings("architecture", task.architecture), **task.settings}
    variational = task.bottleneck == "gaussian"
    code_size = settings["code_size"]
    encoder, decoder = _layers(settings, train.shape[1:], features=code_size * (1 + variational))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    noise, generator = _choice("noise", task.noise), torch.Generator().manual_seed(seed)

    def elbo(images: Tensor) -> Tensor:
        mean, log_variance = encoder(images).chunk(2, dim=1)
        reconstruction = decoder(mean + torch.exp(log_variance / 2) * torch.randn_like(mean))
        entropy = F.binary_cross_entropy(reconstruction, images, reduction="none").flatten(1).sum(1)
        bound: Tensor = -entropy - 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
        return bound

    def score(given: Tensor, clean: Tensor) -> Tensor:
        return elbo(clean) if variational else _squared(decoder(encoder(given)), clean)

    for batch in _batches(train, seed=seed, epochs=epochs):
        if batch is None:
            yield _average(score, test, noise=noise)
            continue
        given = noise(batch, generator=generator).images
        loss = -elbo(batch).mean() if variational else F.mse_loss(decoder(encoder(given)), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _squared(reconstruction: Tensor, clean: Tensor) -> Tensor:
    return (reconstruction - clean).square().flatten(1).mean(1)


def _layers(settings: Mapping[str, Any], shape: torch.Size, *, features: int) -> tuple[nn.Module, nn.Module]:
    """The obvious encoder and decoder, with torch's initial weights."""
    code_size, linear = settings["code_size"], settings["name"] == "conv_linear"
    output = nn.Identity() if linear else nn.Sigmoid()
    if "channels" not in settings:
        unit = nn.Sigmoid if settings.get("activation") == "sigmoid" else nn.ReLU
        widths = [shape.numel(), *settings.get("hidden", settings.get("hidden_sizes", []))]
        encoder = [nn.Flatten(), *_perceptron([*widths, features], unit)]
        return nn.Sequential(*encoder), nn.Sequential(
            *_perceptron([code_size, *widths[::-1]], unit), output, nn.Unflatten(1, shape)
        )
    unit = nn.Identity if linear else nn.ReLU  # type: ignore[assignment]
    (first, second), (channels, height, width) = settings["channels"], shape
    smallest = (second, height // 4, width // 4)
    flat = smallest[0] * smallest[1] * smallest[2]
    encoder = [nn.Conv2d(channels, first, 3, 2, 1), unit(), nn.Conv2d(first, second, 3, 2, 1), unit(), nn.Flatten()]
    decoder = [nn.Linear(code_size, flat), nn.Unflatten(1, smallest), unit()]
    decoder += [nn.ConvTranspose2d(second, first, 3, 2, 1, 1), unit(), nn.ConvTranspose2d(first, channels, 3, 2, 1, 1)]
    return nn.Sequential(*encoder, nn.Linear(flat, features)), nn.Sequential(*decoder, output)


def _perceptron(widths: list[int], unit: type[nn.Module]) -> list[nn.Module]:
    layers = [[nn.Linear(*ends), unit()] for ends in itertools.pairwise(widths)]
    return [layer for pair in layers for layer in pair][:-1]


if __name__ == "__main__":
    main()
