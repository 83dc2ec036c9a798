"""One training step: it never waits for the device, and never lets a number that is not finite into the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from autoenc.autoencoder import AutoEncoder
from autoenc.devices import Device
from autoenc.losses import Loss
from autoenc.noise import Noise


class NotFiniteError(ArithmeticError):
    """A loss or a gradient was not a finite number."""


class TrainingStep:
    """From a batch of clean images to changed weights.

    Two sums are kept on the device until somebody fetches them: `loss_sum`, of the loss times the number of images, and
    `skipped`, the number of steps whose loss or gradient was not finite; such a step changes no weight and no moment.
    """

    def __init__(
        self,
        model: AutoEncoder,
        *,
        loss: Loss,
        noise: Noise,
        optimizer: torch.optim.Optimizer,
        device: Device,
        generator: torch.Generator,
        gradient_clip: float | None = None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.noise = noise
        self.optimizer = optimizer
        self.device = device
        self.generator = generator
        self.gradient_clip = gradient_clip
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        # Fused optimizers can skip a step on the device; a plugin's that is not fused has to be asked not to step.
        fused = getattr(optimizer, "_step_supports_amp_scaling", False)
        self._masks_on_device = fused and device.torch_device.type != "cpu"
        self._forward = torch.compile(model) if device.compile else model
        # Sums over many steps need more digits than the summands; Apple's GPUs have no float64.
        wide = torch.float32 if device.torch_device.type == "mps" else torch.float64
        self.loss_sum = torch.zeros((), dtype=wide, device=device.torch_device)
        self.skipped = torch.zeros((), device=device.torch_device)
        self._not_finite = torch.zeros((), device=device.torch_device)
        self._one = torch.ones((), device=device.torch_device)

    def train_step(self, clean: Tensor) -> Tensor:
        """Improve the model on a batch (B, C, H, W) in [0, 1]; returns the loss before that, (), on the device."""
        for parameter in self.parameters:
            parameter.grad = None
        noisy = self.noise(clean, generator=self.generator)
        with self.device.autocast():
            output = self._forward(noisy)
            loss = self.model.objective(output, self.loss, target=clean)
        loss.backward()
        loss = loss.detach()
        self._update(loss)
        self.loss_sum.add_(loss, alpha=len(clean))
        return loss

    def set_learning_rate(self, learning_rate: float) -> None:
        """Use this rate from the next step on."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def _update(self, loss: Tensor) -> None:
        checked = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        checked.append(loss)
        # One kernel for all of them: 1 goes into `_not_finite` if any number is not finite. It is what torch's own
        # gradient scaler calls; it also multiplies by the inverse of the scale, here 1.
        torch._amp_foreach_non_finite_check_and_unscale_(checked, self._not_finite, self._one)
        if self.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.gradient_clip)
        if self._masks_on_device:
            # The optimizer reads this on the device, and leaves weights and moments alone where it is 1.
            self.optimizer.found_inf = self._not_finite  # type: ignore[attr-defined]
            self.optimizer.step()
        elif self._not_finite.item() == 0:  # synchronises, but for a CPU, which has nothing to wait for
            self.optimizer.step()
            return
        self.skipped.add_(self._not_finite)
        self._not_finite.zero_()
