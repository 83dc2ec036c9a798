"""MNIST and its successors and CIFAR-10, each as a small set in its real format."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from autoenc.data.datasets import DATASETS, Dataset, DatasetError, Splits, cifar10, idx_sets, memory
from autoenc.data.datasets.cifar10 import CIFAR10
from autoenc.data.datasets.idx_sets import IDX_SETS, EmnistSplit, IdxFile, IdxSet, emnist_set
from autoenc.data.datasets.published_sets import PublishedFile, PublishedSet

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors

REFUSED = "http://127.0.0.1:1/"
COMMON = {"validation_fraction": 0, "split_seed": 0, "limit": None, "shuffle": True, "binarization": "none"}


def settings(name: str, **changes: Any) -> Dataset:
    return DATASETS.parse({"name": name, **COMMON, **changes})


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def idx(tensor: torch.Tensor, *, kind: int = 8) -> bytes:
    """An IDX file: two zeros, the kind of number (8 is uint8), the number of dimensions, each size, the data."""
    return struct.pack(f">BBBB{tensor.ndim}I", 0, 0, kind, tensor.ndim, *tensor.shape) + tensor.numpy().tobytes()


def small(published: IdxSet, images: torch.Tensor, labels: torch.Tensor, **changes: Any) -> IdxSet:
    """The set with these images and labels in both pools, without digests."""

    def file(old: IdxFile, tensor: torch.Tensor) -> IdxFile:
        shape = tuple(tensor.shape)
        return replace(old, size=len(idx(tensor)), digest=None, packed_digest=None, shape=shape)

    train, test = ((file(pool[0], images), file(pool[1], labels)) for pool in (published.train, published.test))
    return replace(published, mirrors=(REFUSED,), train=train, test=test, **changes)


# --- MNIST, Fashion-MNIST, KMNIST ---

IMAGES = torch.arange(5 * 6, dtype=torch.uint8).reshape(5, 2, 3)
LABELS = torch.tensor([9, 1, 0, 3, 4], dtype=torch.uint8)


@pytest.fixture(params=IDX_SETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def contents(published: IdxSet) -> dict[str, bytes]:
    return {file.name: idx(IMAGES if len(file.shape) == 3 else LABELS) for file in published.files}  # type: ignore[attr-defined]


def put(data_dir: Path, published: PublishedSet, contents: dict[str, bytes]) -> Path:
    folder = data_dir / published.folder
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return folder


def test_a_set_is_downloaded_and_read(
    server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    published = small(IDX_SETS[name], IMAGES, LABELS)
    published = replace(published, mirrors=(server.serve("good", contents(published)),))
    monkeypatch.setitem(IDX_SETS, name, published)
    for _ in range(2):
        splits = settings(name).build(data_dir=tmp_path)
        assert torch.equal(splits.train.images, IMAGES.unsqueeze(1))
        assert torch.equal(splits.test.images, IMAGES.unsqueeze(1))
        assert splits.train.labels.tolist() == splits.test.labels.tolist() == [9, 1, 0, 3, 4]
        assert splits.class_names == IDX_SETS[name].class_names
    assert len(server.hits) == 4
    assert found(tmp_path) == {f"{published.folder}/{file.name}" for file in published.files}


def found(data_dir: Path) -> set[str]:
    return {str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (idx(IMAGES.reshape(5, 3, 2)), "00000803 00000005 00000003 00000002 and 30 bytes of data, not the header"),
        (idx(IMAGES, kind=9), "00000903"),
        (b"GIF89a" + bytes(40), "47494638"),
        (b"", "has the header and 0 bytes"),
        (idx(IMAGES)[:-1], "and 29 bytes of data"),
    ],
    ids=["turned", "signed", "a picture", "empty", "too short"],
)
def test_a_file_in_another_format_is_named(
    tmp_path: Path, content: bytes, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the table: the size and the digest fit, the content does not."""
    published = small(IDX_SETS["mnist"], IMAGES, LABELS)
    monkeypatch.setitem(IDX_SETS, "mnist", published)
    monkeypatch.setattr("autoenc.data.datasets.local_files.content_problem", lambda file, path: "")
    path = put(tmp_path, published, {**contents(published), published.files[0].name: content}) / published.files[0].name
    match = rf"^dataset=mnist: {path} is not an IDX file of uint8 \(5, 2, 3\): it .*{problem}"
    with pytest.raises(DatasetError, match=match) as caught:
        settings("mnist").build(data_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_the_tables_of_the_idx_sets(name: str) -> None:
    published = IDX_SETS[name]
    assert published.name == name
    assert len(set(published.class_names)) == 10
    assert [file.size for file in published.files] == [47_040_016, 60_008, 7_840_016, 10_008]
    assert len({file.digest or file.packed_digest for file in published.files}) == 4


# --- EMNIST ---

LETTER = torch.tensor([[255, 0], [255, 0], [255, 255]], dtype=torch.uint8)  # an L, 3 high and 2 wide
BuildEmnist = Callable[[EmnistSplit, list[int]], Splits]


def emnist_zip(split: EmnistSplit, images: torch.Tensor, labels: torch.Tensor) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("gzip/", b"")
        archive.writestr(f"gzip/emnist-{split}-mapping.txt", b"1 65 97\n")
        for pool in ("train", "test"):
            archive.writestr(f"gzip/emnist-{split}-{pool}-images-idx3-ubyte.gz", gzip.compress(idx(images)))
            archive.writestr(f"gzip/emnist-{split}-{pool}-labels-idx1-ubyte.gz", gzip.compress(idx(labels)))
    return buffer.getvalue()


@pytest.fixture
def build_emnist(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildEmnist:
    """Build a split with an L for each label."""

    def build(split: EmnistSplit, labels: list[int]) -> Splits:
        images = LETTER.T.contiguous().repeat(len(labels), 1, 1)  # stored column by column
        numbers = torch.tensor(labels, dtype=torch.uint8)
        content = emnist_zip(split, images, numbers)
        full = emnist_set(split)
        assert full.archive is not None
        archive = replace(full.archive, size=len(content), digest=sha256(content))
        published = replace(small(full, images, numbers, archive=archive), mirrors=(server.url("nist"),))
        server.serve("nist", {"gzip.zip": content})
        monkeypatch.setattr(idx_sets, "emnist_set", lambda name: published)
        return settings("emnist", split=split).build(data_dir=tmp_path)

    return build


@pytest.mark.parametrize(
    ("split", "labels", "characters"),
    [
        ("balanced", [0, 9, 10, 35, 36, 46], "09AZat"),
        ("byclass", [0, 9, 10, 35, 36, 61], "09AZaz"),
        ("bymerge", [0, 9, 10, 35, 36, 37, 38, 39, 46], "09AZabdet"),
        ("digits", [0, 9], "09"),
        ("letters", [1, 2, 26], "ABZ"),
        ("mnist", [3], "3"),
    ],
)
def test_emnist_letters_are_upright_and_have_their_class(
    split: EmnistSplit, labels: list[int], characters: str, build_emnist: BuildEmnist, tmp_path: Path
) -> None:
    """As in the mapping files; Cohen et al. 2017, table II and figure 2."""
    splits = build_emnist(split, labels)
    for part in (splits.train, splits.test):
        assert "".join(splits.class_names[label] for label in part.labels.tolist()) == characters
        assert torch.equal(part.images, LETTER.expand(len(labels), 1, 3, 2))
    assert found(tmp_path) == {
        "EMNIST/raw/gzip.zip",
        *(f"EMNIST/raw/emnist-{split}-{pool}-images-idx3-ubyte" for pool in ("train", "test")),
        *(f"EMNIST/raw/emnist-{split}-{pool}-labels-idx1-ubyte" for pool in ("train", "test")),
    }


@pytest.mark.parametrize(("split", "label"), [("letters", 0), ("letters", 27), ("digits", 10), ("balanced", 47)])
def test_a_label_without_a_class_is_refused(split: EmnistSplit, label: int, build_emnist: BuildEmnist) -> None:
    with pytest.raises(DatasetError, match=f"labels-idx1-ubyte has the label {label}; labels must be from . to "):
        build_emnist(split, [5, label])


@pytest.mark.parametrize(
    ("split", "classes", "total"),
    [
        ("balanced", 47, 131_600),
        ("byclass", 62, 814_255),
        ("bymerge", 47, 814_255),
        ("digits", 10, 280_000),
        ("letters", 26, 145_600),
        ("mnist", 10, 70_000),
    ],
)
def test_the_tables_of_emnist(split: EmnistSplit, classes: int, total: int) -> None:
    """The totals that the publisher gives for each split."""
    full = emnist_set(split)
    (train, train_labels), (test, test_labels) = full.train, full.test
    assert len(set(full.class_names)) == len(full.class_names) == classes
    assert train.shape[0] + test.shape[0] == total
    assert (train_labels.shape, test_labels.shape) == (train.shape[:1], test.shape[:1])
    assert (train.size, test_labels.size) == (16 + 784 * train.shape[0], 8 + test.shape[0])


# --- CIFAR-10 ---


def record(label: int, *, red: int, green: int, blue: int) -> bytes:
    """One image with plain colours, except for a white pixel at row 2, column 5."""
    pixels = b""
    for value in (red, green, blue):
        plane = bytearray([value]) * 1024
        plane[2 * 32 + 5] = 255
        pixels += bytes(plane)
    return bytes([label]) + pixels


BATCHES = {
    "data_batch_1.bin": record(3, red=10, green=20, blue=30) + record(9, red=40, green=50, blue=60),
    "data_batch_2.bin": record(0, red=70, green=80, blue=90),
    "test_batch.bin": record(1, red=11, green=22, blue=33),
}


def small_cifar(monkeypatch: pytest.MonkeyPatch, *, batches: dict[str, bytes] = BATCHES, **changes: Any) -> None:
    files = tuple(
        PublishedFile(name=name, size=len(batch), digest=f"md5:{hashlib.md5(batch).hexdigest()}", gzipped=False)
        for name, batch in batches.items()
    )
    monkeypatch.setattr(cifar10, "CIFAR10", replace(CIFAR10, train=files[:-1], test=files[-1:], **changes))


def test_cifar10_is_downloaded_and_read(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
        for name, content in {"batches.meta.txt": b"airplane\n", **BATCHES, "readme.html": b""}.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            tarred.addfile(entry, io.BytesIO(content))
    content = buffer.getvalue()
    assert CIFAR10.archive is not None
    archive = replace(CIFAR10.archive, size=len(content), digest=sha256(content))
    mirror = server.serve("toronto", {"cifar-10-binary.tar.gz": content})
    small_cifar(monkeypatch, archive=archive, mirrors=(mirror,))
    splits = settings("cifar10").build(data_dir=tmp_path)
    assert splits.image_shape == (3, 32, 32)
    assert splits.train.labels.tolist() == [3, 9, 0]
    assert splits.test.labels.tolist() == [1]
    assert [splits.class_names[label] for label in (3, 9, 0, 1)] == ["cat", "truck", "airplane", "automobile"]
    # Red, green, blue; rows, then columns.
    assert splits.train.images[:, :, 0, 0].tolist() == [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    assert splits.test.images[0, :, 31, 31].tolist() == [11, 22, 33]
    assert (splits.train.images == 255).nonzero()[:3].tolist() == [[0, 0, 2, 5], [0, 1, 2, 5], [0, 2, 2, 5]]
    assert found(tmp_path) == {f"cifar-10-batches-bin/{name}" for name in BATCHES}
    settings("cifar10").build(data_dir=tmp_path)
    assert server.hits == ["/toronto/cifar-10-binary.tar.gz"]


def test_a_label_of_cifar10_without_a_class_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = {**BATCHES, "test_batch.bin": record(10, red=0, green=0, blue=0)}
    small_cifar(monkeypatch, batches=batches)
    put(tmp_path, CIFAR10, batches)
    with pytest.raises(DatasetError, match=r"test_batch.bin has the label 10; labels must be from 0 to 9"):
        settings("cifar10").build(data_dir=tmp_path)


def test_the_table_of_cifar10() -> None:
    assert [file.size for file in CIFAR10.files] == [30_730_000] * 6
    assert len({file.digest for file in CIFAR10.files}) == 6
    assert len(set(CIFAR10.class_names)) == 10


# --- memory ---


@pytest.mark.parametrize(("name", "size"), [("mnist", 10 * 6), ("cifar10", 4 * 3073)])
def test_the_memory_is_for_every_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: int) -> None:
    """Binarization and a validation split need each image three times."""
    published = small(IDX_SETS["mnist"], IMAGES, LABELS)
    monkeypatch.setitem(IDX_SETS, "mnist", published)
    put(tmp_path, published, contents(published))
    small_cifar(monkeypatch)
    put(tmp_path, CIFAR10, BATCHES)
    changes: dict[str, Any] = {"validation_fraction": 0.4, "binarization": "dynamic"}
    monkeypatch.setattr(memory, "USABLE", 1)
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * size)
    settings(name, **changes).build(data_dir=tmp_path)
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * size - 1)
    with pytest.raises(DatasetError, match=f"dataset={name}: its images need .* of memory"):
        settings(name, **changes).build(data_dir=tmp_path)
