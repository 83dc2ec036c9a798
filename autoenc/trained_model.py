"""`load_run`: the trained model of a run's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoenc.config import ExperimentConfig, parse
from autoenc.evaluation.metrics import mean_squared_error
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import RunDirectory
from autoenc.training.checkpoints import CheckpointError, load_model, load_trained

LARGEST_PIXEL = 16
"""Noise does not take pixels of [0, 1] this far. Pixels from 0 to 255 exceed it."""

ArrayOrTensor = TypeVar("ArrayOrTensor", Tensor, npt.NDArray[Any])


def load_run(path: str | Path, *, device: str | torch.device = "cpu") -> TrainedModel:
    """Load the model that a run was tested with (the best one; the last if there is no best), and its config.

    Nothing in the folder is executed: the config is plain values, the weights are plain tensors.

    Raises:
        ValueError: the folder has no run, no usable checkpoint, or a config that this version does not support. The
            message is one line.
    """
    run_directory = RunDirectory.open(Path(path), key="path")
    config = parse(run_directory.config())
    checkpoint = load_trained(run_directory.checkpoints)
    if checkpoint is None:
        raise CheckpointError(f"{path}: the run has no checkpoint yet")
    image_shape = _image_shape(checkpoint.values.get("image_shape"), path=path)
    white = _white(checkpoint.values.get("white"), path=path)
    with torch.random.fork_rng():  # the initial weights must not change the caller's random state
        model = config.build_model(image_shape=image_shape)
    load_model(model, checkpoint.model)
    return TrainedModel(model.to(device), config=config, image_shape=image_shape, white=white)


class TrainedModel:
    """A trained model and its config.

    The methods take a tensor or an array and return the same: a tensor on the device of the input, or an array.
    Images are (N, C, H, W), or a single one (C, H, W): floats in [0, 1], or uint8 from 0 to 255. `white` is the number
    in the files of the training pictures that became white; None if it was that of the files' formats.
    """

    def __init__(
        self,
        model: AutoEncoder,
        *,
        config: ExperimentConfig,
        image_shape: tuple[int, int, int],
        white: float | None = None,
    ) -> None:
        self.model = model.eval()
        self.config = config
        self.image_shape = image_shape
        self.white = white

    def __repr__(self) -> str:
        config = self.config
        names = (f"{group}={getattr(config, group).name}" for group in ("architecture", "bottleneck", "dataset"))
        code_size = config.architecture.code_size
        return f"TrainedModel({', '.join(names)}, code_size={code_size}, image_shape={self.image_shape})"

    def encode(self, images: ArrayOrTensor) -> ArrayOrTensor:
        """Codes (N, code_size), or (code_size,) for a single image."""
        return self._apply(lambda batch: self.model.encode(_as_pixels(batch)), images, item_shape=self.image_shape)

    def decode(self, codes: ArrayOrTensor) -> ArrayOrTensor:
        """Images (N, C, H, W) in [0, 1] scale from codes (N, code_size); (C, H, W) from (code_size,)."""
        code_size = self.config.architecture.code_size
        return self._apply(lambda batch: self.model.decode(batch.float()), codes, item_shape=(code_size,))

    def reconstruct(self, images: ArrayOrTensor) -> ArrayOrTensor:
        """Reconstructions in [0, 1] scale, same shape as the images."""

        def reconstructions_of(batch: Tensor) -> Tensor:
            return self.model(_as_pixels(batch)).reconstruction  # type: ignore[no-any-return]

        return self._apply(reconstructions_of, images, item_shape=self.image_shape)

    def errors(self, images: ArrayOrTensor) -> ArrayOrTensor:
        """The mean squared error per pixel of each image's reconstruction, (N,), or () for a single image.

        Their average over the run's test split is the `mse` of its summary.
        """

        def errors_of(batch: Tensor) -> Tensor:
            clean = _as_pixels(batch)
            return mean_squared_error(self.model, self.model(clean), clean)

        return self._apply(errors_of, images, item_shape=self.image_shape)

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
        with torch.no_grad():
            result = function(batch.to(next(self.model.parameters()).device))
        result = result.squeeze(0) if single else result
        if isinstance(given, Tensor):
            return result.to(given.device)
        return result.cpu().numpy()


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


def _as_pixels(images: Tensor) -> Tensor:
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise ValueError(f"pixels must be floats in [0, 1] or uint8 from 0 to 255, not {images.dtype}")
    if images.numel() and images.abs().max() > LARGEST_PIXEL:  # synchronizes
        raise ValueError(f"pixels must be floats in [0, 1], not as large as {images.abs().max():g}; divide by 255?")
    return images.float()
