"""Devices: what is refused, what `auto` takes, and what placing and autocasting do."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autoenc.devices import DEVICES, Device, flushes_denormals, restored_threads
from autoenc.models.architectures import ARCHITECTURES
from autoenc.models.autoencoder import AutoEncoder
from autoenc.settings import ConfigError

COMMON = {"threads": None, "precision": "float32", "channels_last": True, "compile": False}


def device(name: str = "cpu", **fields: object) -> Device:
    own = {"index": 0} if name == "cuda" else {}
    return DEVICES.parse({"name": name, **COMMON, **own, **fields}).build()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that a machine has these devices."""

    def pretend(*, cuda: int, mps: bool) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.fixture
def threads() -> Iterator[int]:
    """How many threads torch has; put back afterwards."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def small_model() -> AutoEncoder:
    torch.manual_seed(0)
    values = {"code_size": 4, "channels": [3, 5], "code_activation": "identity", "output": "sigmoid"}
    encoder, decoder = ARCHITECTURES.parse({"name": "conv", **values}).build((2, 8, 8), feature_size=4)
    return AutoEncoder(encoder, decoder, output="sigmoid")


@pytest.mark.parametrize(
    ("name", "mps", "message"),
    [
        ("cuda", False, "device=cuda: torch finds no CUDA device; node7 has cpu"),
        ("cuda", True, "device=cuda: torch finds no CUDA device; node7 has mps, cpu"),
        ("mps", False, "device=mps: torch finds no Apple GPU; node7 has cpu"),
    ],
)
def test_a_device_that_is_not_here_is_refused(
    here: Any, name: str, mps: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "node7")
    here(cuda=0, mps=mps)
    with pytest.raises(ConfigError) as caught:
        device(name)
    assert str(caught.value) == f"{message} (device=auto takes the first)"
    assert caught.value.key == "device"


def test_a_device_number_that_is_not_here_is_refused(here: Any) -> None:
    here(cuda=2, mps=False)
    with pytest.raises(ConfigError) as caught:
        device("cuda", index=2)
    assert str(caught.value) == "device.index=2: torch finds 2 CUDA device(s), numbered from 0"
    assert device("cuda", index=1).torch_device == torch.device("cuda:1")


@pytest.mark.parametrize(
    ("cuda", "mps", "taken"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda:0"), (1, True, "cuda:0")]
)
def test_auto_takes_the_fastest_there_is(here: Any, cuda: int, mps: bool, taken: str) -> None:
    here(cuda=cuda, mps=mps)
    assert device("auto").torch_device == torch.device(taken)


def test_cpu_is_the_cpu_even_beside_a_gpu(here: Any) -> None:
    here(cuda=1, mps=True)
    assert device("cpu").torch_device == torch.device("cpu")
    assert device("cpu").description == "cpu"


def test_the_settings_reach_the_device() -> None:
    built = device("cpu", threads=3, precision="bfloat16", channels_last=False, compile=True)
    assert (built.threads, built.precision, built.channels_last, built.compile) == (3, "bfloat16", False, True)


@pytest.mark.parametrize(("key", "value"), [("precision", "double"), ("threads", 0), ("compile", "yes")])
def test_wrong_fields_are_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^device\.{key}={value}: it must be"):
        device("cpu", **{key: value})


# --- threads ---


def test_threads_are_those_of_the_config(threads: int) -> None:
    assert device(threads=2).set_threads() == 2
    assert torch.get_num_threads() == 2
    assert device(threads=1).set_threads(2) == 1  # the config comes before what is proposed


def test_threads_are_those_proposed_where_the_config_has_none(threads: int) -> None:
    assert device().set_threads(2) == 2
    assert torch.get_num_threads() == 2


# --- denormal numbers ---


def flushed_by() -> tuple[bool, bool]:
    """Whether this thread and its OpenMP worker flush denormal numbers, with two threads."""
    smallest_normal = torch.full((1 << 20,), torch.finfo(torch.float32).tiny)  # long enough to be shared
    zero = (smallest_normal / 2 == 0).chunk(2)
    assert all(len(half.unique()) == 1 for half in zero)
    return bool(zero[0].all()), bool(zero[1].all())


@pytest.mark.usefixtures("threads")
def test_all_threads_flush_denormals_even_those_that_exist_already() -> None:
    torch.set_num_threads(2)
    assert flushed_by() == (False, False)
    with restored_threads():
        device(threads=2).set_threads()
        assert torch.get_num_threads() == 2
        assert flushed_by() == (True, True)
        assert flushes_denormals()
    assert flushed_by() == (False, False)
    assert not flushes_denormals()


@pytest.mark.usefixtures("threads")
def test_gradients_and_the_optimizer_flush_denormals() -> None:
    tiny = torch.finfo(torch.float32).tiny
    with restored_threads():
        device(threads=2).set_threads()
        weights = nn.Parameter(torch.ones(1 << 20))
        (weights * 0.5).backward(torch.full_like(weights, tiny))
        assert weights.grad is not None
        assert weights.grad.count_nonzero() == 0
        optimizer = torch.optim.Adam([weights], fused=True)
        weights.grad.fill_(tiny)
        optimizer.step()
        weights.grad.zero_()
        optimizer.step()
        moments = optimizer.state[weights]
        assert moments["exp_avg"].count_nonzero() == moments["exp_avg_sq"].count_nonzero() == 0


def test_numpy_looks_at_its_types_before_denormals_are_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before version 2.4 it warns at the first look: "The value of the smallest subnormal ... is zero"."""
    looks = []
    monkeypatch.setattr(np, "finfo", lambda kind: looks.append((kind, flushes_denormals())))
    device(threads=1).set_threads()
    assert looks == [(np.float32, False), (np.float64, False)]


