"""The denoising matrix as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.columns import Column
from autoenc.comparison.tables import Line, Table

if TYPE_CHECKING:
    from autoenc.pictures.denoising_heat_map import DenoisingHeatMap


def denoising_tables(matrix: DenoisingHeatMap) -> Iterator[Line | Table]:
    """The means of each run, then a row for each noise; several runs are numbered."""
    images = f"{matrix.images:,} test images, with the same noise for every model"
    yield Line(f"Gain in dB over doing nothing and over a 3x3 median filter, on {images}. The mean over the noises:")
    yield _means(matrix)
    noises = [Column("noise", matrix.kinds, right=False), Column("severity", matrix.severities)]
    if len(matrix.runs) == 1:
        both = (("over_nothing", matrix.over_nothing), ("over_median", matrix.over_median))
        yield [*noises, *(Column(name, _cells(gains[0], matrix.trained_on[0])) for name, gains in both)]
    else:
        for heading, gains in (("doing nothing", matrix.over_nothing), ("a 3x3 median filter", matrix.over_median)):
            yield Line(f"Gain over {heading}", "heading")
            yield [*noises, *_numbered(gains, matrix.trained_on)]
    if matrix.trained_on.any():
        yield Line("*: the noise that the model was trained on", "note")


def _means(matrix: DenoisingHeatMap) -> Table:
    unseen = [matrix.over_nothing[row, matrix.averaged & ~seen] for row, seen in enumerate(matrix.trained_on)]
    columns = {
        "denoising_gain_db": matrix.over_nothing[:, matrix.averaged].mean(1),
        "denoising_gain_unseen_db": np.array([gains.mean() if len(gains) else np.nan for gains in unseen]),
        "denoising_gain_over_median_db": matrix.over_median[:, matrix.averaged].mean(1),
    }
    table = [Column("run", matrix.runs, right=False)]
    for name, values in columns.items():
        largest = values.max(initial=-np.inf, where=np.isfinite(values))
        best = frozenset(np.flatnonzero(values == largest).tolist()) if len(values) > 1 else frozenset()
        table.append(Column(name, [f"{value:+.2f}" if np.isfinite(value) else "" for value in values], best=best))
    return table if len(matrix.runs) == 1 else [Column("", _numbers(matrix.runs)), *table]


def _numbered(gains: NDArray[np.float64], trained_on: NDArray[np.bool_]) -> Iterator[Column]:
    """A column for each run, (R, C), with the best run of each noise in bold."""
    best = gains == gains.max(0)
    for number, row in zip(_numbers(gains), range(len(gains)), strict=True):
        yield Column(number, _cells(gains[row], trained_on[row]), best=frozenset(np.flatnonzero(best[row]).tolist()))


def _numbers(rows: Sequence[object] | NDArray[np.float64]) -> list[str]:
    return [str(number) for number in range(1, len(rows) + 1)]


def _cells(gains: NDArray[np.float64], trained_on: NDArray[np.bool_]) -> list[str]:
    return [f"{gain:+.2f}{'*' if own else ' '}" for gain, own in zip(gains, trained_on, strict=True)]
