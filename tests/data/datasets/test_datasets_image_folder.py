from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


def settings(path: Path | str | None, **changes: object) -> ImageFolder:
    values = {**FIELDS, **changes, "path": path if path is None else str(path)}
    parsed = DATASETS.parse({"name": "image_folder", **values})
    assert isinstance(parsed, ImageFolder)
    return parsed


def build(path: Path | str | None, **changes: object) -> Splits:
    return settings(path, **changes).build(data_dir=NOWHERE)


def paint(folder: Path, *names: str) -> dict[str, int]:
    """Grey pictures, each with its own brightness, which is returned."""
    brightness = {name: 3 * number for number, name in enumerate(names)}
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


def test_other_folders_next_to_train_and_test_are_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paint(tmp_path, "train/1.png", "train/2.png", "val/3.png")
    assert build(tmp_path).class_names == ("train", "val")  # without a folder test these are classes
    paint(tmp_path, "test/4.png")
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    assert set(brightness(build(tmp_path))) == {"train/1.png", "train/2.png", "test/4.png"}
    assert "its other folders are not read: val" in caplog.text


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
    assert brightness(build(tmp_path)) == painted
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path} has 3 other files, which are skipped: 2 .txt, 1 .heic",
        f"reading 4 pictures from {tmp_path} (classes: 0)",
    ]


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
    splits = build(tmp_path, limit=20)
    assert [len(part) for part in (splits.train, splits.test)] == [20, 20]
    assert len(set(splits.train.labels.tolist())) == 4
    assert brightness(splits).items() <= painted.items()
    assert list(splits.train.names or ()) == sorted(splits.train.names or ())
    fewer = build(tmp_path, limit=10)
    assert set(fewer.train.names or ()) < set(splits.train.names or ())
    for name in set(names) - set(brightness(splits)):
        (tmp_path / name).write_bytes(b"damaged")
    assert brightness(build(tmp_path, limit=20)) == brightness(splits)


@pytest.mark.parametrize(("count", "fraction", "shares"), [(1, 0.5, "0 would be"), (3, 0.1, "0 "), (3, 0.9, "3 ")])
def test_a_test_split_that_leaves_nothing_is_refused(tmp_path: Path, count: int, fraction: float, shares: str) -> None:
    paint(tmp_path, *loose(count))
    with pytest.raises(ConfigError, match=f"dataset.test_fraction={fraction}: of {count} pictures, {shares}"):
        build(tmp_path, test_fraction=fraction)


# --- many pictures ---


def test_many_pictures_come_in_order_from_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.data.datasets.image_folder.THREADS", 8)
    monkeypatch.setattr("autoenc.data.datasets.image_folder._BATCH", 16)
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
    bad = [f"a/{name}" for name in loose(13)]
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
        "set dataset.limit, a smaller dataset.size or dataset.channels=1"
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
        ("none", "dataset.path=none: there is no folder "),
        ("a.png", "dataset.path=a.png: it is a file"),
        ("~nobody_at_all/pictures", "dataset.path=~nobody_at_all/pictures: Could not determine home"),
        ("two\nlines", "there is no folder "),
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
    with pytest.raises(ConfigError, match=rf"no pictures in {tmp_path / 'test'}; their names end in \.bmp, .*\.webp$"):
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
