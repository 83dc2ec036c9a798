from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.comparison.report import arrays
from autoenc.comparison.report.arrays import list_of_texts, read_arrays
from autoenc.runs import ArrayError, Limits
from tests.comparison.report_examples import save_arrays


def saved(path: Path, values: Any = None, **stored: Any) -> Path:
    save_arrays(path, values or {"captions": ["a"]}, **stored)
    return path


def fault(path: Path, **dimensions: int) -> str:
    with pytest.raises(ArrayError) as caught:
        read_arrays(path, inside=path.parent, dimensions=dimensions or {"x": 2})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def archive(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return path


def npy(header: str, content: bytes = b"") -> bytes:
    """A member with whatever header."""
    text = header.encode("latin1")
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u1", "i8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_are_read_as_they_were_saved(tmp_path: Path, dtype: str, order: Any) -> None:
    x = np.asarray(np.arange(12).reshape(3, 4), dtype=dtype, order=order)
    stored = read_arrays(saved(tmp_path / "a.npz", x=x, y=np.ones(3)), inside=tmp_path, dimensions={"x": 2})
    assert np.array_equal(stored.arrays["x"], x)
    assert stored.arrays["x"].dtype == x.dtype
    assert stored.values == {"captions": ["a"]}


def test_what_our_own_pictures_save_is_read(tmp_path: Path) -> None:
    from autoenc.pictures.reconstructions import Reconstructions

    images = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)
    picture = Reconstructions(clean=images, given=images, final=images / 2, captions=("a", "b"))
    picture.save(tmp_path / "reconstructions.npz")
    found = read_arrays(tmp_path / "reconstructions.npz", inside=tmp_path, dimensions={"clean": 4, "final": 4})
    assert np.array_equal(found.arrays["final"], images / 2)
    assert list_of_texts(found.values, "captions", most=10, count=2) == ["a", "b"]


def test_a_file_that_is_missing_or_no_archive_is_a_fault(tmp_path: Path) -> None:
    assert "No such file" in fault(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_bytes(b"hello")
    assert fault(tmp_path / "text.npz") == "is no archive of arrays"
    (tmp_path / "empty.npz").write_bytes(b"")
    assert fault(tmp_path / "empty.npz") == "is no archive of arrays"
    whole = saved(tmp_path / "whole.npz", x=np.ones((2, 2))).read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "cut.npz").write_bytes(whole[:end])
        fault(tmp_path / "cut.npz")


def test_whatever_byte_is_wrong_it_is_a_fault_or_the_numbers(tmp_path: Path) -> None:
    whole = bytearray(saved(tmp_path / "whole.npz", x=np.arange(6.0).reshape(2, 3)).read_bytes())
    path = tmp_path / "bad.npz"
    read = 0
    for place in range(len(whole)):
        wrong = whole.copy()
        wrong[place] ^= 0xFF
        path.write_bytes(wrong)
        try:
            read_arrays(path, inside=tmp_path, dimensions={"x": 2})
            read += 1
        except ArrayError:
            pass
    assert read < len(whole) / 3  # dates and the like


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    x = np.array([[Evil()]], dtype=object)
    save_arrays(tmp_path / "a.npz", {}, x=x)
    assert "no plain numbers" in fault(tmp_path / "a.npz")
    save_arrays(tmp_path / "b.npz", x, x=np.ones((1, 1)))
    assert "no plain numbers" in fault(tmp_path / "b.npz")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }", "bytes, more than"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), }", "another size than it states"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", "not of 2 dimensions"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }", "no plain numbers"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4), }", "another size than it states"),
        ("{'descr': '<c16', 'fortran_order': False, 'shape': (1, 1), }", "no plain numbers"),
        ("{'descr': '<f16', 'fortran_order': False, 'shape': (1, 1), }", "no plain numbers"),
        ("{'descr': '<f3', 'fortran_order': False, 'shape': (1, 1), }", "no plain numbers"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", "no plain numbers"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1), }", "no plain numbers"),
        ("__import__('os').abort()", "no plain numbers"),
        ("(" * 9000, "no plain numbers"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 9000 + "), }", "no plain numbers"),
    ],
)
def test_a_header_that_lies_is_a_fault(tmp_path: Path, header: str, said: str) -> None:
    path = archive(tmp_path / "a.npz", {"x.npy": npy(header, b"\0" * 8), "<values>.npy": b""})
    assert said in fault(path)


