from __future__ import annotations

import math
import time
from typing import Any

import pytest

from autoenc.comparison.cautions import cautions, ranking_note
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.protocol import (
    MOST_APART,
    bare_name,
    comparable_sections,
    is_higher_better,
    split_of,
    unranked,
)
from autoenc.runs import RunRecord
from tests.comparison.made_records import UNITS, record


def names(records: list[RunRecord], metric: str) -> list[list[str]]:
    return [[each.name for each in section.records] for section in comparable_sections(records, metric)]


def test_runs_of_one_thing_are_ranked_with_the_best_first() -> None:
    runs = [record("a", {"mse": 0.3}), record("b", {"mse": 0.1}), record("c", {"mse": 0.2})]
    assert names(runs, "test.mse") == [["b", "c", "a"]]
    assert comparable_sections(runs, "test.mse")[0].apart == {}
    assert cautions(runs, "test.mse") == []


def test_of_what_grows_the_most_is_the_best() -> None:
    runs = [record("a", {"psnr": 10.0}), record("b", {"psnr": 30.0}), record("c", {"psnr": 20.0})]
    assert names(runs, "test.psnr") == [["b", "c", "a"]]
    assert names(runs, "parameters") == [["a", "b", "c"]]


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({"dataset__name": "fashion_mnist"}, "test.mse"),
        ({"dataset__limit": 100}, "test.mse"),
        ({"dataset__validation_fraction": 0.2}, "test.mse"),
        ({"dataset__size": [32, 32]}, "test.mse"),
        ({"dataset__binarization": "static"}, "test.mse"),
        ({"dataset__path": "/other"}, "test.mse"),
        ({"dataset__split_seed": 1}, "validation.mse"),
        ({"dataset__split_seed": 1}, "train.mse"),
        ({"dataset__split_seed": 1}, "test.pca_mse"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.noisy_mse"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.loss"),
        ({"loss": {"name": "bce"}}, "test.elbo_nats"),
        ({"loss": {"name": "bce"}}, "test.nll_nats"),
        ({"evaluation": {"nll_samples": 50}}, "test.nll_nats"),
        ({"units": UNITS | {"mse": "cubes"}}, "test.mse"),
        ({"environment": {"device": "cuda", "threads": 1}}, "seconds.training"),
        ({"environment": {"device": "cpu", "threads": 2}}, "images_per_second"),
        ({"status": {"host": "there"}}, "seconds.training"),
    ],
)
def test_what_is_not_of_the_same_thing_is_not_ranked_together(change: dict[str, Any], metric: str) -> None:
    scores = {"mse": 0.1, "noisy_mse": 0.2, "loss": 0.1, "elbo_nats": -9.0, "nll_nats": 9.0, "pca_mse": 0.5}
    runs = [record("a", scores), record("b", scores, **change), record("c", scores)]
    assert names(runs, metric) == [["a", "c"], ["b"]]
    assert comparable_sections(runs, metric)[0].name != comparable_sections(runs, metric)[1].name
    (warning,) = cautions(runs, metric)
    assert f"{metric} cannot rank all 3 runs together" in warning
    assert next(iter(comparable_sections(runs, metric)[1].apart)) in warning
    assert "2 rankings" in warning


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.mse"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.elbo_nats"),
        ({"dataset__split_seed": 1}, "test.mse"),
        ({"dataset__shuffle": False}, "test.mse"),
        ({"data_dir": "/elsewhere"}, "test.mse"),
        ({"architecture": {"name": "conv"}}, "validation.loss"),
        ({"loss": {"name": "gaussian"}}, "test.elbo_nats"),  # what mse is taken for
        ({"environment": {"device": "cuda", "threads": 8}}, "test.mse"),
        ({"dataset__name": "fashion_mnist"}, "parameters"),
    ],
)
def test_what_changes_nothing_of_what_is_measured_keeps_no_runs_apart(change: dict[str, Any], metric: str) -> None:
    scores = {"mse": 0.1, "loss": 0.1, "elbo_nats": -9.0}
    assert names([record("a", scores), record("b", scores, **change)], metric) == [["a", "b"]]


def test_black_and_white_test_images_depend_on_who_drew_them() -> None:
    changes = {"dataset__binarization": "static"}
    runs = [record("a", {"mse": 0.1}, **changes), record("b", {"mse": 0.1}, dataset__split_seed=1, **changes)]
    assert names(runs, "test.mse") == [["a"], ["b"]]


