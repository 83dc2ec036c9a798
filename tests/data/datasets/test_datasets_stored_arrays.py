"""Files of arrays, some of them damaged or from a stranger."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.data.datasets import stored_arrays as module
from autoenc.data.datasets.stored_arrays import StoredArray, stored_arrays
from autoenc.settings import ConfigError

VALUES = np.arange(5 * 2 * 3).reshape(5, 2, 3)


def idx(values: np.ndarray[Any, Any]) -> bytes:
    """An IDX file of bytes, or of big-endian 32-bit floats."""
    kind = 0x08 if values.dtype == np.uint8 else 0x0D
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, kind, values.ndim]) + sizes + values.astype(values.dtype.newbyteorder(">")).tobytes()


def npy(values: np.ndarray[Any, Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, values)
    return content.getvalue()


def npz(save: Callable[..., None], **arrays: np.ndarray[Any, Any]) -> bytes:
    content = io.BytesIO()
    save(content, **arrays)
    return content.getvalue()


def read(path: Path) -> dict[str, StoredArray]:
    return stored_arrays(path, key="dataset.path")


def values_of(array: StoredArray, rows: int = 2) -> np.ndarray[Any, Any]:
    chunks = list(array.chunks(rows))
    assert max(map(len, chunks)) <= rows
    return np.concatenate(chunks)


KINDS = {
    "npy": (npy(VALUES), True),
    "big-endian": (npy(VALUES.astype(">f8")), True),
    "column-major": (npy(np.asfortranarray(VALUES)), True),
    "npz": (npz(np.savez, values=VALUES, others=VALUES[0]), True),
    "packed npz": (npz(np.savez_compressed, values=VALUES, others=VALUES[0]), False),
    "idx": (idx(VALUES.astype(np.uint8)), True),
    "idx of floats": (idx(VALUES.astype(np.float32)), True),
    "packed idx": (gzip.compress(idx(VALUES.astype(np.uint8))), False),
    "packed npy": (gzip.compress(npy(VALUES)), False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_read_in_parts(tmp_path: Path, kind: str) -> None:
    content, in_place = KINDS[kind]
    (tmp_path / "values.gz").write_bytes(content)  # the name does not count
    array = read(tmp_path / "values.gz")["values"]
    assert array.shape == (5, 2, 3)
    np.testing.assert_array_equal(values_of(array), VALUES)
    np.testing.assert_array_equal(np.concatenate(list(array.chunks(3, limit=4))), VALUES[:4])
    assert (array.place is not None) == in_place


@pytest.mark.parametrize("kind", ["npy", "npz", "idx"])
def test_the_place_of_the_numbers_is_that_in_the_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "values").write_bytes(KINDS[kind][0])
    array = read(tmp_path / "values")["values"]
    assert array.place is not None
    assert np.fromfile(tmp_path / "values", array.dtype, 30, offset=array.place).tolist() == list(range(30))


def test_large_rows_are_read_in_smaller_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    (tmp_path / "values").write_bytes(npy(VALUES))  # 48 bytes a row
    assert [len(chunk) for chunk in read(tmp_path / "values")["values"].chunks(5)] == [2, 2, 1]


class Payload:
    """An object that makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def test_objects_are_never_loaded_and_do_not_hide_the_other_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npz").write_bytes(npz(np.savez_compressed, meta=np.array([Payload()]), values=VALUES))
    arrays = read(tmp_path / "a.npz")
    assert arrays["meta"].dtype.hasobject
    np.testing.assert_array_equal(values_of(arrays["values"]), VALUES)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ConfigError, match="it is a pickle, which could run any program"):
        read(tmp_path / "a.pkl")
    assert not (tmp_path / "unpickled").exists()


def header(text: str, *, length: int | None = None) -> bytes:
    """The beginning of an `.npy` file of version 2.0."""
    return b"\x93NUMPY\x02\x00" + (len(text) if length is None else length).to_bytes(4, "little") + text.encode()


def described(shape: object, *, dtype: str = "|u1") -> str:
    return str({"descr": dtype, "fortran_order": False, "shape": shape})


BAD = {
    "a text": (b"some text", "arrays are in .npy, .npz and IDX files"),
    "nothing": (b"", "arrays are in .npy, .npz and IDX files"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "it is an HDF5 file; numpy.savez_compressed"),
    "MATLAB": (b"MATLAB 5.0 MAT-file", "it is a MATLAB file"),
    "cut npy": (npy(VALUES)[:-1], "int64 (5, 2, 3) needs 240 bytes, and there are 239"),
    "cut idx": (idx(VALUES.astype(np.uint8))[:-1], "uint8 (5, 2, 3) needs 30 bytes, and there are 29"),
    "cut gzip": (gzip.compress(npy(VALUES))[:-20], ""),
    "cut npz": (npz(np.savez, values=VALUES)[:200], "not a zip file"),
    "a header without an end": (header("{", length=2**32 - 1), "EOF"),
    "a header that is no dict": (header("[1, 2]"), ""),
    "keys of several types": (header("{1: 1, 'a': 2}"), ""),
    "a negative shape": (header(described((-1, 2, 3))), "(-1, 2, 3)"),
    "a huge shape": (header(described((2**40, 8, 8))), "bytes, and there are 0"),
    "a huge row": (gzip.compress(header(described((1, 2**20, 2**20)))), "each row of values has 1,099,511,627,776"),
    "a packed shape without numbers": (gzip.compress(header(described((2**40, 8, 8)))), "ends early"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    content, part = BAD[kind]
    (tmp_path / "values").write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        values_of(read(tmp_path / "values")["values"])
    message = str(raised.value)
    assert message.startswith(f"dataset.path={tmp_path}/values: ")
    assert part in message
    assert "\n" not in message


def test_a_member_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    content = bytearray(npz(np.savez_compressed, values=np.zeros((2000, 8, 8))))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.infolist()[0].file_size
    lied = bytes(content).replace(size.to_bytes(4, "little"), (size - 8).to_bytes(4, "little"))
    (tmp_path / "a.npz").write_bytes(lied)
    with pytest.raises(ConfigError, match="needs 1,024,000 bytes, and there are 1,023,992"):
        read(tmp_path / "a.npz")


def test_a_named_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="it is a named pipe, not a file"):
        read(tmp_path / "pipe")
