from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from autoenc.data.datasets import DATASETS, DatasetError, Splits, memory
from autoenc.data.datasets.image_folder import ImageFolder
from autoenc.settings import ConfigError

NOWHERE = Path("no/such/folder")
FIELDS = {
    "path": "pictures",
    "channels": 3,
    "size": [4, 6],
    "resize": "stretch",
    "test_fraction": 0.25,
    "unreadable": "error",
    "validation_fraction": 0,
    "split_seed": 0,
    "limit": None,
    "shuffle": True,
    "binarization": "none",
}


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def settings(path: Path | str | None, **changes: object) -> ImageFolder:
    values = {**FIELDS, **changes, "path": path if path is None else str(path)}
    parsed = DATASETS.parse({"name": "image_folder", **values})
    assert isinstance(parsed, ImageFolder)
    return parsed


def build(path: Path | str | None, **changes: object) -> Splits:
    return settings(path, **changes).build(data_dir=NOWHERE)


def remarks(path: Path, **changes: object) -> str:
    """The lines about the images for the log of a new run."""
    return "\n".join(build(path, **changes).remarks)


def paint(folder: Path, *names: str) -> dict[str, int]:
    """Grey pictures, each with its own brightness, which is returned. The first is white, the others are dark."""
    brightness = {name: 3 * number or 255 for number, name in enumerate(names)}
    for name, value in brightness.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (12, 8), value).save(folder / name)
    return brightness


def brightness(splits: Splits) -> dict[str, int]:
    """The brightness of each picture that was read."""
    found: dict[str, int] = {}
    for part in (splits.train, splits.validation, splits.test):
        assert part.names is not None
        for image, name in zip(part.images, part.names, strict=True):
            assert image.min() == image.max()
            found[name] = int(image[0, 0, 0])
    return found


def classes(splits: Splits) -> dict[str, str]:
    return {
        name: splits.class_names[label]
        for part in (splits.train, splits.validation, splits.test)
        for name, label in zip(part.names or (), part.labels.tolist(), strict=True)
    }


def loose(count: int) -> list[str]:
    return [f"picture {number:03}.png" for number in range(count)]


# --- folders and classes ---


def test_loose_pictures_are_one_class(tmp_path: Path) -> None:
    painted = paint(tmp_path, *loose(20))
    splits = build(tmp_path)
    assert brightness(splits) == painted
    assert splits.class_names == ("images",)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [15, 0, 5]
    assert splits.image_shape == (3, 4, 6)
    assert set(splits.train.labels.tolist()) == {0}


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    painted = paint(tmp_path, "dogs/a.png", "cats/b.png", "cats/c.png", "Ants/d.png", "dogs/big/e.png", "dogs/f.png")
    (tmp_path / "empty").mkdir()
    splits = build(tmp_path, channels=1)
    assert splits.class_names == ("Ants", "cats", "dogs")
    assert brightness(splits) == painted
    assert classes(splits) == {
        "Ants/d.png": "Ants",
        "cats/b.png": "cats",
        "cats/c.png": "cats",
        "dogs/a.png": "dogs",
        "dogs/big/e.png": "dogs",
        "dogs/f.png": "dogs",
    }
    assert splits.image_shape == (1, 4, 6)


def test_folders_train_and_test_are_the_pools(tmp_path: Path) -> None:
    painted = paint(tmp_path, "train/b/1.png", "train/a/2.png", "train/b/3.png", "test/b/4.png", "test/c/5.png")
    splits = build(tmp_path, test_fraction=0.9)
    assert splits.train.names == ("train/a/2.png", "train/b/1.png", "train/b/3.png")
    assert splits.test.names == ("test/b/4.png", "test/c/5.png")
    assert brightness(splits) == painted
    assert splits.class_names == ("a", "b", "c")
    assert splits.train.labels.tolist() == [0, 1, 1]
    assert splits.test.labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["train", "test"], {"train": "train", "test": "test"}),
        (["Training", "TESTING"], {"train": "Training", "test": "TESTING"}),
        (["train", "val"], {"train": "train", "test": "val"}),
        (["train", "Valid"], {"train": "train", "test": "Valid"}),
        (["training", "validation"], {"train": "training", "test": "validation"}),
        (["train", "valid", "Test"], {"train": "train", "validation": "valid", "test": "Test"}),
    ],
)
def test_folders_of_splits_are_recognised(tmp_path: Path, folders: list[str], splits: dict[str, str]) -> None:
    paint(tmp_path, *(f"{folder}/{name}/{number}.png" for folder in folders for name in "ab" for number in range(2)))
    built = build(tmp_path, validation_fraction=0.5)
    assert built.class_names == ("a", "b")
    for split in ("train", "validation", "test"):
        names, folder = getattr(built, split).names, splits.get(split, splits["train"])
        assert {name.partition("/")[0] for name in names} == {folder}
    assert len(built.train) == (4 if "validation" in splits else 2)


