"""KMNIST, EMNIST and CIFAR-10, each as a small set in its real format."""

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
from typing import TYPE_CHECKING

import pytest
import torch
from autoenc.data.datasets.archives import Archive
from autoenc.data.datasets.emnist import ARCHIVE, Emnist, EmnistSplit, emnist_set
from autoenc.data.datasets.files import RemoteFile
from autoenc.data.datasets.idx import IdxFile, IdxSet, load_pools
from autoenc.data.datasets.kmnist import KMNIST, Kmnist

from autoenc.data.datasets import DATASETS, DatasetError, cifar10, emnist, kmnist, memory
from autoenc.data.datasets.cifar10 import CIFAR10, Cifar10, CifarSet
from autoenc.data.datasets.splits import SplitSettings
from autoenc.settings import ConfigError

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors

REFUSED = "http://127.0.0.1:1/"
SETTINGS = SplitSettings(validation_fraction=0, split_seed=0, limit=None, shuffle=True, binarization="none")
BuildEmnist = Callable[[EmnistSplit, list[int]], list[int]]


def idx(tensor: torch.Tensor) -> bytes:
    return struct.pack(f">BBBB{tensor.ndim}I", 0, 0, 8, tensor.ndim, *tensor.shape) + tensor.numpy().tobytes()


# --- KMNIST ---


