"""The loop: epochs of steps over images that stay on the device."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from autoenc.evaluation.batches import as_floats, batches, fetch
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.progress import TrainingProgress
from autoenc.runs import RunDirectory
from autoenc.seeds import derived_seed
from autoenc.trackers import Tracker
from autoenc.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    load_last,
    load_model,
    model_tensors,
    save_best,
    save_last,
)
from autoenc.training.interruption import Interruption
from autoenc.training.settings import TrainingSettings
from autoenc.training.state import (
    Position,
    Snapshot,
    flattened,
    kept_snapshots,
    load_optimizer,
    optimizer_tensors,
    random_states,
    restore_random_states,
    tensor_group,
)
from autoenc.training.step import NotFiniteError, TrainingStep

log = logging.getLogger(__name__)

GATHERED = 16
"""How many batches are picked from the images at a time."""

LONGEST_UNSAVED = 5.0
"""Seconds after which an epoch ends with a checkpoint, however few steps it had."""


class TrainingImages(NamedTuple):
    """What the loop reads, on the device."""

    train: Tensor
    """uint8 (N, C, H, W)."""
    validation: Tensor
    """uint8 (M, C, H, W); M is 0 where there is no validation split."""
    shown: Tensor
    """Inputs whose reconstructions are kept as training goes on: float (K, C, H, W), with noise if there is any."""
    scattered: Tensor
    """Images whose codes are kept as training goes on: uint8 (M, C, H, W)."""


class Trainer:
    """A training that can be stopped at any step and taken up again as if nothing had been."""

    def __init__(
        self,
        step: TrainingStep,
        images: TrainingImages,
        *,
        learning_rate: Callable[[int, int], float],
        settings: TrainingSettings,
        shuffle: bool,
        seed: int,
        run: RunDirectory,
        tracker: Tracker,
        interruption: Interruption,
    ) -> None:
        self.step = step
        self.model = step.model
        self.images = images
        self.learning_rate = learning_rate
        self.settings = settings
        self.shuffle = shuffle
        self.run = run
        self.tracker = tracker
        self.interruption = interruption
        self.position = Position()
        self.snapshots: dict[int, Snapshot] = {}
        self._best: dict[str, Tensor] | None = None
        self._best_is_saved = True
        self._shuffling = torch.Generator().manual_seed(derived_seed(seed, "shuffling"))
        self._epoch_start = self._shuffling.get_state()
        self._generators = {"shuffling": self._shuffling, "noise": step.generator}
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in self.model.named_parameters()}
        self._clock = self._saved = time.perf_counter()

    @property
    def steps_per_epoch(self) -> int:
        """Batches, the last and smaller one included."""
        return -(-len(self.images.train) // self.settings.batch_size)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training, were it not stopped early."""
        return self.steps_per_epoch * self.settings.epochs

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        position, patience = self.position, self.settings.patience
        stale = position.epoch - (position.best_epoch or 0)
        return position.epoch >= self.settings.epochs or (patience is not None and stale >= patience)

    def restore(self) -> Self:
        """Take up the run's newest checkpoint, if it has one."""
        checkpoint = load_last(self.run.checkpoints)
        if checkpoint is not None:
            self._load(checkpoint)
        self.run.truncate_metrics(self.position.epoch)
        return self

    def train(self) -> None:
        """Train to the end, and leave the last and the best checkpoint.

        Raises:
            NotFiniteError: a loss or gradient was not finite; the weights never saw it.
            SystemExit: a signal asked for it; everything is saved.
        """
        progress = TrainingProgress(
            epochs=self.settings.epochs, steps_per_epoch=self.steps_per_epoch, steps_done=self.position.step
        )
        self._clock = self._saved = time.perf_counter()
        with progress, self.interruption.deferred():
            if self.position.step == 0:
                self.snapshots[0] = self._snapshot()
            while not self.finished:
                self._train_epoch(progress)
                progress.finish_epoch(self._finish_epoch())
                self._leave_if_asked()
                if time.perf_counter() - self._saved > LONGEST_UNSAVED:
                    self._save()
            if self.position.epoch not in self.snapshots:
                self.snapshots[self.position.epoch] = self._snapshot()
            self._save()
            if self.interruption.requested:
                self.interruption.leave()

    def use_best(self) -> None:
        """Give the model the weights that validated best; without a validation split it keeps the last ones."""
        if self._best is not None:
            load_model(self.model, self._best)

    def _train_epoch(self, progress: TrainingProgress) -> None:
        """The steps of an epoch that are still to be done."""
        self.model.train()
        total_steps = self.total_steps
        for batch in self._batches():
            self.step.set_learning_rate(self.learning_rate(self.position.step, total_steps))
            self.step.begin(epoch=self.position.step / self.steps_per_epoch)
            self.step.train_step(as_floats(batch, device=self.step.device))
            self.position.step += 1
            progress.advance(len(batch))
            self._leave_if_asked()
            if self.position.step % self.settings.checkpoint_every == 0:
                self._save()

    def _leave_if_asked(self) -> None:
        if self.interruption.requested:
            log.info("Stopping, and saving. A second signal stops at once.")
            self._save()
            self.interruption.leave()

    def _batches(self) -> Iterator[Tensor]:
        """The epoch's batches that are still to come, uint8 (B, C, H, W)."""
        size = self.settings.batch_size
        done = self.position.step - self.position.epoch * self.steps_per_epoch
        # Several batches are gathered at a time: on a CPU that takes half the time of each by itself.
        order = self._order()
        for first in range(done, self.steps_per_epoch, GATHERED):
            indices = order[first * size : (first + GATHERED) * size]
            yield from self.images.train.index_select(0, indices).split(size)

    def _order(self) -> Tensor:
        """The images' order in this epoch, (N,) on the device; the same on every kind of device."""
        count = len(self.images.train)
        self._shuffling.set_state(self._epoch_start)
        order = torch.randperm(count, generator=self._shuffling) if self.shuffle else torch.arange(count)
        return order.to(self.images.train.device)

    def _finish_epoch(self) -> dict[str, Any]:
        """Validate, remember the best, and write the epoch's metrics."""
        position, step = self.position, self.step
        validation = measure(
            self.model,
            self.images.validation,
            device=step.device,
            noise=step.noise,
            split="validation",
            metrics=[METRICS["mse"]],
        )
        scalars = {f"train/{name}": total / len(self.images.train) for name, total in step.sums.items()}
        scalars |= {f"validation/{name}": value for name, value in validation.items()}
        values = fetch({**scalars, "skipped": step.skipped, "weights": self._norm()})  # the epoch's one synchronisation
        self._refuse_not_finite(values)
        del values["skipped"], values["weights"]
        position.epoch += 1
        self._epoch_start = self._shuffling.get_state()
        step.clear_sums()
        self._remember_best(values.get("validation/loss"))
        if position.epoch % self.settings.snapshot_every == 0:
            self.snapshots[position.epoch] = self._snapshot()
        row = self._row(values)
        self.run.append_metrics(row)
        self.tracker.epoch(row)
        return row

    def _row(self, values: dict[str, float]) -> dict[str, Any]:
        self._tick()
        seconds, self.position.epoch_seconds = self.position.epoch_seconds, 0.0
        return {
            "epoch": self.position.epoch,
            **values,
            "learning_rate": self.learning_rate(self.position.step - 1, self.total_steps),
            "seconds": seconds,
            "images_per_second": len(self.images.train) / seconds,
        }

    def _remember_best(self, objective: float | None) -> None:
        position = self.position
        if objective is None or (position.best_objective is not None and objective >= position.best_objective):
            return
        position.best_objective, position.best_epoch = objective, position.epoch
        self._best = {name: tensor.detach().clone() for name, tensor in model_tensors(self.model).items()}
        self._best_is_saved = False

    def reconstruct_shown(self) -> Tensor:
        """What the model makes of the shown images now, in eval mode; (K, C, H, W)."""
        self.model.eval()
        with torch.no_grad(), self.step.device.autocast():
            return self.model(self.images.shown).reconstruction.float()  # type: ignore[no-any-return]

    def _snapshot(self) -> Snapshot:
        self.model.eval()
        if len(self.images.scattered) == 0:
            return Snapshot(self.reconstruct_shown(), torch.zeros(0, 0, device=self.images.scattered.device))
        with torch.no_grad(), self.step.device.autocast():
            scattered = batches(self.images.scattered, device=self.step.device)
            codes = torch.cat([self.model.encode(images).float() for images in scattered])
        return Snapshot(self.reconstruct_shown(), codes)

    def _norm(self) -> Tensor:
        """A number, (), that is finite where all weights are: finite gradients can still push them over the edge."""
        return torch.stack(torch._foreach_norm(self.step.parameters)).sum()

    def _refuse_not_finite(self, values: Mapping[str, float]) -> None:
        """Look at what came from the device before any of it is written."""
        epoch, skipped = self.position.epoch + 1, values["skipped"]
        odd = [name for name, value in values.items() if not math.isfinite(value)]
        if not skipped and not odd:
            return
        what = f"the loss or gradient of {skipped:.0f} step(s)" if skipped else " and ".join(odd)
        hint = "a lower optimizer.learning_rate or training.gradient_clip may help"
        raise NotFiniteError(f"in epoch {epoch} {what} was not finite; {hint}")

    def _tick(self) -> None:
        """Add the time since the last tick to the counts."""
        now = time.perf_counter()
        self.position.seconds += now - self._clock
        self.position.epoch_seconds += now - self._clock
        self._clock = now

    def _save(self) -> None:
        self._refuse_not_finite(fetch({"skipped": self.step.skipped, "weights": self._norm()}))  # synchronises
        self._tick()
        image_shape = list(self.images.train.shape[1:])
        if self._best is not None and not self._best_is_saved:
            best = {"image_shape": image_shape, "epoch": self.position.best_epoch}
            save_best(self.run.checkpoints, Checkpoint(self._best, {}, best))
            self._best_is_saved = True
        self.position.threads = torch.get_num_threads()
        values = {
            "image_shape": image_shape,
            "steps_per_epoch": self.steps_per_epoch,
            "sums": list(self.step.sums),  # their order, which the file of tensors does not keep
            **asdict(self.position),
        }
        save_last(self.run.checkpoints, Checkpoint(model_tensors(self.model), self._tensors(), values))
        self._saved = time.perf_counter()

    def _tensors(self) -> dict[str, Tensor]:
        device = self.images.train.device
        groups: dict[str, Mapping[str, Tensor]] = {
            "optimizer": optimizer_tensors(self.step.optimizer, names=self._names),
            "random": random_states(device, generators=self._generators),
            "best": self._best or {},
            "snapshot": {str(epoch): snapshot.reconstructions for epoch, snapshot in self.snapshots.items()},
            "codes": {str(epoch): snapshot.codes for epoch, snapshot in self.snapshots.items()},
            "epoch": {"start": self._epoch_start},
            "sum": self.step.sums,
        }
        return flattened(groups)

    def _load(self, checkpoint: Checkpoint) -> None:
        device = self.images.train.device
        values = dict(checkpoint.values)
        if values.pop("image_shape", None) is None or values.pop("steps_per_epoch", None) != self.steps_per_epoch:
            raise CheckpointError("config.yaml was changed since the checkpoint: other images or another batch size")
        sums = tensor_group(checkpoint, "sum")
        self.step.restore_sums({name: sums[name] for name in values.pop("sums")})
        self.position = Position(**values)
        self.step.device.set_threads(self.position.threads)  # sums depend on how they are divided among threads
        load_model(self.model, checkpoint.model)
        load_optimizer(self.step.optimizer, tensor_group(checkpoint, "optimizer"), names=self._names)
        restore_random_states(tensor_group(checkpoint, "random"), device, generators=self._generators)
        self._best = {name: tensor.to(device) for name, tensor in tensor_group(checkpoint, "best").items()} or None
        self._best_is_saved = False
        kept = kept_snapshots(checkpoint).items()
        self.snapshots = {epoch: Snapshot(images.to(device), codes.to(device)) for epoch, (images, codes) in kept}
        self._epoch_start = tensor_group(checkpoint, "epoch")["start"]
        log.info("Going on after step %d, in epoch %d.", self.position.step, self.position.epoch + 1)
