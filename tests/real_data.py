"""The real data sets, for tests that need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoenc.config import parse
from autoenc.data.datasets import Splits
from tests.composed import composed_values

REPOSITORY = Path(__file__).parents[1]


def real_data() -> Path:
    """The folder of the real data sets, which may be missing."""
    return Path(os.environ.get("AUTOENC_DATA", REPOSITORY.parent / "shared" / "data")).absolute()


def real_splits(name: str, *overrides: str) -> Splits:
    """The splits of a published data set; skips the test if its files are not here."""
    folder = real_data()
    dataset = parse(composed_values(f"dataset={name}", f"data_dir={folder}", *overrides)).dataset
    if not (folder / dataset.published().folder).is_dir():  # type: ignore[attr-defined]
        pytest.skip(f"NOT TESTED, because {name} is not in {folder}")
    return dataset.build(data_dir=folder)
