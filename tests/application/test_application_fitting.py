"""Pictures of any shape in the shape of the model's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from autoenc.application.image_batches import Fitting
from autoenc.data.datasets.image_files import read_picture
from tests.application.application_cases import Given, do, told


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 12, 20), (3, 12, 20)])
def test_arrays_come_to_the_shape_as_pictures_do(tmp_path: Path, resize: Any, shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    if resize == "crop":  # pictures are cropped between pixels, too, which can only be compared where nothing jumps
        rows, columns = torch.arange(30.0).view(1, 30, 1), torch.arange(40.0).view(1, 1, 40)
        image = ((rows + columns) * torch.tensor([3, 1, 2.0]).view(3, 1, 1)).byte()
    else:
        image = torch.randint(0, 256, (3, 30, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    expected = read_picture(tmp_path / "a.png", channels=channels, size=(height, width), resize=resize).image
    fitting = Fitting(image_shape=shape, resize=resize, invert=False)
    found = fitting.fit(image.unsqueeze(0))
    assert found.dtype == torch.uint8
    off = (found[0].int() - expected.int()).abs()
    assert off.max() <= (3 if resize == "crop" else 2)
    floats = fitting.fit(image.unsqueeze(0).float() / 255)
    torch.testing.assert_close(floats * 255, found.float(), atol=0.51, rtol=0)


def test_grey_images_become_coloured_ones() -> None:
    grey = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    found = Fitting(image_shape=(3, 8, 8), resize="stretch", invert=False).fit(grey)
    assert torch.equal(found, grey.expand(2, 3, 8, 8))


def test_inverted_is_what_the_model_sees(finished: Path, given: Given) -> None:
    do(finished, "images.npy", "codes.npz", "encode", invert=True)
    np.save("inverted.npy", 255 - given.images.numpy())
    do(finished, "inverted.npy", "expected.npz", "encode")
    do(finished, "pictures", "files.npz", "encode", invert=True)
    expected = np.load("expected.npz")["codes"]
    np.testing.assert_array_equal(np.load("codes.npz")["codes"], expected)
    np.testing.assert_allclose(np.load("files.npz")["codes"], expected[given.order], rtol=1e-5, atol=1e-6)
    assert "--resize=pad" in told(finished, "pictures", "out", invert=True, resize="pad")


@pytest.mark.parametrize(
    ("resize", "line"),
    [
        (
            "crop",
            "--resize crop cuts off a part of all 10 pictures (20 % of the area); --resize pad keeps",
        ),
        ("pad", "--resize pad adds black bars to all 10 pictures (20 % of the area)"),
        ("stretch", "--resize stretch changes the proportions of all 10 pictures (by a factor of 1.25 at most)"),
    ],
)
def test_the_log_says_how_pictures_of_another_shape_change(
    finished: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture, resize: str, line: str
) -> None:
    caplog.set_level(logging.INFO)
    Path("pictures").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 10), dtype=np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(f"pictures/{number}.png")
    np.save("images.npy", images)
    for given in ("pictures", "images.npy"):
        caplog.clear()
        do(finished, given, f"{given}.npz", "encode", resize=resize)
        assert caplog.text.count(f"{given}: {line}") == 1
