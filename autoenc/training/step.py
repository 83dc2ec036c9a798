"""One training step. It never waits for the device, and a step that is not finite never reaches the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

import torch
from torch import Tensor

from autoenc.data.noise import Noise
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput
from autoenc.models.layers import at_least_float32


class NotFiniteError(ArithmeticError):
    """A loss or a gradient was not a finite number."""


class Targets(Protocol):
    """From a batch of stored images to the clean images of a step: the place to draw binary pixels."""

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) in [0, 1], of images of the same shape."""
        ...


def as_stored(images: Tensor, *, generator: torch.Generator) -> Tensor:  # noqa: ARG001
    """The images themselves."""
    return images


@dataclass(eq=False)
class TrainingStep:
    """From a batch of stored images to changed weights.

    Two sums stay on the device until the loop fetches them. `sums` are the loss, its parts and the statistics of the
    batch (`batch_<name>`), each times the number of images. `skipped` is the number of steps whose loss or gradient was
    not finite. Such a step changes no weight and no moment. It does change the running means of batch normalization,
    but the run ends at the next synchronization without saving them.
    """

    model: AutoEncoder
    _: KW_ONLY
    noise: Noise
    optimizer: torch.optim.Optimizer
    device: Device
    generator: torch.Generator
    gradient_clip: float | None = None
    targets: Targets = as_stored
    severity: Callable[[float], float] = lambda epoch: 1.0  # noqa: ARG005

    def __post_init__(self) -> None:
        self._noise_now = self.noise
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        # Our optimizers can skip a step on the device. For others, such as plugins, the host has to decide.
        skips = getattr(self.optimizer, "_step_supports_amp_scaling", False)
        self._masks_on_device = skips and self.device.torch_device.type != "cpu"
        self._forward = torch.compile(self.model) if self.device.compile else self.model
        self.sums: dict[str, Tensor] = {"loss": self._zero()}
        self.skipped = torch.zeros((), device=self.device.torch_device)
        self._not_finite = torch.zeros_like(self.skipped)
        self._one = torch.ones_like(self.skipped)

    def train_step(self, images: Tensor) -> Tensor:
        """Improve the model on a batch (B, C, H, W) in [0, 1]; returns the loss before the step, (), on the device."""
        for parameter in self.parameters:
            parameter.grad = None
        clean = self.targets(images, generator=self.generator)
        noisy, corrupted = self._noise_now(clean, generator=self.generator)
        draws = self.model.draw(noisy, generator=self.generator)
        with self.device.autocast():
            output = self._forward(noisy, draws=draws)
            objective = self.model.objective(
                output, target=clean, given=noisy, corrupted=corrupted, generator=self.generator
            )
        objective.loss.backward()
        loss = objective.loss.detach()
        self._update(loss)
        self._add({"loss": loss, **objective.parts, **self._batch_statistics(output)}, count=len(clean))
        return loss

    def begin(self, *, epoch: float) -> None:
        """Set the strength of the noise and the warm-up of the bottleneck for this point of the training, in epochs."""
        severity = self.severity(epoch)
        self._noise_now = self.noise if severity == 1 else self.noise.at(severity)
        self.model.bottleneck.begin_step(epoch=epoch)

    def clear_sums(self) -> None:
        """Start the sums of an epoch at zero."""
        for total in self.sums.values():
            total.zero_()

    def restore_sums(self, sums: Mapping[str, Tensor]) -> None:
        """Continue from the sums of a checkpoint."""
        for name, total in sums.items():
            self.sums[name] = self._zero().copy_(total)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the learning rate for the next steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def _batch_statistics(self, output: AutoEncoderOutput) -> dict[str, Tensor]:
        statistics = self.model.bottleneck.statistics(at_least_float32(output.code.detach()), indices=output.indices)
        return {f"batch_{name}": value for name, value in statistics.items()}

    def _add(self, scalars: Mapping[str, Tensor], *, count: int) -> None:
        for name, value in scalars.items():
            if name not in self.sums:
                self.sums[name] = self._zero()
            self.sums[name].add_(value, alpha=count)

    def _zero(self) -> Tensor:
        # Sums over many steps need more digits than the summands; Apple's GPUs have no float64.
        device = self.device.torch_device
        return torch.zeros((), dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)

    def _update(self, loss: Tensor) -> None:
        checked = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        checked.append(loss)
        # One kernel for all tensors, from torch's gradient scaler. It sets `_not_finite` to 1 if any number is not
        # finite, and multiplies by the inverse of the scale, here 1.
        torch._amp_foreach_non_finite_check_and_unscale_(checked, self._not_finite, self._one)
        if self.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.gradient_clip)
        if self._masks_on_device:
            # The optimizer reads this on the device. Where it is 1, weights and moments stay as they are.
            self.optimizer.found_inf = self._not_finite  # type: ignore[attr-defined]
            self.optimizer.step()
        elif self._not_finite.item() == 0:  # synchronizes, except on a CPU
            self.optimizer.step()
            return
        self.skipped.add_(self._not_finite)
        self._not_finite.zero_()
