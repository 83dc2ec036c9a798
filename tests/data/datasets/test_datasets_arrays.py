from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoenc.data.datasets import Split, Splits
from autoenc.settings import ConfigError
from tests.data.datasets.array_cases import COLOUR, GREY, LABELS, arrays, dsprites, medmnist
from tests.data.datasets.test_datasets_stored_arrays import idx
from tests.real_data import real_data, real_splits


def parts(splits: Splits) -> list[Split]:
    return [splits.train, splits.validation, splits.test]


def saved(path: Path, **contents: Any) -> Path:
    np.savez_compressed(path, **contents)
    return path


def assert_divided(splits: Splits, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any] = LABELS) -> None:
    """Every image (N, C, H, W) is in one split, with its label and its position."""
    indices = torch.cat([part.indices for part in parts(splits)])
    assert sorted(indices.tolist()) == list(range(len(images)))
    assert torch.cat([part.images for part in parts(splits)]).equal(torch.from_numpy(images)[indices])
    assert torch.cat([part.labels for part in parts(splits)]).equal(torch.from_numpy(labels)[indices])
    assert all(part.images.is_contiguous() for part in parts(splits))


def assert_published(splits: Splits, images: np.ndarray[Any, Any], sizes: tuple[int, ...] = (24, 8, 8)) -> None:
    """The splits are the images (N, C, H, W) in their order."""
    assert tuple(map(len, parts(splits))) == sizes
    assert torch.cat([part.images for part in parts(splits)]).equal(torch.from_numpy(images))
    assert torch.cat([part.labels for part in parts(splits)]).equal(torch.from_numpy(LABELS))


@pytest.mark.parametrize(
    ("images", "expected"),
    [(GREY, GREY[:, None]), (COLOUR, COLOUR.transpose(0, 3, 1, 2)), (GREY[..., None], GREY[:, None])],
    ids=["grey", "colour", "one channel"],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_medmnist_is_read_as_it_is(tmp_path: Path, save: Any, images: np.ndarray[Any, Any], expected: Any) -> None:
    save(tmp_path / "pathmnist.npz", **medmnist(images))
    splits = arrays(tmp_path / "pathmnist.npz")
    assert_published(splits, expected)
    assert splits.class_names == ("0", "1", "2", "3")
    assert splits.remarks[-1] == (
        "images: train 24 (train_images), validation 8 (val_images), test 8 (test_images); 4 classes: 0, 1, 2, 3"
    )


def test_several_classes_for_an_image_are_not_used(tmp_path: Path) -> None:
    splits = arrays(saved(tmp_path / "chestmnist.npz", **medmnist(GREY, np.zeros((40, 14), np.uint8))))
    assert splits.remarks[0] == (
        "no labels are used: labels are whole numbers (N,) or (N, 1), and train_labels has uint8 (24, 14)"
    )
    assert splits.class_names == ("images",)
    assert splits.train.labels.tolist() == [0] * 24


def test_dsprites_is_read_as_it_is(tmp_path: Path) -> None:
    contents = dsprites()
    splits = arrays(saved(tmp_path / "dsprites.npz", **contents))
    assert_divided(splits, contents["imgs"][:, None] * np.uint8(255), contents["latents_classes"][:, 1])
    assert splits.class_names == ("square", "ellipse", "heart")
    assert list(splits.remarks[:2]) == [
        "imgs (uint8): 0 is black, and 1 is white",
        "arrays that are not used: metadata, latents_values",
    ]


def test_keras_arrays_have_a_test_split_and_no_validation_split(tmp_path: Path) -> None:
    contents = {"x_train": GREY[:30], "y_train": LABELS[:30], "x_test": GREY[30:], "y_test": LABELS[30:]}
    splits = arrays(saved(tmp_path / "mnist.npz", **contents))
    assert list(map(len, parts(splits))) == [24, 6, 10]
    assert splits.test.images.equal(torch.from_numpy(GREY[30:, None]))
    assert "train 24 (x_train), validation 6 (drawn), test 10 (x_test)" in splits.remarks[-1]


def test_a_validation_split_without_a_test_split_is_the_test_split(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", train_x=GREY[:30], val_x=GREY[30:])
    splits = arrays(path, validation_fraction=0)
    assert list(map(len, parts(splits))) == [30, 0, 10]
    assert splits.test.images.equal(torch.from_numpy(GREY[30:, None]))


def test_without_a_validation_fraction_the_validation_split_is_not_used(tmp_path: Path) -> None:
    splits = arrays(saved(tmp_path / "a.npz", **medmnist(GREY)), validation_fraction=0)
    assert list(map(len, parts(splits))) == [24, 0, 8]
    assert splits.remarks[0] == "arrays that are not used: val_images, val_labels"


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_of_a_folder_are_splits(tmp_path: Path, packed: bool) -> None:
    files = {
        "train-images-idx3-ubyte": GREY[:32],
        "train-labels-idx1-ubyte": LABELS[:32].astype(np.uint8),
        "t10k-images.idx3-ubyte": GREY[32:],
        "t10k-labels.idx1-ubyte": LABELS[32:].astype(np.uint8),
    }
    for name, values in files.items():
        if packed:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(values)))
        else:
            (tmp_path / name).write_bytes(idx(values))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(GREY[:32]))  # next to its packed copy
    (tmp_path / "notes.txt").write_text("not an array")
    splits = arrays(tmp_path)
    assert list(map(len, parts(splits))) == [26, 6, 8]
    assert splits.train.images.equal(torch.from_numpy(GREY[:, None])[splits.train.indices])
    assert splits.train.labels.equal(torch.from_numpy(LABELS)[splits.train.indices])
    assert splits.test.images.equal(torch.from_numpy(GREY[32:, None]))
    assert splits.test.labels.tolist() == LABELS[32:].tolist()


