"""Where the images of arrays are kept: in their own file, in memory, or in files below `data_dir`."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoenc.data.datasets import array_images, memory
from autoenc.data.datasets import arrays as arrays_module
from autoenc.data.datasets.splits import SPLITS, Splits
from autoenc.devices import plain_device
from autoenc.evaluation.batches import as_floats
from autoenc.settings import ConfigError
from tests.data.datasets.array_cases import COLOUR, GREY, arrays, dsprites, medmnist
from tests.data.datasets.test_datasets_stored_arrays import idx


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 500)


def assert_same(splits: Splits, expected: Splits) -> None:
    assert splits.digests == expected.digests
    for name in SPLITS:
        part, same = getattr(splits, name), getattr(expected, name)
        assert part.images.equal(same.images)
        assert part.labels.equal(same.labels)
        assert part.indices.equal(same.indices)


def first_byte(path: Path, *, near: np.ndarray[Any, Any]) -> int:
    return path.read_bytes().index(near.tobytes())


@pytest.mark.parametrize("kind", ["npz", "idx"])
def test_the_bytes_of_a_file_are_used_where_they_are(tmp_path: Path, kind: str) -> None:
    """What is written into the file later is in the images."""
    if kind == "npz":
        np.savez(tmp_path / "a.npz", **medmnist(GREY))
        path = file = tmp_path / "a.npz"
    else:
        for name, values in (("train", GREY[:32]), ("t10k", GREY[32:])):
            (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(values))
        path, file = tmp_path, tmp_path / "t10k-images-idx3-ubyte"
    images = arrays(path).test.images
    place = first_byte(file, near=GREY[32])
    with file.open("r+b") as content:
        content.seek(place)
        content.write(bytes([GREY[32, 0, 0] ^ 255]))
    assert images[0, 0, 0, 0] == GREY[32, 0, 0] ^ 255
    assert images[1].equal(torch.from_numpy(GREY[33, None]))


def test_mapped_files_are_no_memory_of_the_process(tmp_path: Path) -> None:
    """A set of 64 MB is read by a process that may not allocate 32 MB more, even where images have to be drawn."""
    images = np.lib.format.open_memmap(tmp_path / "x_train.npy", mode="w+", dtype=np.uint8, shape=(16_000, 64, 64))
    images[:, 0, 0] = 255
    np.save(tmp_path / "x_test.npy", images[:10])
    code = f"""
import resource, re, sys
from pathlib import Path
from autoenc.data.datasets import memory
from tests.data.datasets.array_cases import arrays
memory.available_memory = lambda: 1000
used = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + 32_000_000, resource.RLIM_INFINITY))
for fraction in (0.0, 0.25):
    splits = arrays(Path({str(tmp_path)!r}), data_dir=Path({str(tmp_path)!r}) / "data", validation_fraction=fraction)
    print(len(splits.train), int(splits.train.images[:, 0, 0, 0].sum()) // 255)
    del splits
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["16000 16000", "12000 12000", ""], done.stderr
    assert not list((tmp_path / "data" / "arrays").iterdir())  # temporary files are gone


@pytest.mark.usefixtures("little_memory")
def test_binarized_images_are_in_files_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **medmnist(GREY))
    splits = arrays(tmp_path / "a.npz", data_dir=tmp_path / "data", binarization="static")
    assert set(splits.train.images.unique().tolist()) == {0, 255}
    assert Path("/proc/self/maps").read_text().count(f"{tmp_path}/data/arrays/") == len(SPLITS)


CONVERTED: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "packed": (np.savez_compressed, medmnist(GREY), {}),
    "channels last": (np.savez, medmnist(COLOUR), {}),
    "floats": (np.savez, medmnist(GREY / 255), {"value_range": [0, 1]}),
    "one array": (np.savez, {"images": GREY}, {}),
    "dSprites": (np.savez_compressed, dsprites(), {}),
    "with limits": (np.savez_compressed, {"images": GREY}, {"limit": 20, "test_limit": 5}),
    "static": (np.savez, {"images": GREY}, {"binarization": "static"}),
    "dynamic": (np.savez_compressed, medmnist(GREY), {"binarization": "dynamic"}),
}


