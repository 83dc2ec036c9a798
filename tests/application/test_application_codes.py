"""Codes on disk, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import autoenc
from tests.application.application_cases import Given, do, pixels, told


@pytest.mark.parametrize("ahead", [1, 4])
def test_codes_of_a_folder_are_those_of_the_arrays(
    finished: Path, given: Given, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoenc.application.picture_files.AHEAD", ahead)
    do(finished, "pictures", "codes.npz", "encode", batch_size=4)
    expected = autoenc.load_run(finished).encode(given.images)[given.order]
    with np.load("codes.npz", allow_pickle=False) as stored:
        assert stored["codes"].dtype == np.float32
        np.testing.assert_allclose(stored["codes"], expected.numpy(), rtol=1e-5, atol=1e-6)
        assert stored["names"].tolist() == given.names
        facts = json.loads(str(stored["model"]))
    assert facts["image_shape"] == [1, 8, 8]
    assert facts["architecture"] == "linear"


def test_encoding_and_decoding_equals_reconstructing(finished: Path, given: Given) -> None:
    do(finished, "pictures", "codes.npz", "encode")
    do(finished, "codes.npz", "decoded", "decode", batch_size=3)
    do(finished, "pictures", "reconstructed")
    for name in given.names:
        np.testing.assert_allclose(pixels(Path("decoded") / name), pixels(Path("reconstructed") / name), atol=1)
    assert not Path("decoded/overview.png").exists()


def test_codes_without_names_are_numbered(finished: Path, elsewhere: Path) -> None:
    codes = np.random.default_rng(0).normal(size=(12, 3))
    np.save("codes.npy", codes)
    do(finished, "codes.npy", "out", "decode", limit=11)
    assert sorted(path.name for path in Path("out").iterdir()) == [f"{index:02d}.png" for index in range(11)]
    made = autoenc.load_run(finished).decode(codes)
    np.testing.assert_allclose(pixels(Path("out/10.png")), np.rint(made[10, 0].clip(0, 1) * 255), atol=1)


def test_codes_of_another_model_are_decoded_with_a_warning(
    finished: Path, given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    do(finished, "images.npy", "codes.npz", "encode")
    do(finished, "codes.npz", "own", "decode")
    assert "another model" not in caplog.text
    with np.load("codes.npz") as stored:
        facts = json.loads(str(stored["model"])) | {"weights_sha256": "0" * 64}
        np.savez("other.npz", codes=stored["codes"], model=np.array(json.dumps(facts)))
    do(finished, "other.npz", "other", "decode")
    assert "another model" in caplog.text


def test_names_that_lead_out_of_the_folder_are_refused(finished: Path, elsewhere: Path) -> None:
    np.savez("codes.npz", codes=np.zeros((2, 3)), names=np.array(["a.png", "../../b.png"]))
    assert "leads out of the folder" in told(finished, "codes.npz", "out", "decode")
    assert not Path("out").exists()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_codes_of_a_split_are_joined_with_published_labels(finished: Path, elsewhere: Path, split: str) -> None:
    """The codes of MNIST's training split were named 0 to 53,999, which are not their positions in the file."""
    do(finished, f"run:{split}", "codes.npz", "encode")
    digits = load_digits()
    with np.load("codes.npz", allow_pickle=False) as stored:
        positions = stored["indices"]
        assert set(stored.files) == {"codes", "names", "model", "split", "labels", "indices"}
        assert stored["split"] == split
        assert stored["labels"].dtype == positions.dtype == np.int64
        assert [int(name) for name in stored["names"]] == positions.tolist() != list(range(len(positions)))
        assert {len(name) for name in stored["names"]} == {len(str(positions.max()))}
        np.testing.assert_array_equal(stored["labels"], digits.target[positions])
        published = np.rint(digits.images[positions] * 255 / 16).astype(np.uint8)[:, None]
        codes = autoenc.load_run(finished).encode(published)
        np.testing.assert_allclose(stored["codes"], codes, rtol=1e-4, atol=1e-5)


def test_a_limit_is_for_labels_and_positions_too(finished: Path, elsewhere: Path) -> None:
    do(finished, "run:train", "codes.npz", "encode", limit=3, batch_size=2)
    with np.load("codes.npz") as stored:
        assert [len(stored[name]) for name in ("codes", "names", "labels", "indices")] == [3] * 4


def test_codes_of_files_have_no_labels(finished: Path, given: Given) -> None:
    do(finished, "images.npy", "codes.npz", "encode")
    with np.load("codes.npz") as stored:
        assert set(stored.files) == {"codes", "names", "model"}
