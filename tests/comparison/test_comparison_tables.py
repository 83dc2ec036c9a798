"""The text of a comparison, on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from autoenc.comparison.columns import MOST_SETTINGS, Column, usual_metric
from autoenc.comparison.grouping import groups_by_seed, groups_of
from autoenc.comparison.ranking import rank
from autoenc.comparison.rendering import as_markdown, as_rich_table, escape_markdown
from autoenc.comparison.tables import (
    MOST_ROWS,
    Line,
    Table,
    TableOptions,
    comparison_tables,
)
from autoenc.runs import RunRecord
from tests.comparison.made_records import CONFIG, record
from tests.comparison.printed import printed, tables_printed


def tables(runs: Sequence[RunRecord], **changes: Any) -> list[Line | Table]:
    options = TableOptions(**{"metric": usual_metric(runs), **changes})
    return list(comparison_tables(rank(runs, metric=options.metric), options))


def shown(runs: Sequence[RunRecord], *, terminal: int | None = None, **changes: Any) -> str:
    parts = tables(runs, **changes)
    return tables_printed(parts, metric="validation.mse", terminal=terminal, all_columns=bool(changes.get("columns")))


def rows(text: str, *names: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(names)]


def test_a_comparison_reads_from_top_to_bottom() -> None:
    runs = [
        record("slow", {"mse": 0.25, "pca_mse": 0.5}, optimizer__learning_rate=0.1),
        record("fast", {"mse": 0.125, "pca_mse": 0.5}, optimizer__learning_rate=0.2),
        record("lost", state="failed", error_kind="killed", error_message="by signal 9", optimizer__learning_rate=0.3),
    ]
    text = shown(runs)
    lines = text.splitlines()
    assert lines[0] == "3 runs: 2 finished, 1 failed."
    assert lines[1] == "By validation.mse, lower is better: on the validation split."
    assert rows(text, "fast", "slow") == [
        ["fast", "0.2", "0.1250", "0.2500", "0.06250", "61.25", "4,321"],
        ["slow", "0.1", "0.2500", "0.5000", "0.12500", "61.25", "4,321"],
    ]
    assert rows(text, "lost") == [["lost", "failed", "killed:", "by", "signal", "9", "0.3"]]
    assert (
        "The same for all ranked runs: dataset MNIST, test.pca_mse 0.5000, code_size 3, parameters 1,234, "
        "epochs 5 (best 4), machine cpu."
    ) in text
    assert "mse: squares" in text
    assert not any(line.endswith(" ") for line in lines)


def test_runs_that_are_worse_than_their_baselines_are_counted(tmp_path: Path) -> None:
    scores = [{"mse": mse, "pca_mse": 0.1} for mse in (0.05, 0.1009, 0.102, 0.3)]
    runs = [record(str(number), each, path=tmp_path / str(number), seed=number) for number, each in enumerate(scores)]
    assert "2 of 4 runs are worse than PCA with the same code size (test mse).\n" in shown(runs)
    for number in (2, 3):
        runs[number].path.mkdir()
        (runs[number].path / "index.html").touch()
    sentence = "2 of 4 runs are worse than PCA with the same code size (test mse): index.html of each run says why."
    text = shown(runs)
    assert text.index(f"\n{sentence}\n") > text.index("\n0 ")
    assert "worse than" not in shown(runs[:2])
    assert "worse than" not in shown([record("codes", {"mse": 0.3, "pca_mse": 0.1, "rate_bits": 9.0})])
    denoised = {"denoising_mse": 0.3, "noise_mse": 0.2, "linear_denoising_mse": 0.1, "mse": 0.1, "pca_mse": 0.5}
    text = shown([record("a", denoised), record("b", denoised | {"denoising_mse": 0.15})])
    assert "2 of 2 runs are worse than the best linear denoiser with the same code size (test denoising mse)." in text
    assert "1 of 2 runs is worse than doing nothing (test denoising mse)." in text
    assert "than PCA" not in text


def test_a_high_accuracy_is_not_worse_than_its_baseline(tmp_path: Path) -> None:
    """The pages of runs explain errors, not accuracies."""
    (tmp_path / "index.html").touch()
    name = "linear_probe_accuracy"
    runs = [record(str(own), {name: own, f"pca_{name}": 0.9}, path=tmp_path) for own in (0.95, 0.93, 0.892, 0.8)]
    assert "1 of 4 runs is worse than PCA codes (test linear probe accuracy).\n" in shown(runs, metric=f"test.{name}")


def test_a_setting_that_names_the_runs_is_not_shown_twice() -> None:
    runs = [
        record(name, {"mse": 0.1}, label=label, architecture__name=name, optimizer__learning_rate=rate)
        for name, label, rate in (("mlp", "MLP", 0.1), ("conv", "convolutional", 0.2))
    ]
    keys = [one.key for part in tables(runs) if isinstance(part, list) for one in part]
    assert keys[:2] == ["run", "optimizer.learning_rate"]
    asked = [one.key for part in tables(runs, columns=("architecture",)) if isinstance(part, list) for one in part]
    assert asked == ["run", "architecture"]


def test_seeds_alone_have_a_name_and_the_meaning_of_their_interval() -> None:
    runs = [record(str(seed), {"mse": 0.1 + seed}, seed=seed, label=f"seed {seed}") for seed in range(3)]
    ranking = rank(runs, metric="test.mse")
    parts = list(comparison_tables(ranking, TableOptions(metric="test.mse", groups=groups_by_seed(ranking))))
    place = next(number for number, part in enumerate(parts) if isinstance(part, list))
    table, note = parts[place], parts[place + 1]
    assert isinstance(table, list)
    assert (table[0].key, list(table[0].cells)) == ("runs", ["linear autoencoder, code size 3, on MNIST"])
    assert isinstance(note, Line)
    assert note.text.startswith("± half of the 95 % interval of the mean over seeds (Student's t). sd:")


def test_each_section_has_a_table() -> None:
    runs = [
        record("a", {"mse": 0.3}, seed=1),
        record("b", {"mse": 0.1}, dataset__name="fashion_mnist", seed=1),
        record("c", {"mse": 0.2}, seed=1),
        record("d", {"mse": 0.1}, dataset__name="fashion_mnist", seed=2),
    ]
    text = shown(runs)
    assert text.index("cannot rank all 4 runs together") < text.index("\ndataset MNIST\n")
    places = [text.index(f"\n{start}") for start in ("dataset MNIST", "c ", "a ", "dataset Fashion-MNIST", "b ", "d ")]
    assert places == sorted(places)
    assert "All of these: seed 1" in text
    assert "dataset" not in [one.key for part in tables(runs) if isinstance(part, list) for one in part]


@pytest.mark.parametrize(("top", "expected"), [(1, ["c"]), (2, ["c", "a"]), (3, ["c", "a", "b"])])
def test_the_first_rows_are_counted_over_all_tables(top: int, expected: list[str]) -> None:
    runs = [record(name, {"mse": mse}) for name, mse in {"a": 0.3, "c": 0.2}.items()]
    runs += [record(name, {"mse": 0.1}, dataset__name="fashion_mnist") for name in ("b", "d")]
    runs += [record("e", {"mse": 0.1}, dataset__name="kmnist")]
    text = shown(runs, top=top)
    assert [row[0] for row in rows(text, *(f"{name} " for name in "abcde"))] == expected
    assert ("... and 1 more such table: --all" if top == 3 else "... and 2 more such tables: --all") in text
    assert [record.name for record in rank(runs, metric="validation.mse").first(top).records] == expected


def test_numbers_line_up_whatever_follows_them() -> None:
    column = Column("test.mse", ["0.120 ± 0.050", "0.310", "0.125 ± 0.1 (2)"])
    printed_rows = printed(as_rich_table([Column("run", ["a", "b", "c"], right=False), column])).splitlines()[-3:]
    assert [line.index("0.") for line in printed_rows] == [printed_rows[0].index("0.120")] * 3


def test_units_are_named_of_the_columns_that_there_is_room_for() -> None:
    scores = {"mse": 0.1, "denoising_mse": 0.2, "elbo_nats": -9.0}
    known = {"mse": "squares", "denoising_mse": "noisy squares", "elbo_nats": "nats an image"}
    runs = [record(name, scores, units=known, seed=seed) for seed, name in enumerate(("a", "b"))]
    assert "elbo_nats: nats an image" in shown(runs, metric="validation.mse")
    narrow = shown(runs, metric="validation.mse", terminal=50)
    assert "elbo_nats: nats an image" not in narrow
    assert "mse: squares" in narrow


def test_80_characters_show_the_names_of_groups_and_the_metric() -> None:
    settings = {f"architecture__{key}": key for key in "abcdefgh"}
    config = {**CONFIG, "architecture": {"name": "mlp", "code_size": 3, **dict.fromkeys("abcdefgh", 0)}}
    runs = [
        record(
            f"{name} {seed}", {"mse": 0.1 + seed / 100}, config=config, seed=seed, **(settings if name == "b" else {})
        )
        for name in "ab"
        for seed in range(3)
    ]
    ranking = rank(runs, metric="test.mse")
    parts = comparison_tables(ranking, TableOptions(metric="test.mse", groups=groups_by_seed(ranking)))
    text = tables_printed(parts, metric="test.mse", terminal=80)
    assert "runs" in text
    assert {row[1] for row in rows(text, "a ") if "0.110" in row} == {"0", "a"}
    assert text.count("0.110 ± 0.025") >= 2
    assert max(map(len, text.splitlines())) <= 80
    groups = [groups_of(section, ranking=ranking, keys=("architecture.a", "loss")) for section in ranking.sections]
    one_key = comparison_tables(ranking, TableOptions(metric="test.mse", groups=groups))
    assert rows(tables_printed(one_key, metric="test.mse", terminal=40), "0 ")[0][-3:] == ["0.110", "±", "0.025"]


def test_as_many_rows_as_can_be_read() -> None:
    runs = [record(f"job {number}", {"mse": 0.1 + number / 1e4}, seed=number) for number in range(MOST_ROWS + 7)]
    assert f"job {MOST_ROWS - 1} " in shown(runs)
    assert f"job {MOST_ROWS} " not in shown(runs)
    assert "... and 7 more: --all shows them" in shown(runs)
    assert f"job {MOST_ROWS + 6} " in shown(runs, all_rows=True)
    assert len(rows(shown(runs, top=3), "job ")) == 3
    assert f"... and {MOST_ROWS + 4} more\n" in shown(runs, top=3)


def test_as_many_sections_and_failures_as_can_be_read() -> None:
    runs = [record(f"{number}", {"mse": 0.1}, dataset__limit=number + 1) for number in range(100)]
    runs += [record(f"lost {number}", state="failed") for number in range(60)]
    text = shown(runs, metric="test.mse")
    assert "... and 70 more such tables" in text
    assert "... and 10 more: --all" in text
    assert len(rows(shown(runs, metric="test.mse", all_rows=True), "lost")) == 60
    assert "Not ranked: 60 failed.\n" in shown(runs, metric="test.mse", top=1)


def test_as_many_settings_as_can_be_read() -> None:
    many = {f"key{number}": number for number in range(1, 1001)}
    runs = [record("a", {"mse": 0.1}, seed=1), record("b", {"mse": 0.2}, config={**CONFIG, **many})]
    lost = record("lost", state="failed", config={**CONFIG, **dict.fromkeys(many, 0)})
    parts = tables([*runs, lost])
    assert all(len(part) < MOST_SETTINGS + 20 for part in parts if isinstance(part, list))
    assert "validation.mse" in [one.key for part in parts if isinstance(part, list) for one in part]
    assert f"{1001 - MOST_SETTINGS} more settings differ: --columns" in shown([*runs, lost])
    assert "key900" in shown(runs, columns=("key900",))


def test_runs_without_a_metric_are_shown() -> None:
    runs = [record("a", state="running", history=({"epoch": 2},)), record("b", state="unreadable", problems=("cut",))]
    assert rows(shown(runs), "a ", "b ") == [
        ["a", "running", "still", "running", "2", "of", "5"],
        ["b", "unreadable", "cut"],
    ]


def test_a_terminal_gets_the_columns_that_fit_and_the_names_of_the_others() -> None:
    runs = [record(f"[red]a run[/red] of number {n}", {"mse": n / 7, "pca_mse": n}, seed=n) for n in range(1, 4)]
    text = shown(runs, terminal=70)
    assert all(cell_len(line) <= 70 for line in text.splitlines())
    assert "images_per_second" in text.split("Too narrow for")[1]
    wide = shown(runs, terminal=300)
    assert "[red]a run[/red] of number 1" in wide
    assert "Too narrow" not in wide
    assert "per_second" in wide
    chosen = shown(runs, terminal=30, columns=("test.mse", "validation.mse", "train.mse", "images_per_second"))
    assert "Too narrow" not in chosen
    assert "4,321" in chosen


def test_long_names_are_broken_on_a_terminal_and_whole_in_a_file() -> None:
    name = "x" * 100
    runs = [record(name, {"mse": 0.5}), record("y", {"mse": 0.25}, seed=1)]
    assert name in shown(runs)
    on_terminal = shown(runs, terminal=100)
    assert name not in on_terminal
    assert on_terminal.count("x") >= 100
    assert all(cell_len(line) <= 100 for line in on_terminal.splitlines())


def test_markdown_has_the_same_tables() -> None:
    runs = [
        record("a|b", {"mse": 0.25}, seed=1, architecture__name="<img src=x>"),
        record("_c_ @someone #3", {"mse": 0.125}, seed=2),
        record("lost", state="failed", error_message="a", seed=3),
    ]
    text = as_markdown(tables(runs))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table[:4]} == {table[0].count("|")}
    assert "**0.2500**" in text
    assert "### Not ranked: 1 failed" in text
    assert "<img" not in text
    assert "`@someone` `#3`" in text
    assert "a|b" not in text
    assert "| ---: |" in text


def test_markdown_escapes_its_signs_and_links() -> None:
    for linked in ("www.evil.com", "http://evil.com/_a_", "WWW.evil.com", "@name", "a@b.com", "a/b#12", "ftp://x"):
        assert escape_markdown(linked) == f"`{linked}`"  # code is never a link or a mention
        assert escape_markdown(f"*see* `{linked}|") == f"\\*see\\* \\``{linked}`&#124;"
    assert escape_markdown("*a* <b>`c`|[d](e)") == "\\*a\\* &#60;b&#62;\\`c\\`&#124;[d\\](e)"
    assert escape_markdown("learning_rate_0.01-seed [0, 1] _a_ a_") == "learning_rate_0.01-seed [0, 1] \\_a\\_ a\\_"
    for line in ("- a", "+ a", "# a", "1. a", "2) a", "[a]: b", "==="):
        assert escape_markdown(line) == f"&#{ord(line[0])};{line[1:]}"
    assert escape_markdown("1.5 a, 2-3 b: c") == "1.5 a, 2-3 b: c"


def test_means_over_seeds_say_what_all_runs_share_and_show_few_of_many_settings() -> None:
    settings = {f"key{number}": number for number in range(MOST_SETTINGS + 10)}
    losses = {"mse": {"name": "mse", **settings}, "bce": {"name": "bce"}}
    runs = [
        record(f"{kind} {seed}", {"mse": 0.1 + seed}, loss=loss, seed=seed)
        for kind, loss in losses.items()
        for seed in (0, 1)
    ]
    runs += [record("other", {"mse": 0.3}, loss={"name": "mse", **dict.fromkeys(settings, -1)}, seed=0)]
    ranking = rank(runs, metric="test.mse")
    text = tables_printed(comparison_tables(ranking, TableOptions(metric="test.mse", groups=groups_by_seed(ranking))))
    assert "The same for all ranked runs: dataset MNIST, code_size 3, parameters 1,234" in text
    assert "machine cpu" in text
    assert "12 more settings differ" in text
    assert len(next(line for line in text.splitlines() if "key0" in line).split()) < MOST_SETTINGS + 10
