from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Mapping, Sequence

import pytest

from autoenc.comparison.columns import Column
from autoenc.comparison.grouping import (
    Group,
    group_columns,
    group_warnings,
    groups_of,
    in_order,
    settings_but_the_seed,
)
from autoenc.comparison.intervals import estimate, t_quantile
from autoenc.comparison.markdown import as_markdown_table
from autoenc.comparison.view import Order, arrange
from autoenc.comparison.view import in_order as sort_runs
from autoenc.runs import RunRecord
from tests.comparison.made_records import record

stats = importlib.import_module("scipy.stats")  # which has no types


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 29, 30, 31, 32, 50, 100, 1000, 100_000])
def test_quantiles_are_those_of_scipy(degrees: int) -> None:
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=2e-8)


def test_the_interval_is_that_of_scipy() -> None:
    values = [0.0212, 0.0205, 0.0231, 0.0219, 0.0208]
    found = estimate(values)
    low, high = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    assert found.mean == pytest.approx((low + high) / 2)
    assert found.half_width == pytest.approx((high - low) / 2)
    assert found.runs == 5


def test_a_single_number_has_no_interval() -> None:
    assert estimate([0.5]) == (0.5, None, 1)
    assert estimate([0.5, 0.5]) == (0.5, 0.0, 2)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e200, 5e307])
def test_numbers_of_any_size_have_a_mean_and_an_interval(size: float) -> None:
    found, usual = estimate([size, 2 * size, 3 * size]), estimate([1.0, 2.0, 3.0])
    assert found.mean / size == pytest.approx(usual.mean)
    assert found.half_width is not None
    assert usual.half_width is not None
    assert found.half_width / size == pytest.approx(usual.half_width, rel=1e-3)


def test_an_interval_that_no_number_is_large_enough_for_is_not_known() -> None:
    assert estimate([1.7e308, -1.7e308]) == (0.0, None, 2)
    assert estimate([sys.float_info.max] * 3) == (sys.float_info.max, 0.0, 3)
    assert estimate([0.0, 0.0]) == (0.0, 0.0, 2)


def test_a_mean_of_hundreds_of_digits_is_written_short() -> None:
    runs = [record(str(seed), {"mse": error}, seed=seed) for seed, error in enumerate([1e200, 2e200, 1.7e308])]
    cells = {one.key: one.cells for one in group_columns(groups(runs, "architecture"), metrics=["test.mse"])}
    assert len(cells["test.mse"][0]) < 30


RUNS = [
    *(
        record(
            f"conv {seed}",
            {"mse": error, "pca_mse": 0.2},
            architecture__name="conv",
            seed=seed,
            label=f"conv {seed}",
        )
        for seed, error in enumerate([0.10, 0.12, 0.14])
    ),
    *(record(f"linear {seed}", {"mse": error}, seed=seed) for seed, error in enumerate([0.30, 0.32])),
    record("linear 2", state="failed", error_kind="killed", seed=2),
]


def groups(runs: list[RunRecord], *keys: str, metric: str = "test.mse") -> list[Group]:
    view = arrange(runs, metric=metric, order=None)
    (section,) = view.sections
    return groups_of(section, view=view, keys=keys)


def test_what_failed_on_other_images_is_left_out_of_no_group() -> None:
    elsewhere = record("elsewhere", state="failed", dataset__name="fashion_mnist", seed=3)
    assert [group.left_out for group in groups([*RUNS, elsewhere], "architecture")] == [0, 1]


def cells(columns: list[Column]) -> dict[str, list[str]]:
    return {one.key: list(one.cells) for one in columns}


def test_runs_that_differ_in_the_seed_alone_are_one() -> None:
    assert settings_but_the_seed(RUNS) == ["architecture"]
    found = groups(RUNS, "architecture")
    assert [group.values for group in found] == [{"architecture": "conv"}, {"architecture": "linear"}]
    assert [len(group.records) for group in found] == [3, 2]
    assert [group.left_out for group in found] == [0, 1]
    conv = found[0].estimates("test.mse")
    assert conv is not None
    assert conv.mean == pytest.approx(0.12)
    assert conv.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.02 / math.sqrt(3))


