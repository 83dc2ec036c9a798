"""`load_run`: the trained model of a run's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoenc.config import ExperimentConfig, parse
from autoenc.data.datasets import Split
from autoenc.data.datasets.splits import SPLITS
from autoenc.devices import kinds_here
from autoenc.evaluation.batches import BATCH_SIZE
from autoenc.evaluation.metrics import mean_squared_error
from autoenc.models.autoencoder import AutoEncoder
from autoenc.record_html import as_html
from autoenc.runs import RunDirectory, RunRecord, read_runs
from autoenc.seeds import restored_random_state
from autoenc.settings import ConfigError, listed
from autoenc.training.checkpoints import CheckpointError, digests_in, load_model, load_trained

TOLERANCE = 0.5
"""Pixels further than this out of [0, 1] are far outside."""
LARGEST_PIXEL = 16
"""A single pixel beyond this is enough: nearly black images from 0 to 255 have few."""
NEAR_ENDS, MOST_AT_ENDS = 0.1, 0.1
"""Images from -1 to 1 have more than the share `MOST_AT_ENDS` of their pixels within `NEAR_ENDS` of these ends."""

ArrayOrTensor = TypeVar("ArrayOrTensor", Tensor, npt.NDArray[Any])


class PixelLimits(NamedTuple):
    """The largest shares of a batch's pixels that may be outside of [0, 1]: noise takes some there, but few far."""

    outside: float = 0.6
    """Noise that is not clipped takes half of the black and white pixels there. Standardized MNIST has 97 % there."""
    far: float = 0.1
    """Further than `TOLERANCE`. Normal noise that is not clipped takes 5 % of the black and white pixels so far with a
    standard deviation of 0.3, and 11 % with 0.4."""


def load_run(
    path: str | Path, *, device: str | torch.device = "cpu", dataset_path: str | Path | None = None
) -> TrainedModel:
    """Load the model that a run was tested with (the best one; the last if there is no best), and its config.

    Nothing in the folder is executed: the config is plain values, the weights are plain tensors. `dataset_path` is
    where the run's folder of pictures is now, if it was moved. Published datasets are below the folder that the
    environment variable AUTOENC_DATA names, if it is set: a stranger's run does not decide where files are downloaded.

    Raises:
        ValueError: the folder has no run, no usable checkpoint, or a config that this version does not support; or
            there is no such device. The message is one line.
    """
    device = _available(device)
    run_directory = RunDirectory.open(Path(path), key="path")
    values = run_directory.config()
    if dataset_path is not None:
        values["dataset"] = {**values["dataset"], "path": str(dataset_path)}
    if folder := os.environ.get("AUTOENC_DATA"):
        values["data_dir"] = folder
    config = parse(values)
    checkpoint = load_trained(run_directory.checkpoints)
    if checkpoint is None:
        raise CheckpointError(f"{path}: the run has no checkpoint yet")
    image_shape = _image_shape(checkpoint.values.get("image_shape"), path=path)
    white = _white(checkpoint.values.get("white"), path=path)
    with restored_random_state():  # the model draws initial weights
        model = config.build_model(image_shape=image_shape)
    load_model(model, checkpoint.model)
    digests = digests_in(checkpoint.values)
    return TrainedModel(
        model.to(device), path=run_directory.path, config=config, image_shape=image_shape, digests=digests, white=white
    )


