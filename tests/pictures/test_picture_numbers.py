"""Stored numbers of a picture that someone made to do harm."""

from __future__ import annotations

import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autoenc.pictures.codebook import Codebook
from autoenc.runs import Limits, opened_archive

LIMITS = Limits(file_bytes=2**22, array_bytes=20_000, members=3)
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


def read(path: Path) -> dict[str, NDArray[Any]]:
    with opened_archive(path, limits=LIMITS) as opened:
        return {name: opened.array(name) for name in opened.names}


@pytest.fixture
def _in_little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20


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
@pytest.mark.usefixtures("_in_little_memory")
def test_an_array_with_a_false_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        Codebook.load(archive(tmp_path / "codebook.npz", uses=content))


@pytest.mark.usefixtures("_in_little_memory")
def test_huge_files_and_many_members_are_refused(tmp_path: Path) -> None:
    members = {f"a{number}": npy("()", content=bytes(8)) for number in range(65)}
    with pytest.raises(ValueError, match=f"{REFUSED}: has 65 members"):
        Codebook.load(archive(tmp_path / "many.npz", **members))
    (tmp_path / "huge.npz").write_bytes(b"PK")
    os.truncate(tmp_path / "huge.npz", 2**30)
    with pytest.raises(ValueError, match="more than the 268,435,456 that are read"):
        Codebook.load(tmp_path / "huge.npz")


@pytest.mark.usefixtures("_in_little_memory")
def test_very_many_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", a=b"")
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 8 : end + 12] = (60_000).to_bytes(2, "little") * 2
    path.write_bytes(content)
    with pytest.raises(ValueError, match="has 60000 members"):
        read(path)


def test_arrays_together_take_no_more_than_is_allowed(tmp_path: Path) -> None:
    one = npy("(1000,)", content=bytes(8000))
    assert len(read(archive(tmp_path / "a.npz", a=one, b=one))) == 2
    with pytest.raises(ValueError, match="'c' of 8,000 bytes, more than the 4,000 that are read"):
        read(archive(tmp_path / "b.npz", a=one, b=one, c=one))


def test_empty_and_turned_arrays_are_read_and_may_be_written_to(tmp_path: Path) -> None:
    kept: dict[str, Any] = {
        "empty": np.zeros((0, 3)),
        "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "half": np.ones(2, np.float16),
    }
    np.savez_compressed(tmp_path / "a.npz", **kept)
    found = read(tmp_path / "a.npz")
    for name, value in kept.items():
        assert found[name].dtype == value.dtype
        assert np.array_equal(found[name], value)
        found[name] += found[name]


def test_a_directory_with_false_sizes_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", uses=npy("(1000,)", content=bytes(8000)))
    content = path.read_bytes()
    size = len(npy("(1000,)", content=bytes(8000))).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (80).to_bytes(4, "little")))
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        read(path)


def test_pipes_links_and_single_arrays_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "a.npz", a=np.zeros(1))
    (tmp_path / "link.npz").symlink_to(tmp_path / "a.npz")
    for name in ("pipe.npz", "link.npz"):
        with pytest.raises(ValueError, match="no plain file"):
            Codebook.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Codebook.load(tmp_path / "nothing.npz")
    (tmp_path / "codebook.npz").write_bytes(npy("(3,)", content=bytes(24)))
    with pytest.raises(ValueError, match=REFUSED):
        Codebook.load(tmp_path / "codebook.npz")
