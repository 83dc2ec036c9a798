"""Convolutions computed as matrix products: torch's layers with the same weights give the same numbers."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from autoenc.models.architectures.matrix_products import (
    DoublingConvTranspose2d,
    WholeMapConv2d,
    WholeMapConvTranspose2d,
)

Layer = TypeVar("Layer", bound=nn.Module)

PAIRS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    "whole map": (WholeMapConv2d(3, 5, (4, 6)), nn.Conv2d(3, 5, (4, 6)), (2, 3, 4, 6)),
    "whole map, no bias": (WholeMapConv2d(3, 5, 4, bias=False), nn.Conv2d(3, 5, 4, bias=False), (2, 3, 4, 4)),
    "to a whole map": (WholeMapConvTranspose2d(5, 3, (4, 6)), nn.ConvTranspose2d(5, 3, (4, 6)), (2, 5, 1, 1)),
    "to a whole map, no bias": (
        WholeMapConvTranspose2d(5, 3, 4, bias=False),
        nn.ConvTranspose2d(5, 3, 4, bias=False),
        (2, 5, 1, 1),
    ),
    **{
        f"to {channels} channel(s), {padding}, bias={bias}": (
            DoublingConvTranspose2d(3, channels, output_padding=padding, bias=bias),
            nn.ConvTranspose2d(3, channels, 3, stride=2, padding=1, output_padding=padding, bias=bias),
            (2, 3, 4, 5),
        )
        for channels, padding, bias in [(1, (1, 1), True), (1, (0, 1), True), (1, (1, 0), False), (2, (1, 0), True)]
    },
}


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels_last"])
def memory_format(request: pytest.FixtureRequest) -> torch.memory_format:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=list(PAIRS))
def pair(request: pytest.FixtureRequest, memory_format: torch.memory_format) -> tuple[nn.Module, nn.Module, Tensor]:
    """Ours and torch's layer with the same weights, and an input for both."""
    ours, torchs, shape = PAIRS[request.param]
    torchs.load_state_dict(ours.state_dict())
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return _placed(ours, memory_format), _placed(torchs, memory_format), maps.to(memory_format=memory_format)


def _placed(layer: Layer, memory_format: torch.memory_format) -> Layer:
    return layer.to(torch.float64).to(memory_format=memory_format)


def test_the_output_is_that_of_torchs_layer(pair: tuple[nn.Module, nn.Module, Tensor]) -> None:
    ours, torchs, maps = pair
    assert ours(maps).shape == torchs(maps).shape
    torch.testing.assert_close(ours(maps), torchs(maps))


def test_the_gradients_are_those_of_torchs_layer(pair: tuple[nn.Module, nn.Module, Tensor]) -> None:
    ours, torchs, maps = pair
    for mine, its in zip(_gradients(ours, maps), _gradients(torchs, maps), strict=True):
        torch.testing.assert_close(mine, its)


def _gradients(layer: nn.Module, maps: Tensor) -> tuple[Tensor, ...]:
    maps = maps.detach().requires_grad_()
    outputs = layer(maps)
    return torch.autograd.grad(outputs.square().sum(), (maps, *layer.parameters()))


def test_whole_maps_in_channels_last_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    linear = nn.functional.linear

    def noted(maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        seen.extend([maps.data_ptr(), weight.data_ptr()])
        return linear(maps, weight, bias)

    monkeypatch.setattr(nn.functional, "linear", noted)
    layer = _placed(WholeMapConv2d(3, 5, 4), torch.channels_last)
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64).to(memory_format=torch.channels_last)
    layer(maps)
    assert seen == [maps.data_ptr(), layer.weight.data_ptr()]


@pytest.mark.parametrize("kind", ["whole map", "to 1 channel(s), (1, 1), bias=True"])
def test_gradients_of_maps_are_in_channels_last(kind: str) -> None:
    """In another layout, each layer before it would first be slow and then reorder them."""
    ours, _, shape = PAIRS[kind]
    maps = torch.randn(shape, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    outputs = _placed(ours, torch.channels_last)(maps)
    (gradient,) = torch.autograd.grad(outputs.sum(), maps)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # from torch's own gradcheck
def test_all_kinds_of_derivatives_of_the_step_to_one_channel() -> None:
    """Penalties need second derivatives and batches of gradients; `torch.func` needs forward mode and `vmap`."""
    layer = DoublingConvTranspose2d(2, 1, output_padding=(1, 0), bias=False).double()
    maps = torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)

    def applied(maps: Tensor, weight: Tensor) -> Tensor:
        outputs: Tensor = torch.func.functional_call(layer, {"weight": weight}, (maps,))
        return outputs

    given = (maps, layer.weight.detach().clone().requires_grad_())
    assert torch.autograd.gradcheck(applied, given, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(applied, given)
    for jacobian in (torch.func.jacfwd, torch.func.jacrev):
        torch.testing.assert_close(jacobian(applied)(*given), torch.autograd.functional.jacobian(applied, given)[0])
    stacked = torch.stack([maps, 2 * maps])
    torch.testing.assert_close(torch.vmap(applied, (0, None))(stacked, given[1])[1], 2 * applied(*given))


@pytest.fixture
def step_to_one_channel() -> tuple[nn.Module, Tensor]:
    maps = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    return DoublingConvTranspose2d(3, 1, output_padding=(1, 1), bias=True), maps


def test_in_bfloat16_the_step_to_one_channel_is_torchs(step_to_one_channel: tuple[nn.Module, Tensor]) -> None:
    ours, maps = step_to_one_channel
    torchs = nn.ConvTranspose2d(3, 1, 3, stride=2, padding=1, output_padding=1)
    torchs.load_state_dict(ours.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ours(maps), torchs(maps))
        assert ours(maps).dtype == torch.bfloat16
        found = [_gradients(layer, maps) for layer in (ours, torchs)]
    for mine, its in zip(*found, strict=True):
        assert torch.equal(mine, its)


def test_the_step_to_one_channel_is_compiled_as_one_graph(step_to_one_channel: tuple[nn.Module, Tensor]) -> None:
    layer, maps = step_to_one_channel
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(maps), layer(maps))
