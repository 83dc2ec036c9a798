"""A search: alone, in parallel, after it was stopped, and after trials that failed."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoenc.pictures import search_history
from autoenc.runs import RunDirectory, Sweep, write_sweep
from autoenc.sweeps.plan import Proposal, Rerun
from autoenc.sweeps.sweepers.optuna_search import Tpe
from autoenc.sweeps.sweepers.sampling import frozen, suggest
from autoenc.sweeps.sweepers.search import Search
from tests.sweeps.searches import (
    BATCH,
    RATE,
    UNIT,
    begin,
    fail,
    finish,
    folder_of,
    given,
    go_through,
    run,
    take,
    trials_of,
    valley,
)


def proposals(sweep: Path, **changes: Any) -> list[tuple[str, ...]]:
    """What a whole search proposes, one after another."""
    search = begin(sweep, **changes)
    found = []
    while (proposal := search.propose()) is not None:
        found.append(proposal.overrides)
        search.ended(proposal, finish(sweep, proposal))
    return found


# --- the search itself ---


def test_a_search_finds_nearly_the_minimum(tmp_path: Path) -> None:
    search = begin(tmp_path / "rates", n_trials=25)
    go_through(tmp_path / "rates", search)
    found = trials_of(search)
    assert [trial.number for trial in found] == list(range(25))
    values = [trial.value for trial in found if trial.value is not None]
    assert len(values) == 25
    assert min(values) < 0.0206  # the least is 0.02032
    assert sum(sorted(values[10:])[:10]) < sum(sorted(values[:10]))


def test_a_serial_search_is_the_same_every_time(tmp_path: Path) -> None:
    first = proposals(tmp_path / "first")
    assert proposals(tmp_path / "second") == first
    assert len(set(first)) == 12
    other = {"name": "tpe", "seed": 1, "n_startup_trials": 5}
    assert proposals(tmp_path / "third", sampler=other) != first


def test_a_stopped_search_continues_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"sampler": {"name": "tpe", "seed": 0, "n_startup_trials": 4}}
    whole = proposals(tmp_path / "whole", n_trials=9, **settings)
    sweep = tmp_path / "stopped"
    found: list[tuple[str, ...]] = []
    for _ in range(3):
        search = begin(sweep, n_trials=9, **settings)
        for _ in range(3):
            proposal = take(search)
            found.append(proposal.overrides)
            search.ended(proposal, finish(sweep, proposal))
    assert found == whole
    assert begin(sweep, n_trials=9, **settings).propose() is None


def test_a_larger_n_trials_adds_trials(tmp_path: Path) -> None:
    go_through(tmp_path, begin(tmp_path, n_trials=4))
    search = begin(tmp_path, n_trials=6)
    assert [take(search).number, take(search).number] == [4, 5]
    assert search.propose() is None
    assert begin(tmp_path, n_trials=2, rerun="none").propose() is not None  # the two that are running
    assert len(trials_of(search)) == 6


def test_parallel_trials_are_different(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=40)
    go_through(tmp_path, search, most=12)
    at_once = [take(search) for _ in range(8)]
    assert len({proposal.overrides for proposal in at_once}) == 8
    assert len({proposal.number for proposal in at_once}) == 8
    for proposal in reversed(at_once):  # and end in any order
        search.ended(proposal, finish(tmp_path, proposal))
    assert [trial.state for trial in trials_of(search)] == ["finished"] * 20
    assert all(trial.value == valley({**_texts(trial.params)}) for trial in trials_of(search))


def _texts(params: Any) -> dict[str, str]:
    return {key: str(value) for key, value in params.items()}


def test_running_trials_change_the_next_proposal(tmp_path: Path) -> None:
    search = begin(tmp_path, overrides=[RATE], n_trials=60)
    go_through(tmp_path, search, most=15)
    sampler, space = Tpe(seed=0, n_startup_trials=5), search.study.space
    ended = trials_of(search)
    running = [*ended, *(replace(trial, number=15 + trial.number, state="running", value=None) for trial in ended[:5])]
    beside, alone = (
        suggest(trials, space=space, direction="minimize", sampler=sampler, number=20) for trials in (running, ended)
    )
    assert beside != alone


def test_a_small_space_is_exhausted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    search = begin(tmp_path, overrides=[BATCH, "optimizer.learning_rate=0.1,0.01"], n_trials=50)
    found = [take(search) for _ in range(6)]  # all of them at once
    assert len({proposal.overrides for proposal in found}) == 6
    assert search.propose() is None
    assert search.propose() is None
    assert caplog.messages == ["Every point of the search space has been tried: the search ends with 6 trials."]


# --- several trials at a time ---


def at_once(search: Search) -> list[Proposal]:
    """The trials that a launcher with any number of slots begins before the next result."""
    return list(iter(search.propose, None))


def test_trials_wait_for_the_results_that_they_learn_from(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=17, slots=10_000)
    first = at_once(search)
    assert len(first) == 5  # the random ones
    search.ended(first[0], finish(tmp_path, first[0]))
    assert at_once(search) == []  # four are running, the root of 17
    search.ended(first[1], finish(tmp_path, first[1]))
    (learned,) = at_once(search)
    known = [trial for trial in trials_of(search) if trial.number < learned.number]
    assert [trial.state for trial in known] == ["finished", "finished", "running", "running", "running"]
    running = [*first[2:], learned]
    while running:
        search.ended(running[0], finish(tmp_path, running.pop(0)))
        running += at_once(search)
        assert len(running) <= 4
    assert [trial.state for trial in trials_of(search)] == ["finished"] * 17


def test_a_refused_or_failed_trial_makes_room_for_the_next(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=9, slots=9)
    refused, failed, *_ = at_once(search)
    search.refused(refused, "impossible")
    search.ended(failed, fail(tmp_path, failed))
    assert at_once(search) == []  # three are running
    search = begin(tmp_path, n_trials=9, slots=9)
    assert len(at_once(search)) == 5  # the same again, and no new one


@pytest.mark.parametrize(
    ("slots", "sampler", "count"),
    [
        (None, {"name": "tpe", "seed": 0, "n_startup_trials": 5}, 12),  # the user has set hydra.launcher.n_jobs
        (12, {"name": "random", "seed": 0}, 12),
        (12, {"name": "tpe", "seed": 0, "n_startup_trials": 20}, 12),
        (12, {"name": "tpe", "seed": 0, "n_startup_trials": 0}, 3),
    ],
)
def test_trials_that_learn_nothing_or_are_not_to_do_not_wait(
    tmp_path: Path, slots: int | None, sampler: dict[str, Any], count: int
) -> None:
    assert len(at_once(begin(tmp_path, n_trials=12, slots=slots, sampler=sampler))) == count


def test_the_limit_of_trials_at_a_time_is_announced_where_it_applies(tmp_path: Path) -> None:
    limit = (
        "At most 4 trials run at a time, so that each learns from the results before it; the first 5 are drawn at "
        "random and need not wait. hydra.launcher.n_jobs=NUMBER sets another limit."
    )
    for slots, lines in ((None, []), (4, []), (5, [limit]), (10_000, [limit])):
        assert begin(tmp_path, n_trials=20, slots=slots).opening_words() == ["A search of 20 trials.", *lines]
    go_through(tmp_path, begin(tmp_path, n_trials=20), most=1)
    first, second = begin(tmp_path, n_trials=20, slots=8).opening_words()
    assert first == "The search has 1 trials; 19 more to come (hydra.sweeper.n_trials)."
    assert second == limit


def test_trials_after_the_random_ones_learn_when_half_of_those_have_ended(tmp_path: Path) -> None:
    """Optuna itself waits for all of them, and draws further trials at random until then."""
    sampler = Tpe(seed=0, n_startup_trials=6)
    assert [sampler.build(seed=0, number=number)._n_startup_trials for number in (0, 5, 6, 20)] == [6, 6, 3, 3]  # type: ignore[attr-defined]


# --- open and failed trials ---


def test_an_open_trial_is_proposed_again(tmp_path: Path) -> None:
    search = begin(tmp_path)
    go_through(tmp_path, search, most=2)
    interrupted, untold = take(search), take(search)
    run(tmp_path, interrupted).set_state("interrupted")
    search.ended(interrupted, folder_of(tmp_path, interrupted))
    run(tmp_path, untold)  # killed with the search: its folder says that it is running
    search = begin(tmp_path, rerun="none")
    again = [take(search), take(search)]
    assert again == [interrupted, untold]
    for proposal in again:
        search.ended(proposal, finish(tmp_path, proposal))
    assert [(trial.number, trial.state) for trial in trials_of(search)] == [(n, "finished") for n in range(4)]
    assert take(search).number == 4


@pytest.mark.parametrize(
    ("rerun", "kind", "again"),
    [
        ("failed", "killed", True),
        ("failed", "not_finite", False),
        ("none", "killed", False),
        ("all", "not_finite", True),
    ],
)
def test_a_trial_that_failed(tmp_path: Path, rerun: Rerun, kind: str, again: bool) -> None:
    search = begin(tmp_path, n_trials=3)
    lost = take(search)
    search.ended(lost, fail(tmp_path, lost, kind=kind))
    (told,) = trials_of(search)
    assert told.state == ("diverged" if kind == "not_finite" else "failed")
    assert told.reason == f"{kind}: by hand"
    assert told.folder == folder_of(tmp_path, lost).name
    go_through(tmp_path, search)
    assert [trial.number for trial in trials_of(search)] == [0, 1, 2]  # it counts as one of the three
    search = begin(tmp_path, n_trials=3, rerun=rerun)
    proposal = search.propose()
    assert (proposal == lost) is again


def test_a_trial_that_failed_and_then_finished_counts_once(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=4)
    lost = take(search)
    search.ended(lost, fail(tmp_path, lost))
    go_through(tmp_path, search, most=2)
    search = begin(tmp_path, n_trials=4)
    assert take(search) == lost
    search.ended(lost, finish(tmp_path, lost))
    found = trials_of(search)
    assert [trial.number for trial in found] == [0, 1, 2]
    assert (found[0].state, found[0].value, found[0].reason) == ("finished", valley(given(lost)), None)
    go_through(tmp_path, search)
    assert len(trials_of(search)) == 4


def test_rerun_all_proposes_all_trials_again(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=3)
    go_through(tmp_path, search)
    search = begin(tmp_path, n_trials=3, rerun="all")
    again = [take(search) for _ in range(3)]
    assert search.propose() is None
    search.ended(again[1], finish(tmp_path, again[1], lambda _: 0.5))
    assert [trial.value == 0.5 for trial in trials_of(search)] == [False, True, False]


def test_the_sampler_learns_from_diverged_trials_and_not_from_failed_ones(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=3)
    diverged, failed = take(search), take(search)
    search.ended(diverged, fail(tmp_path, diverged, kind="not_finite"))
    search.ended(failed, fail(tmp_path, failed))
    states = [frozen(trial, space=search.study.space).state.name for trial in trials_of(search)]
    assert states == ["PRUNED", "FAIL"]


def test_an_invalid_proposal_is_a_failed_trial(tmp_path: Path) -> None:
    search = begin(tmp_path, n_trials=3)
    proposal = take(search)
    search.refused(proposal, "bottleneck.k=8: the code has 4 numbers")
    (trial,) = trials_of(search)
    assert (trial.state, trial.reason, trial.folder) == ("failed", "bottleneck.k=8: the code has 4 numbers", None)
    go_through(tmp_path, search)
    assert len(trials_of(search)) == 3
    assert take(begin(tmp_path, n_trials=3)) == proposal


# --- the objective ---


@pytest.mark.parametrize(("metric", "best"), [("loss", min), ("ssim", max)])
def test_a_search_uses_the_validation_split_and_never_the_test_split(tmp_path: Path, metric: str, best: Any) -> None:
    search = begin(tmp_path, n_trials=6, metric=metric)
    go_through(tmp_path, search)
    search.closing_words()
    found = json.loads((tmp_path / "search.json").read_text())
    best_trial = found["trials"][found["best"]]
    on_validation = {
        path.name: RunDirectory(path).summary()["validation"][metric] for path in tmp_path.iterdir() if path.is_dir()
    }
    assert best_trial["value"] == best(on_validation.values())
    assert best_trial["folder"] == best(on_validation, key=on_validation.__getitem__)
    on_test = [RunDirectory(path).summary()["test"][metric] for path in tmp_path.iterdir() if path.is_dir()]
    assert not {trial.value for trial in trials_of(search)} & set(on_test)


def test_a_run_without_the_metric_fails(tmp_path: Path) -> None:
    search = begin(tmp_path)
    for proposal, validation in ((take(search), {"mse": 0.1}), (take(search), None)):
        there = run(tmp_path, proposal)
        there.write_summary({"test": {"loss": 0.1}, "validation": validation, "train": {"loss": 0.1}, "units": {}})
        there.set_state("finished")
        search.ended(proposal, there.path)
    assert {trial.reason for trial in trials_of(search)} == {"its summary has no validation.loss"}
    assert {trial.state for trial in trials_of(search)} == {"failed"}


def test_a_value_measured_in_another_way_is_not_ranked(tmp_path: Path) -> None:
    search = begin(tmp_path)
    first, second = take(search), take(search)
    search.ended(first, finish(tmp_path, first))
    search.ended(second, finish(tmp_path, second, unit="nats an image"))
    assert [trial.state for trial in trials_of(search)] == ["finished", "failed"]
    reason = "it cannot be ranked among the others: unit is nats an image here, and mean squared error per pixel there"
    assert trials_of(search)[1].reason == reason


def test_a_summary_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    search = begin(tmp_path)
    proposal = take(search)
    folder = finish(tmp_path, proposal)
    (folder / "summary.json").write_text("{")
    search.ended(proposal, folder)
    (trial,) = trials_of(search)
    assert trial.state == "failed"
    assert "summary.json: cannot be read" in str(trial.reason)


# --- the report ---


def test_the_report_is_in_the_folder(tmp_path: Path) -> None:
    sweep = tmp_path / "rates"
    search = begin(sweep, n_trials=14)
    diverged, failed = take(search), take(search)
    search.ended(diverged, fail(sweep, diverged, kind="not_finite"))
    search.ended(failed, fail(sweep, failed))
    go_through(sweep, search, most=11)
    running = take(search)
    line, lost, picture = search.closing_words()
    written = json.loads((sweep / "search.json").read_text())
    assert (written["metric"], written["unit"], written["direction"]) == ("validation.loss", UNIT, "minimize")
    best = min((trial for trial in trials_of(search) if trial.value is not None), key=lambda trial: trial.value or 0)
    assert written["best"] == best.number
    assert [trial["state"] for trial in written["trials"]] == ["diverged", "failed", *["finished"] * 11, "running"]
    assert written["trials"][best.number]["folder"] == best.folder
    assert written["trials"][running.number]["params"].keys() == {"optimizer.learning_rate", "training.batch_size"}
    assert {trial["params"]["training.batch_size"] for trial in written["trials"]} <= {32, 64, 128}
    assert set(written["importances"]) == {"optimizer.learning_rate", "training.batch_size"}
    assert sum(written["importances"].values()) == pytest.approx(1)
    assert written["importances"]["optimizer.learning_rate"] > 0.6
    assert line.startswith(f"The best of 11 finished trials of 14 is {best.number}, with a validation loss of 0.0")
    assert f"optimizer.learning_rate={best.params['optimizer.learning_rate']} training.batch_size=" in line
    assert lost == "1 of 14 trials diverged. They count as worse than the others."
    assert picture == "How the search went: search.png in its folder"
    assert (sweep / "search.png").stat().st_size > 10_000


def test_the_picture_has_the_title_of_the_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = tmp_path / "rates"
    search = begin(sweep, n_trials=2)
    go_through(sweep, search)
    titles = []
    monkeypatch.setattr(search_history, "draw_search", lambda *_, title, **__: titles.append(title))
    search.closing_words()
    for title in (None, "Rates, MNIST"):
        write_sweep(sweep, Sweep({}, {"title": title}))
        search.closing_words()
    assert titles == ["rates: a search of 2 trials", "rates: a search of 2 trials", "Rates, MNIST: 2 trials"]


def test_without_a_finished_trial_there_is_no_picture(tmp_path: Path) -> None:
    search = begin(tmp_path)
    lost = take(search)
    search.ended(lost, fail(tmp_path, lost))
    assert search.closing_words() == ["None of 1 trials has finished."]
    also_lost = take(search)
    search.ended(also_lost, fail(tmp_path, also_lost, kind="not_finite"))
    assert search.closing_words() == [
        "None of 2 trials has finished.",
        "1 of 2 trials diverged. They count as worse than the others.",
    ]
    assert json.loads((tmp_path / "search.json").read_text())["best"] is None
    assert not (tmp_path / "search.png").exists()


def test_optuna_keeps_quiet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    search = begin(tmp_path, n_trials=8)
    go_through(tmp_path, search)
    search.closing_words()
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []
