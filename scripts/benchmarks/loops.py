"""The training loops that one would use instead of autoenc, each in a process of its own.

    python -m scripts.benchmarks.loops tutorial conv --epochs 5 --result result.json

Same layers, images, batches and optimizer: system A of docs/gallery.md on Fashion-MNIST (from AUTOENC_DATA), batches of
64, Adam, squared error, shuffled. Each loop is the usual way of its kind:

- tutorial: a DataLoader over torchvision's dataset with ToTensor, and `.item()` at each step;
- bare: a permutation indexes float images in memory; channels_last, fused Adam, and nothing else;
- lightning: a LightningModule and a Trainer with its defaults (logger, checkpoints, progress bar), data as in tutorial;
- pythae: an AE with these layers in a TrainingPipeline with its defaults (progress bar, final checkpoint).

The result has `seconds`, those of the training, and `test_error`, the mean squared error over all test images.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import FashionMNIST

BATCH_SIZE, LEARNING_RATE = 64, 1e-3


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every loop is given."""

    encoder: nn.Module
    decoder: nn.Module
    code_size: int
    epochs: int
    images: int
    device: str = "cpu"
    shuffle: bool = True


def main() -> None:
    """Train with one loop and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("architecture", choices=LAYERS)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fixed-order", action="store_true", help="tutorial: the same order in every epoch")
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    encoder, decoder, code_size = LAYERS[options.architecture]()
    task = Task(
        encoder=encoder,
        decoder=decoder,
        code_size=code_size,
        epochs=options.epochs,
        images=options.images,
        device=options.device,
        shuffle=not options.fixed_order,
    )
    seconds = LOOPS[options.loop](task)
    result = {"seconds": seconds, "test_error": _test_error(nn.Sequential(encoder, decoder))}
    if options.result:
        options.result.write_text(json.dumps(result))


def fully_connected() -> tuple[nn.Module, nn.Module, int]:
    """Encoder, decoder and code size of system A's fully connected autoencoder (219,891 parameters)."""
    encoder = [nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()]
    encoder += [nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 3)]
    decoder = [nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU()]
    decoder += [nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))]
    return nn.Sequential(*encoder), nn.Sequential(*decoder), 3


def conv() -> tuple[nn.Module, nn.Module, int]:
    """Encoder, decoder and code size of system A's convolutional autoencoder (210,369 parameters)."""
    encoder = [nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 7)]
    decoder = [nn.ConvTranspose2d(64, 32, 7), nn.ReLU(), nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU()]
    decoder += [nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid()]
    return nn.Sequential(*encoder), nn.Sequential(*decoder), 64


def tutorial(task: Task) -> float:
    """The loop of tutorials; returns the seconds of the training."""
    model = nn.Sequential(task.encoder, task.decoder).to(task.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    loader = _loader(task)
    started = time.perf_counter()
    for _ in range(task.epochs):
        running = 0.0
        for images, _labels in loader:
            images = images.to(task.device)  # noqa: PLW2901
            optimizer.zero_grad()
            loss = F.mse_loss(model(images), images)
            loss.backward()
            optimizer.step()
            running += loss.item()
    return time.perf_counter() - started


def bare(task: Task) -> float:
    """The least that trains; returns the seconds of the training."""
    model = nn.Sequential(task.encoder, task.decoder).to(task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    images = _pixels(train=True, count=task.images).to(task.device)
    started = time.perf_counter()
    for _ in range(task.epochs):
        for indices in torch.randperm(len(images), device=images.device).split(BATCH_SIZE):
            batch = images[indices]
            optimizer.zero_grad()
            loss = F.mse_loss(model(batch), batch)
            loss.backward()
            optimizer.step()
    loss.item()  # waits for the device
    return time.perf_counter() - started


def lightning(task: Task) -> float:
    """Lightning's loop with the defaults of its Trainer; returns the seconds of `fit`."""
    import lightning as L

    class Module(L.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(task.encoder, task.decoder)

        def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
            images, _labels = batch
            loss = F.mse_loss(self.model(images), images)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)

    loader = _loader(task)
    with tempfile.TemporaryDirectory() as folder:
        accelerator = "cpu" if task.device == "cpu" else "gpu"
        trainer = L.Trainer(max_epochs=task.epochs, accelerator=accelerator, devices=1, default_root_dir=folder)
        module = Module()
        started = time.perf_counter()
        trainer.fit(module, loader)
        return time.perf_counter() - started


def pythae(task: Task) -> float:
    """Pythae's training pipeline with its defaults; returns the seconds of the pipeline."""
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = task.encoder

        def forward(self, images: Tensor) -> Any:
            return ModelOutput(embedding=self.layers(images))

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = task.decoder

        def forward(self, codes: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(codes))

    images = _pixels(train=True, count=task.images)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=task.epochs,
            learning_rate=LEARNING_RATE,
            per_device_train_batch_size=BATCH_SIZE,
            optimizer_cls="Adam",
            no_cuda=task.device == "cpu",
        )
        model = AE(AEConfig(input_dim=(1, 28, 28), latent_dim=task.code_size), encoder=Encoder(), decoder=Decoder())
        pipeline = TrainingPipeline(model=model, training_config=config)
        started = time.perf_counter()
        pipeline(train_data=images)
        return time.perf_counter() - started


def _loader(task: Task) -> DataLoader[Any]:
    dataset = FashionMNIST(os.environ["AUTOENC_DATA"], train=True, transform=transforms.ToTensor())
    part = dataset if task.images >= len(dataset) else Subset(dataset, range(task.images))
    return DataLoader(part, batch_size=BATCH_SIZE, shuffle=task.shuffle)


def _pixels(*, train: bool, count: int | None = None) -> Tensor:
    """(N, 1, 28, 28) in [0, 1]."""
    pixels: Tensor = FashionMNIST(os.environ["AUTOENC_DATA"], train=train).data[:count]
    return pixels.unsqueeze(1) / 255


def _test_error(model: nn.Module) -> float:
    test = _pixels(train=False)
    with torch.no_grad():
        errors = [F.mse_loss(model(images), images) for images in test.split(1000)]
    return torch.stack(errors).mean().item()


LAYERS: dict[str, Callable[[], tuple[nn.Module, nn.Module, int]]] = {"fully_connected": fully_connected, "conv": conv}
LOOPS: dict[str, Callable[[Task], float]] = {
    "tutorial": tutorial,
    "bare": bare,
    "lightning": lightning,
    "pythae": pythae,
}


if __name__ == "__main__":
    main()
