"""Pictures that a model makes of pictures."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import autoenc
from autoenc.application.reconstructions import file_names
from autoenc.settings import ConfigError
from tests.application.application_cases import Given, do, pixels, table


def test_a_folder_is_reconstructed_under_the_same_names(finished: Path, given: Given) -> None:
    do(finished, "pictures", "out", batch_size=3)
    written = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file())
    assert written == sorted([*given.names, "overview.png"])
    made = autoenc.load_run(finished).reconstruct(given.images)
    for index, name in zip(given.order, given.names, strict=True):
        expected = (made[index, 0].clamp(0, 1) * 255).round().numpy()
        np.testing.assert_allclose(pixels(Path("out") / name), expected, atol=1)
        assert pixels(Path("out") / name).dtype == np.uint8


def test_a_single_picture_of_any_size_and_kind_does(finished: Path, elsewhere: Path) -> None:
    Image.new("RGBA", (40, 30), (250, 10, 10, 200)).save("a photo.png")
    do(finished, "a photo.png", "out")
    assert pixels(Path("out/a photo.png")).shape == (8, 8)


def test_coloured_models_write_coloured_pictures(elsewhere: Path) -> None:
    from autoenc.command_line import main
    from tests.conftest import TINY

    values = np.random.default_rng(0).integers(0, 256, (20, 9, 7, 3), dtype=np.uint8)
    for index, value in enumerate(values):
        Path("photos").mkdir(exist_ok=True)
        Image.fromarray(value).save(f"photos/{index}.png")
    small = ("dataset=image_folder", "dataset.path=photos", "dataset.size=[9,7]", "dataset.test_fraction=0.3")
    assert main([*TINY, *small, "hydra.run.dir=run"]) == 0
    do(Path("run"), "photos", "out")
    assert pixels(Path("out/3.png")).shape == (9, 7, 3)
    do(Path("run"), "run:test", "scores.csv", "score", limit=1)
    assert {row["name"] for row in table(Path("scores.csv"))} <= {f"{index}.png" for index in range(20)}


def test_the_same_name_twice_keeps_its_suffix() -> None:
    names = ["a.jpg", "a.png", "b.jpg", "c.v2", "overview.webp", "C.V2.tiff", "d/a.png"]
    assert file_names(names) == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png.png",
        "b.jpg": "b.png",
        "c.v2": "c.v2.png",
        "C.V2.tiff": "C.V2.tiff.png",
        "overview.webp": "overview.webp.png",
        "d/a.png": "d/a.png",
    }


def test_no_name_leads_out_of_the_folder() -> None:
    for name in ("../a.png", "/a.png", "a/../../b.png", "", ".."):
        with pytest.raises(ConfigError, match="INPUT"):
            file_names([name])


def test_denoising_says_whether_it_was_trained_on_noise(
    finished: Path, given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    do(finished, "images.npy", "out", "denoise")
    assert "trained to remove gaussian noise (std=" in caplog.text
    made = autoenc.load_run(finished).reconstruct(given.images)
    np.testing.assert_allclose(pixels(Path("out/4.png")), (made[4, 0].clamp(0, 1) * 255).round(), atol=1)
    assert Path("out/overview.png").exists()

    config = Path(shutil.copytree(finished, "without_noise")) / "config.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "noise": {"name": "none"}}))
    do(config.parent, "images.npy", "other", "denoise")
    assert "trained without noise" in caplog.text
