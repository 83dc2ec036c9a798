"""Maps of two-dimensional codes: images decoded on a grid of codes, and the codes of the test images."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.report import images
from autoenc.comparison.report.report_data import Part, short_number
from autoenc.runs import ArrayError, RunRecord

MOST_CHARACTERS = 2_400_000
"""Of all maps together, as they are written in the page."""
MOST_CELLS, FEWEST_CELLS = 24, 10
"""Of a side of the grid."""
MOST_POINTS = 1500
MOST_CLASSES = 100
CHARACTERS_PER_NUMBER = 0.6
"""Of a pixel's channel, about."""
STEPS = 65_535
"""From one edge of the map to the other."""
CODE_AXES = ["code 1", "code 2"]
"""Points with other axes are projections, which are not in the plane of the map."""


def code_maps(records: Sequence[RunRecord]) -> Part:
    """The maps of all runs with two-dimensional codes, as long as there is room; coarser if there are many."""
    having = [index for index, record in enumerate(records) if images.has_picture(record, "decoder_grid")]
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    room, left_out, coarser = MOST_CHARACTERS, 0, False
    for position, index in enumerate(having):
        if room <= 0:
            left_out = len(having) - position
            break
        try:
            grid = _Grid.read(records[index])
        except ArrayError as fault:
            notes.append(f"{records[index].name}: decoder_grid.npz {fault}.")
            continue
        if grid is not None:
            thinned = grid.thinned(MOST_CHARACTERS // len(having))
            coarser = coarser or len(thinned.across) < len(grid.across)
            found.append({"run": index} | thinned.document() | _points(records[index], thinned, notes))
            room -= len(found[-1]["sprite"]) + len(found[-1].get("points", ""))
    if coarser:
        notes.append("The maps have fewer decoded codes than the runs kept: the page stays small.")
    if left_out:
        notes.append(f"The maps of {left_out} runs are left out: the page stays small.")
    return Part(found, notes)


class _Grid(NamedTuple):
    """Decoded codes: images (R, S, C, H, W); the first row has the highest second number."""

    images: NDArray[Any]
    across: NDArray[np.float64]
    """(S,), ascending."""
    up: NDArray[np.float64]
    """(R,), descending."""

    @classmethod
    def read(cls, record: RunRecord) -> _Grid | None:
        """None of one-dimensional codes, which have no plane; ArrayError if the file holds something else."""
        arrays, values = images.read_picture(record, "decoder_grid", {"images": 5, "across": 1, "up": 1})
        if values.get("code_size") == 1:
            return None
        grid = cls(arrays["images"], arrays["across"].astype(np.float64), arrays["up"].astype(np.float64))
        shape = grid.images.shape
        images.check_images(grid.images, name="images")
        if shape[:2] != (len(grid.up), len(grid.across)) or min(shape[:2]) < 2:
            raise ArrayError(f"has 'images' of shape {shape} for {len(grid.up)} x {len(grid.across)} codes")
        for name, codes in (("across", grid.across), ("up", grid.up[::-1])):
            steps = np.diff(codes)
            if not (np.isfinite(codes).all() and np.abs(codes).max() < 1e30 and steps.min() > 0):
                raise ArrayError(f"has '{name}' that are not in order")
            if not np.allclose(steps, steps.mean(), rtol=0.01):
                raise ArrayError(f"has '{name}' that are not evenly spaced")
        return grid

    def thinned(self, characters: int) -> _Grid:
        """Every n-th code, so that it takes about so many characters."""
        side = math.sqrt(characters / (self.images[0, 0].size * CHARACTERS_PER_NUMBER))
        most = int(min(MOST_CELLS, max(FEWEST_CELLS, side), images.LARGEST_SPRITE // max(self.images.shape[-2:])))
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
            "across": [short_number(float(self.across[place]), digits=6) for place in (0, -1)],
            "up": [short_number(float(self.up[place]), digits=6) for place in (-1, 0)],
            "sprite": images.mosaic(images.as_bytes(self.images)),
        }


def _every(count: int, *, most: int) -> slice:
    """At most so many places, evenly spaced around the middle."""
    stride = math.ceil(count / most)
    left = (count - 1) % stride
    return slice(left // 2, count - (left - left // 2), stride)


def _points(record: RunRecord, grid: _Grid, notes: list[str]) -> dict[str, Any]:
    try:
        codes = _codes(record) if images.has_picture(record, "codes") else None
    except ArrayError as fault:
        notes.append(f"{record.name}: codes.npz {fault}.")
        return {}
    if codes is None:
        return {}
    points, labels, names = codes
    chosen = slice(None, None, math.ceil(len(labels) / MOST_POINTS) or 1)
    placed = _on_the_map(points[chosen].astype(np.float64), labels[chosen], grid=grid)
    return placed | {"classes": names, "pointsOf": len(labels)}


def _codes(record: RunRecord) -> tuple[NDArray[Any], NDArray[Any], list[str]] | None:
    """The codes of test images (N, 2), the indices of their classes (N,), and the names of the classes.

    None if the codes are projected; ArrayError if the file holds something else.
    """
    arrays, values = images.read_picture(record, "codes", {"points": 2, "labels": 1})
    points, labels, names = arrays["points"], arrays["labels"], images.texts_of(values, "class_names")
    if points.shape != (len(labels), 2) or labels.dtype.kind not in "iu" or len(names) > MOST_CLASSES:
        raise ArrayError(f"has 'points' of shape {points.shape} with labels of shape {labels.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(names)):
        raise ArrayError("has labels without a class")
    return (points, labels, names) if images.texts_of(values, "axis_labels") == CODE_AXES else None


def _on_the_map(points: NDArray[np.float64], labels: NDArray[Any], *, grid: _Grid) -> dict[str, Any]:
    """Points (N, 2) in 65,535ths of the map's sides, and their labels; those beside the map are left out."""
    low = np.array([grid.across[0], grid.up[-1]])
    high = np.array([grid.across[-1], grid.up[0]])
    margin = (high - low) / (2 * (np.array([len(grid.across), len(grid.up)]) - 1))  # half a cell: to the map's edge
    with np.errstate(all="ignore"):
        places = (points - (low - margin)) / (high - low + 2 * margin)  # in [0, 1] on the map
    inside = ((places >= 0) & (places <= 1)).all(axis=1)
    steps = np.rint(places[inside] * STEPS).astype("<u2")
    return {
        "points": base64.b64encode(steps.tobytes()).decode("ascii"),
        "labels": base64.b64encode(labels[inside].astype(np.uint8).tobytes()).decode("ascii"),
        "pointsDrawn": len(points),
        "pointsInside": int(inside.sum()),
    }
