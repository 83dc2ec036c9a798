"""Devices: where tensors live, and the precision, memory format and threads of the computation."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from threadpoolctl import ThreadpoolController, threadpool_limits
from torch import nn

from autoenc.registry import Choice, Registry
from autoenc.settings import ConfigError, NonNegativeInt, ThreadCount

TORCHS_CHOICE = torch.get_num_threads()
"""The number of threads before a run in this process changed it."""

KEPT_BYTES = 2**29
"""The freed memory that a process keeps instead of returning it to the system."""

MALLOPT_TRIM_THRESHOLD, MALLOPT_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt` (malloc.h)."""

LARGEST_MMAP_THRESHOLD = 2**25
"""In bytes; glibc ignores a larger one."""

SOFT_PAUSE = 1
"""OpenMP's `omp_pause_soft`: end the workers of this thread, and keep its settings."""

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """An available device and its settings."""

    torch_device: torch.device
    threads: int | None
    precision: Precision
    channels_last: bool
    compile: bool

    @property
    def description(self) -> str:
        """`cpu`, or `cuda:0 (NVIDIA H200)`."""
        if self.torch_device.type == "cuda":
            return f"{self.torch_device} ({torch.cuda.get_device_name(self.torch_device)})"
        return str(self.torch_device)

    def set_threads(self, threads: int | None = None) -> int:
        """Set the number of CPU threads: the config's, else `threads`, else torch's default; returns the number.

        It also holds for the other numerical libraries: one that takes all cores for a picture slows every other job.
        torch's threads flush denormal numbers (below 1.2e-38 in float32) to zero if the CPU can. When units die, Adam's
        moments decay into such numbers, and a CPU takes many times longer for them.
        """
        _set_threads(self.threads or threads or TORCHS_CHOICE, flush_denormals=True)
        return torch.get_num_threads()

    def place(self, model: nn.Module) -> nn.Module:
        """The model on the device, with convolution weights in the memory format that is fast there."""
        memory_format = torch.channels_last if self.channels_last else torch.contiguous_format
        # torch's annotations know `memory_format` only together with a dtype.
        return model.to(self.torch_device, memory_format=memory_format)  # type: ignore[call-overload, no-any-return]

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the forward pass runs in the configured precision; weights stay float32."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16)


class DeviceSettings(Protocol):
    """A choice of the group `device`."""

    def build(self) -> Device:
        """The device.

        Raises:
            ConfigError: it is not available, or does not support the settings.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class _Settings(Choice):
    """The fields of every device."""

    threads: ThreadCount | None
    precision: Precision
    channels_last: bool
    compile: bool

    def _device(self, torch_device: str) -> Device:
        return Device(
            torch_device=torch.device(torch_device),
            threads=self.threads,
            precision=self.precision,
            channels_last=self.channels_last,
            compile=self.compile,
        )


@dataclass(frozen=True, kw_only=True)
class Cpu(_Settings):
    """`device=cpu`."""

    def build(self) -> Device:
        """The CPU."""
        return self._device("cpu")


@dataclass(frozen=True, kw_only=True)
class Cuda(_Settings):
    """`device=cuda`: an NVIDIA GPU (or an AMD one under ROCm)."""

    index: NonNegativeInt

    def build(self) -> Device:
        """The GPU number `index`."""
        count = torch.cuda.device_count()
        if count == 0:
            raise _not_available("cuda", "torch finds no CUDA device")
        if self.index >= count:
            raise ConfigError("device.index", f"torch finds {count} CUDA device(s), numbered from 0", value=self.index)
        return self._device(f"cuda:{self.index}")


@dataclass(frozen=True, kw_only=True)
class Mps(_Settings):
    """`device=mps`: the GPU of an Apple chip."""

    def build(self) -> Device:
        """The GPU."""
        if not torch.backends.mps.is_available():
            raise _not_available("mps", "torch finds no Apple GPU")
        return self._device("mps")


@dataclass(frozen=True, kw_only=True)
class Auto(_Settings):
    """`device=auto`: the first CUDA device, else an Apple GPU, else the CPU. The summary of the run names it."""

    def build(self) -> Device:
        """The fastest available device."""
        return self._device(_available()[0])


def _available() -> list[str]:
    cuda = ["cuda:0"] if torch.cuda.device_count() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


@contextmanager
def restored_threads() -> Iterator[None]:
    """Restore the CPU threads of torch and the other numerical libraries afterwards.

    Libraries that are loaded inside get as many as torch had.
    """
    before, flushed = torch.get_num_threads(), flushes_denormals()
    with threadpool_limits():  # restores those that are loaded already
        try:
            yield
        finally:
            _set_threads(before, flush_denormals=flushed)


def keep_freed_memory() -> None:
    """Let this process reuse the memory of a training step in the next one.

    By default, glibc may return buffers of a few hundred kilobytes to the system: it depends on what was freed before.
    A step of `conv` then causes up to a thousand page faults, which take a sixth of its time. Other C libraries are
    left as they are.
    """
    mallopt = getattr(ctypes.pythonapi, "mallopt", None)
    if mallopt is not None:
        mallopt(MALLOPT_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(MALLOPT_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)


def flushes_denormals() -> bool:
    """Whether the arithmetic of this thread replaces denormal numbers by zero."""
    smallest_normal = torch.tensor(torch.finfo(torch.float32).tiny, dtype=torch.float32)
    return bool(smallest_normal / 2 == 0)


def _set_threads(number: int, *, flush_denormals: bool) -> None:
    for kind in (np.float32, np.float64):  # numpy before 2.4 warns if denormals are flushed at the first look
        np.finfo(kind)
    torch.set_num_threads(number)
    torch.set_flush_denormal(flush_denormals)
    libraries = ThreadpoolController()
    libraries.limit(limits=number)
    # Flushing is a setting of each thread. New threads inherit it, so the existing workers of OpenMP are ended.
    for library in libraries.select(user_api="openmp").lib_controllers:
        if hasattr(library.dynlib, "omp_pause_resource_all"):  # OpenMP 5.0
            library.dynlib.omp_pause_resource_all(SOFT_PAUSE)


def plain_device(name: str) -> Device:
    """The device of `device=name` with default settings.

    Raises:
        ConfigError: it is not available, or there is no such choice.
    """
    values = {"name": name, "threads": None, "precision": "float32", "channels_last": False, "compile": False}
    return DEVICES.parse(values | ({"index": 0} if name == "cuda" else {})).build()


def kinds_here() -> list[str]:
    """The choices of `device` that this machine has, fastest first, without `auto`."""
    return [device.partition(":")[0] for device in _available()]


def count_of_gpus() -> int:
    """The number of CUDA devices that torch finds."""
    return torch.cuda.device_count()


def _not_available(name: str, reason: str) -> ConfigError:
    here = f"{platform.node()} has {', '.join(kinds_here())}"  # by name: a sweep's jobs run on several machines
    return ConfigError("device", f"{reason}; {here} (device=auto takes the first)", value=name)


DEVICES: Registry[DeviceSettings] = Registry(
    "device",
    {
        "auto": Auto,
        "cpu": Cpu,
        "cuda": Cuda,
        "mps": Mps,
    },
)
