"""Codes on disk: an `.npz` of `codes` (N, code_size), `names` (N,) and `model`, written and read piece by piece.

Any of them may be more than the memory holds; numpy reads such a file like any other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from autoenc.application.destinations import written_whole
from autoenc.application.source import numbered
from autoenc.application.stored_arrays import StoredArray, members
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel
from autoenc.training.checkpoints import model_tensors

_ROWS = 65_536
"""Names that are brought to one length at a time."""


class NamedCodes(NamedTuple):
    """Some codes."""

    names: Sequence[str]
    codes: Tensor
    """(B, code_size)."""


class CodesWriter:
    """Collects codes in a file without a name, and makes the archive in the end: only then are they counted."""

    def __init__(self, *, code_size: int, folder: Path) -> None:
        self.names: list[str] = []
        self._code_size = code_size
        self._collected = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed by `__exit__`)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._collected.close()

    def add(self, names: Sequence[str], codes: Tensor) -> None:
        """More codes (B, code_size)."""
        assert codes.shape == (len(names), self._code_size)
        self.names += names
        self._collected.write(codes.cpu().numpy().astype("<f4").tobytes())

    def save(self, path: Path, *, facts: dict[str, Any]) -> None:
        """Write the archive: whole, or not at all."""
        with written_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
            with archive.open("codes.npy", "w", force_zip64=True) as member:
                _write_header(member, shape=(len(self.names), self._code_size), descr="<f4")
                self._collected.seek(0)
                shutil.copyfileobj(self._collected, member)
            with archive.open(_compressed("names.npy"), "w", force_zip64=True) as member:
                self._write_names(member)
            with archive.open("model.npy", "w") as member:
                np.lib.format.write_array(member, np.array(json.dumps(facts)), allow_pickle=False)

    def _write_names(self, member: IO[bytes]) -> None:
        descr = f"<U{max((len(name) for name in self.names), default=1)}"
        _write_header(member, shape=(len(self.names),), descr=descr)
        for start in range(0, len(self.names), _ROWS):
            member.write(np.array(self.names[start : start + _ROWS], dtype=descr).tobytes())


@dataclass(frozen=True, kw_only=True)
class StoredCodes:
    """The codes in an `.npz` or `.npy` file; those without names are numbered."""

    array: StoredArray
    names: Sequence[str]
    facts: dict[str, Any]
    """Of the model that made them; empty where the file does not say."""

    @classmethod
    def open(cls, path: Path, *, key: str, code_size: int, limit: int | None) -> StoredCodes:
        """The codes in a file, for a model with codes of this size.

        Raises:
            ConfigError: there are none, or they are for another model.
        """
        check_codes_file(path, key=key)
        found = members(path, key=key) if path.suffix.lower() == ".npz" else []
        array = StoredArray.open(path, key=key, names=["codes"])
        if array.dtype.kind not in "fiu" or len(array.shape) != 2 or array.shape[1] != code_size or not len(array):
            problem = f"codes for this model are numbers (N, {code_size}), and these are {array.dtype} {array.shape}"
            raise ConfigError(key, problem, value=str(path))
        names = _read_names(path, key=key, count=len(array)) if "names" in found else numbered(len(array))
        facts = _read_facts(path, key=key) if "model" in found else {}
        return cls(array=array, names=names[:limit], facts=facts)

    def batches(self, size: int) -> Iterator[NamedCodes]:
        """In their order, at most `size` at a time."""
        start = 0
        for chunk in self.array.chunks(size):
            names = self.names[start : start + len(chunk)]
            if not names:
                return
            start += len(names)
            yield NamedCodes(names, torch.from_numpy(chunk[: len(names)].astype(np.float32)))


def check_codes_file(path: Path, *, key: str) -> None:
    """See, without reading it, that there is a file that may hold codes.

    Raises:
        ConfigError: there is none.
    """
    if not path.is_file():
        raise ConfigError(key, "there is no such file", value=str(path))
    if path.suffix.lower() not in {".npy", ".npz"}:
        raise ConfigError(key, "codes are in an .npz file, as --do encode writes it, or an .npy", value=str(path))


def model_facts(run: TrainedModel) -> dict[str, Any]:
    """What says which model made something: its choices, its sizes, and a digest of its weights."""
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


def _write_header(member: IO[bytes], *, shape: tuple[int, ...], descr: str) -> None:
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)


def _compressed(name: str) -> zipfile.ZipInfo:
    """Texts are mostly padding; codes would hardly become smaller."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _read_names(path: Path, *, key: str, count: int) -> list[str]:
    array = StoredArray.open(path, key=key, names=["names"])
    if array.dtype.kind != "U" or array.shape != (count,):
        problem = f"names for {count} codes are texts ({count},), and these are {array.dtype} {array.shape}"
        raise ConfigError(key, problem, value=str(path))
    return [str(name) for chunk in array.chunks(_ROWS) for name in chunk]


def _read_facts(path: Path, *, key: str) -> dict[str, Any]:
    array = StoredArray.open(path, key=key, names=["model"])
    text = next(array.chunks(1)).item() if array.dtype.kind == "U" and array.shape == () else ""
    try:
        facts = json.loads(text)
    except ValueError:
        facts = {}
    return facts if isinstance(facts, dict) else {}
