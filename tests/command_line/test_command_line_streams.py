"""Terminals that go away, and streams that are full, closed or lack a letter."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from autoenc.command_line import main
from autoenc.command_line.status import main as status
from autoenc.comparison.page import ComparisonSettings
from autoenc.comparison.sweep_results import compare_sweep
from autoenc.runs import RunDirectory, Sweep, SweepJob, write_sweep
from tests.comparison.run_folders import make_run
from tests.conftest import REPOSITORY, TINY

SCRIPTS = REPOSITORY / "scripts"
SWEEP = Path("outputs/sweeps/s")
QUICK = [*TINY, "-m", "sweep.name=s", "training.epochs=1", "comparison.pictures=[loss_curves]", "seed=0"]


def finished_jobs() -> int:
    return sum(RunDirectory(path.parent).state == "finished" for path in SWEEP.glob("*/status.json"))


class Gone(io.RawIOBase):
    """A terminal whose window was closed."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def write(self, _: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_sweep_whose_terminal_is_gone_finishes_and_a_mistake_keeps_its_code(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tuple(io.TextIOWrapper(io.BufferedWriter(Gone()), line_buffering=True) for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", before[0])
        patched.setattr(sys, "stderr", before[1])
        codes = [main(QUICK), main([*TINY, "architecture=nonesuch"])]
        assert (sys.stdout, sys.stderr) == before
    assert codes == [0, 2]
    assert finished_jobs() == 1
    assert all((SWEEP / name).is_file() for name in ("comparison.csv", "comparison.png", "report.html"))


def test_letters_that_a_stream_lacks_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "caf\xe9")
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", ascii_only)
        assert status([str(tmp_path)]) == 0
    ascii_only.seek(0)
    printed = ascii_only.read()
    assert "caf\\xe9" in printed
    assert "1 finished" in printed
    assert "\\u2500" not in printed  # lines of a table, which there are ASCII letters for


def test_the_table_is_printed_even_if_its_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    settings = ComparisonSettings(title=None, pictures=("loss_curves",), metric="mse", against=None, epochs=None)
    write_sweep(tmp_path, Sweep({"0": SweepJob("0", "0", (), "")}, asdict(settings)))
    make_run(tmp_path / "0")
    monkeypatch.setattr("autoenc.comparison.sweep_results.as_csv", full)
    with pytest.raises(OSError, match="No space left"):
        compare_sweep(tmp_path)
    assert "1 run: 1 finished." in capsys.readouterr().out


def shell(words: str, script: str, *arguments: str | Path) -> tuple[int, str]:
    """The exit code and the errors of a script whose streams `words` redirect."""
    command = ["bash", "-c", f'"$0" "$@" {words}', sys.executable, SCRIPTS / script, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def test_commands_that_only_print_report_a_full_disk(tmp_path: Path) -> None:
    make_run(tmp_path / "0")
    full = (1, "error: [Errno 28] No space left on device\n")
    assert shell("> /dev/full", "status.py", tmp_path) == full
    assert shell("> /dev/full", "train.py", "--cfg", "job") == full


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path: Path) -> None:
    make_run(tmp_path / "0")
    closed = "| true; exit ${PIPESTATUS[0]}"
    assert shell(closed, "compare.py", tmp_path, "--csv", "-") == (0, "")
    assert shell(closed, "train.py", "--cfg", "job") == (0, "")


@pytest.mark.slow
def test_a_sweep_with_full_and_closed_streams_finishes(elsewhere: Path) -> None:
    assert shell("<&- > /dev/full 2>&-", "train.py", *QUICK) == (0, "")
    assert finished_jobs() == 1


def test_following_ends_with_its_terminal(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "0", state="running")
    leader, follower = pty.openpty()
    command = [sys.executable, str(SCRIPTS / "status.py"), str(tmp_path), "--follow"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": follower, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **streams) as process:
        os.close(follower)
        printed = b""
        while b"1 running" not in printed:
            printed += os.read(leader, 65536)
        os.close(leader)
        _, complaint = process.communicate(timeout=120)
    assert process.returncode == 1
    assert complaint.decode() == "error: [Errno 5] Input/output error\n"


ENDING = """
import atexit, sys, threading, time
from autoenc.command_line.exit_code import end_with

class Freed:
    def __del__(self):
        print("freed")

def main():
    global kept
    kept = Freed()
    atexit.register(print, "called at the end")
    threading.Thread(target=lambda: (time.sleep(0.1), print("a thread has ended"))).start()
    print("worked")
    {how}

end_with(main)
"""


@pytest.mark.parametrize(
    ("how", "code", "freed"),
    [
        ("return 3", 3, ""),
        ("sys.exit(4)", 4, "freed\n"),
        ("raise KeyError", 1, "freed\n"),
        ("sys.settrace(getattr); return 5", 5, "freed\n"),
    ],
)
def test_a_program_ends_without_freeing_its_objects(how: str, code: int, freed: str) -> None:
    done = subprocess.run([sys.executable, "-c", ENDING.format(how=how)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, f"worked\na thread has ended\ncalled at the end\n{freed}")
    assert done.stderr.endswith("KeyError\n") == (code == 1)
