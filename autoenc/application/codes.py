"""Codes in an `.npz` file: `codes` (N, code_size), `names` (N,) and `model`, JSON about the model that made them.

Of a dataset's split, the file has its name too, `split`, and `labels` and `indices` (N,).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.array_files import SUFFIXES, picked
from autoenc.application.image_batches import ImageSource, check_finite, numbered, read_batches
from autoenc.data.datasets.stored_arrays import StoredArray, stored_arrays
from autoenc.runs import write_atomically
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel
from autoenc.training.checkpoints import model_tensors


def encode(run: TrainedModel, source: ImageSource, path: Path, *, batch_size: int) -> None:
    """Write the codes of all images, with their names, to an `.npz`; the code of a distribution is its mean.

    Of a dataset's split, the `facts` of the source are written too.
    """
    names: list[str] = []
    codes: list[NDArray[np.float32]] = []
    with read_batches(source, size=batch_size, task="encoding") as batches:
        for batch in batches:
            made = run.encode(batch.images)  # (B, code_size)
            check_finite(made, names=batch.names)
            names.extend(batch.names)
            codes.append(made.cpu().numpy().astype(np.float32))
    content = io.BytesIO()
    facts: dict[str, Any] = {"model": np.array(json.dumps(model_facts(run))), **source.facts}
    np.savez(content, codes=np.concatenate(codes), names=np.array(names), **facts)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def model_facts(run: TrainedModel) -> dict[str, Any]:
    """Which model made something: its choices, its sizes and a digest of its weights."""
    digest = hashlib.sha256()
    for name, tensor in model_tensors(run.model).items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    groups = ("architecture", "bottleneck", "dataset", "noise")
    return {
        **{group: getattr(run.config, group).name for group in groups},
        "code_size": run.config.architecture.code_size,
        "image_shape": list(run.image_shape),
        "weights_sha256": digest.hexdigest(),
    }


@dataclass(frozen=True, kw_only=True)
class StoredCodes:
    """The codes in an `.npz` or `.npy` file; codes without names are numbered."""

    codes: StoredArray
    """(N, code_size)."""
    names: Sequence[str]
    """Of the codes to read: the first ones, or all."""
    facts: dict[str, Any]
    """About the model that made them; empty if the file has none."""

    @classmethod
    def open(cls, path: Path, *, key: str, code_size: int, limit: int | None) -> StoredCodes:
        """The codes in a file, for a model with codes of this size. Raises ConfigError if they do not fit the model."""
        check_codes_file(path, key=key)
        found = stored_arrays(path, key=key)
        codes = picked(found, "codes", key=key, path=path)
        if codes.dtype.kind not in "fiu" or codes.shape[1:] != (code_size,) or not len(codes):
            problem = f"codes for this model are numbers (N, {code_size}), and these are {codes.dtype} {codes.shape}"
            raise ConfigError(key, problem, value=str(path))
        names = _read_names(found["names"], count=len(codes)) if "names" in found else numbered(range(len(codes)))
        facts = _read_facts(found["model"]) if "model" in found else {}
        return cls(codes=codes, names=names[:limit], facts=facts)

    def batches(self, size: int) -> Iterator[tuple[Sequence[str], Tensor]]:
        """Names and codes (B, code_size) in order, at most `size` at a time."""
        start = 0
        for chunk in self.codes.chunks(size, limit=len(self.names)):
            yield self.names[start : start + len(chunk)], torch.from_numpy(chunk.astype(np.float32))
            start += len(chunk)


def check_codes_file(path: Path, *, key: str) -> None:
    """Refuse a file that does not exist or cannot hold codes, by its name alone."""
    if not path.is_file():
        raise ConfigError(key, "it must be a file of codes, as --do encode writes it", value=str(path))
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(key, "codes are in an .npz file, as --do encode writes it, or an .npy", value=str(path))


def _read_names(array: StoredArray, *, count: int) -> list[str]:
    if array.dtype.kind != "U" or array.shape != (count,):
        raise array.refused(f"names for {count} codes are texts ({count},), and these are {array.dtype} {array.shape}")
    return [str(name) for chunk in array.chunks(count) for name in chunk]


def _read_facts(array: StoredArray) -> dict[str, Any]:
    if array.shape != () or array.dtype.kind != "U":
        return {}
    (text,) = (str(item) for chunk in array.chunks(1) for item in chunk)
    try:
        facts = json.loads(text)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
