"""Two trained models compared image by image, from the `test_errors.npz` in each run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autoenc.comparison.comparability import measurement_protocol
from autoenc.comparison.formatting import format_numbers
from autoenc.comparison.verdicts import verdict
from autoenc.evaluation.estimates import estimate
from autoenc.runs import TEST_ERRORS, ArrayError, RunRecord, read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERRORS = ("denoising_mse", "mse")
"""The error of each test image, (N,), in the order of the test split; lower is better."""
LARGEST = 4 * 1024 * 1024
"""Bytes; two errors of 10,000 images have 40,000."""
MOST_NAMED = 5
TARGETS = ("unit", "dataset.binarization", "dataset.split_seed")
SCOPE = "These intervals are over images, for these two trained models. They do not tell how other seeds would compare."


def image_lines(one: RunRecord, other: RunRecord, *, names: tuple[str, str]) -> list[str]:
    """Which model has the lower errors on the same test images, in sentences; empty if neither run has its errors."""
    if not any((record.path / TEST_ERRORS).exists() for record in (one, other)):
        return []
    try:
        digest, errors = _read(one, names[0])
        other_digest, others = _read(other, names[1])
    except ArrayError as error:
        return [f"Not compared: {error}."]
    if digest != other_digest or len(errors["mse"]) != len(others["mse"]):
        return ["Not compared: the test images are different."]
    keys = [key for key in errors if key in others and _targets(one, key) == _targets(other, key)]
    lines = [_sentences(key, errors[key], others[key], names=names) for key in keys]
    return [*lines, SCOPE] if lines else []


def _read(record: RunRecord, name: str) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """The digest of the test images, and the errors as float64, (N,) each.

    Raises:
        ArrayError: they are missing, or the file holds something else.
    """
    import numpy as np

    try:
        arrays = read_arrays(record.path / TEST_ERRORS, most=LARGEST, names={*ERRORS, "digest"})
    except FileNotFoundError:
        raise ArrayError(f"{name} has no {TEST_ERRORS}") from None
    except ArrayError as error:
        raise ArrayError(f"{TEST_ERRORS} of {name} {error}") from None
    errors = {key: arrays[key].astype(np.float64) for key in ERRORS if key in arrays and arrays[key].dtype.kind == "f"}
    shapes = {values.shape for values in errors.values()}
    sound = "digest" in arrays and "mse" in errors and len(shapes) == 1 and len(*shapes) == 1 and (0,) not in shapes
    if not sound or not all(np.isfinite(values).all() for values in errors.values()):
        raise ArrayError(f"{TEST_ERRORS} of {name} does not hold a digest and a finite number for each image")
    return str(arrays["digest"]), errors


def _targets(record: RunRecord, key: str) -> dict[str, Any]:
    """What an error of given images depends on besides the model: the noise, the binarization."""
    protocol = measurement_protocol(record, f"test.{key}")
    return {name: value for name, value in protocol.items() if name in TARGETS or name.partition(".")[0] == "noise"}


def _sentences(key: str, errors: NDArray[Any], others: NDArray[Any], *, names: tuple[str, str]) -> str:
    import numpy as np

    difference = errors - others
    if not difference.any():
        return f"{key}: the same on all {len(difference):,} test images."
    found = verdict(estimate(difference.tolist()), names=names, over="test images", higher_is_better=False)
    lower, higher = np.mean(difference < 0), np.mean(difference > 0)
    shares = f"The error is lower with {names[0]} on {lower:.1%} of them, with {names[1]} on {higher:.1%}"
    largest = np.argsort(-np.abs(difference), kind="stable")[:MOST_NAMED]
    both = (" and ".join(format_numbers([errors[index], others[index]])) for index in largest)
    images = ", ".join(f"{index} ({values})" for index, values in zip(largest, both, strict=True))
    return f"{key}: {found}. {shares}. The largest differences are on test images {images}, counted from 0."
