from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoenc.data.noise.pixels import Gaussian, NoNoise
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import Bottleneck, BottleneckOutput
from autoenc.training.step import TrainingStep
from autoenc.training.training_settings import TrainingSettings
from tests.devices import cpu


def model() -> AutoEncoder:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    return AutoEncoder(encoder, nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (1, 2, 2))))


def training_step(
    autoencoder: AutoEncoder,
    optimizer: torch.optim.Optimizer,
    *,
    noise: Any = None,
    gradient_clip: float | None = None,
    device: Device | None = None,
) -> TrainingStep:
    return TrainingStep(
        autoencoder,
        noise=noise or NoNoise(),
        optimizer=optimizer,
        device=device or cpu(),
        generator=torch.Generator().manual_seed(0),
        gradient_clip=gradient_clip,
    )


def sgd(autoencoder: AutoEncoder, *, fused: bool = True) -> torch.optim.Optimizer:
    return torch.optim.SGD(autoencoder.parameters(), lr=0.1, momentum=0.9, fused=fused)


def adam(autoencoder: AutoEncoder, *, fused: bool = True) -> torch.optim.Optimizer:
    return torch.optim.Adam(autoencoder.parameters(), lr=0.1, fused=fused)


def everything(step: TrainingStep) -> list[Tensor]:
    """Weights, moments and step counts, copied."""
    states = [value for state in step.optimizer.state.values() for value in state.values()]
    return [tensor.detach().clone() for tensor in [*step.parameters, *states]]


@pytest.mark.parametrize("fused", [True, False])
def test_a_step_is_that_of_plain_torch(fused: bool) -> None:
    ours, theirs = model(), model()
    images = torch.rand(5, 1, 2, 2)
    step = training_step(ours, adam(ours, fused=fused))
    optimizer = adam(theirs, fused=fused)
    for _ in range(3):
        loss = step.train_step(images)
        optimizer.zero_grad()
        expected = nn.functional.mse_loss(theirs(images).reconstruction, images)
        expected.backward()
        optimizer.step()
        assert loss.item() == expected.item()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_the_target_is_the_clean_image() -> None:
    """With a noise that hides the image, only the mean can be learnt; a model of the noisy image would copy it."""
    autoencoder = model()
    step = training_step(
        autoencoder,
        torch.optim.SGD(autoencoder.parameters(), lr=0.0, fused=True),
        noise=Gaussian(std=5.0, clip=False, by="channel"),
    )
    clean = torch.full((2, 1, 2, 2), 0.5)
    noisy = Gaussian(std=5.0, clip=False, by="channel")(clean, generator=torch.Generator().manual_seed(0)).images
    expected = nn.functional.mse_loss(autoencoder(noisy).reconstruction, clean)
    assert step.train_step(clean).item() == expected.item()


