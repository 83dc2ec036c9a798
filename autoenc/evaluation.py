"""How good a model is on a split of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.autoencoder import AutoEncoder, AutoEncoderOutput
from autoenc.devices import Device
from autoenc.losses import Loss
from autoenc.noise import Noise
from autoenc.seeds import derived_seed

BATCH_SIZE = 1000
"""Fixed, because frozen noise is drawn batch by batch."""

LEAST_SQUARED_ERROR = 1e-10
"""A perfect image has no PSNR; it counts as one of 100 dB."""

Metric = Callable[[AutoEncoder, AutoEncoderOutput, Tensor], Tensor]
"""From a model, its output for a batch and the clean images (B, C, H, W) to a number for each image, (B,)."""


def mean_squared_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the squared difference, (B,)."""
    return F.mse_loss(output.reconstruction, clean, reduction="none").flatten(1).mean(1)


def mean_absolute_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the absolute difference, (B,)."""
    return F.l1_loss(output.reconstruction, clean, reduction="none").flatten(1).mean(1)


def peak_signal_to_noise_ratio(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """-10 log10 of the mean squared error, in decibels, for a peak of 1; (B,)."""
    error = mean_squared_error(model, output, clean)
    return -10 * torch.log10(error.clamp(min=LEAST_SQUARED_ERROR))


def binary_cross_entropy(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """The mean over pixels of -t log x - (1 - t) log(1 - x), in nats, (B,); from logits."""
    logits = model.output_range.to_logits(output.raw)
    return F.binary_cross_entropy_with_logits(logits, clean, reduction="none").flatten(1).mean(1)


METRICS: dict[str, Metric] = {
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "psnr": peak_signal_to_noise_ratio,
    "bce": binary_cross_entropy,
}

UNITS = {
    "mse": "mean over pixels of the squared error, pixels in [0, 1]",
    "mae": "mean over pixels of the absolute error, pixels in [0, 1]",
    "psnr": "decibels, mean over images, peak 1",
    "bce": "nats per pixel",
    "pca_mse": "the mse of PCA with as many components as the code has numbers: the linear baseline",
}


def measure(
    model: AutoEncoder,
    images: Tensor,
    *,
    device: Device,
    loss: Loss,
    noise: Noise,
    split: str,
    metrics: Sequence[str],
) -> dict[str, Tensor]:
    """The mean over images of the training objective (`loss`) and of each metric, in eval mode.

    Where the noise corrupts, `loss` is that of the noisy input, and each metric comes twice: from the clean input, and
    as `noisy_<metric>` from the noisy one. Errors are always against the clean image. The noise is frozen: the same for
    every model and every epoch, different from split to split.

    Args:
        model: the model, on the device.
        images: uint8 (N, C, H, W), on the device.
        device: where they are.
        loss: what the model is trained with.
        noise: what it is trained against.
        split: the name of the split, which picks the noise.
        metrics: names out of `METRICS`.

    Returns:
        scalars on the device, not yet synchronised; nothing for a split without images.
    """
    if len(images) == 0:
        return {}
    generator = frozen_generator(device, split=split)
    totals: dict[str, Tensor] = {}
    was_training = model.training
    model.eval()
    with torch.no_grad(), device.autocast():
        for clean in batches(images, device=device):
            for prefix, given in _inputs(clean, noise=noise, generator=generator):
                output = model(given)
                values = {f"{prefix}{name}": METRICS[name](model, output, clean).mean() for name in metrics}
                if prefix or not noise.corrupts:
                    values["loss"] = model.objective(output, loss, target=clean)
                for name, value in values.items():
                    share = value.float() * (len(clean) / len(images))
                    totals[name] = totals[name] + share if name in totals else share
    model.train(was_training)
    return totals


def pca_error(fitted_on: Tensor, images: Tensor, *, components: int, device: Device) -> float:
    """The squared error per pixel of the best affine code of `components` numbers: principal component analysis.

    What an autoencoder of that code size has to beat to have learnt anything that is not linear. Measured on the same
    clean images in [0, 1] as `mse`.

    Args:
        fitted_on: uint8 (N, C, H, W), from which the mean and the components are taken: the training split.
        images: uint8 (M, C, H, W), whose error it is.
        components: how many; as many as there are pixels, and the error is 0.
        device: where the images are.
    """
    pixels = fitted_on[0].numel()
    sums = [batch.flatten(1).sum(0) for batch in batches(fitted_on, device=device)]
    mean = torch.stack(sums).sum(0) / len(fitted_on)  # (P,)
    scatter = torch.zeros(pixels, pixels, device=mean.device)
    for batch in batches(fitted_on, device=device):
        centred = batch.flatten(1) - mean  # (B, P)
        scatter += centred.T @ centred
    # Ascending eigenvalues: the leading directions are the last columns. On the CPU, in double precision.
    directions = torch.linalg.eigh(scatter.cpu().double()).eigenvectors[:, -components:]  # (P, components)
    directions = directions.to(mean)
    left = torch.zeros((), device=mean.device)
    for batch in batches(images, device=device):
        centred = batch.flatten(1) - mean
        left += (centred - centred @ directions @ directions.T).square().sum()
    return left.item() / (len(images) * pixels)  # synchronises: once, after training


def fetch(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars from the device, all in one transfer."""
    if not scalars:
        return {}
    values = torch.stack([value.detach() for value in scalars.values()]).tolist()  # synchronises
    return dict(zip(scalars, values, strict=True))


def batches(images: Tensor, *, device: Device) -> Iterator[Tensor]:
    """uint8 images (N, C, H, W) as float batches (B, C, H, W) in [0, 1]."""
    for batch in images.split(BATCH_SIZE):
        yield as_floats(batch, device=device)


def as_floats(images: Tensor, *, device: Device) -> Tensor:
    """uint8 images as floats in [0, 1], in the memory format that the device's convolutions like."""
    memory_format = torch.channels_last if device.channels_last else torch.contiguous_format
    return images.to(torch.float32, memory_format=memory_format).div_(255)


def frozen_generator(device: Device, *, split: str) -> torch.Generator:
    """A generator for the noise on a split that is the same in every run, whatever its seed."""
    return torch.Generator(device.torch_device).manual_seed(derived_seed(0, f"frozen noise on {split}"))


def _inputs(clean: Tensor, *, noise: Noise, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    """The inputs to measure with, and what stands before their metrics' names."""
    yield "", clean
    if noise.corrupts:
        yield "noisy_", noise(clean, generator=generator)
