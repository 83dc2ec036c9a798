"""Reconstructions of the same test images by several runs: one matrix for each set of test images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.report import images
from autoenc.comparison.report.report_data import Part, short_number
from autoenc.runs import ArrayError, RunRecord

KIND = "reconstructions"
MOST_CHARACTERS = 2_400_000
"""Of all images together, as they are written in the page."""
MOST_IMAGES, FEWEST_IMAGES = 12, 3
"""Of a run."""
MOST_MATRICES = 12
CHARACTERS_PER_NUMBER = 0.8
"""Of a pixel's channel, about: PNG saves what base64 adds."""


def reconstructions(records: Sequence[RunRecord]) -> Part:
    """The matrices of all runs that kept reconstructions, as long as there is room; one run is in memory at a time."""
    having = [index for index, record in enumerate(records) if images.has_picture(record, KIND)]
    share = MOST_CHARACTERS // max(1, len(having))
    matrices: dict[str, dict[str, Any]] = {}
    room, shortened, left_out = MOST_CHARACTERS, 0, 0
    notes = []
    for index in having:
        try:
            kept = _Kept.read(records[index])
            if room <= 0 or (kept.key not in matrices and len(matrices) == MOST_MATRICES):
                left_out += 1
                continue
            matrix = matrices.get(kept.key) or _new_matrix(kept, characters=share)
            matrices[kept.key] = matrix
            shortened += len(matrix["captions"]) < len(kept.clean)
            room -= _add(matrix, index, kept)
        except ArrayError as fault:
            notes.append(f"{records[index].name}: {KIND}.npz {fault}.")
    if shortened:
        notes.append(f"Of the test images that {shortened} runs kept, the first are shown: the page stays small.")
    if left_out:
        notes.append(f"The reconstructions of {left_out} runs are left out: the page stays small.")
    return Part(list(matrices.values()), notes)


class _Kept(NamedTuple):
    """The test images that a run kept, each (K, C, H, W)."""

    clean: NDArray[Any]
    given: NDArray[Any]
    """What the model was given: the same as `clean` if there is no noise."""
    final: NDArray[Any]
    captions: Sequence[str]
    key: str
    """A hash of the clean images and their captions."""

    @classmethod
    def read(cls, record: RunRecord) -> _Kept:
        """ArrayError if the file holds something else."""
        arrays, values = images.read_picture(record, KIND, dict.fromkeys(("clean", "given", "final"), 4))
        clean = arrays["clean"]
        for name, array in arrays.items():
            images.check_images(array, name=name)
            if array.shape != clean.shape:
                raise ArrayError(f"has '{name}' of shape {array.shape}, and 'clean' of shape {clean.shape}")
        captions = images.texts_of(values, "captions", count=len(clean))
        content = repr((clean.shape, captions)).encode() + clean.astype(np.float32).tobytes()
        return cls(**arrays, captions=captions, key=hashlib.sha256(content).hexdigest())

    @property
    def is_noisy(self) -> bool:
        return not np.array_equal(self.given, self.clean)


def _new_matrix(kept: _Kept, *, characters: int) -> dict[str, Any]:
    """A matrix for runs that reconstructed the same images, with as many images as fit into so many characters."""
    channels, height, width = kept.clean.shape[1:]
    possible = int(characters / (kept.clean[0].size * CHARACTERS_PER_NUMBER * (2 if kept.is_noisy else 1)))
    count = max(FEWEST_IMAGES, min(MOST_IMAGES, possible))
    return {
        "channels": channels,
        "height": height,
        "width": width,
        "captions": list(kept.captions[:count]),
        "clean": images.sprite(kept.clean[:count]),
        "noisy": [],
        "highestError": 0,
        "runs": [],
    }


def _add(matrix: dict[str, Any], index: int, kept: _Kept) -> int:
    count = len(matrix["captions"])
    clean, final = kept.clean[:count], kept.final[:count]
    made, noisy, characters = images.sprite(final), -1, 0
    if kept.is_noisy:
        given = images.sprite(kept.given[:count])
        if given not in matrix["noisy"]:
            matrix["noisy"].append(given)
            characters = len(given)
        noisy = matrix["noisy"].index(given)
    matrix["highestError"] = max(matrix["highestError"], short_number(_largest_error(final, clean), digits=3))
    errors = _mean_squared_errors(final, clean)
    matrix["runs"].append({"run": index, "final": made, "noisy": noisy, "mse": errors, "remark": images.remark(final)})
    return characters + len(made)


def _mean_squared_errors(final: NDArray[Any], clean: NDArray[Any]) -> list[float | str]:
    """Of each image, over pixels and channels, (K,); those of a diverged model may be NaN or Infinity."""
    with np.errstate(all="ignore"):
        errors = ((final.astype(np.float64) - clean) ** 2).mean(axis=(1, 2, 3)).tolist()
    texts = {"nan": "NaN", "inf": "Infinity"}
    return [texts.get(str(error)) or short_number(error, digits=4) for error in errors]


def _largest_error(final: NDArray[Any], clean: NDArray[Any]) -> float:
    """The 99.5 % quantile of the pixels' errors: the end of the scale for error images."""
    shown, expected = (images.as_bytes(each).astype(np.float64) / 255 for each in (final, clean))
    return float(np.quantile(np.abs(shown - expected).mean(axis=-1), 0.995))
