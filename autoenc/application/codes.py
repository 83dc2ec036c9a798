"""Codes in an `.npz` file of `codes` (N, code_size), `names` (N,) and `model`, written and read in parts.

The file may be larger than memory. NumPy reads it like any other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.array_files import SUFFIXES, array_names, chunks, open_array
from autoenc.application.image_batches import ImageSource, check_finite, numbered, read_batches
from autoenc.runs import flush_folder
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel
from autoenc.training.checkpoints import model_tensors

_ROWS = 65_536
"""Names that are padded to one length at a time."""


def encode(run: TrainedModel, source: ImageSource, path: Path, *, batch_size: int) -> None:
    """Write the codes of all images, with their names, to an `.npz`; the code of a distribution is its mean."""
    names: list[str] = []
    # The codes are counted only at the end. Until then they are on the disk that the file will be on.
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    with tempfile.TemporaryFile(dir=folder) as collected:
        with read_batches(source, size=batch_size, task="encoding") as batches:
            for batch in batches:
                codes = run.encode(batch.images)  # (B, code_size)
                check_finite(codes, names=batch.names)
                names.extend(batch.names)
                collected.write(codes.cpu().numpy().astype("<f4").tobytes())
        with _complete_file(path) as file, zipfile.ZipFile(file, "w") as archive:
            with archive.open("codes.npy", "w", force_zip64=True) as member:
                _write_header(member, shape=(len(names), run.config.architecture.code_size), descr="<f4")
                collected.seek(0)
                shutil.copyfileobj(collected, member)
            # Names are mostly padding; codes would hardly become smaller.
            packed = zipfile.ZipInfo("names.npy")
            packed.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(packed, "w", force_zip64=True) as member:
                _write_names(member, names)
            with archive.open("model.npy", "w") as member:
                np.lib.format.write_array(member, np.array(json.dumps(model_facts(run))), allow_pickle=False)


def model_facts(run: TrainedModel) -> dict[str, Any]:
    """Which model made something: its choices, its sizes and a digest of its weights."""
    digest = hashlib.sha256()
    for name, tensor in model_tensors(run.model).items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    groups = ("architecture", "bottleneck", "dataset", "noise")
    return {
        **{group: run.config.values[group]["name"] for group in groups},
        "code_size": run.config.architecture.code_size,
        "image_shape": list(run.image_shape),
        "weights_sha256": digest.hexdigest(),
    }


@dataclass(frozen=True, kw_only=True)
class StoredCodes:
    """The codes in an `.npz` or `.npy` file; codes without names are numbered."""

    codes: NDArray[Any]
    """(N, code_size), on disk."""
    names: Sequence[str]
    facts: dict[str, Any]
    """About the model that made them; empty if the file has none."""

    @classmethod
    def open(cls, path: Path, *, key: str, code_size: int, limit: int | None) -> StoredCodes:
        """The codes in a file, for a model with codes of this size.

        Raises:
            ConfigError: there are none, or they do not fit the model.
        """
        check_codes_file(path, key=key)
        found = array_names(path, key=key)
        codes = open_array(path, key=key, name="codes")
        if codes.dtype.kind not in "fiu" or codes.ndim != 2 or codes.shape[1] != code_size or not len(codes):
            problem = f"codes for this model are numbers (N, {code_size}), and these are {codes.dtype} {codes.shape}"
            raise ConfigError(key, problem, value=str(path))
        names = _read_names(path, key=key, count=len(codes)) if "names" in found else numbered(len(codes))
        facts = _read_facts(path, key=key) if "model" in found else {}
        return cls(codes=codes[:limit], names=names[:limit], facts=facts)

    def batches(self, size: int) -> Iterator[tuple[Sequence[str], Tensor]]:
        """Names and codes (B, code_size) in order, at most `size` at a time."""
        start = 0
        for chunk in chunks(self.codes, size):
            yield self.names[start : start + len(chunk)], torch.from_numpy(chunk.astype(np.float32))
            start += len(chunk)


def check_codes_file(path: Path, *, key: str) -> None:
    """Check, without reading it, that a file may hold codes.

    Raises:
        ConfigError: it may not.
    """
    if not path.is_file():
        raise ConfigError(key, "there is no such file", value=str(path))
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(key, "codes are in an .npz file, as --do encode writes it, or an .npy", value=str(path))


@contextlib.contextmanager
def _complete_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to. It gets its name at the end, when it is on the disk, and is removed after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with temporary.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


def _write_header(member: IO[bytes], *, shape: tuple[int, ...], descr: str) -> None:
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)


def _write_names(member: IO[bytes], names: Sequence[str]) -> None:
    descr = f"<U{max((len(name) for name in names), default=1)}"
    _write_header(member, shape=(len(names),), descr=descr)
    for start in range(0, len(names), _ROWS):
        member.write(np.array(names[start : start + _ROWS], dtype=descr).tobytes())


def _read_names(path: Path, *, key: str, count: int) -> list[str]:
    array = open_array(path, key=key, name="names")
    if array.dtype.kind != "U" or array.shape != (count,):
        problem = f"names for {count} codes are texts ({count},), and these are {array.dtype} {array.shape}"
        raise ConfigError(key, problem, value=str(path))
    return [str(name) for name in array]


def _read_facts(path: Path, *, key: str) -> dict[str, Any]:
    array = open_array(path, key=key, name="model")
    try:
        facts = json.loads(str(array.item())) if array.shape == () else {}
    except ValueError:
        facts = {}
    return facts if isinstance(facts, dict) else {}
