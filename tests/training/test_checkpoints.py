from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from autoenc.training.checkpoints import (
    FORMAT,
    Checkpoint,
    CheckpointError,
    load_last,
    load_model,
    load_trained,
    model_tensors,
    save_best,
    save_last,
)


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint({"weight": torch.full((3,), float(step))}, {"state": torch.arange(step)}, {"step": step})


def step_of(found: Checkpoint | None) -> object:
    return None if found is None else found.values["step"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_last(tmp_path, checkpoint(3))
    found = load_last(tmp_path)
    assert found is not None
    assert found.values == {"step": 3}
    assert torch.equal(found.model["weight"], torch.full((3,), 3.0))
    assert torch.equal(found.trainer["state"], torch.arange(3))


def test_the_one_before_is_kept_as_previous(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_last(tmp_path, checkpoint(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "previous"]
    assert step_of(load_last(tmp_path)) == 3
    assert json.loads((tmp_path / "previous" / "manifest.json").read_text())["values"] == {"step": 2}


@pytest.mark.parametrize("name", ["model.safetensors", "trainer.safetensors", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over_for_the_previous_one(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    save_last(tmp_path, checkpoint(1))
    save_last(tmp_path, checkpoint(2))
    damage(tmp_path / "last" / name) if name != "manifest.json" else (tmp_path / "last" / name).write_text('{"a": 1}')
    with caplog.at_level(logging.WARNING):
        assert step_of(load_last(tmp_path)) == 1
    assert name in caplog.text
    assert "checksum" in caplog.text


@pytest.mark.parametrize("save", [save_best, save_last])
def test_a_checkpoint_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path,
    save: Callable[[Path, Checkpoint], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first file is of the old one, the second of the new one: that is no damage."""
    save(tmp_path, checkpoint(1))
    read, count = Path.read_bytes, 0

    def replacing(path: Path) -> bytes:
        nonlocal count
        count += path.name == "model.safetensors"
        if count == 1 and path.name == "model.safetensors":
            save(tmp_path, checkpoint(2))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", replacing)
    assert step_of(load_trained(tmp_path)) == 2
    assert "Damaged" not in caplog.text


def test_a_changed_value_in_the_manifest_is_damage(tmp_path: Path) -> None:
    save_last(tmp_path, checkpoint(12))
    path = tmp_path / "last" / "manifest.json"
    path.write_text(path.read_text().replace('"step": 12', '"step": 13'))
    with pytest.raises(CheckpointError, match="checksum"):
        load_last(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.training.checkpoints.FORMAT", FORMAT + 1)
    save_last(tmp_path, checkpoint(1))
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=f"format {FORMAT + 1}; this version reads {FORMAT}"):
        load_last(tmp_path)


@pytest.mark.parametrize("stop", ["mkdir", "_write", "_remove", "rename last", "rename new", "never"])
def test_every_instant_of_a_save_leaves_a_whole_checkpoint(
    tmp_path: Path, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop the second save at each of its steps in turn, and load what is there."""
    save_last(tmp_path, checkpoint(1))
    save_last(tmp_path, checkpoint(2))
    rename = Path.rename

    def stopping_rename(self: Path, target: Path) -> Path:
        if stop == "rename last" and self.name == "last":
            raise KeyboardInterrupt
        if stop == "rename new" and self.name == "last.new":
            raise KeyboardInterrupt
        return rename(self, target)

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", stopping_rename)
    if stop == "mkdir":
        monkeypatch.setattr(Path, "mkdir", fail)
    elif stop == "_write":
        monkeypatch.setattr("autoenc.training.checkpoints._serialised", fail)
    elif stop == "_remove":
        monkeypatch.setattr(
            "autoenc.training.checkpoints._remove", lambda folder: fail() if folder.name == "previous" else None
        )
    if stop == "never":
        save_last(tmp_path, checkpoint(3))
    else:
        with pytest.raises((KeyboardInterrupt, TypeError)):
            save_last(tmp_path, checkpoint(3))
    monkeypatch.undo()
    assert step_of(load_last(tmp_path)) == (2 if stop in {"mkdir", "_write"} else 3)
    save_last(tmp_path, checkpoint(4))
    assert step_of(load_last(tmp_path)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "previous"]


def test_the_best_is_preferred_for_use_and_the_last_for_going_on(tmp_path: Path) -> None:
    save_best(tmp_path, checkpoint(1))
    save_best(tmp_path, checkpoint(2))
    save_last(tmp_path, checkpoint(3))
    assert step_of(load_trained(tmp_path)) == 2
    assert step_of(load_last(tmp_path)) == 3


@pytest.mark.parametrize(
    "change", [{"sha256": {}}, {"sha256": {"model.safetensors": "x"}}, {"values": []}, {"sha256": 3}]
)
def test_a_crafted_manifest_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    from autoenc.training.checkpoints import _digest_of_values

    save_last(tmp_path, checkpoint(1))
    path = tmp_path / "last" / "manifest.json"
    manifest = {**json.loads(path.read_text()), **change}
    del manifest["manifest_sha256"]
    path.write_text(json.dumps({**manifest, "manifest_sha256": _digest_of_values(manifest)}))
    with pytest.raises(CheckpointError, match="not the manifest of a checkpoint"):
        load_last(tmp_path)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("count", torch.tensor(7))


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path: Path) -> None:
    model, other = Tied(), Tied()
    assert set(model_tensors(model)) == {"first.weight", "count"}
    save_last(tmp_path, Checkpoint(model_tensors(model), {}, {}))
    found = load_last(tmp_path)
    assert found is not None
    load_model(other, found.model)
    assert other.second.weight is other.first.weight
    assert torch.equal(other.second.weight, model.first.weight)


def test_loading_keeps_the_memory_format(tmp_path: Path) -> None:
    source = nn.Conv2d(3, 4, 3)
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    save_last(tmp_path, Checkpoint(model_tensors(source), {}, {}))
    found = load_last(tmp_path)
    assert found is not None
    load_model(model, found.model)
    assert model.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(model.weight, source.weight)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": torch.zeros(2, 3)}, "only one of the two has bias"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "odd": torch.zeros(1)}, "only one of the two has odd"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, r"weight is \(3, 2\) instead of \(2, 3\)"),
    ],
)
def test_weights_of_another_model_are_refused(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_model(nn.Linear(3, 2), tensors)
