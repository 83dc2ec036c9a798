"""Runs made up for the tests of the report: records, and the files that pictures are drawn from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.runs import RecordState, RunRecord
from tests.comparison import made_records

UNITS = {
    "mse": "mean over pixels of the squared error, pixels in [0, 1]",
    "loss": "mean squared error per pixel",
    "psnr": "decibels, mean over images, pixels in [0, 1]",
    "pca_mse": "the mse of PCA",
    "seconds": "seconds",
}
VARIATIONAL = UNITS | {
    "loss": "nats an image, plus nats an image",
    "reconstruction": "nats an image, Bernoulli likelihood",
    "kl_nats": "nats an image, unweighted",
}
DIGITS = tuple("0123456789")


def config(**changes: Any) -> dict[str, Any]:
    """A small config; a key with a dot is that of a value inside, as `architecture__code_size` is."""
    values: dict[str, Any] = {
        "architecture": {"name": "mlp", "code_size": 8},
        "bottleneck": {"name": "plain"},
        "loss": {"name": "mse"},
        "dataset": {"name": "mnist", "validation_fraction": 0.1},
        "noise": {"name": "none"},
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "seed": 0,
    }
    made_records.change(values, changes)
    return values


def summary(mse: float, *, units: Mapping[str, str] = UNITS, **test: float) -> dict[str, Any]:
    """What a run scored."""
    scores = {"mse": mse, "loss": mse, "psnr": -10 * math.log10(mse), "pca_mse": 0.05, **test}
    others = {split: {"mse": mse * by, "loss": mse * by} for split, by in (("validation", 1.01), ("train", 0.99))}
    return made_records.summary(scores) | others | {"code_size": 8, "units": dict(units)}


def history(epochs: int, *, start: float = 0.1) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl`."""
    return [
        {
            "epoch": epoch,
            "train/loss": start / epoch,
            "validation/loss": 1.1 * start / epoch,
            "validation/mse": 1.1 * start / epoch,
            "learning_rate": 0.001,
            "seconds": 2.0,
            "images_per_second": 1000.0,
        }
        for epoch in range(1, epochs + 1)
    ]


def record(
    folder: Path,
    below: str,
    /,
    *,
    mse: float = 0.02,
    state: RecordState = "finished",
    settings: Mapping[str, Any] | None = None,
    **fields: Any,
) -> RunRecord:
    """A run in a folder below `folder`; one that has finished has a summary."""
    given: dict[str, Any] = {
        "path": folder / below,
        "config": config(**(settings or {})),
        "summary": summary(mse) if state == "finished" else {},
        "history": history(5, start=mse),
    }
    given["path"].joinpath("figures").mkdir(parents=True, exist_ok=True)
    return made_records.record(below, state=state, **(given | fields))


def save_arrays(path: Path, values: Any, **arrays: NDArray[Any]) -> None:
    """As `autoenc.pictures.picture` does; values that are an array already are stored as they are."""
    texts = values if isinstance(values, np.ndarray) else np.array(json.dumps(values))
    stored: dict[str, Any] = {"<values>": texts, **arrays}
    np.savez_compressed(path, **stored)


def smooth_images(count: int, *, side: int = 28, channels: int = 1, seed: int = 0) -> NDArray[np.float32]:
    """Strokes on black, as digits are, (K, C, H, W)."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side)))
    images = np.zeros((count, channels, side, side), np.float32)
    for index in range(count):
        for _ in range(4):
            middle, width = generator.uniform(-0.5, 0.5, (2, 1, 1)), generator.uniform(0.1, 0.4)
            images[index] += np.exp(-((grid - middle) ** 2).sum(0) / width**2) * generator.uniform(
                0.3, 1, (channels, 1, 1)
            )
    return images.clip(0, 1).astype(np.float32)


def save_reconstructions(
    run: RunRecord, *, clean: NDArray[Any] | None = None, noise: float = 0.0, error: float = 0.05, seed: int = 0
) -> None:
    """Ten test images and what a run made of them."""
    generator = np.random.default_rng(seed)
    images = smooth_images(10) if clean is None else clean
    given = images + noise * generator.standard_normal(images.shape).astype(np.float32)
    blurred = images + error * np.roll(images, 1 + seed % 5, axis=-1)
    final = (blurred + error * generator.standard_normal(images.shape)).astype(np.float32)
    path = run.path / "figures" / "reconstructions.npz"
    captions = DIGITS[: len(images)]
    save_arrays(path, {"captions": captions}, clean=images, given=given.astype(np.float32), final=final)


def save_map(run: RunRecord, *, cells: int = 20, side: int = 28, channels: int = 1, points: int = 2000) -> None:
    """A plane of codes from (-2, -1) to (2, 1): images' lower halves get brighter to the right, their upper upwards."""
    across, up = np.linspace(-2, 2, cells, dtype=np.float32), np.linspace(1, -1, cells, dtype=np.float32)
    shade = (np.arange(cells) / (cells - 1)).astype(np.float32)
    images = np.broadcast_to(shade[None, :, None, None, None], (cells, cells, channels, side, side)).copy()
    images[..., : side // 2, :] = shade[::-1, None, None, None, None]
    images *= smooth_images(1, side=side, channels=channels)[0] * 0.2 + 0.8
    save_arrays(
        run.path / "figures" / "decoder_grid.npz", {"code_size": 2},
        images=images.astype(np.float16), across=across, up=up,
    )  # fmt: skip
    generator = np.random.default_rng(0)
    names = [*DIGITS, "a", "b"]
    values = {"class_names": names, "axis_labels": ["code 1", "code 2"], "notes": []}
    places = generator.normal(0, 1, (points, 2)).astype(np.float32)
    labels = generator.integers(0, len(names), points)
    save_arrays(run.path / "figures" / "codes.npz", values, points=places, labels=labels)
