"""Numbers of a picture that somebody made to do harm."""

from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.pictures import stored_numbers
from autoenc.pictures.codebook import Codebook
from autoenc.pictures.stored_numbers import stored_arrays
from autoenc.runs import Limits


def npy(shape: str, *, kind: str = "<f8", content: bytes = b"") -> bytes:
    """An array's file with a header of our making."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.fixture
def _in_little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20


def test_arrays_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", uses=np.arange(3), words=np.array("text"))
    found = stored_arrays(tmp_path / "a.npz")
    assert found["uses"].tolist() == [0, 1, 2]
    assert str(found["words"]) == "text"


@pytest.mark.usefixtures("_in_little_memory")
def test_what_unpacks_to_much_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = npy("(1048576,)", content=bytes(2**23))
    path = archive(tmp_path / "a.npz", uses=zeros)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(stored_numbers, "LIMITS", Limits(file_bytes=2**22, array_bytes=2**22, members=2))
    with pytest.raises(ValueError, match="8,388,608 bytes, more than the 4,194,304 that are read"):
        stored_arrays(path)


@pytest.mark.parametrize(
    "content",
    [
        npy("(100000000000,)"),
        npy("(1000000, 1000000, 1000000)", content=b"x"),
        npy("(-1,)"),
        npy("(3,)", kind="|O", content=pickle.dumps([1, 2, 3])),
        npy("(2,)", kind="<U1000000000"),
        b"\x93NUMPY\x03\x00",
        b"no array",
        b"",
    ],
)
@pytest.mark.usefixtures("_in_little_memory")
def test_an_array_that_is_not_what_it_says_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"uses\.npz|codebook\.npz: not the numbers of a picture of kind 'codebook'"):
        Codebook.load(archive(tmp_path / "codebook.npz", uses=content))


def test_many_members_are_refused(tmp_path: Path) -> None:
    members = {f"a{number}": npy("()", content=bytes(8)) for number in range(65)}
    with pytest.raises(ValueError, match="has 65 members"):
        stored_arrays(archive(tmp_path / "a.npz", **members))


@pytest.mark.usefixtures("_in_little_memory")
def test_very_many_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", **{f"a{number}": b"" for number in range(60_000)})
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    with pytest.raises(ValueError, match="has 60000 members"):
        stored_arrays(path)
    assert tracemalloc.get_traced_memory()[1] - before < 2**20


def test_arrays_together_take_no_more_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_numbers, "LIMITS", Limits(file_bytes=2**22, array_bytes=20_000, members=3))
    one = npy("(1000,)", content=bytes(8000))
    assert len(stored_arrays(archive(tmp_path / "a.npz", a=one, b=one))) == 2
    with pytest.raises(ValueError, match="'c' of 8,000 bytes, more than the 4,000 that are read"):
        stored_arrays(archive(tmp_path / "b.npz", a=one, b=one, c=one))


def test_empty_and_turned_arrays_are_read_and_may_be_written_to(tmp_path: Path) -> None:
    turned = np.asfortranarray(np.arange(6).reshape(2, 3))
    kept: dict[str, Any] = {
        "empty": np.zeros((0, 3)),
        "turned": turned,
        "yes": np.array([True]),
        "half": np.ones(2, np.float16),
    }
    np.savez_compressed(tmp_path / "a.npz", **kept)
    found = stored_arrays(tmp_path / "a.npz")
    for name, value in kept.items():
        assert found[name].dtype == value.dtype
        assert np.array_equal(found[name], value)
        found[name] += found[name]


def test_a_directory_that_lies_about_sizes_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", uses=npy("(1000,)", content=bytes(8000)))
    content = path.read_bytes()
    size = len(npy("(1000,)", content=bytes(8000))).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (80).to_bytes(4, "little")))
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        stored_arrays(path)


@pytest.mark.usefixtures("_in_little_memory")
def test_a_huge_file_is_not_opened_further(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK")
    os.truncate(path, 2**30)
    with pytest.raises(ValueError, match="more than the 268,435,456 that are read"):
        stored_arrays(path)


def test_pipes_and_links_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "a.npz", a=np.zeros(1))
    (tmp_path / "link.npz").symlink_to(tmp_path / "a.npz")
    for name in ("pipe.npz", "link.npz"):
        with pytest.raises(ValueError, match="no plain file"):
            stored_arrays(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        stored_arrays(tmp_path / "nothing.npz")


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    (tmp_path / "codebook.npz").write_bytes(content.getvalue())
    with pytest.raises(ValueError, match="not the numbers of a picture"):
        Codebook.load(tmp_path / "codebook.npz")