def test_the_files_of_mnist_are_the_data_set_mnist() -> None:
    expected = real_splits("mnist")
    splits = arrays(real_data() / "MNIST" / "raw", validation_fraction=0.1)
    assert splits.digests == expected.digests
    assert splits.class_names == expected.class_names
    for part, same in zip(parts(splits), parts(expected), strict=True):
        assert part.labels.equal(same.labels)
        assert part.indices.equal(same.indices)


@pytest.mark.parametrize(
    "contents",
    [
        {"images": GREY, "labels": LABELS},
        {"X": GREY, "y": LABELS[:, None].astype(np.uint8)},
        {"data": GREY, "target": LABELS},
    ],
)
def test_one_array_is_divided(tmp_path: Path, contents: dict[str, Any]) -> None:
    splits = arrays(saved(tmp_path / "a.npz", **contents))
    assert_divided(splits, GREY[:, None])
    assert list(map(len, parts(splits))) == [24, 6, 10]
    assert sorted(splits.test.indices.tolist()) == splits.test.indices.tolist() != list(range(10))
    other = arrays(tmp_path / "a.npz", split_seed=1, validation_fraction=0.1)
    assert other.test.images.equal(splits.test.images)


def test_arrays_of_other_names_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", faces=GREY, people=LABELS)
    assert_divided(arrays(path, images="faces", labels="people"), GREY[:, None])
    with pytest.raises(ConfigError, match=r"the arrays faces, people; dataset\.images=NAME"):
        arrays(path)
    with pytest.raises(ConfigError, match=r"dataset\.images=face: there is no such array in .*; it has faces, people"):
        arrays(path, images="face")
    with pytest.raises(ConfigError, match="labels are whole numbers"):
        arrays(path, images="faces", labels="faces")


def test_one_array_of_several_splits_can_be_divided(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x_train=GREY, y_train=LABELS, x_test=GREY[:9])
    assert_divided(arrays(path, images="x_train", labels="y_train"), GREY[:, None])
    with pytest.raises(ConfigError, match=r"dataset\.labels=y_train: the images are in splits: x_train, x_test"):
        arrays(path, labels="y_train")


def test_limits_draw_from_all_images(tmp_path: Path) -> None:
    """Files are often sorted by class, so that the first images would not do."""
    splits = arrays(saved(tmp_path / "a.npz", **medmnist(GREY)), limit=6, test_limit=3)
    assert list(map(len, parts(splits))) == [6, 6, 3]
    drawn = arrays(saved(tmp_path / "b.npz", images=GREY), limit=10, test_limit=3)
    assert list(map(len, parts(drawn))) == [8, 2, 3]
    whole = arrays(tmp_path / "b.npz")
    assert set(drawn.test.indices.tolist()) < set(whole.test.indices.tolist())
    for part in [*parts(splits), drawn.train]:
        assert part.indices.tolist() != list(range(len(part)))
        assert part.indices.tolist() == sorted(part.indices.tolist())


LEVELS = GREY[:, None].astype(np.float64)


@pytest.mark.parametrize(
    ("values", "value_range"),
    [
        ((LEVELS / 255).astype(np.float32), [0, 1]),
        (LEVELS / 255 * 2 - 1, [-1, 1]),
        (GREY.astype(np.int64), [0, 255]),
        (GREY.astype(np.uint16) * 257, [0, 65_535]),
        (255 - GREY, [255, 0]),
        ((LEVELS + 0.4).astype(">f4"), [0, 255]),
        (np.moveaxis(LEVELS, 1, -1) / 255, [0, 1]),
    ],
    ids=["floats", "symmetric", "integers", "16 bits", "inverted", "between levels", "channels last"],
)
def test_numbers_become_the_nearest_of_256_levels(tmp_path: Path, values: Any, value_range: list[float]) -> None:
    np.save(tmp_path / "a.npy", values)
    assert_divided(arrays(tmp_path / "a.npy", value_range=value_range), GREY[:, None], np.zeros(40, np.int64))


