"""Decoded pictures that are kept for the next start."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from autoenc.data.datasets import DATASETS, Splits, image_folder, mapped_files, memory
from autoenc.data.datasets.decoded_pictures import decode
from autoenc.settings import ConfigError
from tests.data.datasets.conftest import not_writable

FIELDS = {
    "channels": 3,
    "size": [4, 6],
    "resize": "stretch",
    "test_fraction": 0.25,
    "unreadable": "error",
    "validation_fraction": 0.2,
    "split_seed": 0,
    "limit": None,
    "shuffle": True,
    "binarization": "none",
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty grey pictures of 16 bits, which are dark, in two classes; some of the files have pages."""
    folder = tmp_path / "pictures"
    generator = np.random.default_rng(0)
    for number in range(20):
        pages = [Image.fromarray(page) for page in generator.integers(0, 4000, (3, 8, 12), dtype=np.uint16)]
        path = folder / "ab"[number % 2] / f"{number:02}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        pages[0].save(path, save_all=True, append_images=pages[1:] if number < 3 else [])
    return folder


def build(folder: Path, data_dir: Path, *, cache: bool = True, **changes: Any) -> Splits:
    values = {"name": "image_folder", "path": str(folder), **FIELDS, "cache": cache, **changes}
    return DATASETS.parse(values).build(data_dir=data_dir)


def facts(splits: Splits) -> dict[str, Any]:
    """Everything about the splits."""
    parts = {name: getattr(splits, name) for name in ("train", "validation", "test")}
    return {
        **{name: (part.images.tolist(), part.labels.tolist(), part.names) for name, part in parts.items()},
        **{key: getattr(splits, key) for key in ("class_names", "digests", "duplicates", "white", "remarks")},
    }


def caches(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "image_folder").iterdir()) if (data_dir / "image_folder").exists() else []


@pytest.fixture
def undecodable(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to forbid decoding."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("pictures are decoded")

    return lambda: monkeypatch.setattr(image_folder, "decode", refuse)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"white": "max"},
        {"white": 1000, "channels": 1},
        {"pages": "all"},
        {"limit": 5, "test_limit": 2},
        {"unreadable": "skip", "pages": "all"},
        {"binarization": "static"},
    ],
    ids=str,
)
def test_splits_and_log_are_the_same_with_and_without_a_cache(
    pictures: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    undecodable: Callable[[], None],
    changes: dict[str, Any],
) -> None:
    if changes.get("unreadable") == "skip":
        for name in ("a/00.tif", "b/19.tif"):
            (pictures / name).write_bytes((pictures / name).read_bytes()[:100])
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")

    def built(**options: Any) -> tuple[dict[str, Any], list[str]]:
        caplog.clear()
        return facts(build(pictures, tmp_path / "data", **options, **changes)), list(caplog.messages)

    expected, lines = built(cache=False)
    assert not caches(tmp_path / "data")
    first, first_lines = built()
    (place,) = caches(tmp_path / "data")
    undecodable()
    second, second_lines = built()

    assert first == second == expected
    assert len(lines) > 1  # warnings too
    assert [line for line in first_lines if line not in lines] == [
        f"the decoded pictures are kept in {place} for the next start"
    ]
    assert [line for line in second_lines if line not in lines] == [
        f"{place} has the decoded pictures of an earlier start"
    ]
    assert [line for line in first_lines if line in lines] == [line for line in second_lines if line in lines] == lines


def test_a_moved_folder_has_the_same_cache(pictures: Path, tmp_path: Path, undecodable: Callable[[], None]) -> None:
    expected = build(pictures, tmp_path / "data")
    undecodable()
    assert facts(build(pictures.rename(tmp_path / "moved"), tmp_path / "data")) == facts(expected)


def edited(pictures: Path) -> None:
    """Another file of the same name, size and date."""
    path = pictures / "a/10.tif"
    date = path.stat().st_mtime
    content = bytearray(path.read_bytes())
    Image.fromarray(np.full((8, 12), 4000, dtype=np.uint16)).save(path)
    assert len(path.read_bytes()) == len(content)
    os.utime(path, (date, date))


def renamed(pictures: Path) -> None:
    (pictures / "a/10.tif").rename(pictures / "b/10.tif")


def added(pictures: Path) -> None:
    Image.new("L", (9, 9), 7).save(pictures / "a/new.png")


