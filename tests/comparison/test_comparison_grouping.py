from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from autoenc.comparison import grouping
from autoenc.comparison.columns import Column
from autoenc.comparison.comparison_warnings import group_warnings
from autoenc.comparison.grouping import Group, group_columns, group_names, groups_by_seed, groups_of
from autoenc.comparison.ranking import Section, SortOrder, comparable_sections, rank
from autoenc.comparison.rendering import markdown_table
from autoenc.runs import RunRecord
from tests.comparison.made_records import record


def test_huge_numbers_have_short_means() -> None:
    runs = [record(str(seed), {"mse": error}, seed=seed) for seed, error in enumerate([1e200, 2e200, 1.7e308])]
    assert len(cells(runs, "test.mse")["test.mse"][0]) < 30


RUNS = [
    *(
        record(f"conv {seed}", {"mse": error, "pca_mse": 0.2}, architecture__name="conv", seed=seed)
        for seed, error in enumerate([0.10, 0.12, 0.14])
    ),
    *(record(f"linear {seed}", {"mse": error}, seed=seed) for seed, error in enumerate([0.30, 0.32])),
    record("linear 2", state="failed", error_kind="killed", seed=2),
]


def groups(runs: Sequence[RunRecord], *keys: str, order: SortOrder | None = None) -> list[Group]:
    ranking = rank(runs, metric="test.mse", order=order)
    (section,) = ranking.sections
    return groups_of(section, ranking=ranking, keys=keys)


def mean_of(group: Group, key: str) -> tuple[float, float | None, int]:
    found = group.estimate(key)
    assert found is not None
    return found.mean, found.half_width, found.count


def columns(runs: Sequence[RunRecord], *metrics: str) -> dict[str, Column]:
    return {one.key: one for one in group_columns(groups(runs, "architecture"), metrics=metrics, metric="test.mse")}


def cells(runs: Sequence[RunRecord], *metrics: str) -> dict[str, list[str]]:
    return {key: list(one.cells) for key, one in columns(runs, *metrics).items()}


def test_runs_that_differ_only_in_the_seed_are_a_group() -> None:
    found = groups(RUNS, "architecture")
    assert [group.values for group in found] == [{"architecture": "conv"}, {"architecture": "linear"}]
    half_width = stats.t.ppf(0.975, 2) * 0.02 / math.sqrt(3)
    assert mean_of(found[0], "test.mse") == pytest.approx((0.12, half_width, 3))


def test_a_seed_that_was_scored_again_stays_with_the_others() -> None:
    scores = {"mse": 0.1, "linear_probe_accuracy": 0.9}
    runs = [
        record(str(seed), scores, seed=seed, evaluation__name="quick", evaluation__probe_images=images)
        for seed, images in enumerate([100, 2000, 2000])
    ]
    ((group,),) = groups_by_seed(rank(runs, metric="test.mse")) or []
    assert len(group.draws) == 3
    assert group.estimate("test.mse") is not None
    assert group.estimate("test.linear_probe_accuracy") is None  # not comparable


def test_a_failure_on_other_images_is_not_left_out() -> None:
    elsewhere = record("elsewhere", state="failed", dataset__name="fashion_mnist", seed=3)
    assert [group.left_out for group in groups([*RUNS, elsewhere], "architecture")] == [0, 1]


