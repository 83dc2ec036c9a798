"""Files of published sets that people have already, under several names and in several folders."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import re
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoenc.data.datasets import DatasetError
from autoenc.data.datasets.idx_sets import IDX_SETS, emnist_set
from autoenc.data.datasets.local_files import places, verified_files
from autoenc.data.datasets.published_sets import Archive, PublishedFile, PublishedSet, read_content
from tests.data.datasets.conftest import not_writable

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors

CONTENT = bytes(range(256)) * 40


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


FILE = PublishedFile(
    name="train-images-idx3-ubyte",
    aliases=("train-images.idx3-ubyte",),
    size=len(CONTENT),
    digest=digest_of(CONTENT),
)


def one_set(*files: PublishedFile, mirror: str = "http://127.0.0.1:1/", archive: Archive | None = None) -> PublishedSet:
    return PublishedSet(
        name="some_set", folder="Set/raw", mirrors=(mirror,), train=files, test=(), class_names=("a",), archive=archive
    )


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(data_dir: Path) -> set[str]:
    return {str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file()}


@pytest.mark.parametrize("folder", ["Set/raw", "Set", "some_set", "."])
@pytest.mark.parametrize("name", FILE.names)
def test_a_file_is_used_in_every_place_and_under_every_name(
    tmp_path: Path, server: Mirrors, folder: str, name: str
) -> None:
    path = put(tmp_path / folder / name, gzip.compress(CONTENT) if name.endswith(".gz") else CONTENT)
    before = path.read_bytes()

    paths = verified_files(one_set(FILE, mirror=server.serve("mirror", {})), data_dir=tmp_path)

    assert read_content(FILE, paths[FILE.name]).tobytes() == CONTENT
    assert found(tmp_path) == {str(path.relative_to(tmp_path))}
    assert path.read_bytes() == before
    assert server.hits == []


def test_the_names_and_places_of_mnist() -> None:
    assert IDX_SETS["mnist"].train[0].names == [
        *("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
        *("train-images-idx3-ubyte.gz", "train-images.idx3-ubyte.gz"),
    ]
    assert emnist_set("letters").test[1].names[1] == "emnist-letters-test-labels.idx1-ubyte"
    assert places(IDX_SETS["fashion_mnist"]) == ["FashionMNIST/raw", "FashionMNIST", "fashion_mnist", "."]


def test_files_in_a_folder_that_is_not_writable_are_used() -> None:
    with tempfile.TemporaryDirectory() as name:
        data_dir = Path(name)
        put(data_dir / "Set" / f"{FILE.name}.gz", gzip.compress(CONTENT))
        with not_writable(data_dir):
            paths = verified_files(one_set(FILE), data_dir=data_dir)
            assert read_content(FILE, paths[FILE.name]).tobytes() == CONTENT
        assert found(data_dir) == {f"Set/{FILE.name}.gz"}


# --- wrong files ---


def test_a_file_of_another_set_is_reported_and_the_right_one_downloaded(
    tmp_path: Path, server: Mirrors, caplog: pytest.LogCaptureFixture
) -> None:
    other = put(tmp_path / f"{FILE.name}.gz", gzip.compress(CONTENT[::-1]))
    before = other.read_bytes()
    verified_files(one_set(FILE, mirror=server.serve("mirror", {FILE.name: CONTENT})), data_dir=tmp_path)
    assert other.read_bytes() == before
    assert found(tmp_path) == {other.name, f"Set/raw/{FILE.name}"}
    expected = hashlib.sha256(CONTENT).hexdigest()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"not used: {other} is not the published file (its sha256 should be {expected})"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(CONTENT[:-1]), "has 10,239 bytes and should have 10,240"),
        (gzip.compress(CONTENT[::-1]), r"is not the published file \(its sha256 should be [0-9a-f]{64}"),
        (gzip.compress(CONTENT)[:-20], "cannot be read: Compressed file ended before"),
        (b"<html>Please log in</html>", "cannot be read: Not a gzipped file"),
        (gzip.compress(b"")[:10] + b"\xff" * 50, "cannot be read: Error -3 while decompressing data"),
    ],
    ids=["short", "other", "cut off", "no gzip", "damaged"],
)
def test_an_error_names_the_wrong_file_and_the_places_for_a_right_one(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = put(tmp_path / "Set" / f"{FILE.name}.gz", content)
    with pytest.raises(DatasetError) as caught:
        verified_files(one_set(FILE), data_dir=tmp_path)
    message = str(caught.value)
    assert message.startswith(f"dataset=some_set: missing {FILE.name} in {tmp_path / 'Set/raw'} (data_dir={tmp_path}, ")
    assert message.endswith(
        "; put files that you have into data_dir or its folder Set/raw, Set or some_set; names such as "
        "train-images.idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte.gz are read too; "
        "dataset=digits needs no network"
    )
    assert "\n" not in message
    assert re.search(f"; not used: {path} {problem}", message)
    assert path.read_bytes() == content


def test_an_intact_copy_is_used_next_to_a_damaged_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged = put(tmp_path / "Set/raw" / FILE.name, CONTENT[:-1])
    intact = put(tmp_path / "Set/raw" / f"{FILE.name}.gz", gzip.compress(CONTENT))
    assert verified_files(one_set(FILE), data_dir=tmp_path) == {FILE.name: intact}
    assert f"not used: {damaged} has 10,239 bytes and should have 10,240" in caplog.text


def test_without_a_digest_a_file_outside_of_the_folders_of_its_set_is_not_used(tmp_path: Path) -> None:
    """The files of KMNIST and of MNIST have equal names and sizes."""
    file = replace(FILE, digest=None)
    put(tmp_path / FILE.name, CONTENT)
    with pytest.raises(DatasetError, match=rf"not used: {tmp_path / FILE.name} may be of another set, because no dig"):
        verified_files(one_set(file), data_dir=tmp_path)
    (tmp_path / "some_set").mkdir()
    (tmp_path / FILE.name).rename(tmp_path / "some_set" / FILE.name)
    assert verified_files(one_set(file), data_dir=tmp_path) == {FILE.name: tmp_path / "some_set" / FILE.name}


def test_the_digest_of_the_packed_file_is_enough(tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT, mtime=0)
    file = replace(FILE, digest=None, packed_digest=digest_of(packed))
    path = put(tmp_path / f"{FILE.name}.gz", packed)
    assert verified_files(one_set(file), data_dir=tmp_path) == {FILE.name: path}
    path.write_bytes(gzip.compress(CONTENT[::-1], mtime=0))
    with pytest.raises(DatasetError, match="is not the published file"):
        verified_files(one_set(file), data_dir=tmp_path)


def test_a_named_pipe_is_not_waited_for(tmp_path: Path, make_pipe: Callable[[Path], Path]) -> None:
    path = make_pipe(tmp_path / f"{FILE.name}.gz")
    with pytest.raises(DatasetError, match=f"not used: {path} cannot be read: it is a named pipe, not a file"):
        verified_files(one_set(FILE), data_dir=tmp_path)


# --- archives ---


@pytest.mark.parametrize("folder", ["Set/raw", "Set", "some_set", "."])
def test_an_archive_is_used_in_every_place_and_kept(tmp_path: Path, server: Mirrors, folder: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
        entry = tarfile.TarInfo("in/batch.bin")
        entry.size = len(CONTENT)
        tarred.addfile(entry, io.BytesIO(CONTENT))
    content = buffer.getvalue()
    archive = Archive(name="set.tar.gz", size=len(content), digest=digest_of(content), prefix="in/", kept=False)
    file = PublishedFile(name="batch.bin", size=len(CONTENT), digest=digest_of(CONTENT), gzipped=False)
    put(tmp_path / folder / "set.tar.gz", content)
    published = one_set(file, mirror=server.serve("mirror", {}), archive=archive)
    (tmp_path / folder / "set.tar.gz").write_bytes(content[:-1] + b"?")
    if folder != "Set/raw":
        refused = f"not used: {tmp_path / folder / 'set.tar.gz'} is not the published file"
        with pytest.raises(
            DatasetError, match=f"missing batch.bin in .*; {refused} .*; names such as set.tar.gz are read"
        ):
            verified_files(published, data_dir=tmp_path)
    server.hits.clear()
    (tmp_path / folder / "set.tar.gz").write_bytes(content)
    assert verified_files(published, data_dir=tmp_path) == {"batch.bin": tmp_path / "Set/raw/batch.bin"}
    assert found(tmp_path) == {str(Path(folder, "set.tar.gz")), "Set/raw/batch.bin"}
    assert server.hits == []
