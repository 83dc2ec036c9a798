from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from autoenc.training.checkpoint_tensors import load_optimizer, optimizer_tensors, random_states, restore_random_states
from autoenc.training.checkpoints import CheckpointError
from autoenc.training.muon import Muon

Build = Callable[[nn.Module], torch.optim.Optimizer]


def convolution() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)


def names(model: nn.Module) -> dict[torch.Tensor, str]:
    return {parameter: name for name, parameter in model.named_parameters()}


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer, *, seed: int) -> None:
    optimizer.zero_grad()
    model(torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    "build",
    [
        lambda model: torch.optim.Adam(model.parameters(), fused=True),
        lambda model: torch.optim.AdamW(model.parameters(), fused=True),
        lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True),
        lambda model: torch.optim.SGD(model.parameters(), lr=0.1, fused=True),
        lambda model: Muon(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.0),
    ],
)
def test_restored_moments_of_channels_last_weights_pair_with_the_right_elements(build: Build) -> None:
    """The file keeps no strides, and a fused kernel walks weights and moments side by side in memory order."""
    model = convolution()
    optimizer = build(model)
    take_step(model, optimizer, seed=1)
    saved = {
        name: value.clone().contiguous() for name, value in optimizer_tensors(optimizer, names=names(model)).items()
    }

    other = convolution()
    other.load_state_dict(model.state_dict())
    fresh = build(other)
    load_optimizer(fresh, saved, names=names(other))
    for seed in (2, 3):
        take_step(model, optimizer, seed=seed)
        take_step(other, fresh, seed=seed)
    for mine, restored in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, restored)


def test_the_state_of_another_model_is_refused() -> None:
    model = convolution()
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(CheckpointError, match="'odd'"):
        load_optimizer(optimizer, {"odd/exp_avg": torch.zeros(1)}, names=names(model))


def test_state_that_is_no_tensor_is_not_lost_in_silence() -> None:
    model = convolution()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.state[model.weight]["count"] = 3
    with pytest.raises(TypeError, match="keeps 'count' as int"):
        optimizer_tensors(optimizer, names=names(model))


def test_random_states_come_back() -> None:
    generator = torch.Generator().manual_seed(5)
    states = random_states(torch.device("cpu"), generators={"noise": generator})
    states = {name: state.clone() for name, state in states.items()}
    drawn = torch.rand(3, generator=generator), torch.rand(3)
    restore_random_states(states, torch.device("cpu"), generators={"noise": generator})
    assert torch.equal(torch.rand(3, generator=generator), drawn[0])
    assert torch.equal(torch.rand(3), drawn[1])
