"""`scripts/status.py` as a person types it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoenc.command_line.status import main
from tests.comparison.run_folders import SUMMARY, make_run, make_sweep, status
from tests.conftest import REPOSITORY

SCRIPT = str(REPOSITORY / "scripts" / "status.py")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = make_sweep(tmp_path / "sweep", {"0": "small", "1": "large", "2": "larger"})
    make_run(folder / "0")
    make_run(folder / "1", state="failed", error={"kind": "timed_out", "message": "an hour was not enough " * 9})
    return folder


def test_files_next_to_folders_are_ignored(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path) for path in sorted(sweep.iterdir())]) == 0
    captured = capsys.readouterr()
    assert "2 runs: " in captured.out
    assert captured.err == "warning: ignored, because they are not folders: sweep.json\n"


def test_the_table_is_whole_without_a_terminal(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sweep)]) == 0
    printed = capsys.readouterr().out
    small, large, larger = (
        next(line for line in printed.splitlines() if f" {n} " in line) for n in ("small", "large", "larger")
    )
    assert "finished" in small
    assert "5/5" in small
    assert "failed: timed out" in large
    assert "an hour was not enough " * 8 in large
    assert "waiting" in larger
    assert "3 runs: 1 failed, 1 waiting, 1 finished" in printed


def test_mistakes_are_one_line(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ([str(tmp_path / "nowhere")], f"error: FOLDER={tmp_path / 'nowhere'}: there is no such folder\n"),
        ([str(sweep / "sweep.json")], "this is a file"),
        ([str(sweep), "--follow"], "error: --follow: it needs a terminal"),
    ):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 0
    assert "no run" in capsys.readouterr().out


def test_no_heavy_package_is_imported(sweep: Path) -> None:
    command = [sys.executable, "-X", "importtime", SCRIPT, str(sweep)]
    started = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "small" in started.stdout
    imported = {line.split("|")[-1].strip() for line in started.stderr.splitlines()}
    assert "autoenc.runs" in imported
    assert not {"torch", "matplotlib", "omegaconf", "hydra", "pydantic", "numpy"} & imported


class Followed:
    """`status.py --follow` on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._leader, follower = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"}
        command = [sys.executable, SCRIPT, str(folder), "--follow"]
        self.process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment)
        os.close(follower)
        self.printed = ""

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + 60
        while words not in self.printed:
            assert time.monotonic() < deadline, self.printed
            if select.select([self._leader], [], [], 0.1)[0]:
                try:
                    self.printed += os.read(self._leader, 65536).decode()
                except OSError:  # the other end is closed
                    assert words in self.printed, self.printed

    def end(self) -> int:
        code = self.process.wait(120)
        os.close(self._leader)
        return code


def test_following_ends_when_all_runs_have_ended(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "0", state="running", epochs=2)
    followed = Followed(tmp_path / "runs")
    followed.wait_for("2/5")
    (run / "summary.json").write_text(json.dumps(SUMMARY))
    (run / "status.json").write_text(json.dumps(status("finished")))
    followed.wait_for("1 finished")
    assert followed.end() == 0
    assert "Traceback" not in followed.printed


def test_ctrl_c_leaves_without_an_error(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "0", state="running")
    followed = Followed(tmp_path / "runs")
    followed.wait_for("1 running")
    followed.process.send_signal(signal.SIGINT)
    assert followed.end() == 0
    assert "Traceback" not in followed.printed
