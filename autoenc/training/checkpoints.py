"""Checkpoints: tensors on disk, in the safetensors format, with a checksum for every file.

A checkpoint is a folder. It is written as `last.new`; then `last` becomes `previous` and `last.new` becomes `last`, so
that at every instant at least one whole checkpoint is there. The manifest is written last: a folder without a manifest
is incomplete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from autoenc.runs import flush_folder, write_flushed

log = logging.getLogger(__name__)

_FILES = ("model.safetensors", "trainer.safetensors")

FORMAT = 2
"""Increased when older readers would misread a checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message is one line that names it."""


class Checkpoint(NamedTuple):
    """The contents of a checkpoint."""

    model: dict[str, Tensor]
    """The weights and buffers; see `model_tensors`."""
    trainer: dict[str, Tensor]
    """The trainer's tensors; empty in `best`."""
    values: dict[str, Any]
    """Plain values: `image_shape`, `epoch`, `digests` of what the run started from, and the trainer's scalars."""
    digest: str = ""
    """The SHA-256 of the file of weights that was read; empty before it is written."""


def save_last(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` as `folder/last`. The former `last` becomes `previous`."""
    folder.mkdir(exist_ok=True)
    new, last, previous = folder / "last.new", folder / "last", folder / "previous"
    _write(new, checkpoint)
    if last.exists():
        _remove(previous)
        last.rename(previous)
    new.rename(last)
    flush_folder(folder)


def save_best(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` as `folder/best`."""
    folder.mkdir(exist_ok=True)
    new, best = folder / "best.new", folder / "best"
    _write(new, checkpoint)
    _remove(best)
    new.rename(best)
    flush_folder(folder)


def load_last(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a run, or None if it has none yet.

    A damaged checkpoint is skipped for the one before it, with a warning in the log.

    Raises:
        CheckpointError: all checkpoints are damaged.
    """
    return _first_whole([folder / name for name in ("last.new", "last", "previous")])


def load_trained(folder: Path) -> Checkpoint | None:
    """The checkpoint with the weights that were tested: `best`, or the last one of a run without a validation split."""
    best = [folder / name for name in ("best.new", "best")]
    if any(path.exists() for path in best):
        return _first_whole(best)
    return load_last(folder)


def stored_digests(folder: Path) -> dict[str, str]:
    """The digests of the images that a run was trained on, by split, and of the weights that it started from.

    They are in its newest checkpoint. Empty if the run has no checkpoint, or one of an early version.
    """
    for name in ("last.new", "last", "previous"):
        with contextlib.suppress(CheckpointError):
            return digests_in(_read_manifest(folder / name / "manifest.json")["values"])
    return {}


def digests_in(values: Mapping[str, Any]) -> dict[str, str]:
    """The digests among the values of a checkpoint; empty if there are none."""
    digests = values.get("digests")
    return digests if isinstance(digests, dict) else {}


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model by name, not copied. Tied weights appear once, under their first name."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor
    return tensors


def load_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy `tensors` into the model, whose tensors keep their device, dtype and memory format.

    Raises:
        CheckpointError: names or shapes do not fit this model.
    """
    own = model_tensors(model)
    if own.keys() != tensors.keys():
        odd = ", ".join(sorted(own.keys() ^ tensors.keys()))
        raise CheckpointError(f"the weights are not those of this model: only one of the two has {odd}")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                shapes = f"{tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
                raise CheckpointError(f"the weights are not those of this model: {name} is {shapes}")
            tensor.copy_(tensors[name])


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    _remove(folder)
    folder.mkdir()
    try:
        _write_files(folder, checkpoint)
    except OSError:
        _remove(folder)  # half a checkpoint would keep a full disk full
        raise


def _write_files(folder: Path, checkpoint: Checkpoint) -> None:
    contents = {
        name: _serialised(tensors) for name, tensors in zip(_FILES, (checkpoint.model, checkpoint.trainer), strict=True)
    }
    for name, content in contents.items():
        write_flushed(folder / name, content)
    manifest = {
        "format": FORMAT,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        "values": checkpoint.values,
    }
    manifest["manifest_sha256"] = _digest_of_values(manifest)
    write_flushed(folder / "manifest.json", json.dumps(manifest, indent=2).encode() + b"\n")
    flush_folder(folder)


def _serialised(tensors: Mapping[str, Tensor]) -> bytes:
    # Contiguous, because the format has no strides; `load_optimizer` restores them.
    # Copies, because the format refuses tensors that share memory.
    return safetensors.torch.save(
        {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}  # synchronizes
    )


def _first_whole(candidates: list[Path]) -> Checkpoint | None:
    problems = []
    found = _manifests(candidates)
    for path in candidates:
        if not path.exists():
            continue
        try:
            checkpoint = _read(path)
        except CheckpointError as error:
            if _manifests(candidates) != found:  # the run is training, and has replaced a checkpoint meanwhile
                return _first_whole(candidates)
            if path.suffix != ".new":  # a crash leaves it without a manifest, or with half of one
                problems.append(str(error))
            continue
        for problem in problems:
            log.warning("Damaged checkpoint skipped: %s. Continuing from %s.", problem, path.name)
        return checkpoint
    if problems:
        raise CheckpointError("no usable checkpoint: " + "; ".join(problems))
    return None


def _manifests(folders: list[Path]) -> list[bytes | None]:
    contents: list[bytes | None] = []
    for folder in folders:
        try:
            contents.append((folder / "manifest.json").read_bytes())
        except OSError:
            contents.append(None)
    return contents


def _read(folder: Path) -> Checkpoint:
    manifest = _read_manifest(folder / "manifest.json")
    tensors = {}
    for name, digest in manifest["sha256"].items():
        path = folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise CheckpointError(f"{path}: its content does not match its checksum")
        try:
            tensors[name] = safetensors.torch.load(content)
        except SafetensorError as error:
            raise CheckpointError(f"{path}: {error}") from None
    model, trainer = (tensors[name] for name in _FILES)
    return Checkpoint(model, trainer, manifest["values"], manifest["sha256"][_FILES[0]])


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise CheckpointError(f"{path.parent}: {path.name} is missing")
    try:
        manifest = json.loads(path.read_bytes())
        digest = manifest.pop("manifest_sha256")
        whole = digest == _digest_of_values(manifest)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise CheckpointError(f"{path}: its content does not match its checksum")
    if manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path}: written in format {manifest.get('format')}; this version reads {FORMAT}")
    digests, values = manifest.get("sha256"), manifest.get("values")
    if not isinstance(values, dict) or not isinstance(digests, dict) or set(digests) != set(_FILES):
        raise CheckpointError(f"{path}: this is not the manifest of a checkpoint")
    return manifest  # type: ignore[no-any-return]


def _digest_of_values(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