@pytest.mark.parametrize("kind", CONVERTED)
def test_without_enough_memory_the_images_are_the_same(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, contents, changes = CONVERTED[kind]
    save(tmp_path / "a.npz", **contents)
    expected = arrays(tmp_path / "a.npz", data_dir=tmp_path / "data", **changes)
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(memory, "available_memory", lambda: 500)
    assert_same(arrays(tmp_path / "a.npz", data_dir=tmp_path / "data", **changes), expected)
    assert (tmp_path / "data" / "arrays").is_dir()


@pytest.mark.usefixtures("little_memory")
def test_converted_images_are_kept_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    np.savez_compressed(tmp_path / "a.npz", images=GREY)
    data = tmp_path / "data"
    first = arrays(tmp_path / "a.npz", data_dir=data)
    (kept,) = (data / "arrays").iterdir()
    np.testing.assert_array_equal(np.load(kept), GREY[:, None])
    assert (
        "copies of the images need 0.0 MB of memory, and 0.0 MB are available: they are kept in files in" in caplog.text
    )
    assert f"writing {kept} (0.0 MB): the images of images; it may be deleted" in caplog.text
    monkeypatch.setattr(array_images.ImageArray, "_fill", None)  # nothing is converted again
    assert_same(arrays(tmp_path / "a.npz", data_dir=data, split_seed=0), first)
    assert f"using {kept}" in caplog.text


@pytest.mark.usefixtures("little_memory")
def test_kept_images_are_those_of_the_file_and_the_settings(tmp_path: Path) -> None:
    data, path = tmp_path / "data", tmp_path / "a.npz"
    for images, changes in ((GREY, {}), (255 - GREY, {}), (GREY, {"value_range": [0, 510]}), (GREY, {})):
        np.savez_compressed(path, images=images)
        splits = arrays(path, data_dir=data, **changes)
        expected = images if not changes else np.rint(images / 2)
        assert splits.train.images.equal(torch.from_numpy(expected.astype(np.uint8))[splits.train.indices][:, None])
    assert len(list((data / "arrays").iterdir())) == 3


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("contents", [{"images": GREY}, {"images": GREY / 255}])
def test_a_full_disk_is_reported_in_one_line(
    tmp_path: Path, contents: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    np.savez(tmp_path / "a.npz", **contents)
    monkeypatch.setattr(os, "posix_fallocate", full)
    data = tmp_path / "data"
    with pytest.raises(ConfigError) as raised:
        arrays(tmp_path / "a.npz", data_dir=data, value_range=[0, float(contents["images"].max().round())])
    assert str(raised.value) == (
        f"data_dir={data}: images that do not fit into memory are kept in files in it, "
        "and these cannot be written: No space left on device"
    )
    assert not list(data.glob("arrays/*"))


@pytest.mark.usefixtures("little_memory")
def test_a_damaged_file_leaves_no_images_behind(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.random.default_rng(0).integers(0, 256, (500, 8, 8), np.uint8))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[20_000] ^= 255
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"dataset\.path=.*it cannot be read: "):
        arrays(tmp_path / "a.npz", data_dir=tmp_path / "data", value_range=[0, 255])
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("little_memory")
def test_images_that_another_process_writes_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=GREY)
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    first = arrays(tmp_path / "a.npz", data_dir=data)
    (kept,) = (data / "arrays").iterdir()
    kept.rename(elsewhere)

    @contextmanager
    def after_the_other(folder: Path, **_: str) -> Iterator[None]:
        elsewhere.rename(folder / kept.name)
        yield

    monkeypatch.setattr(array_images, "locked_folder", after_the_other)
    monkeypatch.setattr(array_images.ImageArray, "_fill", None)
    assert_same(arrays(tmp_path / "a.npz", data_dir=data), first)


@pytest.mark.usefixtures("little_memory")
def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=GREY)
    arrays(tmp_path / "a.npz", data_dir=tmp_path)
    (kept,) = (tmp_path / "arrays").iterdir()
    os.truncate(kept, 200)
    with pytest.raises(ConfigError, match=rf"data_dir={kept}: it cannot be read: "):
        arrays(tmp_path / "a.npz", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("changes", "images"),
    [({"limit": 20}, 30), ({"limit": 20, "test_limit": 5}, 25), ({"limit": 20, "binarization": "static"}, 60)],
)
def test_only_images_that_are_used_need_memory(
    tmp_path: Path, changes: dict[str, Any], images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others stay in their file. 10 of 40 images are for the test."""
    np.savez(tmp_path / "a.npz", images=GREY)
    for usable, in_files in ((images * 30, False), (images * 30 - 1, True)):
        monkeypatch.setattr(arrays_module, "usable_memory", lambda usable=usable: usable)
        arrays(tmp_path / "a.npz", data_dir=tmp_path / "data", **changes)
        assert (tmp_path / "data").exists() == in_files


def test_a_file_that_claims_many_images_takes_no_memory(tmp_path: Path) -> None:
    """Its numbers are missed before anything is made for each image."""
    header = str({"descr": "|u1", "fortran_order": False, "shape": (2**42, 8, 8)}).encode()
    start = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(start + bytes(range(256))))
    with pytest.raises(ConfigError):
        arrays(tmp_path / "a.npy.gz", data_dir=tmp_path / "data", value_range=[0, 255])


def test_images_that_do_not_fit_onto_a_device_stay_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    np.savez(tmp_path / "a.npz", images=GREY)
    splits = arrays(tmp_path / "a.npz")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    assert splits.to(torch.device("cuda")) is splits
    assert "the images (0.0 MB) do not fit onto cuda: each batch is moved there" in caplog.text


def test_a_batch_is_moved_to_the_device() -> None:
    device = plain_device("cpu")
    object.__setattr__(device, "torch_device", torch.device("meta"))
    assert as_floats(torch.zeros((2, 1, 3, 3), dtype=torch.uint8), device=device).device.type == "meta"
