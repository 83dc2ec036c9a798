from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from autoenc.comparison.report import document, page, texts
from tests.comparison.report_examples import UNITS, VARIATIONAL, record, summary


def test_settings_that_differ_are_told_from_those_that_do_not(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "a", settings={"architecture": {"name": "conv", "channels": [16, 32]}}),
        record(tmp_path, "b", settings={"seed": 1}),
        record(tmp_path, "c", settings={"seed": True}),
        record(tmp_path, "unreadable", state="unreadable", config={}),
    ]
    found = document.settings(runs).document
    differing = {setting["key"]: setting for setting in found["differing"]}
    assert differing["architecture"]["values"] == ["conv", "mlp"]
    assert differing["architecture"]["of"] == [0, 1, 1, -1]
    assert differing["architecture.code_size"]["of"] == [-1, 0, 0, -1]
    assert differing["architecture.channels"]["values"] == ["[16, 32]"]
    assert differing["seed"]["values"] == [0, 1, True]  # 1 and true are equal, and not the same setting
    assert [setting["key"] for setting in found["differing"]][-1] == "seed"
    assert ["dataset", "mnist"] in found["shared"]
    assert "dataset" not in differing
    assert (differing["architecture"]["main"], differing["architecture.channels"]["main"]) == (True, False)


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (0.001234561, 0.001234562, [0.001234561, 0.001234562]),
        (1234567, 1234568, [1234567, 1234568]),
        (2**53, 2**53 + 1, [{"number": "9007199254740992"}, {"number": "9007199254740993"}]),
        ("x" * 200 + "a", "x" * 200 + "b", ["x" * 159 + "…", "x" * 159 + "… (2)"]),
        ([*range(100)], [*range(101)], None),
        (1, True, [1, True]),
        (math.nan, math.inf, [{"number": "NaN"}, {"number": "Infinity"}]),
        (None, "null", [None, "null"]),
        (math.nan, math.nan, []),
        (1, 1.0, []),
        ([1, 2], [1, 2], []),
    ],
)
def test_settings_differ_where_they_do_and_not_where_it_shows(
    tmp_path: Path, one: Any, other: Any, shown: list[Any] | None
) -> None:
    found = document.settings([record(tmp_path, str(n), config={"key": value}) for n, value in enumerate([one, other])])
    values = [value for setting in found.document["differing"] for value in setting["values"]]
    assert values == shown or (shown is None and len({*values}) == 2)
    assert len(found.document["shared"]) == (shown == [])


def test_metrics_have_all_the_digits_that_rank_them(tmp_path: Path) -> None:
    runs = [record(tmp_path, str(mse), mse=mse) for mse in (0.01234562, 0.01234561)]
    assert document.metrics(runs).document[0]["values"] == [0.01234562, 0.01234561]


def many_keys(value: Any) -> dict[str, Any]:
    return {f"key{number:04}": value for number in range(5000)}


def test_settings_that_differ_go_before_those_that_do_not_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, str(n), config=many_keys(0) | {"optimizer": {"learning_rate": 0.1 * (n + 1)}, "seed": n})
        for n in range(2)
    ]
    found, notes = document.settings(runs)
    assert [setting["key"] for setting in found["differing"]] == ["optimizer.learning_rate", "seed"]
    assert len(found["shared"]) == document.MOST_SETTINGS - 2
    assert notes == [
        "4,702 settings are left out to keep this page small (the runs differ in none of them): key0298, key0299, "
        "key0300, key0301, key0302, key0303, key0304, key0305 and 4694 more."
    ]
    assert page.contents(runs, title="Runs")["notes"] == notes
    assert document.settings(runs[:1]).document["shared"][0] == ["key0000", 0]


def test_of_too_many_settings_that_differ_the_main_ones_are_kept(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, str(n), config={"figures": many_keys(n), "loss": f"loss {n}", "same": 1}) for n in range(2)
    ]
    found, notes = document.settings(runs)
    assert len(found["differing"]) == document.MOST_SETTINGS
    assert found["differing"][0]["key"] == "loss"
    assert notes[0].startswith("4,702 settings are left out to keep this page small (the runs differ in 4,701 of them)")


def test_long_settings_and_metrics_of_many_runs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "ROOM_FOR_SETTINGS", 3000)
    monkeypatch.setattr(document, "ROOM_FOR_METRICS", 3000)
    values = {f"key{number}": f"{'x' * 100} {number}" for number in range(100)}
    scores = {f"key{number}": 0.5 for number in range(100)}
    runs = [
        record(tmp_path, str(n), config={key: f"{n} {value}" for key, value in values.items()} | {"z": "same"},
               summary={"test": scores, "units": dict.fromkeys(scores, "x" * 100)})
        for n in range(3)
    ]  # fmt: skip
    settings, metrics = document.settings(runs), document.metrics(runs, main="test.key99")
    for part in (settings, metrics):
        assert 1500 < len(str(part.document)) < 3200
        assert "are left out to keep this page small" in part.notes[0]
    assert metrics.document[-1]["key"] == "test.key99"


