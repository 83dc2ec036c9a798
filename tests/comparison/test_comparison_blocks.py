"""What a comparison says, in full."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from autoenc.comparison.blocks import MOST_COLUMNS, MOST_ROWS, Grid, Wanted, comparison_blocks
from autoenc.comparison.columns import usual_metric
from autoenc.comparison.markdown import as_markdown, escaped
from autoenc.comparison.view import arrange
from autoenc.runs import RunRecord
from tests.comparison.made_records import CONFIG, record
from tests.comparison.printed import blocks_printed

GPU = {"device": "cuda"}
HOSTILE = "a\x1b]0;x\x07\x1b[2J\n[red]b[/red] | <b>`c`</b> \u202e*d* https://x.example"


def blocks(runs: Sequence[RunRecord], **wanted: Any) -> list[Any]:
    metric = wanted.pop("metric", usual_metric(runs))
    usual = {"metric": metric, "order": None, "top": None, "every": False, "columns": None, "group_by": None}
    chosen = Wanted(**{**usual, **wanted})
    return list(comparison_blocks(arrange(runs, metric=metric, order=chosen.order), chosen))


def shown(runs: Sequence[RunRecord], *, terminal: int | None = None, **wanted: Any) -> str:
    made = blocks(runs, **wanted)
    return blocks_printed(made, metric="validation.mse", terminal=terminal, all_columns=bool(wanted.get("columns")))


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
        ["fast", "0.2", "0.2500", "0.1250", "0.06250", "61.25", "4,321"],
        ["slow", "0.1", "0.5000", "0.2500", "0.12500", "61.25", "4,321"],
    ]
    assert rows(text, "lost") == [["lost", "failed", "killed:", "by", "signal", "9", "0.3"]]
    assert (
        "The same for all that are ranked: dataset mnist, test.pca_mse 0.5000, code_size 3, parameters 1,234, "
        "epochs 5 (best 4), machine cpu."
    ) in text
    assert "mse: squares" in text
    assert not any(line.endswith(" ") for line in lines)


def test_runs_of_different_things_have_tables_of_their_own() -> None:
    runs = [
        record("a", {"mse": 0.3}, seed=1),
        record("b", {"mse": 0.1}, dataset__name="fashion_mnist", seed=1),
        record("c", {"mse": 0.2}, seed=1),
        record("d", {"mse": 0.1}, dataset__name="fashion_mnist", seed=2),
    ]
    text = shown(runs)
    assert text.index("cannot rank all 4 runs together") < text.index("\ndataset mnist\n")
    places = [text.index(f"\n{start}") for start in ("dataset mnist", "c ", "a ", "dataset fashion_mnist", "b ", "d ")]
    assert places == sorted(places)
    assert "All of these: seed 1" in text
    assert "dataset" not in [one.key for block in blocks(runs) if isinstance(block, Grid) for one in block.columns]


def test_so_many_rows_as_can_be_read() -> None:
    runs = [record(f"job {number}", {"mse": 0.1 + number / 1e4}, seed=number) for number in range(MOST_ROWS + 7)]
    assert f"job {MOST_ROWS - 1} " in shown(runs)
    assert f"job {MOST_ROWS} " not in shown(runs)
    assert "... and 7 more: --all shows them" in shown(runs)
    assert f"job {MOST_ROWS + 6} " in shown(runs, every=True)
    assert len(rows(shown(runs, top=3), "job ")) == 3
    assert f"... and {MOST_ROWS + 4} more\n" in shown(runs, top=3)


def test_many_sections_and_many_failures_are_bounded_too() -> None:
    runs = [record(f"{number}", {"mse": 0.1}, dataset__limit=number + 1) for number in range(100)]
    runs += [record(f"lost {number}", state="failed") for number in range(60)]
    text = shown(runs, metric="test.mse")
    assert "... and 70 more such tables" in text
    assert "... and 10 more: --all" in text
    assert len(rows(shown(runs, metric="test.mse", every=True), "lost")) == 60
    assert "Not ranked: 60 failed.\n" in shown(runs, metric="test.mse", top=1)


def test_nothing_that_finished_is_no_reason_to_be_silent() -> None:
    runs = [record("a", state="running", history=({"epoch": 2},)), record("b", state="unreadable", problems=("cut",))]
    text = shown(runs)
    assert rows(text, "a ", "b ") == [
        ["a", "running", "still", "running", "2", "of", "5"],
        ["b", "unreadable", "cut"],
    ]


def test_a_terminal_gets_what_fits_and_the_names_of_the_rest() -> None:
    runs = [
        record(f"a long name of a run, number {number}", {"mse": number / 7, "pca_mse": number}, seed=number)
        for number in range(1, 4)
    ]
    text = shown(runs, terminal=70)
    assert all(cell_len(line) <= 70 for line in text.splitlines())
    assert "Too narrow for" in text
    assert "images_per_second" in text.split("Too narrow for")[1]
    wide = shown(runs, terminal=300)
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


def test_nothing_from_a_folder_acts_on_a_terminal() -> None:
    runs = [
        record(
            HOSTILE,
            {"mse": 0.1, HOSTILE: 1.0},
            architecture__name=HOSTILE,
            optimizer={HOSTILE: HOSTILE},
            environment={"device": HOSTILE},
            units={"mse": HOSTILE, HOSTILE: HOSTILE},
        ),
        record("b", {"mse": 0.2}, dataset__name=HOSTILE, problems=(HOSTILE,)),
        record("c", {"mse": 0.2}, seed=2, problems=(HOSTILE,)),
        record(HOSTILE + "2", state="failed", error_kind="raised", error_message=HOSTILE),
    ]
    keys = (f"test.{HOSTILE}", f"optimizer.{HOSTILE}", "architecture", "machine")
    for text in (
        shown(runs),
        shown(runs, terminal=90),
        shown(runs, columns=keys),
        shown(runs, metric=f"test.{HOSTILE}"),
        shown(runs, group_by=("architecture", f"optimizer.{HOSTILE}")),
        as_markdown(blocks(runs)),
        as_markdown(blocks(runs, columns=keys)),
    ):
        assert all(line.isprintable() for line in text.splitlines())
        assert text.count("\n") < 100
    assert "[red]b[/red]" in shown(runs)  # said, and not done


def test_markdown_has_the_same_tables() -> None:
    runs = [
        record("a|b", {"mse": 0.25}, seed=1, architecture__name="<img src=x>"),
        record("_c_ @someone #3", {"mse": 0.125}, seed=2),
        record("lost", state="failed", error_message="a\nb", seed=3),
    ]
    text = as_markdown(blocks(runs))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table[:4]} == {table[0].count("|")}
    assert "**0.2500**" in text
    assert "### Not ranked: 1 failed" in text
    assert "<img" not in text
    assert "`@someone` `#3`" in text
    assert "a|b" not in text
    assert "| ---: |" in text
    for linked in ("www.evil.com", "http://evil.com/_a_", "WWW.evil.com", "@name", "a@b.com", "a/b#12", "ftp://x"):
        assert escaped(linked) == f"`{linked}`"  # of code, nothing is made a link or a mention
        assert escaped(f"*see* `{linked}|") == f"\\*see\\* \\``{linked}`&#124;"
    assert escaped("*a* <b>`c`|[d](e)") == "\\*a\\* &#60;b&#62;\\`c\\`&#124;[d\\](e)"
    assert escaped("learning_rate_0.01-seed [0, 1] _a_ a_") == "learning_rate_0.01-seed [0, 1] \\_a\\_ a\\_"
    for line in ("- a", "+ a", "# a", "1. a", "2) a", "[a]: b", "==="):
        hidden = escaped(line)
        assert hidden == f"&#{ord(line[0])};{line[1:]}"
    assert escaped("1.5 a, 2-3 b: c") == "1.5 a, 2-3 b: c"


def test_groups_are_shown_with_their_intervals() -> None:
    runs = [record(f"{seed}", {"mse": 0.1 + seed / 100}, seed=seed) for seed in range(3)]
    runs.append(record("lost", state="failed", seed=3))
    text = shown(runs, group_by=("architecture",), metric="test.mse")
    assert [line.split()[:5] for line in text.splitlines() if line.startswith("linear")] == [
        ["linear", "3", "1", "0.110", "±"]
    ]
    assert "Student's t" in text
    assert "left_out" in text
    assert "lost" in text


def test_thousands_of_keys_are_bounded_and_what_is_left_out_is_said() -> None:
    many: dict[str, Any] = {f"key{number}": number for number in range(1, 20_001)}
    runs = [record("a", {"mse": 0.1}, seed=1, environment=GPU), record("b", {"mse": 0.2}, config={**CONFIG, **many})]
    runs.append(record("c", {"mse": 0.3}, config={**CONFIG, **dict.fromkeys(many, 0)}))
    lost = record("lost", state="failed", config={**CONFIG, **many}, history=({"epoch": 2},))
    measured = record("measured", {f"key{number}": 0.1 for number in range(1, 20_001)})
    asked = ("test.mse", "state", *many, "machine")
    started = time.perf_counter()
    check_room(runs, shows={"test.mse", "machine", "seed", "key80"})
    check_room(runs, shows=set(asked[:90]) | {"machine"}, columns=asked)
    check_room([*runs, lost], shows={"epochs", "test.mse", "machine", "key80"})
    check_room([*runs, lost], shows={"key90"}, group_by=("seed",))
    check_room([lost, runs[1], runs[2]], shows={"epochs", "key80"}, metric=None)
    check_room(runs, shows={"test.mse", "key100"}, group_by=tuple(many))
    check_room([measured], shows={"test.key99"}, columns=tuple(f"test.{key}" for key in many), metric="test.key1")
    assert time.perf_counter() - started < 10
    assert "No room" not in shown(runs, group_by=("seed",))  # whose table has none of the settings
    assert "No room" not in shown([*runs, lost], columns=("test.mse",), top=1)


def check_room(runs: Sequence[RunRecord], *, shows: set[str], **wanted: Any) -> None:
    """Whether of 20,000 keys some are shown, and the number of the others is said, on a terminal too."""
    made = blocks(runs, **wanted)
    grids = [block for block in made if isinstance(block, Grid)]
    keys = {one.key for grid in grids for one in grid.columns}
    assert max(len(grid.columns) for grid in grids) < MOST_COLUMNS + 20
    assert shows <= keys
    text = blocks_printed(made, metric="validation.mse", terminal=80)
    (said,) = re.findall(r"No room for ([^:]*) and (\d+) more: --columns", " ".join(text.split()))
    shown_of_many = sum(key.removeprefix("test.").startswith("key") for key in keys)
    assert said[0].count(",") + 1 + int(said[1]) == 20_000 - shown_of_many
