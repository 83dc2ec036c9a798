"""Devices: where the tensors live, and how fast the arithmetic there may be."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from threadpoolctl import threadpool_limits
from torch import nn

from autoenc.registry import Registry
from autoenc.settings import ConfigError, NonNegativeInt, ThreadCount

TORCHS_CHOICE = torch.get_num_threads()
"""Remembered, because setting the number for one job of a sweep would otherwise hold for the next."""

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device that is there, and the settings that go with it."""

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
        """Use as many CPU threads as the config says, else `threads`, else torch's own choice; returns how many.

        So do the libraries beside torch: one that takes every core for a picture slows all other jobs down.
        """
        torch.set_num_threads(self.threads or threads or TORCHS_CHOICE)
        threadpool_limits(torch.get_num_threads())
        return torch.get_num_threads()

    def place(self, model: nn.Module) -> nn.Module:
        """The model on the device, its convolutions' weights in the memory format that is fast there."""
        memory_format = torch.channels_last if self.channels_last else torch.contiguous_format
        # torch's annotations know `memory_format` only together with a dtype.
        return model.to(self.torch_device, memory_format=memory_format)  # type: ignore[call-overload, no-any-return]

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which a model's forward runs in the wanted precision; weights stay float32."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16)


class DeviceSettings(Protocol):
    """What an entry of the table below offers."""

    def build(self) -> Device:
        """The device.

        Raises:
            ConfigError: it is not there, or cannot do what is asked.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """The fields that every device has; `name` is what `device=` calls it."""

    name: ClassVar[str]
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

    name = "cpu"

    def build(self) -> Device:
        """The CPU."""
        return self._device("cpu")


@dataclass(frozen=True, kw_only=True)
class Cuda(_Settings):
    """`device=cuda`: an NVIDIA GPU (or an AMD one under ROCm)."""

    name = "cuda"
    index: NonNegativeInt

    def build(self) -> Device:
        """The GPU number `index`."""
        count = torch.cuda.device_count()
        if count == 0:
            raise _not_there(self.name, "torch finds no CUDA device")
        if self.index >= count:
            raise ConfigError("device.index", f"torch finds {count} CUDA device(s), numbered from 0", value=self.index)
        return self._device(f"cuda:{self.index}")


@dataclass(frozen=True, kw_only=True)
class Mps(_Settings):
    """`device=mps`: the GPU of an Apple chip."""

    name = "mps"

    def build(self) -> Device:
        """The GPU."""
        if not torch.backends.mps.is_available():
            raise _not_there(self.name, "torch finds no Apple GPU")
        return self._device("mps")


@dataclass(frozen=True, kw_only=True)
class Auto(_Settings):
    """`device=auto`: the first CUDA device, else an Apple GPU, else the CPU. The run's summary says which it was."""

    name = "auto"

    def build(self) -> Device:
        """The fastest device there is."""
        return self._device(_available()[0])


def _available() -> list[str]:
    """The devices that are here, fastest first."""
    cuda = ["cuda:0"] if torch.cuda.device_count() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def plain_device(name: str) -> Device:
    """The device that `device=name` means, with nothing asked of it but to be there.

    Raises:
        ConfigError: it is not, or there is no such choice.
    """
    values = {"name": name, "threads": None, "precision": "float32", "channels_last": False, "compile": False}
    return DEVICES.parse(values | ({"index": 0} if name == "cuda" else {})).build()


def kinds_here() -> list[str]:
    """The choices of `device` that this machine has, fastest first, but for `auto`."""
    return [device.partition(":")[0] for device in _available()]


def count_of_gpus() -> int:
    """How many CUDA devices torch finds."""
    return torch.cuda.device_count()


def _not_there(name: str, reason: str) -> ConfigError:
    here = ", ".join(kinds_here())
    return ConfigError("device", f"{reason}; here there is {here} (device=auto takes the first)", value=name)


DEVICES: Registry[DeviceSettings] = Registry(
    "device",
    {
        "auto": Auto,
        "cpu": Cpu,
        "cuda": Cuda,
        "mps": Mps,
    },
)
