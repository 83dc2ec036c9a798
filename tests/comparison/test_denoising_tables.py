"""The denoising matrix as text: means, the best run of each noise, and the mark of the training noise."""

from __future__ import annotations

import numpy as np

from autoenc.comparison.columns import Column
from autoenc.comparison.denoising_tables import denoising_tables
from autoenc.comparison.tables import Line
from autoenc.pictures.denoising_heat_map import DenoisingHeatMap


def tables_of(*gains: list[float]) -> list[list[Column]]:
    """Of runs with these gains under three noises: the first run was trained on the first, and the last is an extra."""
    over_nothing = np.array(gains)
    matrix = DenoisingHeatMap(
        runs=tuple(f"run {row}" for row in range(len(gains))),
        kinds=("gaussian (std)", "gaussian (std)", "masking (probability)"),
        severities=("0.1", "0.3", "0.5"),
        over_nothing=over_nothing,
        over_median=over_nothing - 1,
        trained_on=np.arange(len(gains))[:, None] + np.arange(3) == 0,
        averaged=np.array([True, True, False]),
        images=10,
    )
    return [part for part in denoising_tables(matrix) if not isinstance(part, Line)]


def test_several_runs_are_numbered_and_the_best_of_each_noise_is_marked() -> None:
    means, nothing, median = tables_of([1, 2, 9], [0, 4, 9])
    assert [column.key for column in means[1:]] == [
        "run",
        "denoising_gain_db",
        "denoising_gain_unseen_db",
        "denoising_gain_over_median_db",
    ]
    assert [list(column.cells) for column in means[2:]] == [["+1.50", "+2.00"], ["+2.00", "+2.00"], ["+0.50", "+1.00"]]
    assert [column.best for column in means[2:]] == [{1}, {0, 1}, {1}]
    assert [column.key for column in nothing] == ["noise", "severity", "1", "2"]
    assert list(nothing[2].cells) == ["+1.00*", "+2.00 ", "+9.00 "]
    assert [column.best for column in nothing[2:]] == [{0, 2}, {1, 2}]
    assert list(median[3].cells) == ["-1.00 ", "+3.00 ", "+8.00 "]


def test_a_single_run_has_one_table() -> None:
    means, both = tables_of([1, 2, 9])
    assert means[0].key == "run"
    assert [column.key for column in both] == ["noise", "severity", "over_nothing", "over_median"]
    assert all(not column.best for column in (*means, *both))
