"""What the kernels of the encoder's first layer look like."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autoenc.evaluation.health import first_layer_dead
from autoenc.models.layers import WeightedLayer, weighted_layers
from autoenc.pictures.kernels import Kernels
from autoenc.portraits.subject import Subject
from autoenc.portraits.untrained import untrained

CHANNELS = (1, 3)


def kernels(subject: Subject) -> Kernels | None:
    """The kernels of a convolution, or the rows of a weight matrix on the whole image, each in the image's shape.

    A weight of a matrix that reads a pixel (of a channel) that is black in every training image has no part in the
    roughness: its gradient is zero unless noise lights the pixel, so that it tells of the initialisation.

    Returns:
        None of an encoder without weights, or whose first layer does not read the image as it is.
    """
    layer = _first(subject.model.encoder)
    dead = first_layer_dead(subject.model, subject.splits.test.images, device=subject.device)
    weights = None if layer is None else _as_kernels(layer, image_shape=subject.splits.image_shape)
    if weights is None or dead is None:
        return None
    on_image = not isinstance(layer, nn.Conv2d)
    black = _black(subject) if on_image else torch.zeros(weights.shape[1:], dtype=torch.bool)  # (C, H, W)
    return Kernels.of(
        weights.numpy(),
        dead=dead.numpy(),
        ignored=black.numpy(),
        note=_note(subject, weights, black=black) if black.any() else "",
    )


def _first(encoder: nn.Module) -> WeightedLayer | None:
    layers = weighted_layers(encoder)
    return layers[0][1] if layers else None


def _as_kernels(layer: WeightedLayer, *, image_shape: tuple[int, int, int]) -> Tensor | None:
    """(units, C, height, width) on the CPU, or None where that is no picture."""
    weights = layer.weight.detach().float().cpu()
    if isinstance(layer, nn.Linear) and weights[0].numel() == torch.Size(image_shape).numel():
        weights = weights.unflatten(1, image_shape)
    drawable = isinstance(layer, nn.Linear | nn.Conv2d) and weights.ndim == 4 and weights.shape[1] in CHANNELS
    return weights.contiguous() if drawable else None


def _black(subject: Subject) -> Tensor:
    """Which entries (C, H, W) are 0 in every training image, whatever is drawn of it."""
    drawn_from = subject.splits.train_probabilities
    return (subject.splits.train.images if drawn_from is None else drawn_from).amax(0) == 0


def _note(subject: Subject, weights: Tensor, *, black: Tensor) -> str:
    count = int(black.all(0).sum())
    before = _first(untrained(subject).encoder)
    assert before is not None, "the layer was there a moment ago"
    initial = _as_kernels(before, image_shape=subject.splits.image_shape)
    assert initial is not None
    said = (
        f"{count} pixels are black in every training image"
        if count != 1
        else "1 pixel is black in every training image"
    )
    never_moved = torch.equal(weights[:, black], initial[:, black])
    return f"{said}: their weights never moved" if never_moved else f"{said}; they do not count in the roughness"
