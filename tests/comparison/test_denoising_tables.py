"""The denoising matrix as text: means, the best run of each noise, and the mark of the training noise."""

from __future__ import annotations

import numpy as np

from autoenc.comparison.columns import Column
from autoenc.comparison.denoising_tables import _means, denoising_tables
from autoenc.comparison.tables import Line
from autoenc.evaluation.denoising_matrix import MeanGain
from autoenc.pictures.denoising_heat_map import DenoisingHeatMap


def tables_of(*gains: list[float], own: int = 0) -> list[list[Column]]:
    """Of runs with these gains under three noises, the last of which is an extra, and the unseen means 5, 6, ...

    The first run was trained on the noise `own`, and the others on the extra one.
    """
    over_nothing = np.array(gains)
    averaged = [(0, 1) if row or own == 2 else (1 - own,) for row in range(len(gains))]
    means = [
        {
            "denoising_gain_db": MeanGain(sum(gain[:2]) / 2, 0.1, (0, 1)),
            "denoising_gain_unseen_db": MeanGain(5 + row, 0.1, averaged[row]),
            "denoising_gain_over_median_db": MeanGain(sum(gain[:2]) / 2 - 1, 0.1, (0, 1)),
        }
        for row, gain in enumerate(gains)
    ]
    matrix = DenoisingHeatMap(
        runs=tuple(f"run {row}" for row in range(len(gains))),
        kinds=("gaussian (std)", "gaussian (std)", "masking (probability)"),
        severities=("0.1", "0.3", "0.5"),
        over_nothing=over_nothing,
        over_median=over_nothing - 1,
        trained_on=np.array([np.arange(3) == (2 if row else own) for row in range(len(gains))]),
        averaged=np.array([True, True, False]),
        mean_over_nothing=over_nothing[:, :2].mean(1),
        mean_over_median=over_nothing[:, :2].mean(1) - 1,
        images=10,
    )
    return [part for part in denoising_tables(matrix, means) if not isinstance(part, Line)]


def test_several_runs_are_numbered_and_the_best_of_each_noise_is_marked() -> None:
    means, nothing, median = tables_of([1, 2, 9], [0, 4, 9])
    assert [column.key for column in means[1:]] == [
        "run",
        "denoising_gain_db",
        "denoising_gain_unseen_db",
        "denoising_gain_over_median_db",
    ]
    assert [list(column.cells) for column in means[2:]] == [["+1.50", "+2.00"], ["+5.00", "+6.00"], ["+0.50", "+1.00"]]
    assert [column.best for column in means[2:]] == [{1}, frozenset(), {1}]  # the unseen noises are others
    assert [column.key for column in nothing] == ["noise", "severity", "1", "2"]
    assert list(nothing[2].cells) == ["+1.00*", "+2.00 ", "+9.00 "]
    assert [column.best for column in nothing[2:]] == [{0, 2}, {1, 2}]
    assert list(median[3].cells) == ["-1.00 ", "+3.00 ", "+8.00*"]


def test_means_over_the_same_unseen_noises_have_a_best() -> None:
    means, *_ = tables_of([1, 2, 9], [0, 4, 9], own=2)
    assert [column.best for column in means[2:]] == [{1}, {1}, {1}]


def test_a_run_without_an_unseen_noise_has_an_empty_cell() -> None:
    both = {"denoising_gain_db": MeanGain(1.0, None, (0,)), "denoising_gain_unseen_db": MeanGain(2.0, None, (0,))}
    table = _means(["a", "b"], [{"denoising_gain_db": MeanGain(1.0, None, (0,))}, both])
    assert [(column.key, list(column.cells)) for column in table[2:]] == [
        ("denoising_gain_db", ["+1.00", "+1.00"]),
        ("denoising_gain_unseen_db", ["", "+2.00"]),
    ]


def test_a_single_run_has_one_table() -> None:
    means, both = tables_of([1, 2, 9])
    assert means[0].key == "run"
    assert [column.key for column in both] == ["noise", "severity", "over_nothing", "over_median"]
    assert all(not column.best for column in (*means, *both))
