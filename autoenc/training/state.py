"""What a trainer remembers beside the model: position, snapshots, and optimizer and random generators as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoenc.training.checkpoints import Checkpoint, CheckpointError


@dataclass
class Position:
    """How far a training is: what a checkpoint remembers in plain numbers."""

    epoch: int = 0
    """Epochs that are done, validation and all."""
    step: int = 0
    """Steps that are done."""
    best_epoch: int | None = None
    best_objective: float | None = None
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    threads: int | None = None


class Snapshot(NamedTuple):
    """How far a training was at the end of an epoch."""

    reconstructions: Tensor
    """Of the shown images, (K, C, H, W)."""
    codes: Tensor
    """Of the scattered images, (M, code_size)."""


def kept_snapshots(checkpoint: Checkpoint) -> dict[int, Snapshot]:
    """By epoch, in order, what a checkpoint keeps of how far its training was, on the CPU."""
    images, codes = tensor_group(checkpoint, "snapshot"), tensor_group(checkpoint, "codes")
    return {int(epoch): Snapshot(images[epoch], codes[epoch]) for epoch in sorted(images, key=int)}


def flattened(groups: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of several groups as `<group>:<name>`, the way a checkpoint has the trainer's."""
    return {f"{group}:{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}


def tensor_group(checkpoint: Checkpoint, wanted: str) -> dict[str, Tensor]:
    """The trainer's tensors `<wanted>:<name>`, by name, in no order that means anything."""
    prefix = f"{wanted}:"
    found = checkpoint.trainer.items()
    return {name.removeprefix(prefix): tensor for name, tensor in found if name.startswith(prefix)}


def optimizer_tensors(optimizer: torch.optim.Optimizer, *, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimizer's state as `<parameter>/<key>`.

    Raises:
        TypeError: an optimizer keeps something else than tensors, which would be lost.
    """
    tensors = {}
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if value is None:
                continue
            if not isinstance(value, Tensor):
                raise TypeError(f"{type(optimizer).__name__} keeps '{key}' as {type(value).__name__}, not as a tensor")
            tensors[f"{names[parameter]}/{key}"] = value
    return tensors


def load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], *, names: Mapping[Tensor, str]
) -> None:
    """Give an optimizer that has not stepped yet the state that `optimizer_tensors` returned."""
    parameters = {name: parameter for parameter, name in names.items()}
    for path, value in tensors.items():
        name, _, key = path.rpartition("/")
        if name not in parameters:
            raise CheckpointError(f"the optimizer's state has '{name}', which this model has not")
        parameter = parameters[name]
        state: dict[str, Any] = optimizer.state[parameter]
        if value.shape == parameter.shape:
            # With the strides of the weights, which the file does not keep: fused kernels walk through both in memory
            # order and would otherwise pair a channels_last weight with another weight's moment.
            state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        else:
            state[key] = value.to(parameter.device)


def random_states(device: torch.device, *, generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """The states of our generators and of torch's own, which layers such as dropout draw from."""
    states = {name: generator.get_state() for name, generator in generators.items()}
    states["torch"] = torch.get_rng_state()
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(
    states: Mapping[str, Tensor], device: torch.device, *, generators: Mapping[str, torch.Generator]
) -> None:
    """Put back what `random_states` returned."""
    for name, generator in generators.items():
        generator.set_state(states[name])
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