def test_a_table_measures_each_group_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of runs, this takes most of the time."""
    measured: list[Sequence[RunRecord]] = []

    def sections(records: Sequence[RunRecord], metric: str) -> list[Section]:
        measured.append(records)
        return comparable_sections(records, metric)

    monkeypatch.setattr(grouping, "comparable_sections", sections)
    found = groups(RUNS, "architecture")
    group_columns(found, metrics=["test.mse"], metric="test.mse")
    group_warnings(found, metrics=["test.mse"])
    assert [measured.count(group.records) for group in found] == [1, 1]


def test_the_table_of_groups() -> None:
    found = columns(RUNS, "test.mse", "test.pca_mse", "parameters", "test.psnr")
    table = {key: list(one.cells) for key, one in found.items()}
    assert table == {
        "architecture": ["convolutional", "linear"],
        "n": ["3", "2"],
        "left_out": ["", "1"],
        "test.mse": ["0.120 ± 0.050", "0.310 ± 0.127"],
        "test.mse.sd": ["0.020", "0.014"],
        "test.pca_mse": ["0.2000", ""],
        "parameters": ["1,234", "1,234"],
        "test.psnr": ["", ""],
    }
    assert found["test.mse"].best == {0}


def test_all_means_that_look_like_the_best_are_bold() -> None:
    errors = {"conv": (0.1, 0.2), "mlp": (0.1, 0.2 + 1e-9), "linear": (0.3, 0.4)}
    runs = [
        record(f"{name} {seed}", {"mse": error}, architecture__name=name, seed=seed)
        for name, both in errors.items()
        for seed, error in enumerate(both)
    ]
    mean = columns(runs, "test.mse")["test.mse"]
    assert mean.cells[0] == mean.cells[1]
    assert mean.best == {0, 1}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (None, ["conv", "linear"]),
        (SortOrder("test.mse", descending=True), ["linear", "conv"]),
        (SortOrder("architecture", descending=True), ["linear", "conv"]),
    ],
)
def test_groups_are_ordered_by_mean_or_key(order: SortOrder | None, expected: list[str]) -> None:
    found = groups([*RUNS[3:5], *RUNS[:3]], "architecture", order=order)
    assert [group.values["architecture"] for group in found] == expected


def warnings(runs: Sequence[RunRecord], *keys: str) -> list[str]:
    metrics = ["test.mse", "test.psnr", "parameters", "test.pca_mse"]
    return group_warnings(groups(runs, *(keys or ("architecture",))), metrics=metrics)


def test_groups_with_more_than_seeds_are_warned_of() -> None:
    assert warnings(RUNS[:5]) == []
    mixed = [record(f"{seed}", {"mse": 0.1 * seed}, optimizer__learning_rate=seed, seed=seed) for seed in (1, 2)]
    (warning,) = warnings(mixed)
    assert "optimizer.learning_rate" in warning
    assert "--group-by settings" in warning
    (warning,) = warnings(RUNS)
    assert "left_out" in warning


def test_copies_are_warned_of_unless_grouped_by_seed() -> None:
    copies = [record(name, {"mse": 0.1}, seed=seed) for name in "ab" for seed in (1, 2)]
    assert warnings(copies, "architecture", "seed") == []
    (warning,) = warnings(copies)
    assert "copies" in warning


def test_copies_count_once() -> None:
    errors = [0.10, 0.12, 0.14]
    once = [record(f"a{seed}", {"mse": error}, seed=seed) for seed, error in enumerate(errors)]
    copies = [record(f"b{seed}", {"mse": error + 0.02}, seed=seed) for seed, error in enumerate(errors)]
    (group,) = groups([*once, *copies], "architecture")
    half_width = stats.t.ppf(0.975, 2) * 0.02 / math.sqrt(3)
    assert mean_of(group, "test.mse") == pytest.approx((0.13, half_width, 3))  # copies that differ are averaged
    assert cells([*once, *copies])["n"] == ["3"]
    assert warnings([*once, *copies[:1]])[0].startswith("1 run is a copy of another, with the same settings and seed")


def test_a_seed_that_was_trained_again_is_not_left_out() -> None:
    failed = [record(f"failed {seed}", state="failed", seed=seed) for seed in (0, 0, 5, 5)]
    (group,) = groups([*RUNS[3:5], *failed], "architecture")
    assert group.left_out == 1


def test_runs_that_differ_only_in_their_seed_are_one_result_by_default() -> None:
    elsewhere = record("linear 3", {"mse": 0.34}, seed=3, data_dir="/mnt", training={"epochs": 5, "snapshot_every": 1})
    other_split = record("linear 4", {"mse": 0.31}, seed=4, dataset__split_seed=1)

    def found(runs: Sequence[RunRecord]) -> list[list[str]] | None:
        grouped = groups_by_seed(rank(runs, metric="test.mse"))
        if grouped is None:
            return None
        return [[record.name for record in group.records] for section in grouped for group in section]

    conv, linear = ["conv 0", "conv 1", "conv 2"], ["linear 0", "linear 1", "linear 3"]
    assert found([*RUNS, elsewhere, other_split]) == [conv, ["linear 4"], linear]
    assert found([RUNS[0], RUNS[3], RUNS[5]]) is None  # one seed each: the table of runs
    assert found([RUNS[0], record("copy", {"mse": 0.1}, architecture__name="conv")]) is None


def test_groups_are_named_by_labels_without_seeds_or_by_settings() -> None:
    def names(*labels: str) -> list[str]:
        kinds = ("conv", "conv", "linear")
        runs = [
            record(label, {"mse": 0.1}, label=label, seed=seed, architecture={"name": kind, "code_size": seed // 2})
            for seed, (label, kind) in enumerate(zip(labels, kinds, strict=True))
        ]
        return group_names(groups(runs, "architecture", "architecture.code_size"))

    assert names("wide conv, seed 0", "wide conv, seed 1", "flat, seed 2") == ["wide conv", "flat"]
    assert names("conv, seed 0", "conv, seed 1", "conv, seed 2") == [
        "convolutional, code size 0",
        "linear, code size 1",
    ]
    assert names("a", "b", "c") == ["convolutional, code size 0", "linear, code size 1"]
    two_sweeps = [
        replace(each, label=f"job {number // 2}, seed {each.settings['seed']}", sweep=Path(f"/sweeps/{number // 2}"))
        for number, each in enumerate([*RUNS[:2], *RUNS[3:5]])
    ]
    assert group_names(groups(two_sweeps, "architecture")) == ["convolutional", "linear"]
    assert group_names(groups(RUNS[:3], "architecture")) == ["convolutional autoencoder, code size 3, on MNIST"]


def test_numbers_that_are_not_comparable_have_no_mean_and_facts_a_range() -> None:
    runs = [
        record(str(seed), {"mse": 0.1, "denoising_mse": 0.2}, noise={"name": "gaussian", "std": std}, seed=seed)
        for seed, std in enumerate((0.1, 0.5))
    ]
    assert groups(runs, "architecture")[0].estimate("test.denoising_mse") is None
    assert cells(runs, "test.denoising_mse")["test.denoising_mse"] == ["mixed"]
    runs = [record("a", {"mse": 0.1}, parameters=10), record("b", {"mse": 0.1}, parameters=2000)]
    assert cells(runs, "parameters")["parameters"] == ["10 to 2,000"]


def scored(scores: Mapping[str, Sequence[float | None]]) -> list[RunRecord]:
    """A run for each number, which is its psnr if it has one."""
    found = []
    for name, each in scores.items():
        for seed, score in enumerate(each):
            psnr = {} if score is None else {"psnr": score}
            found.append(record(f"{name} {seed}", {"mse": 0.1, **psnr}, architecture__name=name, seed=seed))
    return found


def test_a_mean_over_some_of_the_runs_is_marked_and_never_the_best() -> None:
    whole = {"linear": (20.0, 20.5, 21.0), "mlp": (10.0, 11.0, 12.0)}

    def psnr(**more: tuple[float | None, ...]) -> Column:
        return columns(scored({**more, **whole}), "test.psnr")["test.psnr"]

    survivors = psnr(conv=(None, 21.0, 22.0))
    assert list(survivors.cells) == ["21.5 ± 6.4 (2)", "20.5 ± 1.2", "11.0 ± 2.5"]
    assert survivors.best == frozenset()  # the best one is not known
    assert "| 21.5 ± 6.4 (2) |" in markdown_table([survivors])
    assert psnr(conv=(None, 21.0)).cells[0] == "21.0 (1)"
    assert psnr().best == {0}
    assert psnr(conv=(None, 12.0, 13.0)).best == {1}
    equal = psnr(conv=(None, 20.0, 21.0))
    assert equal.cells[0].startswith(equal.cells[1].partition(" ")[0])
    assert equal.best == {1}
    (warning,) = warnings(scored({"conv": (None, 21.0, 22.0), **whole}))
    assert warning.startswith("Some runs have no test.psnr: a mean with a number in brackets")


def test_baselines_are_no_means_over_seeds() -> None:
    scores = {"mse": 0.1, "noise_mse": 0.4, "linear_denoising_mse": 0.3}
    runs = [record(str(seed), scores, seed=seed) for seed in range(3)]
    assert cells(runs, "test.noise_mse")["test.noise_mse"] == ["0.4000"]
    assert cells(runs, "validation.linear_denoising_mse")["validation.linear_denoising_mse"] == ["0.6000"]


@pytest.mark.parametrize("path", [{}, {"dataset__path": "imgs"}])
def test_unfinished_runs_are_missed_in_the_groups_of_their_settings(path: dict[str, str]) -> None:
    found = {"test": "7e57", "training_pool": "b001"}
    runs = [record("a", {"mse": 0.1}, digests=found, **path), record("lost", state="failed", seed=1, **path)]
    assert [group.left_out for group in groups(runs, "architecture")] == [1]