def test_the_log_says_what_black_and_white_are(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", LEVELS / 255)
    remarks = arrays(tmp_path / "a.npy", value_range=[0, 1]).remarks
    assert remarks[0] == "a (float64): 0 is black, and 1 is white; numbers are rounded to 256 levels"


def test_bits_and_zeros_and_ones_are_black_and_white(tmp_path: Path) -> None:
    bits = GREY > 127
    np.save(tmp_path / "bits.npy", bits)
    np.save(tmp_path / "ones.npy", bits.astype(np.uint8))
    np.savez(tmp_path / "splits.npz", x_train=bits.astype(np.uint8), x_test=GREY)  # one kind of images in all splits
    white = (bits * np.uint8(255))[:, None]
    for name in ("bits.npy", "ones.npy"):
        assert_divided(arrays(tmp_path / name), white, np.zeros(40, np.int64))
    assert arrays(tmp_path / "ones.npy", value_range=[0, 255]).train.images.max() == 1
    assert arrays(tmp_path / "splits.npz").train.images.max() == 1


NAN = LEVELS / 255
NAN[7, 0, 2, 2] = np.nan
BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "floats": ({"x": LEVELS / 255}, {}, "dataset.value_range=null: x has float64 numbers from 0 to 1; say which"),
    "smaller floats": ({"x": LEVELS / 300}, {}, 'are black and white, as in "dataset.value_range=[0,1]"'),
    "symmetric floats": ({"x": LEVELS / 255 - 0.5}, {}, "[-0.5,0.5]"),
    "12 bits": ({"x": GREY.astype(np.uint16) * 16}, {}, "uint16 numbers from 0 to 4080; say which numbers"),
    "11 bits": ({"x": GREY.astype(np.int16) * 10}, {}, "[0,4095]"),
    "outside": ({"x": LEVELS}, {"value_range": [0, 100]}, "dataset.value_range=[0,100]: image 0 of x has numbers from"),
    "not a number": ({"x": NAN}, {"value_range": [0, 1]}, "image 7 of x has a number that is not finite"),
    "no range, not a number": ({"x": NAN}, {}, "x has numbers that are not finite"),
    "no width": ({"x": GREY}, {"value_range": [1, 1]}, "two different numbers"),
    "texts": ({"x": GREY.astype("U3")}, {}, "pixels are numbers, and these are <U3"),
    "objects": ({"x": np.full((4, 5, 5), None)}, {}, "pixels are numbers, and these are object"),
    "four channels": ({"x": np.zeros((9, 5, 5, 4), np.uint8)}, {}, "images[..., :3]"),
    "rows of numbers": ({"x": GREY.reshape(40, -1)}, {}, "this is (40, 30); numpy.reshape(images, (-1, height,"),
    "one picture": ({"x": COLOUR[0]}, {}, "and this is (6, 5, 3)"),
    "either": ({"x": np.zeros((9, 3, 5, 3), np.uint8)}, {}, "(9, 3, 5, 3) may be either"),
    "no images": ({"x": GREY[:0]}, {}, "and this is (0, 6, 5)"),
    "too few": ({"x": GREY[:1]}, {}, "dataset.test_fraction=0.25: of 1 images"),
    "two kinds": ({"x": GREY, "images": GREY}, {}, "x, images may both be the images; dataset.images=NAME names one"),
    "no training": ({"x_test": GREY}, {}, "it has x_test, but no images for training"),
    "with and without": ({"x_test": GREY, "x": GREY}, {}, "images with and without a split: x_test, x"),
    "two shapes": ({"x_train": GREY, "x_test": GREY[:, 1:]}, {}, "there are x_train (40, 6, 5) and x_test (40, 5, 5)"),
    "few labels": ({"x": GREY, "y": LABELS[1:]}, {}, "y has 39 labels for the 40 images of the array x"),
    "nothing": ({}, {}, "there are no arrays in it"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_a_set_of_images_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    contents, changes, part = BAD[kind]
    np.savez(tmp_path / "a.npz", **contents)
    with pytest.raises(ConfigError) as raised:
        arrays(tmp_path / "a.npz", **changes)
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_path_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    saved(tmp_path / "a.npz", images=GREY)
    assert_divided(arrays(Path("~/a.npz")), GREY[:, None], np.zeros(40, np.int64))


def test_a_place_without_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it must be a file or folder with arrays"):
        arrays(None)
    with pytest.raises(ConfigError, match="no such file or folder"):
        arrays(tmp_path / "none.npz")
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ConfigError, match="it is a named pipe"):
        arrays(tmp_path / "pipe.npy")
    with pytest.raises(ConfigError, match=r"no \.npy and no IDX files in this folder"):
        arrays(tmp_path)