def test_what_sets_sections_apart_is_named_without_what_a_choice_implies() -> None:
    gaussian = {"noise": {"name": "gaussian", "std": 0.3, "clip": True}}
    runs = [record("a", {"noisy_mse": 0.1}), record("b", {"noisy_mse": 0.1}, **gaussian)]
    assert [section.apart for section in comparable_sections(runs, "test.noisy_mse")] == [
        {"noise": "none"},
        {"noise": "gaussian"},
    ]
    stronger = {"noise": {"name": "gaussian", "std": 0.5, "clip": True}}
    runs.append(record("c", {"noisy_mse": 0.1}, **stronger))
    assert [section.name for section in comparable_sections(runs, "test.noisy_mse")] == [
        "noise none",
        "noise gaussian, noise.std 0.3",
        "noise gaussian, noise.std 0.5",
    ]


def test_a_run_that_does_not_say_what_it_measured_is_by_itself() -> None:
    runs = [record("a", {"mse": 0.1}), record("b", {"mse": 0.1}, config={}, units=None)]
    assert names(runs, "test.mse") == [["a"], ["b"]]
    assert comparable_sections(runs, "test.mse")[1].apart["unit"] == "unknown"
    assert comparable_sections(runs, "test.mse")[1].apart["dataset"] == "unknown"


def test_what_has_not_finished_is_never_ranked_and_never_dropped() -> None:
    runs = [
        record("good", {"mse": 0.5}),
        record("failed", {"mse": 0.1}, state="failed", error_kind="raised", error_message="ValueError: no"),
        record("running", state="running"),
        record("dead", {"mse": 0.1}, state="dead"),
        record("broken", state="unreadable", problems=("summary.json is cut off",)),
        record("nan", {"mse": math.nan}),
        record("other", {"psnr": 1.0}, problems=("metrics.jsonl is missing",)),
    ]
    assert names(runs, "test.mse") == [["good"]]
    reasons = {one.record.name: one.reason for one in unranked(runs, "test.mse")}
    assert reasons == {
        "failed": "raised: ValueError: no",
        "running": "still running",
        "dead": "its process ended without a word",
        "broken": "summary.json is cut off",
        "nan": "its test.mse is nan",
        "other": "it has no test.mse; metrics.jsonl is missing",
    }


def test_errors_at_different_code_sizes_are_warned_of() -> None:
    runs = [
        record("small", {"mse": 0.3, "pca_mse": 0.041}, code_size=3),
        record("large", {"mse": 0.1, "pca_mse": 0.0104}, code_size=64),
    ]
    (warning,) = cautions(runs, "test.mse")
    assert "codes of 3 and 64 numbers" in warning
    assert "0.041 with 3, 0.0104 with 64" in warning
    assert cautions(runs, "parameters") == []
    assert cautions(runs, "seconds.training") == []
    assert cautions([*runs[:1], record("other", {"mse": 0.2}, code_size=3)], "test.mse") == []
    apart = [runs[0], record("large", {"mse": 0.1}, code_size=64, dataset__limit=9)]
    assert ["cannot rank" in warning for warning in cautions(apart, "test.mse")] == [True]


def test_it_is_said_on_which_split_a_ranking_is() -> None:
    assert "on the test split" in ranking_note("test.mse")
    assert "rank them on the validation split" in ranking_note("test.mse")
    assert ranking_note("validation.mse") == "By validation.mse, lower is better: on the validation split."
    assert ranking_note("test.psnr").startswith("By test.psnr, higher is better")
    assert ranking_note("parameters") == "By parameters."


def test_what_is_better() -> None:
    assert is_higher_better("test.noisy_psnr") is True
    assert is_higher_better("validation.loss") is False
    assert is_higher_better("seconds.total") is False
    assert is_higher_better("code_size") is None
    assert is_higher_better("test.kl_nats") is None
    assert is_higher_better("test.mine", unit="points, higher is better") is True
    assert is_higher_better("test.mine", unit="points, lower is better") is False
    assert (bare_name("test.noisy_mse"), bare_name("seconds.training"), bare_name("epochs")) == (
        "mse",
        "seconds",
        "epochs",
    )
    assert (split_of("validation.mse"), split_of("seconds.total"), split_of("epochs")) == ("validation", None, None)


@pytest.mark.parametrize(("count", "keys"), [(4, 4000), (200, 400)])
def test_thousands_of_keys_that_no_two_datasets_share_take_no_time(count: int, keys: int) -> None:
    runs = [
        record(str(number), {"mse": 0.1}, **{f"dataset__k{number}_{each}": 1 for each in range(keys)})
        for number in range(count)
    ]
    started = time.perf_counter()
    sections = comparable_sections(runs, "test.mse")
    assert len(differing_settings(runs)) == count * keys
    assert time.perf_counter() - started < 4  # a second; many, where each key is looked for among all of them
    assert len(sections) == count
    assert all(0 < len(section.apart) <= MOST_APART for section in sections)
