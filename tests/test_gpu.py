"""What only a CUDA device can show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from autoenc.command_line import main
from autoenc.data.noise.pixels import SaltAndPepper
from autoenc.devices import Cuda, Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import RunDirectory
from autoenc.training.step import TrainingStep
from tests.conftest import Train
from tests.test_family import Settings
from tests.training.step_cases import CASES, prepared, step_and_images
from tests.training.test_training_loop import Killed, kill, stop_at, without_times

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED: there is no CUDA device here"),
]


@pytest.fixture
def device() -> Device:
    return Cuda(index=0, threads=None, precision="float32", channels_last=True, compile=False).build()


@pytest.fixture
def step(device: Device) -> TrainingStep:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    decoder = nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, (1, 8, 8)))
    model = AutoEncoder(encoder, decoder)
    device.place(model)
    return TrainingStep(
        model,
        noise=SaltAndPepper(probability=0.2, salt=0.5, by="channel"),
        optimizer=torch.optim.Adam(model.parameters(), fused=True),
        device=device,
        generator=torch.Generator(device.torch_device).manual_seed(0),
        gradient_clip=1.0,
    )


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_a_step_never_waits_for_the_device(settings: Settings, device: Device) -> None:
    step, images = step_and_images(prepared(settings, device=device.torch_device))
    for mode in ("default", "error"):  # the first step may wait: it loads kernels
        torch.cuda.set_sync_debug_mode(mode)
        try:
            step.begin(epoch=0.5)
            step.train_step(images)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert step.skipped.item() == 0


def test_a_step_that_is_not_finite_is_masked_on_the_device(step: TrainingStep, device: Device) -> None:
    images = torch.rand(16, 1, 8, 8, device=device.torch_device)
    for _ in range(2):
        step.train_step(images)
    before = [parameter.detach().clone() for parameter in step.parameters]
    step.train_step(images * float("nan"))
    assert step.skipped.item() == 1
    assert all(torch.equal(now, then) for now, then in zip(step.parameters, before, strict=True))
    step.train_step(images)
    assert step.skipped.item() == 1
    assert not torch.equal(step.parameters[0], before[0])


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["device.precision=bfloat16"],
        ["optimizer=sgd", "noise=none"],
        ["bottleneck=gaussian", "evaluation=full", "figures=[]"],
    ],
)
def test_a_run_on_the_gpu(extra: list[str], elsewhere: Path) -> None:
    settings = ["device=cuda", "architecture=conv", "noise=masking", "training.epochs=3", *extra]
    assert main([*settings, "hydra.run.dir=run"]) == 0
    run = RunDirectory(Path("run"))
    assert run.summary()["device"].startswith("cuda:0 (")
    losses = [row["train/loss"] for row in run.metrics()]
    assert losses[-1] < losses[0]


def test_a_run_on_the_gpu_can_be_resumed(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RunDirectory(train("device=cuda", folder="whole"))
    stop_at(10, kill, monkeypatch)
    with pytest.raises(Killed):
        train("device=cuda")
    monkeypatch.undo()
    assert main(["resume=run"]) == 0
    for resumed, row in zip(RunDirectory(Path("run")).metrics(), whole.metrics(), strict=True):
        assert without_times(resumed) == pytest.approx(without_times(row), rel=1e-4)


def test_the_gpu_and_the_cpu_agree(train: Train) -> None:
    """The same weights to begin with, the same order of images, the same sums but for rounding."""
    on_gpu = RunDirectory(train("device=cuda", "noise=none", folder="gpu")).metrics()
    on_cpu = RunDirectory(train("device=cpu", "noise=none", folder="cpu")).metrics()
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert one["train/loss"] == pytest.approx(other["train/loss"], rel=1e-3)
        assert one["validation/loss"] == pytest.approx(other["validation/loss"], rel=1e-3)
