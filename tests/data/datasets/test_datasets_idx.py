from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from autoenc.data.datasets.idx import IdxFile, IdxSet, load_pools

from autoenc.data.datasets import DatasetError, memory, mnist
from autoenc.data.datasets.splits import SplitSettings

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors


def idx(shape: tuple[int, ...], data: bytes, *, kind: int = 8) -> bytes:
    """An IDX file: two zeros, the kind of number (8 is uint8), the number of dimensions, each size, the data."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + data


CONTENTS = {
    "train-images": idx((5, 2, 3), bytes(range(30))),
    "train-labels": idx((5,), bytes([3, 1, 4, 1, 5])),
    "test-images": idx((2, 2, 3), bytes(range(100, 112))),
    "test-labels": idx((2,), bytes([2, 7])),
}
SHAPES: dict[str, tuple[int, ...]] = {
    "train-images": (5, 2, 3),
    "train-labels": (5,),
    "test-images": (2, 2, 3),
    "test-labels": (2,),
}


SETTINGS = SplitSettings(validation_fraction=0, split_seed=0, limit=None, shuffle=True, binarization="none")


def small_set(contents: dict[str, bytes] = CONTENTS, *, mirrors: tuple[str, ...] = ("http://127.0.0.1:1/",)) -> IdxSet:
    def file(name: str) -> IdxFile:
        content = contents[name]
        return IdxFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), shape=SHAPES[name])

    return IdxSet(
        name="small",
        folder="Small/raw",
        mirrors=mirrors,
        train_images=file("train-images"),
        train_labels=file("train-labels"),
        test_images=file("test-images"),
        test_labels=file("test-labels"),
        class_names=tuple("abcdefgh"),
    )


def write(data_dir: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    folder = data_dir / "Small/raw"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_set_is_read_from_its_files(tmp_path: Path) -> None:
    write(tmp_path)
    pools = load_pools(small_set(), data_dir=tmp_path, settings=SETTINGS)
    assert torch.equal(pools.train.images, torch.arange(30, dtype=torch.uint8).reshape(5, 1, 2, 3))
    assert torch.equal(pools.test.images, torch.arange(100, 112, dtype=torch.uint8).reshape(2, 1, 2, 3))
    assert pools.train.labels.tolist() == [3, 1, 4, 1, 5]
    assert pools.test.labels.tolist() == [2, 7]
    assert pools.class_names == tuple("abcdefgh")


def test_missing_files_are_downloaded(tmp_path: Path, server: Mirrors) -> None:
    small = small_set(mirrors=(server.serve("good", CONTENTS),))
    first = load_pools(small, data_dir=tmp_path, settings=SETTINGS)
    assert len(server.hits) == 4
    assert sorted(path.name for path in (tmp_path / "Small/raw").iterdir()) == sorted(CONTENTS)
    again = load_pools(small, data_dir=tmp_path, settings=SETTINGS)
    assert len(server.hits) == 4
    assert torch.equal(first.train.images, again.train.images)


def test_reading_writes_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    folder.chmod(0o555)
    load_pools(small_set(), data_dir=tmp_path, settings=SETTINGS)
    folder.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


@pytest.mark.parametrize("name", list(CONTENTS))
@pytest.mark.parametrize("damage", ["truncated", "longer", "altered"])
def test_a_damaged_file_is_named_and_never_replaced(tmp_path: Path, name: str, damage: str, server: Mirrors) -> None:
    good = CONTENTS[name]
    bad = {"truncated": good[:-1], "longer": good + b"\0", "altered": good[:-1] + bytes([good[-1] ^ 1])}[damage]
    folder = write(tmp_path, {**CONTENTS, name: bad})
    with pytest.raises(DatasetError, match=f"{folder / name} is damaged: .*; delete it to have it downloaded again"):
        load_pools(small_set(mirrors=(server.serve("good", CONTENTS),)), data_dir=tmp_path, settings=SETTINGS)
    assert (folder / name).read_bytes() == bad
    assert server.hits == []
    (folder / name).unlink()  # as the message says
    load_pools(small_set(mirrors=(server.url("good"),)), data_dir=tmp_path, settings=SETTINGS)
    assert (folder / name).read_bytes() == good


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (idx((5, 3, 2), bytes(30)), r"holds uint8 \(5, 3, 2\), where uint8 \(5, 2, 3\) is expected"),
        (idx((4, 2, 3), bytes(24)), r"holds uint8 \(4, 2, 3\), where"),
        (idx((30,), bytes(30)), r"holds uint8 \(30,\), where"),
        (idx((5, 2, 3), bytes(30), kind=9), r"holds int8 \(5, 2, 3\), where"),
        (idx((5, 2, 3), bytes(29)), "is not an IDX file torchvision can parse: "),
        (idx((5, 2, 3), bytes(30), kind=10), "is not an IDX file torchvision can parse: "),
        (b"GIF89a" + bytes(40), "is not an IDX file torchvision can parse"),
        (b"", "is not an IDX file torchvision can parse"),
    ],
    ids=["turned", "fewer", "flat", "signed", "too short", "unknown kind", "a picture", "empty"],
)
def test_a_file_of_another_shape_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    """The table's own mistake: size and SHA-256 fit, what is inside does not."""
    contents = {**CONTENTS, "train-images": content}
    folder = write(tmp_path, contents)
    with pytest.raises(DatasetError, match=f"^dataset=small: {folder / 'train-images'} {problem}") as caught:
        load_pools(small_set(contents), data_dir=tmp_path, settings=SETTINGS)
    assert "\n" not in str(caught.value)


def test_what_an_old_torchvision_left_is_not_read(tmp_path: Path) -> None:
    """The class in torchvision would take `processed/training.pt`, which nobody has checked, for MNIST."""
    folder = write(tmp_path).rename(tmp_path / "raw")
    (tmp_path / "MNIST").mkdir()
    folder.rename(tmp_path / "MNIST/raw")
    (tmp_path / "MNIST/processed").mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(1, 2, 3, dtype=torch.uint8), torch.zeros(1)), tmp_path / "MNIST/processed" / name)
    pools = load_pools(replace(small_set(), folder="MNIST/raw"), data_dir=tmp_path, settings=SETTINGS)
    assert len(pools.train) == 5


def test_build_splits_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(mnist, "MNIST", small_set())
    settings = mnist.Mnist(validation_fraction=0.4, split_seed=0, limit=None, shuffle=True, binarization="none")
    splits = settings.build(data_dir=tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [3, 2, 2]
    assert splits.image_shape == (1, 2, 3)


def test_the_memory_is_for_every_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """7 images of 6 bytes, three times over while black-and-white images and validation images are made."""
    write(tmp_path)
    settings = replace(SETTINGS, validation_fraction=0.4, binarization="dynamic")
    monkeypatch.setattr(memory, "USABLE", 1)
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * 42)
    load_pools(small_set(), data_dir=tmp_path, settings=settings)
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * 42 - 1)
    with pytest.raises(DatasetError, match=r"dataset=small: its images need .* of memory"):
        load_pools(small_set(), data_dir=tmp_path, settings=settings)
    load_pools(small_set(), data_dir=tmp_path, settings=replace(settings, limit=1))
