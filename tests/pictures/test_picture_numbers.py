"""Stored numbers of a picture that someone made to do harm."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.pictures.codebook import Codebook
from autoenc.runs import ArrayError, read_arrays

REFUSED = "not the numbers of a picture of kind 'codebook'"


def npy(shape: str, *, kind: str = "<f8", content: bytes = b"") -> bytes:
    """An array's file with a header of our making."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        npy("(67108864,)", content=bytes(2**20)),
        npy("(1000000, 1000000, 1000000)", content=b"x"),
        npy("(-1,)"),
        npy("(3,)", kind="|O", content=pickle.dumps([1, 2, 3])),
        npy("(2,)", kind="<U1000000000"),
        b"\x93NUMPY\x03\x00",
        b"no array",
    ],
)
def test_an_array_with_a_false_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        Codebook.load(archive(tmp_path / "codebook.npz", uses=content))


def test_huge_files_and_many_members_are_refused(tmp_path: Path) -> None:
    members = {f"a{number}": npy("()", content=bytes(8)) for number in range(65)}
    with pytest.raises(ValueError, match=f"{REFUSED}: has more than 64 members"):
        Codebook.load(archive(tmp_path / "many.npz", **members))
    (tmp_path / "huge.npz").write_bytes(b"PK")
    os.truncate(tmp_path / "huge.npz", 2**30)
    with pytest.raises(ValueError, match="is larger than 262,144 kB"):
        Codebook.load(tmp_path / "huge.npz")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    one = npy("(1000,)", content=bytes(8000))
    assert len(read_arrays(archive(tmp_path / "a.npz", a=one, b=one), most=20_000)) == 2
    with pytest.raises(ArrayError, match="arrays of 24,213 bytes, more than the 20,000 that are read"):
        read_arrays(archive(tmp_path / "b.npz", a=one, b=one, c=one), most=20_000)


def test_a_directory_with_false_sizes_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    content = npy("(1000,)", content=bytes(8000))
    path = archive(tmp_path / "a.npz", uses=content)
    packed, size = path.read_bytes(), len(content).to_bytes(4, "little")
    assert packed.count(size) == 2
    path.write_bytes(packed.replace(size, (80).to_bytes(4, "little")))
    with pytest.raises(ArrayError, match="is no archive of arrays: "):
        read_arrays(path, most=1000)


def test_arrays_of_any_order_are_read_and_may_be_written_to(tmp_path: Path) -> None:
    kept: dict[str, Any] = {
        "empty": np.zeros((0, 3)),
        "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "half": np.ones(2, np.float16),
    }
    np.savez_compressed(tmp_path / "a.npz", **kept)
    found = read_arrays(tmp_path / "a.npz", most=2**20)
    for name, value in kept.items():
        assert found[name].dtype == value.dtype
        assert np.array_equal(found[name], value)
        found[name] += found[name]
    assert [*read_arrays(tmp_path / "a.npz", most=2**20, names=["half", "other"])] == ["half"]


def test_pipes_links_and_single_arrays_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "a.npz", a=np.zeros(1))
    (tmp_path / "link.npz").symlink_to(tmp_path / "a.npz")
    for name, problem in (("pipe.npz", "is no plain file"), ("link.npz", "is a link")):
        with pytest.raises(ValueError, match=problem):
            Codebook.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Codebook.load(tmp_path / "nothing.npz")
    (tmp_path / "codebook.npz").write_bytes(npy("(3,)", content=bytes(24)))
    with pytest.raises(ValueError, match=REFUSED):
        Codebook.load(tmp_path / "codebook.npz")
