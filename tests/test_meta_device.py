"""The stand-in for a GPU: what it refuses, and which transfers it lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.meta_device import META, meta_device

HERE, THERE = torch.ones(3, 3), torch.ones(3, 3, device=META)
MAPS = THERE.view(1, 1, 3, 3)

Operation = Callable[[], Any]

OF_TWO_DEVICES: dict[str, Operation] = {
    "sum": lambda: THERE + HERE,
    "product": lambda: THERE @ HERE,
    "linear": lambda: F.linear(THERE, HERE),
    "convolution": lambda: F.conv2d(MAPS, HERE.view(1, 1, 3, 3)),
    "choice": lambda: torch.where(THERE > 0, THERE, HERE),
    "running mean": lambda: F.batch_norm(THERE, HERE[0], HERE[0]),
    "list": lambda: torch._foreach_add_([THERE], [HERE]),
    "indices": lambda: HERE[torch.zeros(2, dtype=torch.int64, device=META)],
    "generator of the CPU": lambda: torch.randn(3, generator=torch.Generator(), device=META),
    "generator of the device": lambda: torch.randn(3, generator=torch.Generator(META)),
    "generator that fills": lambda: THERE.normal_(generator=torch.Generator()),
}
READS: dict[str, Operation] = {
    "item": lambda: THERE.sum().item(),
    "condition": lambda: bool(THERE.sum()),
    "list": THERE.tolist,
    "copy": THERE.cpu,
    "copy in place": lambda: HERE.clone().copy_(THERE),
    "equality": lambda: torch.equal(THERE, THERE),
}
WRITES: dict[str, Operation] = {
    "list": lambda: torch.tensor([1.0, 2.0], device=META),
    "number": lambda: torch.as_tensor(1.0, device=META),
    "copy": lambda: HERE.to(META),
    "copy in place": lambda: THERE.copy_(HERE),
    "indices": lambda: THERE[torch.tensor([0, 2])],
}
NEITHER: dict[str, Operation] = {
    "products": lambda: THERE @ THERE,
    "number of Python": lambda: THERE.clone().fill_(0.5).mul_(2) + 1,
    "number on the CPU": lambda: THERE * torch.tensor(2.0),
    "generator": lambda: torch.randn(3, generator=torch.Generator(META).manual_seed(0), device=META),
    "autocast": lambda: torch.autocast("meta", dtype=torch.bfloat16).__enter__(),
    "all of it on the CPU": lambda: (HERE @ HERE)[HERE > 0].sum().item(),
}


def parametrized(operations: dict[str, Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations.values(), ids=operations)


@parametrized(OF_TWO_DEVICES)
def test_operations_on_two_devices_are_refused(operation: Operation) -> None:
    with meta_device(), pytest.raises(RuntimeError, match="device"):
        operation()


@parametrized(READS)
def test_a_read_is_refused_or_listed(operation: Operation) -> None:
    with meta_device(), pytest.raises(RuntimeError, match="read from the device"):
        operation()
    with meta_device(torch.zeros) as transfers:
        assert not torch.as_tensor(operation()).any()
    assert (len(transfers.reads), transfers.writes) == (1, [])


def test_a_mask_is_refused() -> None:
    """The shape of the result depends on the numbers, so a GPU has to be waited for."""
    with meta_device(torch.zeros), pytest.raises(NotImplementedError, match="nonzero"):
        THERE[THERE > 0]


@parametrized(WRITES)
def test_a_write_is_listed(operation: Operation) -> None:
    with meta_device() as transfers:
        assert operation().device == META
    assert (transfers.reads, len(transfers.writes)) == ([], 1)


@parametrized(NEITHER)
def test_other_operations_are_not_listed(operation: Operation) -> None:
    with meta_device() as transfers:
        operation()
    assert (transfers.reads, transfers.writes) == ([], [])


@pytest.mark.parametrize(("optimizer", "settings"), [(torch.optim.Adam, {}), (torch.optim.SGD, {"momentum": 0.9})])
def test_a_fused_optimizer_needs_its_state_on_the_device(optimizer: Any, settings: dict[str, float]) -> None:
    parameter = torch.nn.Parameter(THERE.clone())
    with meta_device():
        fused = optimizer([parameter], lr=0.1, fused=True, **settings)
        parameter.grad = torch.zeros_like(parameter)
        fused.step()
        state = fused.state[parameter]
        state.update({name: torch.zeros(value.shape) for name, value in state.items() if value.dim()})
        with pytest.raises(RuntimeError, match="device"):
            fused.step()


def test_float64_on_the_device_is_listed() -> None:
    with meta_device(torch.zeros) as transfers:
        THERE.sum(dtype=torch.float64)
        THERE.cpu().double()
    assert len(transfers.doubles) == 1


def test_a_transfer_is_named_by_the_line_that_asks_for_it() -> None:
    from autoenc.evaluation.batches import fetch

    with meta_device(torch.zeros) as transfers:
        assert fetch({"mse": THERE.sum()}) == {"mse": 0.0}
    assert transfers.reads == ["evaluation/batches.py: values = torch.stack(floats).tolist()  # synchronizes"]
