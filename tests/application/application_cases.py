"""What the tests of the application have in common."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from autoenc.application import Request, apply
from autoenc.data.datasets import Dataset


class Given:
    """Ten small images in every form in which they can be given: the folder `pictures`, and `images.npy`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 256, (10, 1, 8, 8), dtype=torch.uint8, generator=generator)
        self.pictures = folder / "pictures"
        for index, image in enumerate(self.images):
            path = self.pictures / ("deep/er" if index % 2 else "") / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0].numpy()).save(path)
        self.order = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]  # by path: those at the top come first
        self.names = [f"deep/er/{index}.png" if index % 2 else f"{index}.png" for index in self.order]
        np.save(folder / "images.npy", self.images.numpy())


def do(run: Path, text: str | Path, output: str | Path, action: str = "reconstruct", **changes: Any) -> None:
    """Apply a run's model, on the CPU and without resizing options, unless the changes have others."""
    options = {"device": "cpu", "resize": "stretch", **changes}
    apply(Request(run=run, given=str(text), output=Path(output), do=action, **options), usual_dataset=no_dataset)  # type: ignore[arg-type]


def no_dataset(name: str) -> Dataset:
    raise AssertionError(f"nobody asked for {name}")


def told(run: Path, text: str | Path, output: str | Path, action: str = "reconstruct", **changes: Any) -> str:
    """What is said when it is refused."""
    with pytest.raises(ValueError, match=r".") as caught:
        do(run, text, output, action, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path))


def names_in(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