def test_a_folder_for_validation_is_not_read_without_a_validation_split(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paint(tmp_path, "train/1.png", "train/2.png", "val/3.png", "test/4.png")
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    assert set(brightness(build(tmp_path, validation_fraction=0))) == {"train/1.png", "train/2.png", "test/4.png"}
    assert f"{tmp_path / 'val'} is not read, because dataset.validation_fraction is 0" in caplog.text


def test_train_alone_is_divided(tmp_path: Path) -> None:
    paint(tmp_path, *(f"train/{name}/{number}.png" for name in "ab" for number in range(4)))
    built = build(tmp_path)
    assert built.class_names == ("a", "b")
    assert [len(built.train), len(built.test)] == [6, 2]


@pytest.mark.parametrize(
    ("folders", "problem"),
    [
        (
            ["train", "Training", "test"],
            "the folders Training and train both name the train split; rename or merge them",
        ),
        (["train", "val", "valid"], "the folders val and valid both name the validation split; rename or merge them"),
        (
            ["test"],
            "it has test, but no folder train; add one, rename test if it is a class, or set dataset.path=PATH/test",
        ),
        (["val", "cats"], "it has val, but no folder train; add one, rename val if it is a class"),
        (["test", "Val"], "it has Val and test, but no folder train"),
        (["train", "bus"], "it has the folder train next to bus; rename train if it is a class, or set dataset.path="),
    ],
)
def test_ambiguous_folders_of_splits_are_refused(tmp_path: Path, folders: list[str], problem: str) -> None:
    paint(tmp_path, *(f"{folder}/{number}.png" for folder in folders for number in range(4)))
    with pytest.raises(ConfigError) as caught:
        build(tmp_path)
    assert problem.replace("PATH", str(tmp_path)) in str(caught.value)
    assert str(caught.value).startswith(f"dataset.path={tmp_path}: ")
    assert "\n" not in str(caught.value)


def test_pictures_outside_of_the_folders_of_splits_are_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    painted = paint(tmp_path, "train/1.png", "test/2.png", "extra/3.png", "extra/4.png", "5.png")
    (tmp_path / "notes").mkdir()
    assert set(brightness(build(tmp_path))) == {*painted} - {"extra/3.png", "extra/4.png", "5.png"}
    assert f"{tmp_path}: pictures next to the folders of the splits are not read: " in caplog.text
    assert "not read: 1 outside of folders, 2 in extra" in caplog.text


def test_folders_of_splits_inside_of_classes_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paint(
        tmp_path, *(f"{name}/{split}/{number}.png" for name in "ab" for split in ("train", "Test") for number in "12")
    )
    assert build(tmp_path).class_names == ("a", "b")
    assert f"{tmp_path} has Test, train inside of its class folders. Their pictures are divided again" in caplog.text


def test_splits_do_not_share_a_folder(tmp_path: Path) -> None:
    paint(tmp_path, "train/a/1.png", "train/b/2.png")
    (tmp_path / "val").symlink_to("train")
    with pytest.raises(ConfigError, match=f"there are no pictures in {tmp_path / 'val'}; "):
        build(tmp_path)
    (tmp_path / "val").unlink()
    paint(tmp_path, "val/a/3.png")
    (tmp_path / "val/b").symlink_to("../train/b")
    (tmp_path / "train/up").symlink_to("..")  # would read val/a/3.png for training
    splits = build(tmp_path)
    assert splits.train.names == ("train/a/1.png", "train/b/2.png")
    assert splits.test.names == ("val/a/3.png",)


def test_the_classes_and_the_size_of_each_split_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    paint(tmp_path, *(f"train/{name}/{number}.png" for name in ("ants", "bees") for number in range(4)))
    paint(tmp_path, "val/ants/1.png", "val/wasps/1.png")
    assert remarks(tmp_path, validation_fraction=0.25, channels=1).splitlines()[-1] == (
        "images: train 6 (folder train), validation 2 (drawn), test 2 (folder val); 3 classes: ants, bees, wasps"
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path} has no folder test, so val is the test split",
        f"reading 10 pictures from {tmp_path}",
        "classes without an image for training: wasps",
        "classes without an image for the test: bees",
    ]


