"""The state of an optimizer and of random generators as named tensors, the form in which a checkpoint keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autoenc.training.checkpoints import Checkpoint, CheckpointError


def flattened(groups: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of several groups under the names `<group>:<name>`."""
    return {f"{group}:{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}


def tensor_group(checkpoint: Checkpoint, group: str) -> dict[str, Tensor]:
    """The tensors `<group>:<name>` of a checkpoint by name, in no particular order."""
    prefix = f"{group}:"
    found = checkpoint.trainer.items()
    return {name.removeprefix(prefix): tensor for name, tensor in found if name.startswith(prefix)}


def optimizer_tensors(optimizer: torch.optim.Optimizer, *, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimizer's state as `<parameter>/<key>`.

    Raises:
        TypeError: the optimizer keeps something other than tensors, which would be lost.
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
    """Give a new optimizer the state that `optimizer_tensors` returned."""
    parameters = {name: parameter for parameter, name in names.items()}
    for path, value in tensors.items():
        name, _, key = path.rpartition("/")
        if name not in parameters:
            raise CheckpointError(f"the optimizer's state has '{name}', which this model does not have")
        parameter = parameters[name]
        state: dict[str, Any] = optimizer.state[parameter]
        if value.shape == parameter.shape:
            # The file does not keep strides. Fused kernels walk through weights and moments in memory order, so a
            # moment needs the strides of its weight, which may be channels_last.
            state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        else:
            state[key] = value.to(parameter.device)


def random_states(device: torch.device, *, generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """The states of the given generators and of torch's global ones, which layers such as dropout use."""
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
    """Restore the states that `random_states` returned."""
    for name, generator in generators.items():
        generator.set_state(states[name])
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
