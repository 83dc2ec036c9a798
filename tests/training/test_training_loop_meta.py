"""How often the training waits for its device: once an epoch, and for a checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from unittest.mock import Mock

import pytest
from torch import Tensor

from autoenc.data.datasets import splits
from autoenc.experiment.run import _build_trainer
from autoenc.runs import RunDirectory
from autoenc.training import loop, state
from autoenc.training.interruption import Interruption
from autoenc.training.loop import Trainer
from tests.meta_device import META, meta_device, zeros_or_matrices
from tests.test_family import Settings
from tests.training.step_cases import prepared

SETTINGS: Settings = {
    "bottleneck": {"name": "gaussian", "warmup_epochs": 1},
    "noise": {"name": "gaussian"},
    "training": {"epochs": 3, "batch_size": 5, "snapshot_every": 1},
}


@pytest.fixture(autouse=True)
def _no_checkpoint_for_slowness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LONGEST_UNSAVED", math.inf)


def trainer_in(folder: Path, *, tracker: Mock) -> Trainer:
    return _build_trainer(
        prepared(SETTINGS, device=META), RunDirectory(folder), tracker=tracker, interruption=Interruption()
    )


def test_an_epoch_waits_once_and_sends_the_order_of_the_images(tmp_path: Path) -> None:
    transferred, tracker = [], Mock()
    with meta_device(zeros_or_matrices) as transfers:
        trainer = trainer_in(tmp_path, tracker=tracker)
        transfers.writes.clear()
        tracker.epoch.side_effect = lambda _: transferred.append((len(transfers.reads), len(transfers.writes)))
        trainer.train()
    assert transferred == [(1, 1), (2, 2), (3, 3)]
    assert all("order = order.to(images.device)" in line for line in transfers.writes)
    assert transfers.unmarked_reads == set()


def test_images_that_do_not_fit_are_sent_many_batches_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "fits_onto", lambda *_: False)
    monkeypatch.setattr(loop, "GATHERED", 3)
    with meta_device(zeros_or_matrices) as transfers:
        trainer = trainer_in(tmp_path, tracker=Mock())
        transfers.writes.clear()
        trainer.train()
    assert trainer.state.steps_per_epoch == 4
    assert sum("picked" in line for line in transfers.writes) == 3 * 2  # epochs, and 3 and 1 batches in each
    assert not any("step.py" in line or "order" in line for line in transfers.writes)


def test_a_checkpoint_is_read_from_the_device_and_written_back_to_it(tmp_path: Path) -> None:
    with meta_device(zeros_or_matrices) as transfers:
        trainer_in(tmp_path, tracker=Mock()).train()
        transfers.reads.clear()
        resumed = trainer_in(tmp_path, tracker=Mock())
        resumed.state.restore()
    assert transfers.reads == []
    assert resumed.finished
    assert len(resumed.state.snapshots) == 4
    moments = [value for each in resumed.step.optimizer.state.values() for value in each.values()]
    snapshots = [tensor for snapshot in resumed.state.snapshots.values() for tensor in snapshot]
    tensors: list[Tensor] = [*moments, *snapshots, *resumed.step.sums.values(), *resumed.step.model.parameters()]
    assert moments
    assert {tensor.device for tensor in tensors} == {META}
