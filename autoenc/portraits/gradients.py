"""How large the gradient is in each layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from autoenc.evaluation.batches import frozen_generator
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.layers import TiedLinear, WeightedLayer, weighted_layers
from autoenc.pictures.gradients import Gradients
from autoenc.portraits.subject import Subject
from autoenc.portraits.untrained import untrained

BATCH, BATCHES = 256, 4
ARROW, TIMES, SPACE = "\N{RIGHTWARDS ARROW}", "\N{MULTIPLICATION SIGN}", "\N{NO-BREAK SPACE}"


def gradients(subject: Subject) -> Gradients | None:
    """The norm of the objective's mean gradient on the first 1,024 training images, before and after training.

    In eval mode (batch normalisation uses its running statistics, dropout is off), with noise and sampled codes that
    are the same in every run. Nothing is left on the parameters. Of weights that are parametrized it is the gradient
    with respect to the weights as they are used. Tied weights stand where they are owned, with the sum over both uses.

    Returns:
        None of a model without weights.
    """
    layers = _layers(subject.model)
    if not layers:
        return None
    split = subject.splits.train
    images = subject.floats(split.take(torch.arange(min(BATCH * BATCHES, len(split)))))  # (N, C, H, W)
    return Gradients(
        layers=tuple(layer.name for layer in layers),
        before=_norms(untrained(subject), images, subject=subject),
        after=_norms(subject.model, images, subject=subject),
        images=len(images),
    )


class _Layer(NamedTuple):
    name: str
    layer: WeightedLayer


def _layers(model: AutoEncoder) -> list[_Layer]:
    """Those with weights of their own, in the order of the forward pass."""
    tied = {id(layer.source) for layer in model.modules() if isinstance(layer, TiedLinear)}
    return [
        _Layer(f"{part} {number}: {_described(layer)}" + (" (tied)" if id(layer) in tied else ""), layer)
        for part, module in (("encoder", model.encoder), ("decoder", model.decoder))
        for number, (_, layer) in enumerate(weighted_layers(module), start=1)
        if not isinstance(layer, TiedLinear)
    ]


def _described(layer: WeightedLayer) -> str:
    """`784 -> 128`, or `1 -> 16, 3 x 3`; spaces that do not break a line where a line would better not end."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        height, width = layer.kernel_size
        kind = " transposed" if isinstance(layer, nn.ConvTranspose2d) else ""
        channels = f"{layer.in_channels} {ARROW} {layer.out_channels}".replace(" ", SPACE)
        return f"{channels}, {height}{SPACE}{TIMES}{SPACE}{width}{kind}"
    return f"{layer.in_features} {ARROW} {layer.out_features}".replace(" ", SPACE)


def _norms(model: AutoEncoder, images: Tensor, *, subject: Subject) -> NDArray[np.float64]:
    """The norm of the gradient with respect to each layer's weights, (L,)."""
    model.eval()
    noise = frozen_generator(subject.device, split="gradients")
    codes = frozen_generator(subject.device, split="gradients, codes")
    layers = [layer.layer for layer in _layers(model)]
    totals: list[Tensor] = []
    for clean in images.split(BATCH):
        given, corrupted = subject.config.noise(clean, generator=noise)
        draws = model.draw(given, generator=codes)
        with torch.enable_grad(), parametrize.cached():  # so that the weights here are those of the forward pass
            weights = [layer.weight for layer in layers]
            output = model(given, draws=draws)
            objective = model.objective(output, target=clean, given=given, corrupted=corrupted, generator=codes)
            found = torch.autograd.grad(objective.loss, weights, allow_unused=True, materialize_grads=True)
        shares = [gradient * (len(clean) / len(images)) for gradient in found]
        totals = [total + share for total, share in zip(totals, shares, strict=True)] if totals else shares
    return np.array([float(total.float().norm()) for total in totals])  # synchronises
