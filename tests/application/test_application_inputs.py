"""Inputs: files, folders, arrays and datasets."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import autoenc
from autoenc.application.image_batches import Fitting
from autoenc.application.inputs import Datasets, dataset_images
from autoenc.data.datasets import DATASETS, Dataset, Splits
from autoenc.data.datasets.binarization import Binarization
from autoenc.data.datasets.digits import Digits
from tests.application.application_cases import Given, do, names_in, told


def test_all_kinds_of_arrays_are_the_same_images(finished: Path, given: Given) -> None:
    values = given.images.numpy()
    np.savez("named.npz", images=values, labels=np.zeros(10))
    np.savez_compressed("only.npz", anything=values[:, 0])
    np.save("floats.npy", (values / 255).astype(">f8"))
    np.save("columns_first.npy", np.asfortranarray(values))
    np.save("channels_last.npy", np.moveaxis(values, 1, -1))
    np.save("bits.npy", values > 127)
    expected = {"bits.npy": (given.images > 127).float()}
    run = autoenc.load_run(finished)
    names = "images.npy named.npz only.npz floats.npy columns_first.npy channels_last.npy bits.npy"
    for name in names.split():
        do(finished, name, "codes.npz", "encode", overwrite=True, batch_size=4)
        codes = run.encode(expected.get(name, given.images))
        np.testing.assert_allclose(np.load("codes.npz")["codes"], codes.numpy(), rtol=1e-4, atol=1e-5)


def test_a_folder_with_two_names_is_read_once(finished: Path, given: Given, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (given.pictures / "a link").symlink_to("deep")
    do(finished, "pictures", "codes.npz", "encode")
    assert np.load("codes.npz")["names"].tolist() == given.names
    assert "pictures has several names for the same folders. Not read again: a link (read as deep)" in caplog.text


def test_a_limit_takes_the_first(finished: Path, given: Given) -> None:
    for text, names in (("images.npy", ["0", "1", "2"]), ("pictures", given.names[:3]), ("run:train", None)):
        do(finished, text, "codes.npz", "encode", limit=3, batch_size=2, overwrite=True)
        found = np.load("codes.npz")["names"].tolist()
        assert len(found) == 3
        assert names is None or found == names


BAD_ARRAYS: dict[str, tuple[Any, list[str]]] = {
    "four channels": (np.zeros((2, 8, 8, 4), np.uint8), ["(2, 8, 8, 4)", "images[..., :3]"]),
    "one image": (np.zeros((8, 8), np.uint8), ["(N, H, W)", "(8, 8)"]),
    "integers": (np.zeros((2, 8, 8), np.int64), ["int64", "floats in [0, 1]"]),
    "not finite": (np.full((2, 8, 8), np.nan), ["image 0", "not finite"]),
    "to 255": (np.full((2, 8, 8), 255.0), ["from 255 to 255", "100 % of them", "divide by 255"]),
    "to 16": (16 * np.eye(8)[None].repeat(2, 0), ["from 0 to 16", "12.5 % of them are outside", "divide by 16"]),
    "from -1": (2 * np.eye(8)[None] - 1, ["from -1 to 1", "87.5 % of them are outside", "map them by (x + 1) / 2"]),
    "objects": (np.array([{}]), ["Python objects"]),
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_arrays_that_are_not_images_are_refused(finished: Path, elsewhere: Path, kind: str) -> None:
    array, parts = BAD_ARRAYS[kind]
    np.save("bad.npy", array, allow_pickle=True)
    message = told(finished, "bad.npy", "codes.npz", "encode")
    for part in parts:
        assert part in message
    assert [path.name for path in elsewhere.iterdir()] == ["bad.npy"]


def test_damaged_arrays_are_refused(finished: Path, elsewhere: Path) -> None:
    values = np.random.default_rng(0).random((50, 8, 8))
    np.save("whole.npy", values)
    np.savez_compressed("whole.npz", images=values)
    content, packed = Path("whole.npy").read_bytes(), Path("whole.npz").read_bytes()
    damaged = {
        "cut.npy": content[:-1],
        "empty.npy": b"",
        "text.npy": b"a text",
        "cut.npz": packed[:1000],
        "changed.npz": packed[:500] + bytes([packed[500] ^ 1]) + packed[501:],
    }
    for name, left in damaged.items():
        Path(name).write_bytes(left)
        assert f"INPUT={name}" in told(finished, name, "codes.npz", "encode")
        assert not Path("codes.npz").exists()


def test_an_archive_of_several_arrays_needs_one_called_images(finished: Path, elsewhere: Path) -> None:
    np.savez("several.npz", x_train=np.zeros((1, 8, 8)), x_test=np.zeros((1, 8, 8)))
    assert "an array 'images', and has x_train, x_test" in told(finished, "several.npz", "out")
    np.savez("codes.npz", codes=np.zeros((1, 3)))
    assert "--do decode" in told(finished, "codes.npz", "out")


def test_a_dataset_has_splits_and_a_name(finished: Path, elsewhere: Path) -> None:
    own = autoenc.load_run(finished).config.dataset
    splits = own.build(data_dir=Path())
    for split in ("train", "validation", "test"):
        do(finished, f"run:{split}", "codes.npz", "encode", overwrite=True)
        expected = autoenc.load_run(finished).encode(getattr(splits, split).images)
        np.testing.assert_allclose(np.load("codes.npz")["codes"], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_wrong_input_is_refused_before_the_model_is_loaded(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.application.request.load_run", None)
    run = given.folder / "a run"
    no_file = "there is no such file or folder, and no such dataset"
    assert f"INPUT=digit: {no_file} (did you mean 'digits'?)" in told(run, "digit", "new.npz", "encode")
    assert "INPUT=run:tset: there is no such split (did you mean 'test'?)" in told(run, "run:tset", "out", "denoise")
    assert f"--baseline=nowhere: {no_file}" in told(run, "images.npy", "scores.csv", "score", baseline="nowhere")
    assert "INPUT=codes.npz: it must be a file of codes" in told(run, "codes.npz", "out", "decode")
    assert "INPUT=pictures/0.png: codes are in an .npz file" in told(run, "pictures/0.png", "out", "decode")


def digits(binarization: Binarization) -> Dataset:
    given = {"name": "digits", "validation_fraction": 0, "split_seed": 0, "limit": 20, "shuffle": True}
    return DATASETS.parse({**given, "binarization": binarization})


@pytest.mark.parametrize(
    ("own", "usual", "logged"),
    [("static", "none", True), ("none", "static", True), ("none", "none", False)],
)
def test_a_dataset_is_black_and_white_if_the_run_s_is(
    own: Binarization,
    usual: Binarization,
    logged: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise, an AUROC between the two would tell grey from black and white.

    The dataset keeps its name: MNIST and its relatives are one class, which finds its files by the name.
    """
    caplog.set_level(logging.INFO)
    names: list[str] = []
    build = Digits.build

    def recording(dataset: Digits, *, data_dir: Path) -> Splits:
        names.append(dataset.name)
        return build(dataset, data_dir=data_dir)

    monkeypatch.setattr(Digits, "build", recording)
    found = dataset_images(
        "digits:train",
        key="INPUT",
        fitting=Fitting(image_shape=(1, 8, 8), resize="stretch", invert=False),
        datasets=Datasets(usual=lambda name: digits(usual), own=digits(own), own_split=pytest.fail, data_dir=Path()),
        limit=None,
    )
    assert names == ["digits"]
    expected = digits(own).build(data_dir=Path()).train.images
    (batch,) = found.batches(len(expected))
    assert torch.equal(batch.images, expected)
    assert (set(expected.unique().tolist()) == {0, 255}) == (own != "none")
    message = f"digits is taken with dataset.binarization={own}, as the run's digits is."
    assert (message in caplog.text) == logged


