from __future__ import annotations

import math
import time

import pytest

from autoenc.comparison.columns import (
    Column,
    best_rows,
    column,
    least_wanted_first,
    run_column,
    run_names,
    same_for_all,
    state_columns,
    units,
    usual_columns,
    usual_metric,
)
from autoenc.comparison.keys import Keys, differing_settings
from autoenc.comparison.table import as_table, fitting, heading, width
from autoenc.comparison.wording import numbers, said
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError
from tests.comparison.made_records import record
from tests.comparison.printed import printed


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0212, 0.00532], ["0.021200", "0.005320"]),  # the points stand in a line
        ([0.1, 0.10001], ["0.10000", "0.10001"]),  # what differs is seen to
        ([0.1234567890, 0.1234567891], ["0.1234568", "0.1234568"]),  # but for what nobody measures
        ([1e-9, 1.0], ["1e-09", "1"]),
        ([1234567.0, None, 5.0], ["1,234,567", "", "5"]),
        ([math.nan, 0.5, math.inf], ["nan", "0.5000", "inf"]),
        ([-0.5, 0.25], ["-0.5000", "0.2500"]),
        ([0.0, 0.25], ["0.0000", "0.2500"]),
        ([], []),
        ([None], [""]),
    ],
)
def test_numbers_have_the_digits_that_tell_them_apart(values: list[float | None], texts: list[str]) -> None:
    assert numbers(values) == texts


def test_values_are_said_as_they_are_typed() -> None:
    values = [None, True, False, 3, 1e-08, 0.001, "conv", "", [1, "a"], {"b": None}, "a\x1b[2J\nb"]
    texts = ["null", "true", "false", "3", "1e-08", "0.001", "conv", "''", '[1, "a"]', '{"b": null}']
    assert [said(value) for value in values[:-1]] == texts
    assert "\x1b" not in said(values[-1])
    assert "\n" not in said(values[-1])
    assert said(["\u202e"]).isprintable()


def test_only_the_settings_that_differ_are_shown() -> None:
    runs = [record("a", architecture={"name": "conv", "channels": [1], "code_size": 3}), record("b", seed=1)]
    assert differing_settings(runs) == ["architecture", "seed"]  # a linear one has no channels, which says nothing more
    runs.append(record("c", architecture={"name": "conv", "channels": [2], "code_size": 3}))
    assert differing_settings(runs) == ["architecture", "architecture.channels", "seed"]


def test_a_setting_that_only_some_runs_have_is_shown_where_no_choice_explains_it() -> None:
    assert differing_settings([record("a"), record("b", training__patience=3)]) == ["training.patience"]


def test_places_and_pictures_are_no_difference() -> None:
    runs = [record("a"), record("b", data_dir="/b", figures=["codes"], training__snapshot_every=1)]
    assert differing_settings(runs) == []
    assert differing_settings([record("a"), record("b", config={})]) == []
    assert differing_settings([record("a"), record("b", dataset__path="/b")]) == ["dataset.path"]


def test_keys_are_found_by_their_last_part() -> None:
    keys = Keys([record("a", {"mse": 0.1})])
    assert keys.found("learning_rate", option="--sort") == "optimizer.learning_rate"
    assert keys.found("code_size", option="--sort") == "code_size"
    assert keys.found("state", option="--sort") == "state"
    assert keys.matching("*.mse", option="--columns") == ["test.mse", "validation.mse", "train.mse"]
    for wrong in ("mse", "lerning_rate", ""):
        with pytest.raises(ConfigError, match=r"^--sort"):
            keys.found(wrong, option="--sort")
    with pytest.raises(ConfigError, match=r"--columns.*like 'x\*'"):
        keys.matching("x*", option="--columns")


def test_the_best_of_a_column_is_marked_where_it_is_of_one_thing() -> None:
    runs = [record("a", {"mse": 0.2}), record("b", {"mse": 0.1}), record("c", {"mse": 0.1})]
    assert best_rows(runs, "test.mse") == {1, 2}
    assert best_rows(runs, "parameters") == frozenset()
    assert best_rows(runs[1:], "test.mse") == frozenset()  # both are
    assert best_rows([*runs, record("d", {"mse": 0.1}, state="failed")], "test.mse") == {1, 2}
    assert best_rows([*runs, record("d", {"mse": 0.01}, dataset__limit=9)], "test.mse") == frozenset()