def test_the_table_of_groups() -> None:
    found = groups(RUNS, "architecture")
    columns = group_columns(found, metrics=["test.mse", "test.pca_mse", "parameters", "test.psnr"])
    table = cells(columns)
    assert table["architecture"] == ["conv", "linear"]
    assert table["n"] == ["3", "2"]
    assert table["left_out"] == ["", "1"]
    assert table["test.mse"] == ["0.120 ± 0.050", "0.310 ± 0.127"]
    assert table["test.pca_mse"] == ["0.2000", ""]
    assert table["parameters"] == ["1,234", "1,234"]
    assert "test.psnr" not in table
    assert next(one.best for one in columns if one.key == "test.mse") == {0}


def test_all_means_that_show_as_the_best_are_bold() -> None:
    errors = {"conv": (0.1, 0.2), "mlp": (0.1, 0.2 + 1e-9), "linear": (0.3, 0.4)}
    runs = [
        record(f"{name} {seed}", {"mse": error}, architecture__name=name, seed=seed)
        for name, both in errors.items()
        for seed, error in enumerate(both)
    ]
    (mean,) = (
        one for one in group_columns(groups(runs, "architecture"), metrics=["test.mse"]) if one.key == "test.mse"
    )
    assert mean.cells[0] == mean.cells[1]
    assert mean.best == {0, 1}


def test_a_group_of_one_has_a_mean_and_no_interval() -> None:
    table = cells(group_columns(groups(RUNS[:4], "architecture"), metrics=["test.mse"]))
    assert table["test.mse"] == ["0.120 ± 0.050", "0.300"]
    assert table["n"] == ["3", "1"]


def test_groups_are_in_order_of_their_means() -> None:
    found = groups([*RUNS[3:5], *RUNS[:3]], "architecture")
    assert [group.values["architecture"] for group in in_order(found, metric="test.mse", order=None)] == [
        "conv",
        "linear",
    ]
    down = in_order(found, metric="test.mse", order=Order("test.mse", descending=True))
    assert [group.values["architecture"] for group in down] == ["linear", "conv"]
    by_key = in_order(found, metric="test.mse", order=Order("architecture", descending=False))
    assert [group.values["architecture"] for group in by_key] == ["conv", "linear"]


def warnings_of(found: list[Group]) -> list[str]:
    return group_warnings(found, metrics=["test.mse", "test.psnr", "parameters", "test.pca_mse"])


def test_what_a_group_mixes_is_said() -> None:
    assert warnings_of(groups(RUNS[:5], "architecture")) == []
    mixed = [record(f"{seed}", {"mse": 0.1 * seed}, optimizer__learning_rate=seed, seed=seed) for seed in (1, 2)]
    (warning,) = warnings_of(groups(mixed, "architecture"))
    assert "optimizer.learning_rate" in warning
    assert "--group-by settings" in warning
    copies = [record(name, {"mse": 0.1}) for name in "ab"]
    (warning,) = warnings_of(groups(copies, "architecture"))
    assert "copies" in warning
    (warning,) = warnings_of(groups(RUNS, "architecture"))
    assert "left_out" in warning


def test_numbers_of_different_things_have_no_mean() -> None:
    noises = [{"name": "gaussian", "std": std} for std in (0.1, 0.5)]
    runs = [
        record(str(number), {"mse": 0.1, "noisy_mse": 0.2}, noise=noise, seed=number)
        for number, noise in enumerate(noises)
    ]
    found = groups(runs, "architecture")
    assert found[0].estimates("test.noisy_mse") is None
    assert cells(group_columns(found, metrics=["test.noisy_mse"]))["test.noisy_mse"] == ["mixed"]


def test_sizes_that_differ_are_a_range() -> None:
    runs = [record("a", {"mse": 0.1}, parameters=10), record("b", {"mse": 0.1}, parameters=2000)]
    assert cells(group_columns(groups(runs), metrics=["parameters"]))["parameters"] == ["10 to 2,000"]