@pytest.mark.parametrize("optimizer", [sgd, adam])
@pytest.mark.parametrize(("fused", "on_device"), [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_never_reaches_weights_or_moments(
    optimizer: Any, fused: bool, on_device: bool, bad: float
) -> None:
    autoencoder = model()
    step = training_step(autoencoder, optimizer(autoencoder, fused=fused))
    step._masks_on_device = on_device  # the way of a GPU; fused kernels do it on a CPU as well
    good = torch.rand(3, 1, 2, 2)
    step.train_step(good)
    before = everything(step)
    broken = good.clone()
    broken[0, 0, 0, 0] = bad
    step.train_step(broken)
    for now, then in zip(everything(step), before, strict=True):
        assert torch.equal(now, then)
    assert step.skipped.item() == 1
    step.train_step(good)
    assert step.skipped.item() == 1
    assert not torch.equal(step.parameters[0], before[0])


class FiniteLossInfiniteGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * float("inf")


class Trap(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return FiniteLossInfiniteGradient.apply(values)  # type: ignore[no-any-return]


def test_a_gradient_alone_that_is_not_finite_is_noticed() -> None:
    autoencoder = model()
    autoencoder.decoder = nn.Sequential(autoencoder.decoder, Trap())
    step = training_step(autoencoder, adam(autoencoder))
    before = everything(step)
    assert step.train_step(torch.rand(3, 1, 2, 2)).isfinite()
    assert step.skipped.item() == 1
    assert all(torch.equal(now, then) for now, then in zip(step.parameters, before, strict=False))


def test_clipping_bounds_the_norm_of_the_whole_gradient() -> None:
    autoencoder = model()
    before = [parameter.detach().clone() for parameter in autoencoder.parameters()]
    step = training_step(autoencoder, torch.optim.SGD(autoencoder.parameters(), lr=1.0, fused=True), gradient_clip=1e-3)
    step.train_step(torch.rand(3, 1, 2, 2))
    moved = torch.cat([(now - then).flatten() for now, then in zip(autoencoder.parameters(), before, strict=True)])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_the_learning_rate_is_used_from_the_next_step_on() -> None:
    autoencoder = model()
    step = training_step(autoencoder, sgd(autoencoder))
    step.set_learning_rate(0.0)
    before = [parameter.detach().clone() for parameter in autoencoder.parameters()]
    step.train_step(torch.rand(3, 1, 2, 2))
    assert all(torch.equal(now, then) for now, then in zip(autoencoder.parameters(), before, strict=True))


def test_in_bfloat16_the_weights_and_the_loss_stay_float32() -> None:
    device = cpu(precision="bfloat16")
    autoencoder = model()
    step = training_step(autoencoder, adam(autoencoder), device=device)
    loss = step.train_step(torch.rand(3, 1, 2, 2))
    assert loss.dtype == torch.float32
    assert all(parameter.dtype == torch.float32 for parameter in autoencoder.parameters())
    with device.autocast():
        assert autoencoder(torch.rand(3, 1, 2, 2)).raw.dtype == torch.bfloat16


class Halved(Bottleneck):
    """Draws a number for each image, which it takes off the code, and tells what it drew."""

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:
        return torch.rand(len(features), generator=generator)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        assert draws is not None
        code = features - draws.unsqueeze(1)
        return BottleneckOutput(code, code.unsqueeze(0), penalty=draws, diagnostics={"drawn": draws.mean()})

    def begin_step(self, *, epoch: float) -> None:
        self.epoch = epoch


def test_what_the_objective_is_made_of_is_summed_and_comes_from_the_step_s_generator() -> None:
    autoencoder = model()
    autoencoder.bottleneck = Halved(code_size=2)
    step = training_step(autoencoder, torch.optim.SGD(autoencoder.parameters(), lr=0.0, fused=True))
    losses = [step.train_step(torch.rand(count, 1, 2, 2)).item() for count in (3, 5)]
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.rand(count, generator=generator).mean().item() for count in (3, 5)]
    sums = {name: total.item() for name, total in step.sums.items()}
    assert list(sums) == ["loss", "reconstruction", "penalty", "drawn"]
    assert sums["drawn"] == pytest.approx(3 * drawn[0] + 5 * drawn[1], rel=1e-6)
    assert sums["penalty"] == pytest.approx(sums["drawn"], rel=1e-6)
    assert sums["loss"] == pytest.approx(3 * losses[0] + 5 * losses[1], rel=1e-6)
    assert sums["loss"] == pytest.approx(sums["reconstruction"] + sums["penalty"], rel=1e-6)
    kept = {name: total.clone() for name, total in step.sums.items()}
    step.clear_sums()
    assert all(total.item() == 0 for total in step.sums.values())
    step.restore_sums(kept)
    assert {name: total.item() for name, total in step.sums.items()} == sums


def test_the_severity_of_the_noise_and_the_epoch_reach_the_step() -> None:
    autoencoder = model()
    autoencoder.bottleneck = Halved(code_size=2)
    step = TrainingStep(
        autoencoder,
        noise=Gaussian(std=5.0, clip=False, by="channel"),
        optimizer=torch.optim.SGD(autoencoder.parameters(), lr=0.0, fused=True),
        device=cpu(),
        generator=torch.Generator().manual_seed(0),
        severity=lambda epoch: 0.5 * epoch,
    )
    clean, drawn = torch.full((2, 1, 2, 2), 0.5), torch.Generator().manual_seed(0)
    step.begin(epoch=0.5)
    noisy = Gaussian(std=1.25, clip=False, by="channel")(clean, generator=drawn).images
    numbers = torch.rand(2, generator=drawn)
    expected = nn.functional.mse_loss(autoencoder(noisy, draws=numbers).reconstruction, clean) + numbers.mean()
    assert step.train_step(clean).item() == pytest.approx(expected.item(), rel=1e-6)
    assert autoencoder.bottleneck.epoch == 0.5


def test_targets_that_are_drawn_are_what_is_corrupted_and_what_is_compared_with() -> None:
    def negative(images: Tensor, *, generator: torch.Generator) -> Tensor:
        return 1 - images

    autoencoder = model()
    step = TrainingStep(
        autoencoder,
        noise=NoNoise(),
        optimizer=torch.optim.SGD(autoencoder.parameters(), lr=0.0, fused=True),
        device=cpu(),
        generator=torch.Generator().manual_seed(0),
        targets=negative,
    )
    images = torch.rand(2, 1, 2, 2)
    expected = nn.functional.mse_loss(autoencoder(1 - images).reconstruction, 1 - images)
    assert step.train_step(images).item() == expected.item()


@pytest.mark.parametrize(("epoch", "severity"), [(0.0, 1.0), (1.0, 0.6), (2.0, 0.2), (3.0, 0.2)])
def test_severity_changes_evenly_and_then_stays(epoch: float, severity: float) -> None:
    settings = TrainingSettings(
        epochs=10,
        batch_size=1,
        gradient_clip=None,
        patience=None,
        checkpoint_every=1,
        snapshot_every=1,
        severity_start=1.0,
        severity_end=0.2,
        severity_epochs=2,
    )
    assert settings.severity(epoch) == pytest.approx(severity)
    assert replace(settings, severity_epochs=None).severity(5.0) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("epochs", "interval"),
    [(1, 1), (5, 1), (7, 1), (8, 2), (14, 2), (15, 5), (20, 5), (36, 10), (70, 10), (71, 20), (1000, 200)],
)
def test_snapshots_are_round_numbers_of_epochs_apart_and_few(epochs: int, interval: int) -> None:
    settings = TrainingSettings(
        epochs=epochs,
        batch_size=1,
        gradient_clip=None,
        patience=None,
        checkpoint_every=1,
        snapshot_every=None,
        severity_start=1.0,
        severity_end=1.0,
        severity_epochs=None,
    )
    assert settings.snapshot_interval == interval
    assert replace(settings, snapshot_every=3).snapshot_interval == 3