def test_unreadable_pictures_are_listed_before_anything_is_written(finished: Path, given: Given) -> None:
    content = (given.pictures / "0.png").read_bytes()
    (given.pictures / "00 cut.png").write_bytes(content[: len(content) // 2])
    (given.pictures / "deep" / "text.jpg").write_text("a text")
    for action, output in (("reconstruct", "out"), ("encode", "codes.npz"), ("score", "scores.csv")):
        message = told(finished, "pictures", output, action, batch_size=2)
        for part in ("2 of 12 pictures", "00 cut.png", "deep/text.jpg (no picture", "--unreadable skip"):
            assert part in message
        assert names_in(".") == ["images.npy", "pictures"]


def test_unreadable_pictures_can_be_skipped(finished: Path, given: Given, caplog: pytest.LogCaptureFixture) -> None:
    (given.pictures / "00 text.png").write_text("a text")
    do(finished, "pictures", "codes.npz", "encode", unreadable="skip", batch_size=2)
    assert np.load("codes.npz")["names"].tolist() == given.names
    assert "Skipped 1 of 11 pictures, which cannot be read: 00 text.png" in caplog.text
    message = told(finished, given.pictures / "00 text.png", "other.npz", "encode", unreadable="skip")
    assert "1 of 1 picture" in message


def sixteen_bits(folder: Path, values: np.ndarray[Any, Any], *, scale: int) -> None:
    """Grey pictures of 16 bits, of values (N, H, W)."""
    folder.mkdir()
    for index, value in enumerate(values):
        Image.fromarray(value.astype(np.uint16) * scale).save(folder / f"{index:02}.png")


def codes_of(run: Path, text: str, **changes: Any) -> np.ndarray[Any, Any]:
    do(run, text, "codes.npz", "encode", overwrite=True, **changes)
    codes: np.ndarray[Any, Any] = np.load("codes.npz")["codes"]
    return codes


VALUES = np.random.default_rng(0).integers(0, 256, (20, 8, 8))
VALUES[:, 0, 0] = 255


@pytest.fixture(scope="module")
def of_twelve_bits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pictures of 12 bits, whose brightest pixel is white."""
    from autoenc.command_line import main
    from tests.conftest import TINY

    folder = tmp_path_factory.mktemp("of_twelve_bits")
    sixteen_bits(folder / "pictures", VALUES, scale=16)
    own = ("dataset.size=[8,8]", "dataset.channels=1", "dataset.white=max", "dataset.max_pixels=1000")
    where = f"dataset.path={folder / 'pictures'}"
    assert main([*TINY, "dataset=image_folder", where, *own, f"hydra.run.dir={folder / 'run'}"]) == 0
    return folder / "run"


def test_pictures_become_white_where_those_of_the_training_did(
    of_twelve_bits: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = autoenc.load_run(of_twelve_bits)
    assert run.white == 255 * 16
    expected = run.encode(VALUES[:5, None].astype(np.uint8))
    dark = run.encode((VALUES[:5, None] // 4).astype(np.uint8))
    sixteen_bits(elsewhere / "bright", VALUES[:5], scale=16)
    sixteen_bits(elsewhere / "dark", VALUES[:5] // 4, scale=16)  # white is not the brightest pixel of these
    np.testing.assert_allclose(codes_of(of_twelve_bits, "bright"), expected, rtol=1e-4, atol=1e-5)
    assert "dark images" not in caplog.text
    np.testing.assert_allclose(codes_of(of_twelve_bits, "dark"), dark, rtol=1e-4, atol=1e-5)
    assert (
        "dark: dark images: the brightest pixel of 5 pictures with integers of more than 8 bits is 1008, "
        "25 % of white (4080); --white=1023 makes them brighter"
    ) in caplog.messages
    np.testing.assert_allclose(codes_of(of_twelve_bits, "dark", white=63 * 16), expected, rtol=0.1, atol=0.1)


def test_larger_pictures_than_those_of_the_training_have_to_be_admitted(of_twelve_bits: Path, elsewhere: Path) -> None:
    Image.new("L", (40, 50)).save("large.png")
    message = told(of_twelve_bits, "large.png", "codes.npz", "encode")
    assert "large.png (it has more pixels than max_pixels=1000 admits)" in message
    do(of_twelve_bits, "large.png", "codes.npz", "encode", max_pixels=2000)


@pytest.mark.parametrize("name", ["pipe", "pipe.png", "pipe.npy", "pipe.npz"])
@pytest.mark.parametrize("action", ["encode", "score"])
def test_a_named_pipe_is_not_waited_for(
    finished: Path, elsewhere: Path, make_pipe: Callable[[Path], Path], name: str, action: str
) -> None:
    make_pipe(Path(name))
    suffix = {"encode": "npz", "score": "csv"}[action]
    assert "it is a named pipe, not a file" in told(finished, name, f"output.{suffix}", action)
    assert "codes" in told(finished, name, "decoded", "decode")


def test_ignored_pages_are_counted(finished: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    pages = [Image.new("L", (8, 8), 250)] * 3
    pages[0].save("stack.tif", save_all=True, append_images=pages[1:])
    do(finished, "stack.tif", "codes.npz", "encode")
    assert "stack.tif: 1 file has more than one page; the first page of each is read, and 2 are ignored" in caplog.text
    assert len(np.load("codes.npz")["codes"]) == 1


def test_a_name_that_is_not_valid_text_is_kept(finished: Path, elsewhere: Path) -> None:
    name = os.fsdecode(b"\xff.png")
    Path("pictures").mkdir()
    Image.new("L", (8, 8)).save(Path("pictures") / name)
    do(finished, "pictures", "out")
    assert (Path("out") / name).exists()
    do(finished, "pictures", "scores.csv", "score")
    assert b"\xff.png" in Path("scores.csv").read_bytes()
    do(finished, "pictures", "codes.npz", "encode")
    do(finished, "codes.npz", "decoded", "decode")
    assert (Path("decoded") / name).exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_shows_how_many_are_done(
    finished: Path, given: Given, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    monkeypatch.setattr("autoenc.progress.console", console)
    do(finished, "pictures", "out", batch_size=5)
    assert ("reconstructing" in text.getvalue()) == terminal
    assert ("10/10" in text.getvalue()) == terminal
    assert terminal or not text.getvalue()


def test_every_batch_is_checked_before_anything_is_written(finished: Path, elsewhere: Path) -> None:
    images = np.random.default_rng(0).random((5, 8, 8))
    images[3] *= 16
    np.save("images.npy", images)
    for action, output in (("reconstruct", "out"), ("denoise", "out"), ("encode", "a.npz"), ("score", "a.csv")):
        refusal = told(finished, "images.npy", output, action, batch_size=2)
        assert refusal.startswith("INPUT=images.npy: pixels must be floats in [0, 1]; these are from 0.0")
        assert not Path(output).exists()
    do(finished, "images.npy", "out", limit=3, batch_size=2)
    assert len(list(Path("out").iterdir())) == 4
