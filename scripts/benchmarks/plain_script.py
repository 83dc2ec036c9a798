"""What one writes instead of the default run: the same model on the same digits, in the way of tutorials.

    python -m scripts.benchmarks.plain_script FOLDER [--figures]

20 epochs of all training images, the test error, and with `--figures` the two pictures that every run has: the loss
curve and reconstructions. There are no checkpoints, no page, no baselines, no measures besides the error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCH_SIZE = 20, 64


def main() -> None:
    """Train, score, and draw if asked to."""
    images = torch.tensor(load_digits().images[:, None] / 16, dtype=torch.float32)  # (1797, 1, 8, 8)
    train, test = map(torch.stack, train_test_split(list(images), test_size=0.2, random_state=0))
    model = nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(64, 512), nn.GELU(), nn.Linear(512, 256), nn.GELU(), nn.Linear(256, 16)),
        *(nn.Linear(16, 256), nn.GELU(), nn.Linear(256, 512), nn.GELU(), nn.Linear(512, 64), nn.Sigmoid()),
        nn.Unflatten(1, (1, 8, 8)),
    )
    losses = _train(model, train)
    with torch.no_grad():
        reconstructions = model(test)
    print(f"test error {F.mse_loss(reconstructions, test).item():.4f}")
    if "--figures" in sys.argv:
        _draw(losses, test, reconstructions, folder=Path(sys.argv[1]))


def _train(model: nn.Module, images: Tensor) -> list[float]:
    """The average loss of each epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    loader: DataLoader[Any] = DataLoader(TensorDataset(images), batch_size=BATCH_SIZE, shuffle=True)
    losses = []
    for _ in range(EPOCHS):
        running = 0.0
        for (batch,) in loader:
            optimizer.zero_grad()
            loss = F.mse_loss(model(batch), batch)
            loss.backward()
            optimizer.step()
            running += loss.item()
        losses.append(running / len(loader))
    return losses


def _draw(losses: list[float], images: Tensor, reconstructions: Tensor, *, folder: Path) -> None:
    import matplotlib.pyplot as plt

    plt.plot(losses)
    plt.savefig(folder / "loss.png")
    _, axes = plt.subplots(2, 8)
    for column, pair in enumerate(zip(images[:8, 0], reconstructions[:8, 0], strict=True)):
        for row, image in enumerate(pair):
            axes[row, column].imshow(image.numpy(), cmap="gray")
    plt.savefig(folder / "reconstructions.png")


if __name__ == "__main__":
    main()