def test_the_usual_metric_chooses_nothing_by_the_test_where_it_need_not() -> None:
    runs = [record("a", {"mse": 0.1}), record("b", {"mse": 0.1})]
    assert usual_metric(runs) == "validation.mse"
    assert usual_metric([*runs, record("c", {"mse": 0.1}, validation=None)]) == "test.mse"
    assert usual_metric([*runs, record("c", state="failed")]) == "validation.mse"
    assert usual_metric([record("a", {"psnr": 1.0})]) == "test.psnr"
    assert usual_metric([record("a", state="failed")]) is None


def test_the_usual_columns() -> None:
    runs = [record("a", {"mse": 0.1, "psnr": 9.0, "pca_mse": 0.2}), record("b", {"mse": 0.2}, seed=1)]
    facts = ["code_size", "parameters", "epochs", "seconds.training", "images_per_second", "machine"]
    scores = ["validation.mse", "test.mse", "train.mse", "test.pca_mse"]
    assert usual_columns(runs, "validation.mse") == ["seed", *scores, *facts]
    assert usual_columns(runs, "test.psnr")[1:4] == ["test.psnr", "validation.psnr", "train.psnr"]
    same = same_for_all(runs, usual_columns(runs, "test.mse"))
    assert same == {"code_size": "3", "parameters": "1,234", "epochs": "5 (best 4)", "machine": "cpu"}


def test_the_code_size_stands_there_once() -> None:
    runs = [record(str(size), {"mse": 0.1}, architecture__code_size=size, code_size=size) for size in (2, 3)]
    assert usual_columns(runs, "test.mse")[0] == "test.mse"
    other = [record(str(size), {"mse": 0.1}, architecture__code_size=size, code_size=2 * size) for size in (2, 3)]
    assert usual_columns(other, "test.mse")[0] == "architecture.code_size"


def test_an_epoch_is_that_of_the_weights_or_the_one_that_was_reached() -> None:
    runs = [
        record("a", {"mse": 0.1}),
        record("b", {"mse": 0.1}, best_epoch=None),
        record("c", state="running", history=({"epoch": 2},)),
        record("d", state="waiting"),
        record("e", state="running", history=({"epoch": "x"},)),
    ]
    assert list(column(runs, "epochs").cells) == ["5 (best 4)", "5", "2 of 5", "", ""]


def test_runs_are_called_by_label_unless_several_have_it() -> None:
    runs = [record("x/0", label="a"), record("y/0", label="a"), record("z", label="\x1b]0;b\x07")]
    first, second, third = run_names(runs)
    assert (first, second) == ("x/0", "y/0")
    assert third.isprintable()


def test_units_are_said_once_and_all_of_them() -> None:
    runs = [record("a", {"mse": 0.1, "loss": 0.1}), record("b", {"loss": 9.0}, units={"loss": "nats \x1b[1m"})]
    said_of = units(runs, ["test.mse", "validation.mse", "test.loss", "parameters"])
    assert said_of["mse"] == "squares"
    assert said_of["loss"].startswith("squares | nats")
    assert set(said_of) == {"mse", "loss"}
    assert all(text.isprintable() for text in said_of.values())


def test_all_that_shows_as_the_best_is_bold() -> None:
    errors = [0.10000001, 0.1, 0.2]
    runs = [record(str(seed), {"mse": error}, seed=seed) for seed, error in enumerate(errors)]
    assert best_rows(runs, "test.mse") == {1}
    shown = column(runs, "test.mse")
    assert shown.cells[0] == shown.cells[1]
    assert shown.best == {0, 1}
    runs.append(record("lost", {"mse": 0.1}, state="failed", seed=3))
    assert column(runs, "test.mse").best == {0, 1}


