"""The likelihood of images under a variational model, by importance sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoenc.devices import Device
from autoenc.evaluation.batches import MOST_DECODED, as_floats
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import Variational


def negative_log_likelihoods(model: AutoEncoder, images: Tensor, *, device: Device, samples: int) -> Tensor:
    """An estimate of -log p(image) in nats for each image, (N,), in eval mode and from the clean images.

    Burda, Grosse and Salakhutdinov 2016, ICLR, equation 8: the log of the mean over `samples` codes z of
    p(image | z) p(z) / q(z | image). In expectation the estimate is too high, and less so with more samples. With one
    sample it is the negative evidence lower bound. The draws are frozen: the same for every model of a code size.

    Args:
        model: the model, on the device, with a variational bottleneck.
        images: uint8 (N, C, H, W), at least one.
        device: the device of both.
        samples: codes for each image.
    """
    generator = frozen_generator(device, split="any, likelihood")
    found = []
    with model.evaluating(), device.autocast():
        for batch in images.split(max(1, MOST_DECODED // samples)):
            clean = as_floats(batch, device=device)
            found.append(_log_likelihoods(model, clean, samples=samples, generator=generator))
    return -torch.cat(found)


def _log_likelihoods(model: AutoEncoder, clean: Tensor, *, samples: int, generator: torch.Generator) -> Tensor:
    """Of images (B, C, H, W), (B,)."""
    parts = []
    for first in range(0, samples, MOST_DECODED):
        draws = model.draw(clean, generator=generator, samples=min(MOST_DECODED, samples - first))
        assert draws is not None
        parts.append(_log_weights(model, clean, draws=draws).logsumexp(0))
    return torch.stack(parts).logsumexp(0) - math.log(samples)


def _log_weights(model: AutoEncoder, clean: Tensor, *, draws: Tensor) -> Tensor:
    """The log of p(image | z) p(z) / q(z | image), (S, B), for the codes that are sampled by `draws`."""
    assert isinstance(model.bottleneck, Variational)
    features = model.features(clean)
    samples = model.bottleneck(features, draws=draws).samples  # (S, B, code_size)
    raw = model.decoder(samples.flatten(0, 1))  # (S * B, C, H, W)
    target = clean.expand(len(samples), *clean.shape).flatten(0, 1)  # no copy of a single image
    errors = model.loss.per_image(model.predictions(raw), target)  # (S * B,)
    ratios = model.bottleneck.log_ratio(features, samples=samples)
    return -(errors.reshape(ratios.shape) + ratios).float()