class TrainedModel:
    """A trained model, its config, and the numbers in its folder. A notebook displays it as its scores and a picture.

    `encode`, `decode`, `reconstruct` and `errors` return the type that they are given: for a torch tensor a tensor on
    the same device, for a NumPy array an array. No gradients are kept; `model` is the torch module, which keeps them.
    Images are (N, C, H, W), or a single one (C, H, W): floats in [0, 1], or uint8 from 0 to 255. Noise may take some
    pixels out of [0, 1]; images on another scale raise ValueError, see `scale_problem`. `white` is the number
    in the files of the training pictures that became white; None if it was that of the files' formats.
    """

    def __init__(
        self,
        model: AutoEncoder,
        *,
        path: Path,
        config: ExperimentConfig,
        image_shape: tuple[int, int, int],
        digests: Mapping[str, str],
        white: float | None = None,
    ) -> None:
        self.model = model.eval()
        self.path = path
        """The folder of the run."""
        self.config = config
        self.image_shape = image_shape
        self.digests = digests
        """Of the images that the run was trained and tested on, by split; empty for a run of an early version."""
        self.white = white

    def __repr__(self) -> str:
        config = self.config
        names = (f"{group}={getattr(config, group).name}" for group in ("architecture", "bottleneck", "dataset"))
        code_size = config.architecture.code_size
        return f"TrainedModel({', '.join(names)}, code_size={code_size}, image_shape={self.image_shape})"

    def __fspath__(self) -> str:
        """The run's folder, so that `autoenc.compare` and `pathlib.Path` take a run as its folder."""
        return str(self.path)

    def _repr_html_(self) -> str:
        return as_html(self.record)

    @property
    def record(self) -> RunRecord:
        """What the folder holds now: the state, the settings by dotted key, the summary, and the units."""
        return read_runs([self.path])[0]

    @property
    def scores(self) -> dict[str, float]:
        """The scores of the test split and their baselines, such as `mse` and `pca_mse`; empty before the run ends."""
        return self.record.scores

    @property
    def history(self) -> Sequence[Mapping[str, float | None]]:
        """A row of numbers for each epoch: `epoch`, `train/loss`, `validation/loss`, `learning_rate`, `seconds`, ..."""
        return self.record.history

    @cached_property
    def pixel_limits(self) -> PixelLimits:
        """The limits of `scale_problem`: wider for a run whose own noise takes more of black or white images there."""
        generator, usual = torch.Generator().manual_seed(0), PixelLimits()
        black = torch.zeros(32, *self.image_shape)
        noisy = [self.config.noise(images, generator=generator).images for images in (black, black + 1)]
        outside = max(_share_outside(images) for images in noisy)
        far = max(_share_outside(images, by=TOLERANCE) for images in noisy)
        return PixelLimits(outside=max(usual.outside, outside + 0.1), far=max(usual.far, 2 * far))

    def split(self, name: str, *, data_dir: str | Path | None = None) -> Split:
        """The images of one of the run's splits, with their labels and their positions in the published file.

        A linear probe, with scikit-learn:

            run = autoenc.load_run("outputs/2026-01-31/12-00-00-000000")
            train, test = run.split("train"), run.split("test")
            probe = LogisticRegression().fit(run.encode(train.images), train.labels)
            accuracy = probe.score(run.encode(test.images), test.labels)

        Args:
            name: train, validation or test.
            data_dir: the folder below which datasets keep their files. None: the environment variable AUTOENC_DATA as
                it was when the run was loaded, or the run's.

        Returns:
            on the CPU: `images` uint8 (N, C, H, W) from 0 to 255, `labels` int64 (N,), `indices` int64 (N,), and
            `names`, those of the image files, or None. With dynamic binarization, images for training are a fixed draw.

        Raises:
            ConfigError: there is no such split, or the images are not available, or are not those of the run.
        """
        if name not in SPLITS:
            raise ConfigError("split", f"there is no such split; the splits are {listed(SPLITS)}", value=name)
        config = replace(self.config, data_dir=Path(data_dir or self.config.data_dir).expanduser())
        splits = config.build_splits(trained_on={key: value for key, value in self.digests.items() if key == name})
        split: Split = getattr(splits, name)
        return split

    def encode(self, images: ArrayOrTensor) -> ArrayOrTensor:
        """Codes (N, code_size), or (code_size,) for a single image: a tensor from a tensor, an array from an array."""
        return self._apply(lambda batch: self.model.encode(self._as_pixels(batch)), images, item_shape=self.image_shape)

    def decode(self, codes: ArrayOrTensor) -> ArrayOrTensor:
        """Images (N, C, H, W) in [0, 1] scale from codes (N, code_size); (C, H, W) from (code_size,).

        Returns:
            a tensor from a tensor, a NumPy array from a NumPy array.
        """
        code_size = self.config.architecture.code_size
        return self._apply(lambda batch: self.model.decode(batch.float()), codes, item_shape=(code_size,))

    def reconstruct(self, images: ArrayOrTensor) -> ArrayOrTensor:
        """Reconstructions in [0, 1] scale, same shape as the images."""

        def reconstructions_of(batch: Tensor) -> Tensor:
            return self.model(self._as_pixels(batch)).reconstruction  # type: ignore[no-any-return]

        return self._apply(reconstructions_of, images, item_shape=self.image_shape)

    def errors(self, images: ArrayOrTensor) -> ArrayOrTensor:
        """The mean squared error per pixel of each image's reconstruction, (N,), or () for a single image.

        Their average over the run's test split is the `mse` of its summary.
        """

        def errors_of(batch: Tensor) -> Tensor:
            clean = self._as_pixels(batch)
            return mean_squared_error(self.model, self.model(clean), clean)

        return self._apply(errors_of, images, item_shape=self.image_shape)

    def _as_pixels(self, images: Tensor) -> Tensor:
        """Floats in [0, 1] from images (B, C, H, W)."""
        if images.dtype == torch.uint8:
            return images.float() / 255
        if not images.is_floating_point():
            raise ValueError(f"pixels must be floats in [0, 1] or uint8 from 0 to 255, not {images.dtype}")
        if not images.isfinite().all():  # synchronizes
            raise ValueError("pixels must be floats in [0, 1], and some of these are not finite")
        if problem := scale_problem(images, limits=self.pixel_limits):
            raise ValueError(problem)
        return images.float()

    def _apply(
        self, function: Callable[[Tensor], Tensor], given: ArrayOrTensor, *, item_shape: tuple[int, ...]
    ) -> ArrayOrTensor:
        """Call `function` on a batch of items, for a batch or for a single item."""
        tensor = given if isinstance(given, Tensor) else torch.from_numpy(np.array(given))
        single = tensor.ndim == len(item_shape)
        batch = tensor.unsqueeze(0) if single else tensor
        if batch.shape[1:] != item_shape:
            item = ", ".join(str(size) for size in item_shape)
            raise ValueError(f"expected shape (N, {item}) or ({item}), not {tuple(tensor.shape)}")
        device = next(self.model.parameters()).device
        with torch.no_grad():
            result = torch.cat([function(part.to(device)) for part in batch.split(BATCH_SIZE)])
        result = result.squeeze(0) if single else result
        if isinstance(given, Tensor):
            return result.to(given.device)
        return result.cpu().numpy()