def test_runs_are_sorted_by_any_key_and_what_is_missing_comes_last() -> None:
    runs = [
        record("job 10", {"mse": 0.1}, noise={"name": "gaussian", "std": 0.5}),
        record("job 9", {"mse": 0.1}, noise={"name": "gaussian", "std": 0.1}),
        record("job 1", {"mse": 0.1}),
    ]

    def names(key: str, *, descending: bool = False) -> list[str]:
        view = arrange(runs, metric="test.mse", order=Order(key, descending))
        return [each.name for section in view.sections for each in section.records]

    assert names("name") == ["job 1", "job 9", "job 10"]
    assert names("name", descending=True) == ["job 10", "job 9", "job 1"]
    assert names("noise.std") == ["job 9", "job 10", "job 1"]
    assert names("noise.std", descending=True) == ["job 10", "job 9", "job 1"]


def test_the_order_is_said() -> None:
    assert "test split" in arrange(RUNS, metric="test.mse", order=None).note
    note = arrange(RUNS, metric="test.mse", order=Order("test.mse", descending=True)).note
    assert note.startswith("Sorted by test.mse, descending. By test.mse, lower is better")
    assert arrange(RUNS, metric="test.mse", order=Order("seed", descending=False)).note == "Sorted by seed, ascending."
    nothing = arrange(RUNS, metric=None, order=None)
    assert (nothing.sections, len(nothing.unranked)) == ((), len(RUNS))


def scored(scores: Mapping[str, Sequence[float | None]]) -> list[RunRecord]:
    """A run for each number, which is its psnr if it has any."""
    return [
        record(
            f"{name} {seed}",
            {"mse": 0.1 + seed / 100, **({} if score is None else {"psnr": score, "pca_mse": 0.2})},
            architecture__name=name,
            seed=seed,
            parameters=score,
        )
        for name, each in scores.items()
        for seed, score in enumerate(each)
    ]


def psnr_of(runs: list[RunRecord]) -> Column:
    columns = group_columns(groups(runs, "architecture"), metrics=["test.psnr"])
    return next(one for one in columns if one.key == "test.psnr")


def test_a_mean_of_some_of_the_runs_says_so_and_is_never_the_best() -> None:
    whole = {"linear": (20.0, 20.5, 21.0), "mlp": (10.0, 11.0, 12.0)}
    survivors = scored({"conv": (None, 21.0, 22.0), **whole})
    assert list(psnr_of(survivors).cells) == ["21.5 ± 6.4 (2)", "20.5 ± 1.2", "11.0 ± 2.5"]
    assert psnr_of(survivors).best == frozenset()  # nobody knows which it is
    assert "| 21.5 ± 6.4 (2) |" in as_markdown_table([psnr_of(survivors)])
    (warning,) = warnings_of(groups(survivors, "architecture"))
    assert warning.startswith("Some runs have no test.psnr: a mean with a number in brackets")
    assert psnr_of(scored(whole)).best == {0}
    assert psnr_of(scored({"conv": (None, 12.0, 13.0), **whole})).best == {1}
    equal = psnr_of(scored({"conv": (None, 20.0, 21.0), **whole}))
    assert equal.cells[0].startswith(equal.cells[1].partition(" ")[0])
    assert equal.best == {1}


def test_a_single_number_that_is_left_of_several_runs_says_so() -> None:
    runs = [record("a", {"mse": 0.1, "psnr": 20.0}), record("b", {"mse": 0.2}, seed=1)]
    assert cells(group_columns(groups(runs), metrics=["test.psnr"]))["test.psnr"] == ["20 (1)"]


def test_who_groups_by_the_seed_wants_the_copies() -> None:
    copies = [record(name, {"mse": 0.1}, seed=seed) for name in "ab" for seed in (1, 2)]
    assert warnings_of(groups(copies, "architecture", "seed")) == []
    (warning,) = warnings_of(groups(copies, "architecture"))
    assert "copies" in warning


def test_what_is_no_number_comes_last_in_either_direction() -> None:
    scores = {"a": 2.0, "b": math.nan, "c": 1.0, "d": None, "e": 3.0}
    runs = [
        record(name, {"mse": 0.1, **({} if score is None else {"psnr": score})}, seed=seed)
        for seed, (name, score) in enumerate(scores.items())
    ]
    for descending, expected in {False: "caebd", True: "eacbd"}.items():
        assert "".join(run.name for run in sort_runs(runs, Order("test.psnr", descending))) == expected