def test_kmnist_is_fetched_and_read(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.arange(5 * 6, dtype=torch.uint8).reshape(5, 2, 3)
    labels = torch.tensor([9, 1, 0, 3, 4], dtype=torch.uint8)
    contents = {file.name: idx(images if "images" in file.name else labels) for file in KMNIST.files}
    packed = {f"{name}.gz": gzip.compress(content) for name, content in contents.items()}

    def small(file: IdxFile) -> IdxFile:
        content, shape = contents[file.name], (5, *file.shape[1:]) if len(file.shape) == 1 else (5, 2, 3)
        digest = hashlib.sha256(packed[f"{file.name}.gz"]).hexdigest()
        return replace(file, size=len(content), packed_sha256=digest, shape=shape)

    small_set = replace(
        KMNIST,
        mirrors=(server.serve("good", packed),),
        train_images=small(KMNIST.train_images),
        train_labels=small(KMNIST.train_labels),
        test_images=small(KMNIST.test_images),
        test_labels=small(KMNIST.test_labels),
    )
    monkeypatch.setattr(kmnist, "KMNIST", small_set)
    settings = Kmnist(validation_fraction=0, split_seed=0, limit=None, shuffle=True, binarization="none")
    splits = settings.build(data_dir=tmp_path)
    assert torch.equal(splits.train.images, images.unsqueeze(1))
    assert splits.test.labels.tolist() == [9, 1, 0, 3, 4]
    assert splits.class_names[9] == "wo"
    assert sorted(path.name for path in (tmp_path / "KMNIST/raw").iterdir()) == sorted(contents)
    assert len(server.hits) == 4


def test_the_table_of_kmnist() -> None:
    assert KMNIST.folder == "KMNIST/raw"
    assert len(KMNIST.class_names) == 10
    for file in KMNIST.files:
        assert file.packed_checksum is not None
        assert len(file.packed_checksum.expected) == 64
        assert file.size == 4 + 4 * len(file.shape) + torch.Size(file.shape).numel()


# --- EMNIST ---

# A picture of an L: 3 high and 2 wide.
LETTER = torch.tensor([[255, 0], [255, 0], [255, 255]], dtype=torch.uint8)


def small_emnist(split: EmnistSplit, *, mirror: str, labels: list[int], content: bytes) -> IdxSet:
    """With images stored as EMNIST's are, column by column."""
    count = len(labels)
    full = emnist_set(split)

    def small(file: IdxFile) -> IdxFile:
        shape = (count,) if len(file.shape) == 1 else (count, 2, 3)
        return replace(file, shape=shape, size=4 + 4 * len(shape) + torch.Size(shape).numel())

    archive = replace(ARCHIVE, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return replace(
        full,
        mirrors=(mirror,),
        archive=archive,
        train_images=small(full.train_images),
        train_labels=small(full.train_labels),
        test_images=small(full.test_images),
        test_labels=small(full.test_labels),
    )


def emnist_zip(split: EmnistSplit, *, labels: list[int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("gzip/", b"")
        archive.writestr(f"gzip/emnist-{split}-mapping.txt", b"1 65 97\n")
        for pool in ("train", "test"):
            images = idx(LETTER.T.contiguous().repeat(len(labels), 1, 1))
            numbers = idx(torch.tensor(labels, dtype=torch.uint8))
            archive.writestr(f"gzip/emnist-{split}-{pool}-images-idx3-ubyte.gz", gzip.compress(images))
            archive.writestr(f"gzip/emnist-{split}-{pool}-labels-idx1-ubyte.gz", gzip.compress(numbers))
    return buffer.getvalue()


@pytest.fixture
def build_emnist(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildEmnist:
    """Build a split with an L for each label; returns the labels of the test split."""

    def build(split: EmnistSplit, labels: list[int]) -> list[int]:
        content = emnist_zip(split, labels=labels)
        small = small_emnist(split, mirror=server.url("nist"), labels=labels, content=content)
        server.serve("nist", {"gzip.zip": content})
        monkeypatch.setattr(emnist, "emnist_set", lambda name: small)
        settings = Emnist(
            validation_fraction=0, split_seed=0, limit=None, shuffle=True, binarization="none", split=split
        )
        splits = settings.build(data_dir=tmp_path)
        for part in (splits.train, splits.test):
            assert part.image_shape == (1, 3, 2)
            assert all(torch.equal(image[0], LETTER) for image in part.images)  # upright
        return splits.test.labels.tolist()

    return build


def test_emnist_is_fetched_and_its_letters_stand_upright(
    server: Mirrors, tmp_path: Path, build_emnist: BuildEmnist
) -> None:
    labels = build_emnist("letters", [1, 26, 12])
    assert labels == [0, 25, 11]
    assert emnist_set("letters").class_names[labels[2]] == "L"
    assert sorted(path.name for path in (tmp_path / "EMNIST/raw").iterdir()) == [
        "emnist-letters-test-images-idx3-ubyte",
        "emnist-letters-test-labels-idx1-ubyte",
        "emnist-letters-train-images-idx3-ubyte",
        "emnist-letters-train-labels-idx1-ubyte",
        "gzip.zip",
    ]
    assert server.hits == ["/nist/gzip.zip"]


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
def test_the_labels_of_each_split(
    split: EmnistSplit, labels: list[int], characters: str, build_emnist: BuildEmnist
) -> None:
    """As the mapping files have it; Cohen et al. 2017, table II and figure 2."""
    found = build_emnist(split, labels)
    assert "".join(emnist_set(split).class_names[label] for label in found) == characters


@pytest.mark.parametrize(("split", "label"), [("letters", 0), ("letters", 27), ("digits", 10), ("balanced", 47)])
def test_a_label_that_no_class_has_is_refused(split: EmnistSplit, label: int, build_emnist: BuildEmnist) -> None:
    with pytest.raises(DatasetError, match=f"labels-idx1-ubyte has the label {label}, where . to .* are expected"):
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
    assert len(set(full.class_names)) == len(full.class_names) == classes
    assert full.train_images.shape[0] + full.test_images.shape[0] == total
    assert [file.shape[0] for file in full.files[::2]] == [file.shape[0] for file in full.files[1::2]]
    assert full.folder == "EMNIST/raw"
    assert full.train_images.size == 16 + 784 * full.train_images.shape[0]
    assert full.test_labels.size == 8 + full.test_labels.shape[0]


def test_the_registry_makes_emnist_from_values() -> None:
    values = {
        "validation_fraction": 0.1,
        "split_seed": 0,
        "limit": None,
        "shuffle": True,
        "binarization": "none",
        "split": "letters",
    }
    settings = DATASETS.parse({"name": "emnist", **values})
    assert isinstance(settings, Emnist)
    assert vars(settings) == values
    with pytest.raises(ConfigError, match=r"dataset.split=lettres: it must be one of balanced, byclass, bymerge, dig"):
        DATASETS.parse({"name": "emnist", **values, "split": "lettres"})


# --- CIFAR-10 ---


def record(label: int, *, red: int, green: int, blue: int) -> bytes:
    """One image with plain colours, but for a white pixel at row 2, column 5."""
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


def small_cifar(mirror: str, *, batches: dict[str, bytes] = BATCHES) -> tuple[CifarSet, bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {"batches.meta.txt": b"airplane\n", **batches, "readme.html": b""}.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    content = buffer.getvalue()
    files = tuple(
        RemoteFile(name=name, size=len(batch), md5=hashlib.md5(batch).hexdigest(), gzipped=False)
        for name, batch in batches.items()
    )
    archive_table: Archive = replace(CIFAR10.archive, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return replace(CIFAR10, mirrors=(mirror,), archive=archive_table, train=files[:-1], test=files[-1:]), content


def test_cifar10_is_fetched_and_read(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, content = small_cifar(server.url("toronto"))
    server.serve("toronto", {"cifar-10-binary.tar.gz": content})
    monkeypatch.setattr(cifar10, "CIFAR10", small)
    settings = Cifar10(validation_fraction=0, split_seed=0, limit=None, shuffle=True, binarization="none")
    splits = settings.build(data_dir=tmp_path)
    assert splits.image_shape == (3, 32, 32)
    assert splits.train.labels.tolist() == [3, 9, 0]
    assert splits.test.labels.tolist() == [1]
    assert [splits.class_names[label] for label in (3, 9, 0, 1)] == ["cat", "truck", "airplane", "automobile"]
    # Red, green, blue; rows, then columns.
    assert splits.train.images[:, :, 0, 0].tolist() == [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    assert splits.test.images[0, :, 31, 31].tolist() == [11, 22, 33]
    assert (splits.train.images == 255).nonzero()[:3].tolist() == [[0, 0, 2, 5], [0, 1, 2, 5], [0, 2, 2, 5]]
    assert sorted(path.name for path in (tmp_path / "cifar-10-batches-bin").iterdir()) == sorted(BATCHES)
    settings.build(data_dir=tmp_path)
    assert server.hits == ["/toronto/cifar-10-binary.tar.gz"]


@pytest.mark.parametrize("damage", ["shorter", "altered"])
def test_a_damaged_batch_is_named_and_never_replaced(tmp_path: Path, damage: str) -> None:
    good = BATCHES["data_batch_2.bin"]
    bad = good[:-1] if damage == "shorter" else good[:-1] + b"?"
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in BATCHES.items():
        (folder / name).write_bytes(bad if name == "data_batch_2.bin" else content)
    with pytest.raises(DatasetError, match=r"data_batch_2.bin is damaged: .*; delete it to have it downloaded again"):
        cifar10.load_pools(small_cifar(REFUSED)[0], data_dir=tmp_path, settings=SETTINGS)
    assert (folder / "data_batch_2.bin").read_bytes() == bad


def test_a_label_that_cifar10_has_not_is_refused(tmp_path: Path) -> None:
    batches = {**BATCHES, "test_batch.bin": record(10, red=0, green=0, blue=0)}
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in batches.items():
        (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=r"test_batch.bin has the label 10, where 0 to 9 are expected"):
        cifar10.load_pools(small_cifar(REFUSED, batches=batches)[0], data_dir=tmp_path, settings=SETTINGS)


def test_the_table_of_cifar10() -> None:
    assert CIFAR10.folder == "cifar-10-batches-bin"
    assert [file.size for file in CIFAR10.files] == [30_730_000] * 6
    assert len({file.md5 for file in CIFAR10.files}) == 6
    assert all(file.md5 is not None and len(file.md5) == 32 for file in CIFAR10.files)
    assert len(CIFAR10.class_names) == 10


# --- memory ---


def test_a_set_that_does_not_fit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in BATCHES.items():
        (folder / name).write_bytes(content)
    monkeypatch.setattr(memory, "available_memory", lambda: 20_000)
    with pytest.raises(DatasetError, match=r"dataset=cifar10: its images need .* of memory"):
        cifar10.load_pools(small_cifar(REFUSED)[0], data_dir=tmp_path, settings=SETTINGS)
    content = emnist_zip("digits", labels=[1])
    (tmp_path / "EMNIST/raw").mkdir(parents=True)
    (tmp_path / "EMNIST/raw/gzip.zip").write_bytes(content)
    monkeypatch.setattr(memory, "available_memory", lambda: 10)
    with pytest.raises(DatasetError, match=r"dataset=emnist: its images need .* of memory"):
        load_pools(
            small_emnist("digits", mirror=REFUSED, labels=[1], content=content), data_dir=tmp_path, settings=SETTINGS
        )


def test_the_memory_is_for_every_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 images of 3,073 bytes, three times over while black-and-white images and validation images are made."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in BATCHES.items():
        (folder / name).write_bytes(content)
    small = small_cifar(REFUSED)[0]
    settings = replace(SETTINGS, validation_fraction=0.4, binarization="static")
    monkeypatch.setattr(memory, "USABLE", 1)
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * 4 * 3073)
    cifar10.load_pools(small, data_dir=tmp_path, settings=settings)
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * 4 * 3073 - 1)
    with pytest.raises(DatasetError, match=r"dataset=cifar10: its images need .* of memory"):
        cifar10.load_pools(small, data_dir=tmp_path, settings=settings)
    # The training pool of 3 whole, and 1 of it three times; the test image three times.
    monkeypatch.setattr(memory, "available_memory", lambda: (3 + 3 + 3) * 3073)
    cifar10.load_pools(small, data_dir=tmp_path, settings=replace(settings, limit=1))
