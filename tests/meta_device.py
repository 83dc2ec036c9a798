"""A stand-in for a GPU where there is none: torch's `meta` device, whose tensors have shapes, but no numbers.

torch refuses to read a number from such a tensor. The `meta_device` below is as strict as a GPU in other things too. It
refuses operations on tensors of two devices, such as matrix products, and random numbers from another device's
generator. It lists every transfer between the devices.

It shows neither the types that autocast gives nor whether a kernel itself waits: see `tests/test_gpu.py`.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import autoenc

META, CPU = torch.device("meta"), torch.device("cpu")
_torch_autocast = torch.autocast
PACKAGE = Path(autoenc.__file__).parent

aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
"""Operations that copy indices to the device if they are on the CPU."""

Numbers = Callable[[Sequence[int]], Tensor]
"""From a shape to the numbers that stand in for a tensor of this shape when it is read."""


@contextlib.contextmanager
def meta_device(numbers: Numbers | None = None) -> Iterator[Transfers]:
    """A context in which the meta device is strict. Without `numbers`, reading from it is an error."""
    Generator.on_meta.clear()
    devices_of_fused = "torch.optim.optimizer._get_fused_kernels_supported_devices"
    fused = mock.patch(devices_of_fused, return_value=["cpu", "meta"])
    with fused, mock.patch.multiple(torch, Generator=Generator, autocast=_autocast), Transfers(numbers) as transfers:
        yield transfers


def zeros_or_matrices(shape: Sequence[int]) -> Tensor:
    """Zeros, so that no step counts as skipped; but matrices are random, because zeros have no rank."""
    return torch.rand(shape) if len(shape) > 1 else torch.zeros(shape)


class Transfers(TorchDispatchMode):
    """Checks torch's operations, those of a backward pass and of an optimizer too, and lists the transfers."""

    def __init__(self, numbers: Numbers | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = numbers
        self.reads: list[str] = []
        """To the CPU, which waits for the device: each as the line of the package that asked for it."""
        self.writes: list[str] = []
        """To the device, in the same form."""
        self.doubles: list[str] = []
        """Results in float64 on the device, which Apple's GPUs do not have, in the same form."""

    @property
    def unmarked_reads(self) -> set[str]:
        """The reads without a comment that says `synchronizes`."""
        return {line for line in self.reads if "synchronizes" not in line.partition("#")[2]}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation of torch.

        Raises:
            RuntimeError: a GPU would refuse it, or something is read without `numbers`.
        """
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        device = kwargs.get("device") or (tensors[0].device if tensors else CPU)
        for leaf in leaves:
            if isinstance(leaf, torch._C.Generator) and (_address(leaf) in Generator.on_meta) != (device == META):
                raise RuntimeError(f"{func} on {device}, with the generator of another device")
        on_cpu = [tensor for tensor in tensors if tensor.device == CPU]
        if len(on_cpu) == len(tensors) and device == CPU:
            return func(*args, **kwargs)
        if func in COPIES and device == CPU:
            numbers = self._read(tensors[-1].shape, kwargs.get("dtype") or tensors[-1].dtype)
            return numbers if func is COPIES[0] else args[0].copy_(numbers)
        if func is aten._local_scalar_dense.default:
            return self._read((), tensors[0].dtype).item()
        if func is aten.equal.default:
            return self._read((), torch.bool).item()
        if func is aten.lift_fresh.default or (on_cpu and device == META and func in {*COPIES, *INDEXING}):
            self.writes.append(_line())
        elif any(tensor.dim() for tensor in on_cpu):  # a single number is passed to the kernel as an argument
            raise RuntimeError(f"{func} on tensors of two devices")
        # Not every fused optimizer knows meta tensors. All change their arguments in place.
        result = None if "_fused_" in str(func) else func(*args, **kwargs)
        if isinstance(result, Tensor) and result.dtype == torch.float64:
            self.doubles.append(_line())
        return result

    def _read(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        if self.numbers is None:
            raise RuntimeError(f"read from the device in {_line()}")
        self.reads.append(_line())
        return self.numbers(shape).to(dtype)


class Generator(torch.Generator):
    """A generator of the CPU that can be made for the meta device, for which torch has none."""

    on_meta: ClassVar[dict[int, torch.Generator]] = {}
    """Those for the meta device by their address, which is all that an operation is given."""

    def __new__(cls, device: torch.device | str = CPU) -> Self:
        new = super().__new__(cls, CPU)  # type: ignore[call-arg]
        if torch.device(device) == META:
            cls.on_meta[_address(new)] = new
        return new


def _address(generator: torch.Generator) -> int:
    return generator._cdata  # type: ignore[attr-defined, no-any-return]


def _autocast(device_type: str, **settings: Any) -> contextlib.AbstractContextManager[Any]:
    """torch has no autocast for the meta device. It would change the types of results, but not their devices."""
    return contextlib.nullcontext() if device_type == META.type else _torch_autocast(device_type, **settings)


def _line() -> str:
    """The line of the package that runs: `training/loop.py: order = order.to(images.device)`."""
    frame = sys._getframe()
    while frame.f_back is not None and PACKAGE not in Path(frame.f_code.co_filename).parents:
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    name = path.relative_to(PACKAGE) if PACKAGE in path.parents else path
    return f"{name}: {linecache.getline(str(path), frame.f_lineno).strip()}"