def test_a_user_s_flushing_stays() -> None:
    torch.set_flush_denormal(True)
    with restored_threads():
        torch.set_flush_denormal(False)
    assert flushes_denormals()


# --- memory format and precision ---


@pytest.mark.parametrize("channels_last", [True, False])
def test_weights_of_convolutions_get_the_memory_format(channels_last: bool) -> None:
    model = small_model()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    placed = device(channels_last=channels_last).place(model)
    assert placed is model
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    assert len(layers) == 6
    for layer in layers:
        _, inputs, height, width = layer.weight.shape
        last = (inputs * height * width, 1, inputs * width, inputs)
        first = (inputs * height * width, height * width, width, 1)
        assert layer.weight.stride() == (last if channels_last else first)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_bfloat16_is_of_the_forward_pass_alone() -> None:
    model, images = small_model(), torch.rand(3, 2, 8, 8)
    exact = model(images).raw
    with device(precision="bfloat16").autocast():
        rough = model(images).raw
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


REUSE = """
import ctypes, resource
import torch
from autoenc.devices import MALLOPT_MMAP_THRESHOLD, keep_freed_memory

def step():
    return [torch.ones(250_000) for _ in range(8)]  # 1 MB each

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

{before}
step()
step()
begun = faults()
for _ in range(20):
    step()
print(faults() - begun)
"""


RETURN_BUFFERS = "ctypes.pythonapi.mallopt(MALLOPT_MMAP_THRESHOLD, 2**17)"
"""glibc's threshold at the start of a process. Importing torch may already have raised it."""


@pytest.mark.skipif(not hasattr(ctypes.pythonapi, "mallopt"), reason="the C library is not glibc")
def test_a_step_reuses_the_memory_of_the_step_before() -> None:
    """8 MB are about 2,000 pages; a process that gives them back has as many page faults in each step."""
    assert page_faults(RETURN_BUFFERS) > 20 * 1000
    assert page_faults(f"{RETURN_BUFFERS}; keep_freed_memory()") < 20 * 100  # a late buffer has 244 pages, once


def page_faults(before: str) -> int:
    command = [sys.executable, "-c", REUSE.format(before=before)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
