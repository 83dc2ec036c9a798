"""The denoising matrix as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.columns import Column
from autoenc.comparison.tables import Line, Table

if TYPE_CHECKING:
    from autoenc.evaluation.denoising_matrix import MeanGain
    from autoenc.pictures.denoising_heat_map import DenoisingHeatMap


def denoising_tables(matrix: DenoisingHeatMap, means: Sequence[Mapping[str, MeanGain]]) -> Iterator[Line | Table]:
    """The means of each run by metric, then a row for each noise; several runs are numbered."""
    images = f"{matrix.images:,} test images, with the same noise for every model"
    yield Line(f"Gain in dB over doing nothing and over a 3x3 median filter, on {images}. The mean over the noises:")
    yield _means(matrix.runs, means)
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


def _means(runs: Sequence[str], means: Sequence[Mapping[str, MeanGain]]) -> Table:
    table = [Column("run", runs, right=False)]
    for name in max(means, key=len):
        found = [each.get(name) for each in means]
        cells = ["" if mean is None else f"{mean.value:+.2f}" for mean in found]
        table.append(Column(name, cells, best=_best(found)))
    return table if len(runs) == 1 else [Column("", _numbers(runs)), *table]


def _best(means: Sequence[MeanGain | None]) -> frozenset[int]:
    """The rows of the largest mean; none if the means are over different noises, or there is only one."""
    values = {row: mean.value for row, mean in enumerate(means) if mean is not None}
    if len(means) == 1 or len({mean.averaged for mean in means if mean is not None}) > 1:
        return frozenset()
    return frozenset(row for row, value in values.items() if value == max(values.values()))


def _numbered(gains: NDArray[np.float64], trained_on: NDArray[np.bool_]) -> Iterator[Column]:
    """A column for each run, (R, C), with the best run of each noise in bold."""
    best = gains == gains.max(0)
    for number, row in zip(_numbers(gains), range(len(gains)), strict=True):
        yield Column(number, _cells(gains[row], trained_on[row]), best=frozenset(np.flatnonzero(best[row]).tolist()))


def _numbers(rows: Sequence[object] | NDArray[np.float64]) -> list[str]:
    return [str(number) for number in range(1, len(rows) + 1)]


def _cells(gains: NDArray[np.float64], trained_on: NDArray[np.bool_]) -> list[str]:
    return [f"{gain:+.2f}{'*' if own else ' '}" for gain, own in zip(gains, trained_on, strict=True)]