def test_metrics_have_units_directions_and_sections(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "a", mse=0.02),
        record(tmp_path, "b", summary=summary(0.01, units=VARIATIONAL, kl_nats=3.0)),
        record(tmp_path, "c", mse=0.03, settings={"dataset": {"name": "kmnist", "validation_fraction": 0.1}}),
        record(tmp_path, "d", state="running"),
    ]
    found = {metric["key"]: metric for metric in document.metrics(runs).document}
    mse = found["test.mse"]
    assert mse["values"] == [0.02, 0.01, 0.03, None]
    assert mse["units"] == [UNITS["mse"]]
    assert mse["unitOf"] is None
    assert mse["better"] == "lower"
    assert mse["sectionOf"] == [0, 0, 1, -1]
    assert "kmnist" in mse["sections"][1]
    loss = found["test.loss"]
    assert loss["units"] == [UNITS["loss"], VARIATIONAL["loss"]]
    assert loss["unitOf"] == [0, 1, 0, -1]
    assert loss["sectionOf"] == [0, 1, 2, -1]
    assert found["test.psnr"]["better"] == "higher"
    assert "better" not in found["parameters"]
    assert "better" not in found["test.kl_nats"]
    assert list(found)[:3] == ["test.mse", "test.loss", "test.psnr"]


def test_numbers_that_json_has_no_word_for_are_texts(tmp_path: Path) -> None:
    wild = {"nan": math.nan, "much": math.inf, "little": -math.inf, "whole": 12345678, "long": 0.12345678}
    run = record(tmp_path, "a", summary=summary(0.1) | {"test": wild})
    values = {metric["key"].removeprefix("test."): metric["values"][0] for metric in document.metrics([run]).document}
    assert {name: values[name] for name in wild} == {
        "nan": "NaN",
        "much": "Infinity",
        "little": "-Infinity",
        "whole": 12345678,
        "long": 0.12345678,
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**53 - 1, 2**53 - 1),
        (-(2**53) - 1, {"number": "-9007199254740993"}),
        (10**400, {"number": "Infinity"}),
        (-(10**400), {"number": "-Infinity"}),
        (math.nan, {"number": "NaN"}),
        (2.0, 2),
        (0.1 + 0.2, 0.30000000000000004),
        (1e-9, 1e-9),
        ("x\x1b[2J\u202e", "x\\x1b[2J\\u202e"),
        ([1, "é"], '[1, "é"]'),
        ({"a": None}, '{"a": null}'),
        ({1, 2}, None),
    ],
)
def test_values_are_plain(given: Any, expected: Any) -> None:
    found = texts.value(given)
    if expected is not None:
        assert (found, type(found)) == (expected, type(expected))
    assert found is None or isinstance(found, (str, int, float, bool, dict))


def test_a_long_or_deep_value_is_cut() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(str(texts.value(deep))) <= texts.MOST_VALUE
    while deep:
        (deep,) = deep  # a list this deep cannot be freed at once
    assert len(str(texts.value("x" * 10_000))) <= texts.MOST_VALUE


def test_runs_with_the_same_label_are_told_apart(tmp_path: Path) -> None:
    labels = [("a/0", "conv"), ("b/0", "conv"), ("b/1", "mlp")]
    runs = [record(tmp_path, name, label=label) for name, label in labels]
    assert document.names(runs) == ["conv · a/0", "conv · b/0", "mlp"]


def test_a_run_that_did_not_finish_says_why(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "a", state="failed", error_kind="out_of_memory", error_message="16 GiB\x1b[31m"),
        record(tmp_path, "b", state="unreadable", problems=tuple(f"problem {n}" for n in range(9))),
        record(tmp_path, "c", state="dead"),
        record(tmp_path, "d"),
    ]
    found = document.runs(runs)
    assert found[0]["reasons"] == ["out_of_memory: 16 GiB\\x1b[31m"]
    assert found[1]["reasons"][-1] == "and 4 more"
    assert len(found[1]["reasons"]) == 6
    assert found[2]["reasons"] == ["its process ended without a word"]
    assert "reasons" not in found[3]
    assert [run["state"] for run in found] == ["failed", "unreadable", "dead", "finished"]


def test_the_page_ranks_as_the_tables_do(tmp_path: Path) -> None:
    runs = [record(tmp_path, name) for name in "ab"]
    assert page.contents(runs, title="Runs")["mainMetric"] == "validation.mse"
    assert page.contents(runs, title="Runs", metric="test.psnr")["mainMetric"] == "test.psnr"
    tested = record(tmp_path, "c", summary=summary(0.1) | {"validation": None})
    assert page.contents([*runs, tested], title="Runs")["mainMetric"] == "test.mse"
    assert page.contents([], title="Runs")["mainMetric"] is None


def test_the_metric_that_is_ranked_by_is_among_very_many(tmp_path: Path) -> None:
    scores = {f"a{number:04}": 0.5 for number in range(1000)} | {"z": 0.5}
    run = record(tmp_path, "a", summary=summary(0.1) | {"train": scores})
    assert [metric["key"] for metric in document.metrics([run], main="train.z").document][-1] == "train.z"
    found, (note,) = document.metrics([run], main="test.mse")
    assert len(found) == document.MOST_METRICS
    assert note.startswith("894 metrics are left out to keep this page small: train.a")
    assert page.contents([run], title="Runs")["notes"] == [note]


def test_what_is_neither_better_nor_worse_is_of_several_things_too(tmp_path: Path) -> None:
    other = {"dataset": {"name": "kmnist", "validation_fraction": 0.1}}
    scored = summary(0.1, kl_nats=3.0)
    runs = [record(tmp_path, "a", summary=scored), record(tmp_path, "b", settings=other, summary=scored)]
    (rate,) = (metric for metric in document.metrics(runs).document if metric["key"] == "test.kl_nats")
    assert rate["sectionOf"] == [0, 1]


def test_what_cannot_be_ranked_together_is_said(tmp_path: Path) -> None:
    other = {"dataset": {"name": "kmnist", "validation_fraction": 0.1}}
    runs = [record(tmp_path, "a"), record(tmp_path, "b", settings=other)]
    assert any("kmnist" in sentence for sentence in document.warnings(runs, "test.mse"))
    assert document.warnings(runs[:1], "test.mse") == []