def test_headings_are_keys_in_lines() -> None:
    assert heading("optimizer.learning_rate") == ["optimizer.", "learning_rate"]
    assert "".join(heading("images_per_second")) == "images_per_second"
    assert len(heading("images_per_second")) == 2
    assert heading("seed") == ["seed"]


def table_of(runs: list[RunRecord], metric: str) -> list[Column]:
    return [run_column(runs), *(column(runs, key) for key in usual_columns(runs, metric))]


def test_one_table_of_all_jobs_whatever_became_of_them() -> None:
    runs = [
        record("small [red]", {"mse": 0.25}, seed=1),
        record("large", {"mse": 0.125}, seed=2),
        record("lost", state="failed", error_kind="killed", error_message="by signal 9", seed=3),
    ]
    table = as_table([*table_of(runs, "test.mse"), *state_columns(runs)], title="Three [bold]jobs")
    text = printed(table)
    lines = text.splitlines()
    assert lines[0].strip() == "Three [bold]jobs"
    rows = [line for line in lines if line.startswith(("small", "large", "lost"))]
    assert [row.split()[0] for row in rows] == ["small", "large", "lost"]
    assert "small [red]" in rows[0]
    assert "killed: by signal 9" in rows[2]
    assert "failed" in rows[2]
    assert "finished" in rows[0]
    bold = printed(table, styled=True)
    assert "\x1b[1m0.1250\x1b[0m" in bold
    assert "\x1b[1m0.2500\x1b[0m" not in bold


def test_the_width_is_that_of_the_printed_table() -> None:
    runs = [record("naïve 漢字", {"mse": 0.25}, seed=1), record("b", {"mse": 0.5}, seed=2)]
    columns = table_of(runs, "test.mse")
    lines = printed(as_table(columns), whole=True).splitlines()
    from rich.cells import cell_len

    assert max(cell_len(line) for line in lines) == width(columns)


def test_a_narrow_terminal_keeps_what_is_wanted_most() -> None:
    runs = [
        record("conv, seed 1", {"mse": 0.25, "pca_mse": 0.5}, seed=1, architecture__name="conv", code_size=4),
        record("linear, seed 2", {"mse": 0.5, "pca_mse": 0.5}, seed=2, code_size=8, parameters=5),
    ]
    columns = table_of(runs, "validation.mse")
    unwanted = least_wanted_first(columns, metric="validation.mse", names=run_names(runs))
    assert unwanted[0] == "images_per_second"
    assert not {"run", "validation.mse"} & set(unwanted)
    assert set(unwanted) == {one.key for one in columns} - {"run", "validation.mse"}
    left = fitting(columns, into=60, unwanted=unwanted)
    assert width(left) <= 60
    keys = [one.key for one in left]
    assert keys[0] == "run"
    assert {"validation.mse", "test.mse", "code_size"} <= set(keys)
    assert "seed" not in keys  # the runs' names say it
    assert fitting(columns, into=1000, unwanted=unwanted) == columns
    assert [one.key for one in fitting(columns, into=1, unwanted=unwanted)] == ["run", "validation.mse"]


def test_a_narrow_terminal_takes_back_what_has_room_beside_the_rest() -> None:
    columns = [Column("metric", ["1" * 10]), Column("narrow", ["1" * 6]), Column("wide", ["1" * 40])]
    left = fitting(columns, into=20, unwanted=["narrow", "wide"])
    assert [one.key for one in left] == ["metric", "narrow"]
    assert [one.key for one in fitting(columns, into=17, unwanted=["narrow", "wide"])] == ["metric"]
    assert width(left) == 18  # 10 and 6, and 2 between them


def test_thousands_of_columns_are_fitted_at_once() -> None:
    columns = [Column("metric", ["1"]), *(Column(f"k{number}", ["1"]) for number in range(20_000))]
    started = time.perf_counter()
    left = fitting(columns, into=80, unwanted=[one.key for one in columns[1:]])
    assert time.perf_counter() - started < 5  # seconds; hours, where every width is counted anew for each of them
    assert len(left) > 5
    assert width(left) <= 80
