"""Initial weights from another run: the layers of its model that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from torch import Tensor, nn

from autoenc.training.checkpoints import load_model, model_tensors

Part = Literal["encoder", "decoder"]
"""Tied weights are the encoder's. A codebook, and the learned variance of a loss, belong to neither."""


class FittingWeights(NamedTuple):
    """The weights that a model takes from another one."""

    tensors: dict[str, Tensor]
    """By name, with the running statistics of batch normalisation and the counts of a codebook."""
    taken: list[str]
    """The names of the layers that they belong to."""
    left: dict[str, str]
    """Why another layer of the part keeps its own weights, by its name."""


def take_weights(model: nn.Module, others: Mapping[str, Tensor], *, part: Part | None) -> FittingWeights:
    """Copy the weights that fit from the tensors of another model into `model`, which keeps its other weights."""
    own = model_tensors(model)
    found = fitting_weights(own, others, part=part)
    load_model(model, {**own, **found.tensors})
    return found


def fitting_weights(own: Mapping[str, Tensor], others: Mapping[str, Tensor], *, part: Part | None) -> FittingWeights:
    """Choose the layers that two models have in common: equal names, and tensors of equal names and shapes.

    With a `part`, only layers of this part are chosen. A layer is taken as a whole: a bias is of no use without the
    weights that it was trained with, nor are the counts of a codebook without its entries.
    """
    there = _layers(others)
    found = FittingWeights({}, [], {})
    for layer, tensors in _layers(own).items():
        if part not in {None, layer.partition(".")[0]}:
            continue
        difference = _difference(tensors, there.get(layer, {}))
        if difference is None:
            found.tensors.update({f"{layer}.{name}": tensor for name, tensor in there[layer].items()})
            found.taken.append(layer)
        else:
            found.left[layer] = difference
    return found


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of each layer: `weight`, or `parametrizations.weight.original`, which belongs to the same layer."""
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer = name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]
        layers.setdefault(layer, {})[name.removeprefix(f"{layer}.")] = tensor
    return layers


def _difference(own: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> str | None:
    """Why a layer does not fit, by the first tensor that shows it; None if it fits."""
    if not others:
        return "not there"
    for name in {**own, **others}:
        here, there = (_shape(tensors.get(name)) for tensors in (own, others))
        if here != there:
            return f"{name} {here}, there {there}"
    return None


def _shape(tensor: Tensor | None) -> str:
    """`64x32x7x7`."""
    return "none" if tensor is None else "x".join(map(str, tensor.shape))
