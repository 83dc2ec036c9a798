"""The planes of codes that can be walked on: decoded ahead of time on a grid, with the codes of the test images."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.report import sprites, texts
from autoenc.comparison.report.arrays import list_of_texts, read_arrays
from autoenc.runs import ArrayError, RunRecord, printable

MOST_CHARACTERS = 2_400_000  # of all maps together, as they stand in the page
MOST_CELLS, FEWEST_CELLS = 24, 10  # of a side of the grid
MOST_POINTS = 1500
MOST_CLASSES = 100
CHARACTERS_A_NUMBER = 0.6  # of a pixel's channel, about
STEPS = 65_535  # from one edge of the map to the other
CODE_AXES = ["code 1", "code 2"]  # else the points are those of a projection, and not of the map's plane


class Maps(NamedTuple):
    """What the page is given, and what has been left out of it or could not be read."""

    document: list[dict[str, Any]]
    notes: list[str]


def maps(records: Sequence[RunRecord]) -> Maps:
    """The maps of all runs with codes of two numbers, as far as there is room; coarser ones where there are many."""
    having = [index for index, record in enumerate(records) if _file(record, "decoder_grid").is_file()]
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    room, left_out, coarser = MOST_CHARACTERS, 0, False
    for position, index in enumerate(having):
        if room <= 0:
            left_out = len(having) - position
            break
        try:
            grid = _Grid.read(records[index])
            if grid is None:
                continue
            thinned = grid.thinned(MOST_CHARACTERS // len(having))
            coarser = coarser or len(thinned.across) < len(grid.across)
            found.append({"run": index} | thinned.document() | _points(records[index], thinned, notes))
        except ArrayError as fault:
            notes.append(_note(records[index], "decoder_grid", fault))
            continue
        room -= len(found[-1]["sprite"]) + len(found[-1].get("points", ""))
    if coarser:
        notes.append("The maps have fewer decoded codes than the runs kept: the page stays small.")
    if left_out:
        notes.append(f"The maps of {left_out} runs are left out: the page stays small.")
    return Maps(found, notes)


def _file(record: RunRecord, kind: str) -> Path:
    return record.path / "figures" / f"{kind}.npz"


def _note(record: RunRecord, kind: str, fault: ArrayError) -> str:
    return printable(f"{record.name}: {kind}.npz {fault}.", most=texts.MOST_SENTENCE)


class _Grid(NamedTuple):
    """Decoded codes: images (R, S, C, H, W), the first row that of the highest second number."""

    images: NDArray[Any]
    across: NDArray[np.float64]
    """(S,), rising."""
    up: NDArray[np.float64]
    """(R,), falling."""

    @classmethod
    def read(cls, record: RunRecord) -> _Grid | None:
        """None of codes of a single number, which make no plane; ArrayError where it is no such grid."""
        dimensions = {"images": 5, "across": 1, "up": 1}
        stored = read_arrays(_file(record, "decoder_grid"), inside=record.path, dimensions=dimensions)
        if stored.values.get("code_size") == 1:
            return None
        images, across, up = (stored.arrays[name] for name in dimensions)
        sprites.check_images(images, name="images")
        grid = cls(images, across.astype(np.float64), up.astype(np.float64))
        if images.shape[:2] != (len(up), len(across)) or min(images.shape[:2]) < 2:
            raise ArrayError(f"has 'images' of shape {images.shape} for {len(up)} x {len(across)} codes")
        for name, codes in (("across", grid.across), ("up", grid.up[::-1])):
            steps = np.diff(codes)
            if not np.isfinite(codes).all() or np.abs(codes).max() > 1e30 or steps.min() <= 0:
                raise ArrayError(f"has '{name}' that are not in order")
            if not np.allclose(steps, steps.mean(), rtol=0.01):
                raise ArrayError(f"has '{name}' that are not evenly spaced")
        return grid

    def thinned(self, characters: int) -> _Grid:
        """With so few codes that it has about so many characters, but at least ten a side where it has them."""
        side = math.sqrt(characters / (self.images[0, 0].size * CHARACTERS_A_NUMBER))
        most = int(min(MOST_CELLS, max(FEWEST_CELLS, side), sprites.MOST_SPRITE // max(self.images.shape[-2:])))
        rows, columns = (_every(len(codes), most=most) for codes in (self.up, self.across))
        return _Grid(self.images[rows, columns], self.across[columns], self.up[rows])

    def document(self) -> dict[str, Any]:
        rows, columns, channels, height, width = self.images.shape
        return {
            "rows": rows,
            "columns": columns,
            "channels": channels,
            "height": height,
            "width": width,
            "across": [texts.number(float(self.across[place]), digits=6) for place in (0, -1)],
            "up": [texts.number(float(self.up[place]), digits=6) for place in (-1, 0)],
            "sprite": sprites.mosaic(sprites.as_bytes(self.images)),
        }


def _every(count: int, *, most: int) -> slice:
    """At most so many places, evenly spaced, about the middle."""
    stride = math.ceil(count / most)
    left = (count - 1) % stride
    return slice(left // 2, count - (left - left // 2), stride)


def _points(record: RunRecord, grid: _Grid, notes: list[str]) -> dict[str, Any]:
    """The codes of the test images that lie on the map, in 65,535ths of its sides; empty where there are none."""
    try:
        codes = _Codes.read(record) if _file(record, "codes").is_file() else None
    except ArrayError as fault:
        notes.append(_note(record, "codes", fault))
        return {}
    if codes is None:
        return {}
    chosen = slice(None, None, math.ceil(len(codes.labels) / MOST_POINTS) or 1)
    packed = _packed(codes.points[chosen].astype(np.float64), codes.labels[chosen], grid=grid)
    return packed | {"classes": codes.class_names, "pointsOf": len(codes.labels)}


class _Codes(NamedTuple):
    """The codes of test images."""

    points: NDArray[Any]
    """(N, 2)."""
    labels: NDArray[Any]
    """(N,), indices into `class_names`."""
    class_names: list[str]

    @classmethod
    def read(cls, record: RunRecord) -> _Codes | None:
        """None of codes that were projected, and are not on the map's plane; ArrayError where they are no codes."""
        stored = read_arrays(_file(record, "codes"), inside=record.path, dimensions={"points": 2, "labels": 1})
        points, labels = stored.arrays["points"], stored.arrays["labels"]
        names = list_of_texts(stored.values, "class_names", most=texts.MOST_LABEL)
        if points.shape != (len(labels), 2) or labels.dtype.kind not in "iu" or len(names) > MOST_CLASSES:
            raise ArrayError(f"has 'points' of shape {points.shape} with labels of shape {labels.shape}")
        if len(labels) and (labels.min() < 0 or labels.max() >= len(names)):
            raise ArrayError("has labels that name no class")
        projected = list_of_texts(stored.values, "axis_labels", most=texts.MOST_LABEL) != CODE_AXES
        return None if projected else cls(points, labels, names)


def _packed(points: NDArray[np.float64], labels: NDArray[Any], *, grid: _Grid) -> dict[str, Any]:
    low = np.array([grid.across[0], grid.up[-1]])
    high = np.array([grid.across[-1], grid.up[0]])
    margin = (high - low) / (2 * (np.array([len(grid.across), len(grid.up)]) - 1))  # half a cell: to the map's edge
    with np.errstate(all="ignore"):
        places = (points - (low - margin)) / (high - low + 2 * margin)  # (N, 2) in [0, 1] on the map
    inside = ((places >= 0) & (places <= 1)).all(axis=1)
    steps = np.rint(places[inside] * STEPS).astype("<u2")
    return {
        "points": base64.b64encode(steps.tobytes()).decode("ascii"),
        "labels": base64.b64encode(labels[inside].astype(np.uint8).tobytes()).decode("ascii"),
        "pointsDrawn": len(points),
        "pointsInside": int(inside.sum()),
    }
