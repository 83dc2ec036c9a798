"""scripts/benchmark.py with a few images: its table, its other loops, and the commands that it measures."""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from scripts import benchmark
from scripts.benchmarks import (
    comparisons,
    loops,
    noise_steps,
    noises,
    start_up,
    steps,
    sweeps,
    time_to_error,
)
from scripts.benchmarks.measuring import Measured, Row, command_seconds, in_turns, rows
from tests.conftest import TINY
from tests.real_data import real_data

OPTIONS = argparse.Namespace(
    architectures=["fully_connected"], epochs=1, rounds=1, folders=[3], images=64, device="cpu", quick=True
)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fashion-MNIST, of which the loops use 64 images."""
    if not (real_data() / "FashionMNIST").is_dir():
        pytest.skip(f"NOT TESTED, because Fashion-MNIST is not in {real_data()}")
    monkeypatch.setenv("AUTOENC_DATA", str(real_data()))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """Runs the commands in this process, where torch is imported already, and notes them.

    Each takes as many seconds as its number.
    """
    noted: list[list[str]] = []
    one_at_a_time = threading.Lock()  # loops run at once have one `sys.argv` here

    def run(command: Sequence[str], **environment: str) -> Measured:
        words = list(command[2:] if command[1] == "-m" else command[1:])
        name = words[0] if command[1] == "-m" else f"scripts.{Path(words[0]).stem}"
        with one_at_a_time:
            noted.append(list(command))
            monkeypatch.setattr(sys, "argv", words)
            assert not importlib.import_module(name).main(), command
            return Measured(seconds=len(noted), megabytes=100, processor_seconds=len(noted))

    for module in (comparisons, noises, start_up, steps, sweeps, time_to_error):
        monkeypatch.setattr(module, "command_seconds", run, raising=False)
    yield noted
    plt.close("all")  # the plain script leaves its figures to the end of the process


def table(found: list[Row]) -> list[tuple[str, float | None, str]]:
    return [(row.how, row.ratio, row.goal) for row in found]


@pytest.mark.parametrize(("architecture", "parameters"), [("fully_connected", 219_891), ("conv", 210_369)])
def test_the_layers_are_those_of_system_a(architecture: str, parameters: int) -> None:
    encoder, decoder, code_size = loops.LAYERS[architecture]()
    assert sum(parameter.numel() for parameter in nn.Sequential(encoder, decoder).parameters()) == parameters
    codes = encoder(torch.rand(2, 1, 28, 28))
    assert codes.flatten(1).shape == (2, code_size)
    assert decoder(codes).shape == (2, 1, 28, 28)


def trained(loop: str, architecture: str) -> torch.Tensor:
    """The weights after three epochs of one step each."""
    torch.manual_seed(0)
    encoder, decoder, code_size = loops.LAYERS[architecture]()
    task = loops.Task(encoder=encoder, decoder=decoder, code_size=code_size, epochs=3, images=64)
    assert loops.LOOPS[loop](task) > 0
    return torch.cat([weights.detach().flatten() for weights in nn.Sequential(encoder, decoder).parameters()])


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("architecture", ["fully_connected", "conv"])
def test_the_loops_train_alike(architecture: str) -> None:
    tutorial, bare = (trained(loop, architecture) for loop in ("tutorial", "bare"))
    torch.testing.assert_close(tutorial, bare, atol=1e-5, rtol=0)  # the order within a batch differs


@pytest.mark.usefixtures("images")
@pytest.mark.filterwarnings("ignore")  # they have some
@pytest.mark.parametrize("loop", ["lightning", "pythae"])
def test_the_loops_of_other_packages_train(loop: str) -> None:
    pytest.importorskip(loop)
    close = 1e-5 if loop == "lightning" else 1e-2  # pythae sums over pixels, so Adam's epsilon counts less
    torch.testing.assert_close(trained(loop, "conv"), trained("tutorial", "conv"), atol=close, rtol=0)


def test_ways_take_turns_and_the_best_round_counts() -> None:
    taken: list[str] = []
    clock = iter([3.0, 10.0, 2.0, 9.0])

    def way(name: str) -> Measured:
        taken.append(name)
        return Measured(seconds=next(clock), megabytes=1)

    found = in_turns({name: lambda name=name: way(name) for name in "ab"}, rounds=2)  # type: ignore[misc]
    assert taken == ["a", "b", "a", "b"]
    assert table(rows("what", found, {"b": "4 x"})) == [("a", None, ""), ("b", 4.5, "4 x")]


def test_a_command_runs_on_a_terminal() -> None:
    asks = "import os, sys; sys.exit(not (sys.stdout.isatty() and os.environ['KEY'] == 'value'))"
    measured = command_seconds([sys.executable, "-S", "-c", asks], KEY="value")
    assert measured.seconds > 0
    assert measured.megabytes > 1


def test_a_command_that_fails_is_shown() -> None:
    with pytest.raises(SystemExit, match=r"(?s)failed:.*the reason"):
        command_seconds([sys.executable, "-S", "-c", "raise SystemExit('the reason')"])


def test_ctrl_c_waits_for_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller deletes the folder that the command writes into."""
    started, ended = tmp_path / "started", tmp_path / "ended"
    works = (
        "import pathlib, signal, sys, time\n"
        f"end = lambda *_: (time.sleep(0.2), pathlib.Path({str(ended)!r}).touch(), sys.exit())\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "time.sleep(60)"
    )

    def interrupted(pid: int, options: int) -> NoReturn:
        while not started.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "wait4", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command_seconds([sys.executable, "-S", "-c", works])
    assert ended.exists()


