"""Images in files that are mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from autoenc.data.datasets.mapped_files import map_images, new_images

IMAGES = torch.arange(2 * 1 * 3 * 4, dtype=torch.uint8).reshape(2, 1, 3, 4)


def test_a_part_of_a_file_is_mapped(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"head" + IMAGES.numpy().tobytes())

    assert map_images(tmp_path / "file", shape=(2, 1, 3, 4), offset=4).equal(IMAGES)


def test_a_new_file_has_what_was_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "new" / "images.npy"
    for _ in range(2):
        with new_images(path, shape=(2, 1, 3, 4)) as images:
            images[:] = IMAGES
        path.with_name(".images.npy.new").write_bytes(b"of a process that was killed")
    with new_images(path, shape=(2, 1, 3, 4)) as images:
        images[:] = IMAGES

    assert torch.from_numpy(np.load(path)).equal(IMAGES)
    assert [item.name for item in path.parent.iterdir()] == ["images.npy"]


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unreadable"), new_images(tmp_path / "images.npy", shape=(2, 1, 3, 4)):
        raise ValueError("unreadable")

    assert not list(tmp_path.iterdir())