def test_what_unpacks_to_very_much_costs_no_memory(tmp_path: Path) -> None:
    size = 2**30
    header = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1, {size}), }}")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as written, written.open("x.npy", "w") as file:
        file.write(header)
        for _ in range(64):
            file.write(bytes(2**20))
    tracemalloc.start()
    assert "bytes, more than" in fault(tmp_path / "a.npz")
    small = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 8), }", bytes(2**24))
    archive(tmp_path / "b.npz", {"x.npy": small})
    tracemalloc.reset_peak()
    assert "another size" in fault(tmp_path / "b.npz")
    assert tracemalloc.get_traced_memory()[1] < 40e6
    tracemalloc.stop()


def test_many_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", {f"{number}.npy": b"" for number in range(40)})
    assert "40 members" in fault(path)
    content = bytearray(saved(tmp_path / "b.npz", x=np.ones((2, 2))).read_bytes())
    end = content.rfind(b"PK\x05\x06")
    content[end:end] = b"PK\x06\x07" + bytes(16)
    (tmp_path / "b.npz").write_bytes(content)
    assert "only huge ones need" in fault(tmp_path / "b.npz")


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "LIMITS", Limits(file_bytes=100, array_bytes=100, members=3))
    assert "more than the 100 that are read" in fault(saved(tmp_path / "a.npz", x=np.ones((2, 2))))


def test_other_ways_of_packing_are_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.ones((2, 2)))
    path = archive(tmp_path / "a.npz", {"x.npy": content.getvalue()}, method=zipfile.ZIP_BZIP2)
    assert "in a way that numpy does not" in fault(path)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 90_000, '{"a": ' * 20_000])
def test_values_that_are_no_table_are_a_fault(tmp_path: Path, text: str) -> None:
    save_arrays(tmp_path / "a.npz", np.array(text), x=np.ones((1, 1)))
    assert fault(tmp_path / "a.npz")


def test_values_are_short(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", np.array(" " * 200_000 + "{}"), x=np.ones((1, 1)))
    assert "bytes, more than the 400,000 that are read" in fault(tmp_path / "a.npz")


def test_a_name_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=np.ones((2, 2)))
    assert fault(path, y=2) == "has no numbers called 'y'"


def test_a_link_out_of_the_run_is_not_followed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    saved(tmp_path / "secret.npz", x=np.ones((2, 2)))
    (run / "a.npz").symlink_to(tmp_path / "secret.npz")
    with pytest.raises(ArrayError, match="is a link to somewhere else"):
        read_arrays(run / "a.npz", inside=run, dimensions={"x": 2})
    (run / "figures").symlink_to(tmp_path)
    with pytest.raises(ArrayError, match="is a link to somewhere else"):
        read_arrays(run / "figures" / "secret.npz", inside=run, dimensions={"x": 2})
    saved(run / "b.npz", x=np.ones((2, 2)))
    (run / "c.npz").symlink_to(run / "b.npz")
    assert read_arrays(run / "c.npz", inside=run, dimensions={"x": 2}).arrays


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    assert fault(tmp_path / "a.npz") == "is no plain file"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "no list of texts"),
        ({"c": "ab"}, "no list"),
        ({"c": [1]}, "no list"),
        ({"c": ["a"]}, "1 of 'c', and not 2"),
    ],
)
def test_lists_of_texts_are_checked(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ArrayError, match=said):
        list_of_texts(values, "c", most=5, count=2)


def test_texts_are_short_and_without_control_characters() -> None:
    assert list_of_texts({"c": ["\x1b[31mred", "abcdef"]}, "c", most=5) == ["\\x1b[31…", "abcd…"]


def test_neither_torch_nor_matplotlib_is_imported() -> None:
    program = "import sys; import autoenc.comparison.report; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {"torch", "torchvision", "matplotlib", "sklearn"}.isdisjoint(loaded)