@pytest.mark.parametrize("change", [edited, renamed, added])
def test_changed_pictures_are_decoded(pictures: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    build(pictures, tmp_path / "data")
    change(pictures)
    assert facts(build(pictures, tmp_path / "data")) == facts(build(pictures, tmp_path, cache=False))
    assert len(caches(tmp_path / "data")) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 1},
        {"size": [6, 4]},
        {"resize": "crop"},
        {"white": 4095},
        {"white": "max"},
        {"pages": "all"},
        {"limit": 7},
        {"test_fraction": 0.5},
        {"unreadable": "skip"},
        {"max_pixels": 1000},
    ],
    ids=str,
)
def test_other_settings_have_another_cache(pictures: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    build(pictures, tmp_path / "data")
    assert facts(build(pictures, tmp_path / "data", **change)) == facts(
        build(pictures, tmp_path, cache=False, **change)
    )
    assert len(caches(tmp_path / "data")) == 2


def test_settings_that_only_divide_the_images_have_the_same_cache(
    pictures: Path, tmp_path: Path, undecodable: Callable[[], None]
) -> None:
    build(pictures, tmp_path)
    undecodable()
    build(pictures, tmp_path, validation_fraction=0.4, split_seed=3, shuffle=False, binarization="dynamic")


def test_another_version_of_pillow_decodes_again(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(pictures, tmp_path)
    monkeypatch.setattr("PIL.__version__", "0.0")
    build(pictures, tmp_path)
    assert len(caches(tmp_path)) == 2


# --- incomplete and damaged caches ---


def flip(path: Path, *, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: flip(place / "train.npy", position=-1),
        lambda place: flip(place / "facts.json", position=10),
        lambda place: flip(place / "SHA256SUMS", position=0),
        lambda place: os.truncate(place / "test.npy", 10),
        lambda place: (place / "SHA256SUMS").write_bytes(b""),
        lambda place: (place / "facts.json").unlink(),
        lambda place: (place / "train.npy").unlink(),
    ],
)
def test_a_damaged_cache_is_replaced_with_a_warning(
    pictures: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    undecodable: Callable[[], None],
    damage: Callable[[Path], None],
) -> None:
    expected = facts(build(pictures, tmp_path))
    (place,) = caches(tmp_path)
    damage(place)
    caplog.clear()
    assert facts(build(pictures, tmp_path)) == expected
    warning = f"{place} is damaged, so the pictures are decoded again"
    assert [message for message in caplog.messages if " is damaged" in message] == [warning]
    undecodable()
    assert facts(build(pictures, tmp_path)) == expected


def test_the_rest_of_a_killed_process_is_replaced(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = facts(build(pictures, tmp_path))
    (place,) = caches(tmp_path)
    complete = sorted(path.name for path in place.iterdir())
    (place / "SHA256SUMS").unlink()
    (place / ".train.npy.1.new").write_bytes(b"half of it")
    os.truncate(place / "train.npy", 200)
    caplog.clear()
    assert facts(build(pictures, tmp_path)) == expected
    assert sorted(path.name for path in place.iterdir()) == complete
    assert "damaged" not in caplog.text


def test_pictures_that_cannot_be_read_leave_no_cache(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a/00.tif").write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=r"1 of 20 pictures cannot be read: a/00.tif \(no picture of a known format"):
        build(pictures, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", fail)
    with pytest.raises(ConfigError) as caught:
        build(pictures, tmp_path / "data")
    start = f"dataset.cache=true: {tmp_path / 'data' / 'image_folder'}/"
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith(" cannot be written: No space left on device; data_dir says where it is")
    assert not (tmp_path / "data").exists()


def test_a_file_where_the_cache_belongs_is_one_line(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "image_folder").write_text("a file")
    with pytest.raises(ConfigError, match=rf"^dataset.cache=true: {tmp_path}/image_folder/\w+ cannot be written: "):
        build(pictures, tmp_path)


def test_a_cache_is_read_where_nothing_may_be_written(pictures: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        data_dir = Path(name)
        mine = data_dir / "mine"
        pictures.rename(mine)
        with not_writable(data_dir), pytest.raises(ConfigError, match=r"cannot be written: Permission denied; data_"):
            build(mine, data_dir)
        expected = build(mine, data_dir)
        with not_writable(data_dir):
            assert facts(build(mine, data_dir)) == facts(expected)


def test_of_several_starts_at_once_one_decodes(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    built: list[dict[str, Any]] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return decode(*arguments, **options)

    monkeypatch.setattr(image_folder, "decode", counted)
    starts = [threading.Thread(target=lambda: built.append(facts(build(pictures, tmp_path)))) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(calls) == 1
    assert len(built) == 4
    assert all(one == built[0] for one in built)


# --- memory ---


def test_pictures_larger_than_memory_are_read_with_a_cache(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = build(pictures, tmp_path / "data", cache=False)
    monkeypatch.setattr(memory, "available_memory", lambda: 100)
    with pytest.raises(ConfigError, match=r"dataset\.cache=true keeps them on the disk"):
        build(pictures, tmp_path / "data", cache=False)
    splits = build(pictures, tmp_path / "data")
    assert splits.digests == expected.digests
    assert torch.equal(splits.test.images, expected.test.images)


@pytest.mark.parametrize("changes", [{}, {"binarization": "dynamic"}, {"limit": 5}], ids=str)
def test_copies_that_do_not_fit_into_memory_are_in_temporary_files(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    expected = build(pictures, tmp_path / "data", cache=False, **changes)
    monkeypatch.setattr(memory, "available_memory", lambda: 100)
    folders: list[Path] = []
    copy = mapped_files.temporary_images

    def recorded(shape: tuple[int, ...], *, folder: Path) -> torch.Tensor:
        folders.append(folder)
        return copy(shape, folder=folder)

    monkeypatch.setattr(mapped_files, "temporary_images", recorded)
    assert facts(build(pictures, tmp_path / "data", **changes)) == facts(expected)
    assert set(folders) == {tmp_path / "data" / "image_folder"}
    assert len(caches(tmp_path / "data")) == 1


def test_a_full_disk_while_images_are_copied_is_one_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(pictures, tmp_path)
    monkeypatch.setattr(memory, "available_memory", lambda: 100)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", fail)
    with pytest.raises(ConfigError, match=rf"^dataset.cache=true: {tmp_path}/image_folder cannot be written: No space"):
        build(pictures, tmp_path)
