from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoenc.comparison.report import html_page, report_data
from autoenc.runs import RunRecord
from tests.comparison.report_examples import UNITS, VARIATIONAL, record, summary


def test_settings_that_differ_are_told_from_those_that_do_not(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "a", settings={"architecture": {"name": "conv", "channels": [16, 32]}}),
        record(tmp_path, "b", settings={"seed": 1}),
        record(tmp_path, "c", settings={"seed": True}),
        record(tmp_path, "unreadable", state="unreadable", config={}),
    ]
    found = report_data.settings(runs).document
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
        (2**53, 2**53 + 1, [{"number": "9007199254740992"}, {"number": "9007199254740993"}]),
        ("x" * 200 + "a", "x" * 200 + "b", ["x" * 159 + "…", "x" * 159 + "… (2)"]),
        ([*range(100)], [*range(101)], None),
        (1, True, [1, True]),
        (None, "null", [None, "null"]),
        (1, 1.0, []),
    ],
)
def test_settings_differ_where_they_do_and_not_where_it_shows(
    tmp_path: Path, one: Any, other: Any, shown: list[Any] | None
) -> None:
    found = report_data.settings(
        [record(tmp_path, str(n), config={"key": value}) for n, value in enumerate([one, other])]
    )
    values = [value for setting in found.document["differing"] for value in setting["values"]]
    assert values == shown or (shown is None and len({*values}) == 2)
    assert len(found.document["shared"]) == (shown == [])


def test_settings_that_differ_go_before_those_that_do_not_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    many = {f"key{number:04}": 0 for number in range(5000)}
    runs = [record(tmp_path, str(n), config={**many, "optimizer": {"learning_rate": n + 1}, "seed": n}) for n in (0, 1)]
    found, notes = report_data.settings(runs)
    assert [setting["key"] for setting in found["differing"]] == ["optimizer.learning_rate", "seed"]
    assert len(found["shared"]) == report_data.MOST_SETTINGS - 2
    assert notes == [
        "4,702 settings are left out to keep this page small (the runs differ in none of them): key0298, key0299, "
        "key0300, key0301, key0302, key0303, key0304, key0305 and 4694 more."
    ]
    assert html_page.contents(runs, title="Runs")["notes"] == notes
    assert report_data.settings(runs[:1]).document["shared"][0] == ["key0000", 0]


def test_metrics_have_units_directions_and_sections(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "a", mse=0.02),
        record(tmp_path, "b", summary=summary(0.01, units=VARIATIONAL, kl_nats=3.0)),
        record(tmp_path, "c", mse=0.03, settings={"dataset": {"name": "kmnist", "validation_fraction": 0.1}}),
        record(tmp_path, "d", state="running"),
    ]
    found = {metric["key"]: metric for metric in report_data.metrics(runs).document}
    mse = found["test.mse"]
    assert mse["values"] == [0.02, 0.01, 0.03, None]
    assert mse["units"] == [UNITS["mse"]]
    assert mse["unitOf"] is None
    assert (mse["better"], mse["scale"]) == ("lower", "log")
    assert mse["sectionOf"] == [0, 0, 1, -1]
    assert "KMNIST" in mse["sections"][1]
    loss = found["test.loss"]
    assert loss["units"] == [UNITS["loss"], VARIATIONAL["loss"]]
    assert loss["unitOf"] == [0, 1, 0, -1]
    assert loss["sectionOf"] == [0, 1, 2, -1]
    assert (found["test.psnr"]["better"], found["test.psnr"]["scale"]) == ("higher", "linear")
    assert found["parameters"]["better"] is found["test.kl_nats"]["better"] is None
    assert list(found)[:3] == ["test.loss", "test.mse", "test.psnr"]


def test_runs_with_the_same_label_are_told_apart(tmp_path: Path) -> None:
    labels = [("a/0", "conv"), ("b/0", "conv"), ("b/1", "mlp")]
    runs = [record(tmp_path, name, label=label) for name, label in labels]
    assert report_data.unique_labels(runs) == ["conv · a/0", "conv · b/0", "mlp"]


def test_a_run_that_did_not_finish_says_why(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "a", state="failed", error_kind="out_of_memory", error_message="16 GiB"),
        record(tmp_path, "b", state="unreadable", problems=tuple(f"problem {n}" for n in range(9))),
        record(tmp_path, "c", state="dead"),
        record(tmp_path, "d"),
    ]
    found = report_data.runs(runs)
    assert found[0]["reasons"] == ["out_of_memory: 16 GiB"]
    assert found[1]["reasons"][-1] == "and 4 more"
    assert len(found[1]["reasons"]) == 6
    assert found[2]["reasons"] == ["its process exited without recording why"]
    assert "reasons" not in found[3]


def test_the_metric_that_is_ranked_by_is_among_very_many(tmp_path: Path) -> None:
    scores = {f"a{number:04}": 0.5 for number in range(1000)} | {"z": 0.5}
    run = record(tmp_path, "a", summary=summary(0.1) | {"train": scores})
    assert [metric["key"] for metric in report_data.metrics([run], main="train.z").document][-1] == "train.z"
    found, (note,) = report_data.metrics([run], main="test.mse")
    assert len(found) == report_data.MOST_METRICS
    assert note.startswith("894 metrics are left out to keep this page small: train.a")
    assert html_page.contents([run], title="Runs")["notes"] == [note]


def test_seeds_of_a_setting_are_a_group(tmp_path: Path) -> None:
    def run(name: str, architecture: str, seed: int) -> RunRecord:
        label = f"{architecture}, seed {seed}"
        return record(tmp_path, name, label=label, settings={"architecture__name": architecture, "seed": seed})

    waiting = record(tmp_path, "waiting", label="waiting", state="waiting", config={})
    runs = [run("a", "conv", 0), run("b", "conv", 1), run("copy", "conv", 1), waiting, run("c", "linear", 0)]
    found = report_data.groups(runs)
    assert found is not None
    assert found["members"] == [[[0], [1, 2]], [[4]], [[3]]]
    assert found["labels"] == ["conv", "linear", "waiting"]
    assert found["t"] == [pytest.approx(12.7062)]
    assert report_data.groups([runs[0], *runs[3:]]) is None


def test_metrics_name_their_baselines(tmp_path: Path) -> None:
    scores = summary(0.02, denoising_mse=0.3, linear_denoising_mse=0.4)
    document = report_data.metrics([record(tmp_path, "a", summary=scores)]).document
    found = {metric["key"]: metric["baseline"] for metric in document}
    assert found["test.mse"] == found["validation.mse"] == "test.pca_mse"  # the only one that was measured
    assert found["test.denoising_mse"] == "test.linear_denoising_mse"
    assert found["test.psnr"] is None
    called = {metric["key"]: metric["baselineName"] for metric in document}
    assert (called["test.mse"], called["test.denoising_mse"], called["test.psnr"]) == (
        "PCA",
        "best linear denoiser",
        None,
    )
