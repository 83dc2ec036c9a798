"""The training loop: epochs of steps over images that stay where they are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoenc.evaluation.batches import as_floats, fetch
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.progress import TrainingProgress
from autoenc.trackers import Tracker
from autoenc.training.interruption import Interruption
from autoenc.training.state import TrainingState
from autoenc.training.step import TrainingStep
from autoenc.training.training_settings import TrainingSettings

log = logging.getLogger(__name__)

GATHERED = 16
"""How many batches are picked from the images at a time, and moved to the device if the images do not fit there.

On a CPU that takes half the time of picking each alone.
"""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """A training that can be stopped at any step and continued as if it had never been stopped."""

    step: TrainingStep
    train_images: Tensor
    """uint8 (N, C, H, W), on the device, or on the CPU if they do not fit there."""
    validation_images: Tensor
    """uint8 (M, C, H, W), on the same device; M is 0 without a validation split."""
    state: TrainingState
    learning_rate: Callable[[int, int], float]
    """From a step, counted from 0, and the number of all steps to the rate of that step."""
    settings: TrainingSettings
    shuffle: bool
    tracker: Tracker
    interruption: Interruption

    def train(self) -> None:
        """Train to the end, and save the last and the best checkpoint.

        Raises:
            NotFiniteError: a loss or gradient was not finite; it never reached the weights.
            SystemExit: a signal asked the process to end; everything is saved.
        """
        state = self.state
        progress = TrainingProgress(
            epochs=self.settings.epochs, steps_per_epoch=state.steps_per_epoch, steps_done=state.position.step
        )
        with progress, self.interruption.deferred():
            state.start_clock()
            state.keep_snapshots(every=self.settings.snapshot_interval)
            if state.position.step == 0:
                state.take_snapshot()
            while not self.finished:
                self._train_epoch(progress)
                progress.finish_epoch(self._finish_epoch())
                self._stop_if_asked()
                state.save_if_due()
            if state.position.epoch not in state.snapshots:
                state.take_snapshot()
            state.save()
            if self.interruption.requested:
                self.interruption.leave()

    @property
    def finished(self) -> bool:
        """See `TrainingSettings.ends_after`."""
        position = self.state.position
        return self.settings.ends_after(position.epoch, best_epoch=position.best_epoch)

    def _train_epoch(self, progress: TrainingProgress) -> None:
        position = self.state.position
        self.step.model.train()
        for batch in self._batches():
            self.step.set_learning_rate(self._rate(position.step))
            self.step.begin(epoch=position.step / self.state.steps_per_epoch)
            self.step.train_step(as_floats(batch, device=self.step.device))
            position.step += 1
            progress.advance(len(batch))
            self._stop_if_asked()
            if position.step % self.settings.checkpoint_every == 0:
                self.state.save()

    def _batches(self) -> Iterator[Tensor]:
        """The remaining batches of the epoch, uint8 (B, C, H, W), on the device."""
        images, size, steps = self.train_images, self.settings.batch_size, self.state.steps_per_epoch
        done = self.state.position.step - self.state.position.epoch * steps
        order = torch.arange(len(images))
        if self.shuffle:  # on the CPU, so that the order is the same on every device
            order = torch.randperm(len(images), generator=self.state.shuffling)
        order = order.to(images.device)  # once an epoch, right after the device was waited for
        for first in range(done, steps, GATHERED):
            indices = order[first * size : (first + GATHERED) * size]
            picked = images.index_select(0, indices).to(self.step.device.torch_device)  # synchronizes if it moves them
            yield from picked.split(size)

    def _finish_epoch(self) -> dict[str, Any]:
        """Validate, remember the best weights, and record the metrics of the epoch."""
        state = self.state
        scalars = {f"train/{name}": total / len(self.train_images) for name, total in self.step.sums.items()}
        scalars |= {f"validation/{name}": value for name, value in self._validate().items()}
        values = fetch({**scalars, **state.health()})  # the one synchronization of the epoch
        state.refuse_not_finite(values)
        rate = self._rate(state.position.step - 1)
        row = state.finish_epoch({name: values[name] for name in scalars}, learning_rate=rate)
        if state.position.epoch % self.settings.snapshot_interval == 0:
            state.take_snapshot()
        self.tracker.epoch(row)
        return row

    def _validate(self) -> dict[str, Tensor]:
        """The objective and the errors on the validation split, with the full noise; empty without such a split."""
        step, images, metrics = self.step, self.validation_images, [METRICS["mse"]]
        measured = measure(
            step.model, images, device=step.device, noise=step.noise, split="validation", metrics=metrics
        )
        return measured.averages

    def _rate(self, step: int) -> float:
        return self.learning_rate(step, self.state.steps_per_epoch * self.settings.epochs)

    def _stop_if_asked(self) -> None:
        if self.interruption.requested:
            log.info("Stopping, and saving. A second Ctrl-C stops at once.")
            self.state.save()
            self.interruption.leave()