def _available(device: str | torch.device) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (AssertionError, RuntimeError):  # torch without CUDA, no GPU, or no such name
        problem = f"there is none; this machine has {listed(kinds_here())}"
        raise ConfigError("device", problem, value=str(device)) from None


def _image_shape(value: object, *, path: str | Path) -> tuple[int, int, int]:
    match value:
        case [int(channels), int(height), int(width)] if min(channels, height, width) > 0:
            return channels, height, width
    raise CheckpointError(f"{path}: the checkpoint has no valid image_shape, but {value!r}")


def _white(value: object, *, path: str | Path) -> float | None:
    match value:
        case None:
            return None
        case int() | float() if value > 0:
            return value
    raise CheckpointError(f"{path}: the checkpoint has no valid white, but {value!r}")


def scale_problem(images: Tensor, *, limits: PixelLimits) -> str:
    """What is wrong with the scale of pixels (B, C, H, W) that should be in [0, 1], and what to do; empty if nothing.

    Wrong are more pixels outside than the `limits` allow, any beyond `LARGEST_PIXEL`, and images from -1 to 1. Few
    pixels of these may be below 0: black digits on white have 10 % there.
    """
    if not images.numel():
        return ""
    lowest, highest = images.amin().item(), images.amax().item()  # synchronizes
    outside, far = _share_outside(images), _share_outside(images, by=TOLERANCE)
    too_large = max(-lowest, highest) > LARGEST_PIXEL
    at_ends = _share(images.abs() >= 1 - NEAR_ENDS)
    from_minus_1 = -1 <= lowest <= NEAR_ENDS - 1 and 1 - NEAR_ENDS <= highest <= 1 and at_ends > MOST_AT_ENDS
    if not (outside > limits.outside or far > limits.far or too_large or from_minus_1):  # not a number is none of this
        return ""
    found = f"these are from {lowest:.4g} to {highest:.4g}, and {100 * outside:.3g} % of them are outside"
    if lowest >= 0:
        white = next((white for white in (16, 255, 65535) if highest <= white), highest)
        advice = f"divide by {white:g}, if that is white"
    elif lowest >= -1 and highest <= 1:
        advice = "map them by (x + 1) / 2"
    else:
        advice = "undo their normalization, for example by x * std + mean, or clip their noise"
    return f"pixels must be floats in [0, 1]; {found}; {advice}"


def _share_outside(images: Tensor, *, by: float = 0) -> float:
    """The share of pixels that are further than `by` out of [0, 1]."""
    return _share((images < -by) | (images > 1 + by))


def _share(mask: Tensor) -> float:
    """The share of entries that are True."""
    return mask.sum().item() / mask.numel()  # synchronizes
