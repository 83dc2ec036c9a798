"""The lines at the beginning of a run's log."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest

from autoenc.config import parse
from autoenc.experiment.announcement import announce
from autoenc.experiment.preparation import prepare
from tests.composed import composed_values


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1), "1 of 20 train images repeats an earlier one; 1 of 20 test images is in train too"),
        ((2, 3), "2 of 20 train images repeat an earlier one; 3 of 20 test images are in train too"),
    ],
)
def test_duplicates_are_counted_in_the_singular_and_the_plural(
    counts: tuple[int, int], expected: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = (
        "dataset=digits",
        "dataset.limit=20",
        "dataset.test_limit=20",
        "dataset.validation_fraction=0",
        "device=cpu",
    )
    prepared = prepare(parse(composed_values(*settings, f"data_dir={tmp_path}")))
    duplicates = dict(zip(("train", "test_in_train"), counts, strict=True))
    with caplog.at_level(logging.INFO):
        announce(prepared._replace(splits=dataclasses.replace(prepared.splits, duplicates=duplicates)))
    assert f"Duplicate images: {expected}." in caplog.text