def test_many_classes_are_abbreviated(tmp_path: Path) -> None:
    paint(tmp_path, *(f"{name:02}/{number}.png" for name in range(14) for number in range(2)))
    expected = "images: train 21, test 7 (drawn); 14 classes: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 4 more"
    assert expected in remarks(tmp_path)


def test_several_names_of_a_folder_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    painted = paint(tmp_path, "cats/1.png", "cats/2.png", "dogs/3.png", "dogs/4.png")
    (tmp_path / "a_link").symlink_to("cats")
    assert set(brightness(build(tmp_path))) == set(painted)
    expected = f"{tmp_path} has several names for the same folders. Not read again: a_link (read as cats)"
    assert expected in caplog.text


def test_pictures_both_with_and_without_a_class_are_refused(tmp_path: Path) -> None:
    paint(tmp_path, "cats/1.png", "dogs/2.png", "3.png")
    with pytest.raises(
        ConfigError, match=r"has 1 pictures outside of its folders of pictures \(cats, dogs\)"
    ) as caught:
        build(tmp_path)
    assert caught.value.key == "dataset.path"


def test_other_files_are_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    painted = paint(tmp_path, *loose(4))
    for name in ("notes.txt", "list.txt", "photo.heic"):
        (tmp_path / name).write_bytes(b"something")
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    splits = build(tmp_path, channels=1)
    assert brightness(splits) == painted
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path} has 3 other files, which are skipped: 2 .txt, 1 .heic",
        f"reading 4 pictures from {tmp_path}",
    ]
    assert splits.remarks[-1] == "images: train 3, test 1 (drawn); no classes"


# --- splits ---


def test_the_test_split_depends_only_on_the_names(tmp_path: Path) -> None:
    painted = paint(tmp_path, *loose(40))
    first = build(tmp_path, validation_fraction=0.2)
    assert [len(part) for part in (first.train, first.validation, first.test)] == [24, 6, 10]
    assert brightness(first) == painted
    assert first.test.names is not None
    assert first.test.names != tuple(loose(10))
    other = build(tmp_path, validation_fraction=0.2, split_seed=5, channels=1)
    assert other.test.names == first.test.names
    assert other.validation.names != first.validation.names
    paint(tmp_path, "another.png")
    assert len(set(build(tmp_path).test.names or ()) & set(first.test.names)) >= 9


