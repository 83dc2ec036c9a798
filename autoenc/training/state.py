"""The state of a training: its position, best weights, snapshots and metrics, saved to and restored from the run."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from autoenc.evaluation.batches import batches, fetch
from autoenc.runs import RunDirectory
from autoenc.seeds import derived_seed
from autoenc.training.checkpoint_tensors import (
    flattened,
    load_optimizer,
    optimizer_tensors,
    random_states,
    restore_random_states,
    tensor_group,
)
from autoenc.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    load_last,
    load_model,
    model_tensors,
    save_best,
    save_last,
)
from autoenc.training.step import NotFiniteError, TrainingStep

log = logging.getLogger(__name__)

LONGEST_UNSAVED = 5.0
"""Seconds after which an epoch ends with a checkpoint, however few steps it had."""


@dataclass
class Position:
    """How far a training has come, in plain numbers."""

    epoch: int = 0
    """Finished epochs, validation included."""
    step: int = 0
    """Finished steps."""
    best_epoch: int | None = None
    best_objective: float | None = None
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    threads: int | None = None


class Snapshot(NamedTuple):
    """The reconstructions and codes of some images at the end of an epoch, in eval mode."""

    reconstructions: Tensor
    """(K, C, H, W)."""
    codes: Tensor
    """(M, code_size)."""


class SnapshotImages(NamedTuple):
    """The images of each snapshot, on the device."""

    reconstructed: Tensor
    """Float (K, C, H, W), with noise if the run has noise."""
    encoded: Tensor
    """uint8 (M, C, H, W); M is 0 where the codes are not needed."""


@dataclass(kw_only=True, eq=False)
class TrainingState:
    """Everything that a stopped training needs to continue, besides the config and the images."""

    step: TrainingStep
    snapshot_images: SnapshotImages
    image_count: int
    batch_size: int
    seed: int
    run: RunDirectory
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the images, for those who continue from a checkpoint or apply the model."""
    white: float | None = None
    """The number in the files of pictures that became white, for a later use of the model on other files."""

    def __post_init__(self) -> None:
        self.position = Position()
        self.snapshots: dict[int, Snapshot] = {}
        self.steps_per_epoch = math.ceil(self.image_count / self.batch_size)
        self._best: dict[str, Tensor] | None = None
        self._best_is_saved = True
        self._shuffling = torch.Generator().manual_seed(derived_seed(self.seed, "shuffling"))
        self._epoch_start = self._shuffling.get_state()
        self._generators = {"shuffling": self._shuffling, "noise": self.step.generator}
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in self.step.model.named_parameters()}
        self.start_clock()

    @property
    def shuffling(self) -> torch.Generator:
        """The generator for the order of the images, as it was when the epoch began."""
        self._shuffling.set_state(self._epoch_start)
        return self._shuffling

    def start_clock(self) -> None:
        """Count the time from now on."""
        self._clock = self._saved = time.perf_counter()

    def health(self) -> dict[str, Tensor]:
        """Scalars for `refuse_not_finite`: the number of skipped steps, and a number that is finite if all weights are.

        Finite gradients can still make the weights overflow.
        """
        return {"skipped": self.step.skipped, "weights": torch.stack(torch._foreach_norm(self.step.parameters)).sum()}

    def refuse_not_finite(self, values: Mapping[str, float]) -> None:
        """Check numbers from the device before any of them is written.

        Raises:
            NotFiniteError: one is not finite, or a step was skipped.
        """
        skipped = values["skipped"]
        odd = [name for name, value in values.items() if not math.isfinite(value)]
        if not skipped and not odd:
            return
        what = f"the loss or gradient of {skipped:.0f} step(s)" if skipped else " and ".join(odd)
        hint = "a lower optimizer.learning_rate or training.gradient_clip may help"
        raise NotFiniteError(f"in epoch {self.position.epoch + 1} {what} was not finite; {hint}")

    def finish_epoch(self, metrics: Mapping[str, float], *, learning_rate: float) -> dict[str, Any]:
        """Remember the weights if they are the best, and append the epoch to `metrics.jsonl`; returns its row."""
        position = self.position
        position.epoch += 1
        self._epoch_start = self._shuffling.get_state()
        self.step.clear_sums()
        self._remember_best(metrics.get("validation/loss"))
        self._update_clock()
        seconds, position.epoch_seconds = position.epoch_seconds, 0.0
        row = {
            "epoch": position.epoch,
            **metrics,
            "learning_rate": learning_rate,
            "seconds": seconds,
            "images_per_second": self.image_count / seconds,
        }
        self.run.append_metrics(row)
        return row

    def take_snapshot(self) -> None:
        """Keep the reconstructions and codes of the snapshot's images under the current epoch."""
        model, device, images = self.step.model, self.step.device, self.snapshot_images
        model.eval()
        codes = torch.zeros(0, 0, device=device.torch_device)
        with torch.no_grad(), device.autocast():
            reconstructions = model(images.reconstructed).reconstruction.float()
            if len(images.encoded):
                codes = torch.cat([model.encode(batch).float() for batch in batches(images.encoded, device=device)])
        self.snapshots[self.position.epoch] = Snapshot(reconstructions, codes)

    def keep_snapshots(self, *, every: int) -> None:
        """Drop the snapshots of other epochs: a run that trains longer has fewer, and the last one is taken anew."""
        self.snapshots = {epoch: snapshot for epoch, snapshot in self.snapshots.items() if epoch % every == 0}

    def use_best(self) -> None:
        """Give the model the weights that validated best. Without a validation split it keeps the last ones."""
        if self._best is not None:
            load_model(self.step.model, self._best)

    def save_if_due(self) -> None:
        """Save if the last checkpoint is older than `LONGEST_UNSAVED`."""
        if time.perf_counter() - self._saved > LONGEST_UNSAVED:
            self.save()

    def save(self) -> None:
        """Write the checkpoints `last` and, where it is new, `best`.

        Raises:
            NotFiniteError: the weights are not finite; nothing is written.
        """
        self.refuse_not_finite(fetch(self.health()))  # synchronizes
        self._update_clock()
        self.position.threads = torch.get_num_threads()
        image_shape = list(self.snapshot_images.reconstructed.shape[1:])
        images = {"image_shape": image_shape, "digests": dict(self.digests), "white": self.white}
        if self._best is not None and not self._best_is_saved:
            best = {**images, "epoch": self.position.best_epoch}
            save_best(self.run.checkpoints, Checkpoint(self._best, {}, best))
            self._best_is_saved = True
        values = {
            **images,
            "steps_per_epoch": self.steps_per_epoch,
            "sums": list(self.step.sums),  # their order, which the file of tensors does not keep
            **asdict(self.position),
        }
        save_last(self.run.checkpoints, Checkpoint(model_tensors(self.step.model), self._tensors(), values))
        self._saved = time.perf_counter()

    def restore(self) -> Self:
        """Continue from the newest checkpoint of the run, if it has one, and drop later rows of `metrics.jsonl`."""
        checkpoint = load_last(self.run.checkpoints)
        if checkpoint is not None:
            self._load(checkpoint)
        self.run.truncate_metrics(self.position.epoch)
        return self

    def _remember_best(self, objective: float | None) -> None:
        position = self.position
        if objective is None or (position.best_objective is not None and objective >= position.best_objective):
            return
        position.best_objective, position.best_epoch = objective, position.epoch
        self._best = {name: tensor.detach().clone() for name, tensor in model_tensors(self.step.model).items()}
        self._best_is_saved = False

    def _update_clock(self) -> None:
        now = time.perf_counter()
        self.position.seconds += now - self._clock
        self.position.epoch_seconds += now - self._clock
        self._clock = now

    def _tensors(self) -> dict[str, Tensor]:
        groups: dict[str, Mapping[str, Tensor]] = {
            "optimizer": optimizer_tensors(self.step.optimizer, names=self._names),
            "random": random_states(self.step.device.torch_device, generators=self._generators),
            "best": self._best or {},
            "snapshot": {str(epoch): snapshot.reconstructions for epoch, snapshot in self.snapshots.items()},
            "codes": {str(epoch): snapshot.codes for epoch, snapshot in self.snapshots.items()},
            "epoch": {"start": self._epoch_start},
            "sum": self.step.sums,
        }
        return flattened(groups)

    def _load(self, checkpoint: Checkpoint) -> None:
        device = self.step.device.torch_device
        values = {name: value for name, value in checkpoint.values.items() if name not in {"digests", "white"}}
        if values.pop("image_shape", None) is None or values.pop("steps_per_epoch", None) != self.steps_per_epoch:
            raise CheckpointError("config.yaml was changed since the checkpoint: other images or another batch size")
        sums = tensor_group(checkpoint, "sum")
        self.step.restore_sums({name: sums[name] for name in values.pop("sums")})
        self.position = Position(**values)
        self.step.device.set_threads(self.position.threads)  # sums depend on how they are divided among threads
        load_model(self.step.model, checkpoint.model)
        load_optimizer(self.step.optimizer, tensor_group(checkpoint, "optimizer"), names=self._names)
        restore_random_states(tensor_group(checkpoint, "random"), device, generators=self._generators)
        self._best = {name: tensor.to(device) for name, tensor in tensor_group(checkpoint, "best").items()} or None
        self._best_is_saved = False
        kept = stored_snapshots(checkpoint).items()
        self.snapshots = {epoch: Snapshot(images.to(device), codes.to(device)) for epoch, (images, codes) in kept}
        self._epoch_start = tensor_group(checkpoint, "epoch")["start"]
        log.info("Continuing after step %d, in epoch %d.", self.position.step, self.position.epoch + 1)


def stored_snapshots(checkpoint: Checkpoint) -> dict[int, Snapshot]:
    """The snapshots in a checkpoint by epoch, in order, on the CPU."""
    images, codes = tensor_group(checkpoint, "snapshot"), tensor_group(checkpoint, "codes")
    return {int(epoch): Snapshot(images[epoch], codes[epoch]) for epoch in sorted(images, key=int)}