@pytest.mark.filterwarnings("ignore")  # other packages have some
@pytest.mark.usefixtures("images")
def test_a_step_of_every_loop(commands: list[list[str]]) -> None:
    found = list(steps.measure(OPTIONS))
    assert [row.how for row in found] == ["autoenc", *steps.loops_here()]
    assert [row.settings for row in found] == [{"architecture": "fully_connected", "loop": row.how} for row in found]
    assert [row.goal for row in found[:3]] == ["", "3.5 x", ""]
    assert all(0 < row.best < 60 and row.rounds[0].processor_seconds is None for row in found)


def test_start_up(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step ends the process, so these commands are only noted."""
    monkeypatch.setattr(importlib, "import_module", lambda name: argparse.Namespace(main=lambda: None))
    found = list(start_up.measure_start(OPTIONS))
    ways = [way for way in ("autoenc", *steps.loops_here()) if way != "bare"]
    assert [row.how.partition(":")[0] for row in found] == 2 * ways
    assert table(found)[len(ways) + 1] == ("tutorial", (len(ways) + 2) / (len(ways) + 1), "")


@pytest.mark.slow
@pytest.mark.usefixtures("images")
def test_processes_end_at_the_first_step(tmp_path: Path) -> None:
    first_step = (sys.executable, "-m", "scripts.benchmarks.first_step")
    run, result = tmp_path / "run", tmp_path / "result.json"
    command_seconds([*first_step, "scripts.train", *TINY, f"hydra.run.dir={run}"])
    assert (run / "config.yaml").exists()
    assert not (run / "summary.json").exists()
    command_seconds([*first_step, "scripts.benchmarks.loops", "tutorial", "conv", "--images=64", f"--result={result}"])
    assert not result.exists()
    with pytest.raises(SystemExit, match="there was no training step"):
        command_seconds([*first_step, "this"])


@pytest.mark.slow
def test_the_default_run(commands: list[list[str]]) -> None:
    ours, script = ("autoenc", None), "a plain script"
    found = table(list(start_up.measure_default_run(OPTIONS)))
    assert found == [(*ours, "5 s"), (script, 2, ""), (*ours, "3.5 s"), (script, 4 / 3, "")]


@pytest.mark.usefixtures("images")
@pytest.mark.slow
def test_sweeps(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "MORE", 1)
    found = list(sweeps.measure(OPTIONS))
    assert table(found[:2]) == [("autoenc", None, "0.5 s"), ("a command for each job", 3 * sweeps.MORE, "")]
    training, allowed, whole = (found[number : number + 2] for number in (2, 4, 6))
    assert training[1].goal == f"{0.95 * (allowed[1].ratio or 0):.2f} x"
    assert table(whole)[1][1:] == (5 / 4, "")


@pytest.mark.usefixtures("images")
def test_time_to_error(commands: list[list[str]]) -> None:
    ours, tutorial = list(time_to_error.measure(OPTIONS))
    assert re.fullmatch(r"autoenc, `experiment=fast_fully_connected`, test error 0\.\d{5}", ours.how)
    assert (tutorial.how, tutorial.goal) == ("tutorial, 50 epochs, from 2", "25 x")
    assert tutorial.best > 0
    assert commands[1][-2:-1] == ["--fixed-order"]


def test_comparisons(commands: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Both ways print the best run first."""
    assert table(list(comparisons.measure(OPTIONS))) == [("autoenc", None, ""), ("a plain script", 2, "")]
    ours, plain = capsys.readouterr().out.split("mean over pixels of the squared error, pixels in [0, 1]\n0")
    assert re.findall(r"^job (\d)", ours, re.MULTILINE) == ["0", "1", "2"]
    assert re.findall(r"seed=(\d)", plain) == ["0", "1", "2"]


@pytest.mark.usefixtures("images")
def test_noises(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes a second: once before a step and after it, and around each of its parts."""
    monkeypatch.setattr(noise_steps, "STEPS", 2)
    monkeypatch.setattr(noise_steps, "FIRST_STEPS", 1)
    monkeypatch.setattr(time, "process_time", itertools.count().__next__)
    found = list(noises.measure(argparse.Namespace(rounds=2, images=64, device="cpu")))
    assert [row.settings for row in found] == [
        {"architecture": architecture, "noise": noise}
        for architecture in noise_steps.ARCHITECTURES
        for noise in noise_steps.NOISES
    ]
    assert found[0].how == "none: noise 1000.00, forward 1000.00, backward 1000.00, optimizer 1000.00"
    assert [row.ratio for row in found[:2]] == [None, 1]
    parts = dict.fromkeys(("noise_seconds", "forward_seconds", "backward_seconds", "optimizer_seconds"), 1000)
    first = {"architecture": "one_layer", "noise": "none", "seconds": 7000, **parts}
    assert found[0].numbers == [{**first, "round": 0}, {**first, "round": 1}]


@pytest.mark.parametrize("draw", [noise_steps.uniform_dropout, noise_steps.dropout_layer])
def test_the_other_ways_to_draw_dropout_are_dropout(draw: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(0)
    noisy = draw(torch.full((64, 1, 28, 28), 0.5), 0.3, torch.Generator().manual_seed(0))
    assert noisy.unique().tolist() == pytest.approx([0, 0.5 / 0.7])
    assert (noisy == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


def fake_data(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "FashionMNIST").mkdir()
    monkeypatch.setenv("AUTOENC_DATA", str(folder))


def test_the_table_and_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(options: argparse.Namespace) -> Iterator[Row]:
        ours = [Measured(seconds=seconds, megabytes=150, processor_seconds=1) for seconds in (2.0, 1.5)]
        found = {"autoenc": ours, "bare": [one.part(3) for one in ours]}
        yield from rows(f"{options.rounds} rounds", found, {"bare": "3 x"})

    path = tmp_path / "rounds.json"
    arguments = ["--only", "step", "compare", "--rounds", "7", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *arguments])
    fake_data(monkeypatch, tmp_path)
    monkeypatch.setattr(benchmark, "SECTIONS", {"step": measure, "startup": None, "compare": measure})
    monkeypatch.setattr(os, "getloadavg", lambda: (0.9, 0, 0))
    benchmark.main()
    printed = capsys.readouterr().out.splitlines()
    assert f"torch {torch.__version__}" in printed[0]
    assert "busy" in printed[2]
    assert printed[-2:] == printed[-4:-2]
    assert printed[-2:] == [
        "| 7 rounds | autoenc | 1.50 | 2.00 1.50 |  |  | 1.00 | 150 |",
        "| 7 rounds | bare | 3.00 | 3.00 3.00 | 2.00 x | 3 x |  | 150 |",
    ]
    stored = json.loads(path.read_text())
    assert stored["machine"]["load"] == 0.9
    assert stored["seconds"] > 0  # which the claims that it decides state as their time
    assert [one["seconds"] for one in stored["rows"][0]["rounds"]] == [2.0, 1.5]
    assert stored["rounds"][2:4] == [
        {"section": "step", "round": 0, "seconds": 3},
        {"section": "step", "round": 1, "seconds": 3},
    ]


def test_ctrl_c_keeps_the_rows_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def measure(options: argparse.Namespace) -> Iterator[Row]:
        yield from rows("what", {"autoenc": [Measured(seconds=1, megabytes=1)]})
        raise KeyboardInterrupt

    path = tmp_path / "rounds.json"
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--json", str(path)])
    fake_data(monkeypatch, tmp_path)
    monkeypatch.setattr(benchmark, "SECTIONS", {"step": measure})
    with pytest.raises(SystemExit) as stopped:
        benchmark.main()
    assert stopped.value.code == 130
    assert [row["what"] for row in json.loads(path.read_text())["rows"]] == ["what"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "'0' is not a whole number of at least 1"),
        (["--fast"], "--fast: there is no such option; there are --help"),
        (["--only", "stepp"], "'stepp' is not a choice (did you mean 'step'?)"),
        (["--json", "/nowhere/rounds.json"], "the folder /nowhere does not exist"),
    ],
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *arguments])
    fake_data(monkeypatch, tmp_path)
    with pytest.raises(SystemExit) as stopped:
        benchmark.main()
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_missing_images_are_noticed_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise the first measurement would download them, and count that."""
    monkeypatch.setattr(sys, "argv", ["benchmark.py"])
    monkeypatch.setenv("AUTOENC_DATA", str(tmp_path))
    with pytest.raises(SystemExit):
        benchmark.main()
    assert f"AUTOENC_DATA={tmp_path}: set it to a folder" in capsys.readouterr().err