def test_a_limit_is_drawn_from_all_classes_and_no_more_is_read(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.png" for folder in "abcd" for number in range(20)]
    painted = paint(tmp_path, *names)
    splits = build(tmp_path, limit=20, test_limit=15)
    assert [len(part) for part in (splits.train, splits.test)] == [20, 15]
    assert len(set(splits.train.labels.tolist())) == 4
    assert brightness(splits).items() <= painted.items()
    assert list(splits.train.names or ()) == sorted(splits.train.names or ())
    fewer = build(tmp_path, limit=10, test_limit=15)
    assert set(fewer.train.names or ()) < set(splits.train.names or ())
    for name in set(names) - set(brightness(splits)):
        (tmp_path / name).write_bytes(b"damaged")
    assert brightness(build(tmp_path, limit=20, test_limit=15)) == brightness(splits)


@pytest.mark.parametrize(("count", "fraction", "shares"), [(1, 0.5, "0 would be"), (3, 0.1, "0 "), (3, 0.9, "3 ")])
def test_a_test_split_that_leaves_nothing_is_refused(tmp_path: Path, count: int, fraction: float, shares: str) -> None:
    paint(tmp_path, *loose(count))
    with pytest.raises(ConfigError, match=f"dataset.test_fraction={fraction}: of {count} pictures, {shares}"):
        build(tmp_path, test_fraction=fraction)


# --- pages ---


def stacks(folder: Path, *, files: int, pages: int) -> None:
    """Files of grey pages; the brightness of a page is 10 times its file's number, plus its own number."""
    for file in range(files):
        images = [Image.new("L", (12, 8), 10 * file + page) for page in range(1, pages + 1)]
        images[0].save(folder / f"{file}.tif", save_all=True, append_images=images[1:])


def test_ignored_pages_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stacks(tmp_path, files=4, pages=3)
    assert brightness(build(tmp_path)) == {f"{file}.tif": 10 * file + 1 for file in range(4)}
    assert (
        "4 files have more than one page; the first page of each is read, and 8 are ignored; "
        "dataset.pages=all reads each page as an image"
    ) in caplog.text


def test_all_pages_of_a_file_are_in_one_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stacks(tmp_path, files=12, pages=3)
    paint(tmp_path, "one.png")
    splits = build(tmp_path, pages="all", validation_fraction=0.4)
    pages = {f"{file}.tif#{page}": 10 * file + page for file in range(12) for page in (1, 2, 3)}
    assert brightness(splits) == {**pages, "one.png": 255}
    assert not warnings_in(caplog)
    first = build(tmp_path, validation_fraction=0.4)
    for split in ("train", "validation", "test"):
        files = {name.partition("#")[0] for name in getattr(splits, split).names}
        assert files == set(getattr(first, split).names)  # the draw is that of the files


def test_a_limit_counts_pages(tmp_path: Path) -> None:
    stacks(tmp_path, files=4, pages=5)
    splits = build(tmp_path, pages="all", limit=4, test_limit=3)
    assert [len(splits.train), len(splits.test)] == [4, 3]
    assert list(splits.train.names or ()) == sorted(splits.train.names or ())


# --- white ---


def sixteen_bits(folder: Path, *values: int, dtype: type = np.uint16) -> None:
    for number, value in enumerate(values):
        Image.fromarray(np.full((8, 12), value, dtype=dtype)).save(folder / f"{number:02}.tif")


@pytest.mark.parametrize(("dtype", "kind"), [(np.uint16, "integers of more than 8 bits"), (np.uint8, "8 bits")])
def test_dark_pictures_are_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, dtype: type, kind: str
) -> None:
    white = np.iinfo(dtype).max
    sixteen_bits(tmp_path, *range(white // 64, white // 16, white // 128), dtype=dtype)
    build(tmp_path)
    (warning,) = warnings_in(caplog)
    brightest = max(range(white // 64, white // 16, white // 128))
    enough = 4095 if dtype is np.uint16 else 15
    assert warning == (
        f"dark images: the brightest pixel of {len(list(tmp_path.iterdir()))} pictures with {kind} is {brightest}, "
        f"{100 * brightest / white:.2g} % of white ({white}); dataset.white={enough} makes them brighter"
    )


def test_one_bright_picture_is_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sixteen_bits(tmp_path, 0, 10, 4095, 40_000)
    build(tmp_path)
    assert not warnings_in(caplog)
    paint(tmp_path, "bright.png")  # of another kind: it does not hide that the others are dark
    sixteen_bits(tmp_path, 0, 10, 4095, 4000)
    build(tmp_path)
    assert "dark images: the brightest pixel of 4 pictures with integers of more than 8 bits is 4095" in caplog.text


def test_black_pictures_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sixteen_bits(tmp_path, 0, 0, 0, 0)
    assert build(tmp_path).train.images.max() == 0
    assert not warnings_in(caplog)
    with pytest.raises(ConfigError, match=r"dataset\.white=max: no picture for training has a pixel above 0"):
        build(tmp_path, white="max")


def test_white_is_a_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sixteen_bits(tmp_path, 0, 1000, 4095, 4095, 5000)
    splits = build(tmp_path, white=4095)
    assert splits.white == 4095
    assert brightness(splits) == {"00.tif": 0, "01.tif": 62, "02.tif": 255, "03.tif": 255, "04.tif": 255}
    assert warnings_in(caplog) == [
        "1 of 5 pictures with integers of more than 8 bits have pixels outside of 0 to 4095 (from 0 to 5000), "
        "which are clipped; dataset.white sets white"
    ]


def test_white_is_the_brightest_pixel_of_the_training_pictures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder, values in {"train": (0, 100), "val": (200,), "test": (150, 400)}.items():
        (tmp_path / folder).mkdir()
        sixteen_bits(tmp_path / folder, *values)
    splits = build(tmp_path, white="max", validation_fraction=0.1)
    assert splits.white == 200
    assert splits.train.images.amax((1, 2, 3)).tolist() == [0, 128]
    assert splits.validation.images.amax((1, 2, 3)).tolist() == [255]
    assert splits.test.images.amax((1, 2, 3)).tolist() == [191, 255]
    assert "1 of 5 pictures with integers of more than 8 bits have pixels outside of 0 to 200" in caplog.text
    assert build(tmp_path, white=200).white == 200
    assert build(tmp_path).white is None


def test_floating_point_pictures_need_white(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("F", (12, 8), number / 4).save(tmp_path / f"{number}.tif")
    with pytest.raises(
        ConfigError, match=r"0\.tif \(its pixels are floating-point numbers, so the value of white has to be"
    ):
        build(tmp_path)
    assert brightness(build(tmp_path, white=1.0)) == {"0.tif": 0, "1.tif": 64, "2.tif": 128, "3.tif": 191}


# --- many pictures ---


def test_many_pictures_come_in_order_from_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.data.datasets.image_folder.THREADS", 8)
    monkeypatch.setattr("autoenc.data.datasets.decoded_pictures._BATCH", 16)
    names = [f"{folder}/{number}.png" for folder in "ab" for number in range(40)]
    painted = paint(tmp_path, *names)
    splits = build(tmp_path)
    assert brightness(splits) == painted
    assert list(splits.train.names or ()) == sorted(splits.train.names or ())


def test_a_terminal_shows_a_bar_and_a_file_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(tmp_path, *loose(4))
    build(tmp_path)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    build(tmp_path)
    assert "reading pictures" in capsys.readouterr().err


# --- pictures that cannot be read ---


def damage(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:40])


def test_unreadable_pictures_are_one_error_that_lists_ten(tmp_path: Path) -> None:
    paint(tmp_path, *(f"train/{name}" for name in loose(20)), *(f"test/{name}" for name in loose(5)))
    damage(tmp_path, "test/picture 002.png", *(f"train/{name}" for name in loose(12)))
    with pytest.raises(ConfigError) as caught:
        build(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"dataset.path={tmp_path}: 13 of 25 pictures cannot be read: train/picture 000.png (")
    assert message.count(".png (") == 10
    assert message.endswith(" and 3 more; repair or remove them, or set dataset.unreadable=skip")
    assert "\n" not in message


def test_unreadable_pictures_are_skipped_on_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    painted = paint(tmp_path, *(f"{folder}/{name}" for folder in "ab" for name in loose(20)))
    bad = [f"a/{name}" for name in loose(14)[1:]]
    damage(tmp_path, *bad)
    splits = build(tmp_path, unreadable="skip")
    assert brightness(splits) == {name: value for name, value in painted.items() if name not in bad}
    assert all(class_name == name[0] for name, class_name in classes(splits).items())
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().startswith("skipping 13 of 40 pictures, which cannot be read: ")
    assert all(f"{name} (" in warning.getMessage() for name in bad)


def test_a_picture_with_damaged_exif_data_is_read(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    paint(tmp_path, *loose(2))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0"
    Image.new("L", (12, 8), 99).save(tmp_path / "picture 002.jpg", exif=exif)
    assert brightness(build(tmp_path, test_fraction=0.4))["picture 002.jpg"] == 99
    assert not recwarn.list


def test_a_named_pipe_is_listed_and_not_waited_for(tmp_path: Path, make_pipe: Callable[[Path], Path]) -> None:
    painted = paint(tmp_path, *(f"{folder}/{name}" for folder in "ab" for name in loose(4)))
    make_pipe(tmp_path / "a/pipe.png")
    with pytest.raises(ConfigError, match=r"1 of 9 pictures cannot be read: a/pipe.png \(it is a named pipe, not a f"):
        build(tmp_path)
    for cache in (False, True):
        splits = settings(tmp_path, unreadable="skip", cache=cache, pages="all").build(data_dir=tmp_path / "data")
        assert brightness(splits) == painted


def test_named_pipes_in_place_of_folders_are_not_waited_for(
    tmp_path: Path, make_pipe: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    painted = paint(tmp_path, *(f"{folder}/{name}" for folder in "ab" for name in loose(4)))
    pipe = make_pipe(tmp_path / "c")
    assert brightness(build(tmp_path)) == painted
    assert "has 1 other files, which are skipped: 1 without a suffix" in caplog.text
    with pytest.raises(ConfigError, match=f"^dataset.path={pipe}: it is a named pipe$"):
        build(pipe)


def test_too_large_pictures_are_named_and_admitted_by_a_setting(tmp_path: Path) -> None:
    painted = paint(tmp_path, *loose(4))
    with pytest.raises(ConfigError, match=r"4 of 4 pictures .*it has more pixels than max_pixels=95 admits"):
        build(tmp_path, max_pixels=95)
    assert brightness(build(tmp_path, max_pixels=96)) == painted
    assert build(tmp_path, max_pixels=96, white="max", pages="all").white == 9


def test_a_pool_with_only_unreadable_pictures_is_an_error(tmp_path: Path) -> None:
    paint(tmp_path, "train/1.png", "test/2.png")
    damage(tmp_path, "test/2.png")
    with pytest.raises(ConfigError, match="no picture for the test can be read"):
        build(tmp_path, unreadable="skip")


# --- memory ---


def test_pictures_that_do_not_fit_into_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(tmp_path, *loose(20))
    damage(tmp_path, *loose(20))  # reading them would be another error
    monkeypatch.setattr(memory, "available_memory", lambda: 1_000_000_000)
    with pytest.raises(DatasetError) as caught:
        build(tmp_path, size=[4000, 3000], validation_fraction=0.1)
    assert str(caught.value) == (
        "dataset=image_folder: its images need 1.4 GB of memory, and 900.0 MB are available; "
        "dataset.cache=true keeps them on the disk, or set dataset.limit, a smaller dataset.size or dataset.channels=1"
    )
    monkeypatch.setattr(memory, "available_memory", lambda: 500_000)  # 20 pictures of 100x100 in colour need 600,000
    for change in ({"channels": 1}, {"size": [50, 100]}, {"limit": 3}):
        with pytest.raises(ConfigError, match="pictures cannot be read"):
            build(tmp_path, **{"size": [100, 100], **change})


# --- wrong settings ---


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (None, "dataset.path=null: it must be a folder with pictures, as in dataset.path=pictures"),
        ("none", "dataset.path=none: there is no such folder in /"),
        ("/none", "dataset.path=/none: there is no such folder"),
        ("a.png", "dataset.path=a.png: it is a file"),
        ("~nobody_at_all/pictures", "dataset.path=~nobody_at_all/pictures: Could not determine home"),
        ("two\nlines", "there is no such folder in "),
    ],
)
def test_a_path_that_is_not_a_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, problem: str
) -> None:
    paint(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        build(path)
    assert problem in str(caught.value)
    assert caught.value.key == "dataset.path"
    assert "\n" not in str(caught.value)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    paint(tmp_path, "train/1.png", "test/.hidden.png")
    with pytest.raises(ConfigError, match=rf"no pictures in {tmp_path / 'test'}; their names end in \.apng, .*\.webp$"):
        build(tmp_path)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with one that may not be read; root may, so it becomes another user meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paint(folder, "a/1.png", "b/2.png")
        folder.chmod(0o755)
        (folder / "b").chmod(0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            (folder / "b").chmod(0o755)


def test_a_folder_that_may_not_be_read_is_one_line(locked: Path) -> None:
    with pytest.raises(ConfigError, match=f"dataset.path={locked}: {locked / 'b'} cannot be read: Permission denied"):
        build(locked)


def test_a_relative_path_and_a_home_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = paint(tmp_path / "mine", *loose(4))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert brightness(build("mine")) == painted
    assert brightness(build("~/mine")) == painted


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"channels": 2}, r"dataset.channels=2: it must be 1 \(grey\) or 3 \(colour\)"),
        ({"size": 64}, "dataset.size=64: it must be a list of 2, each item a whole number of at least 1"),
        ({"test_fraction": 1}, "dataset.test_fraction=1: it must be a number above 0 and below 1"),
        ({"white": 0}, "dataset.white=0: it must be a number above 0 or max or null"),
        ({"white": "min"}, "dataset.white=min: it must be a number above 0 or max or null"),
        ({"max_pixels": 0}, "dataset.max_pixels=0: it must be a whole number of at least 1"),
        ({"cache": 1}, "dataset.cache=1: it must be true or false"),
        ({"pages": 2}, "dataset.pages=2: it must be one of first, all"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        settings("pictures", **changes)


def test_pictures_are_read_as_the_settings_say(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 8), (255, 0, 0))
    image.paste((0, 255, 0), (4, 0, 12, 8))
    for number in range(4):
        image.save(tmp_path / f"{number}.png")
    cropped = build(tmp_path, resize="crop", size=[8, 8]).train.images
    padded = build(tmp_path, resize="pad", size=[16, 16]).train.images
    assert torch.equal(cropped[0, :, 0, 0], torch.tensor([0, 255, 0], dtype=torch.uint8))
    assert padded[0, :, 3].max() == 0
    assert padded[0, 0, 8, 0] == 255


def test_names_that_are_not_utf8_are_escaped(tmp_path: Path) -> None:
    """Such names come from old archives. Every file of a run could not record them."""
    for name in ("caf\udce9", "the"):
        for split, count in (("train", 3), ("test", 2)):
            paint(tmp_path / split / name, *(f"{number}\udcff.png" for number in range(count)))
    splits = build(tmp_path)
    assert splits.class_names == ("caf\\xe9", "the")
    assert splits.train.names is not None
    assert splits.train.names[0] == "train/caf\\xe9/0\\xff.png"
    assert splits.test.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("resize", "line"),
    [
        # 40x32 to a square: 32/40 of the width is left; 16x64: a quarter of the height.
        (
            "crop",
            "crop cuts off a part of 4 of 6 pictures (34 % of the area on average, 75 % at most); dataset.resize=pad",
        ),
        (
            "pad",
            "pad adds black bars to 4 of 6 pictures (34 % of the area on average, 75 % at most); dataset.resize=crop",
        ),
        ("stretch", "stretch changes the proportions of 4 of 6 pictures (by a factor of 4 at most)"),
    ],
)
def test_a_remark_says_once_how_pictures_change(tmp_path: Path, resize: str, line: str) -> None:
    for number, size in enumerate([(40, 32), (40, 32), (40, 32), (16, 64), (64, 64), (301, 300)]):
        Image.new("RGB", size, (9, 200, 9)).save(tmp_path / f"{number}.png")
    assert remarks(tmp_path, resize=resize, size=[32, 32]).count(f"dataset.resize={line}") == 1


@pytest.mark.parametrize(
    ("picture", "changes", "hint"),
    [
        (
            ("L", (28, 28)),
            {},
            'all 4 pictures are grey and 28x28 pixels; dataset.channels=1 "dataset.size=[28,28]" keeps them so',
        ),
        (("L", (40, 28)), {"channels": 1}, 'all 4 pictures are 40x28 pixels; "dataset.size=[28,40]" keeps them so'),
        (("RGB", (80, 80)), {}, "all 4 pictures are grey; dataset.channels=1 keeps them so"),
        (("L", (80, 28)), {"channels": 1}, None),
        (("L", (64, 64)), {"channels": 1}, None),
    ],
)
def test_a_hint_names_the_settings_that_keep_pictures_as_they_are(
    tmp_path: Path, picture: tuple[str, tuple[int, int]], changes: dict[str, object], hint: str | None
) -> None:
    for number in range(4):
        Image.new("L", picture[1], 50 * number + 90).convert(picture[0]).save(tmp_path / f"{number}.png")
    lines = build(tmp_path, size=[64, 64], resize="stretch", **changes).remarks
    found = [line for line in lines if "keeps them so" in line]
    assert found == ([] if hint is None else [hint])


def test_one_picture_with_colour_needs_three_channels(tmp_path: Path) -> None:
    paint(tmp_path, *loose(5))
    Image.new("RGB", (12, 8), (200, 200, 201)).save(tmp_path / "picture 002.png")
    assert "grey" not in remarks(tmp_path)
