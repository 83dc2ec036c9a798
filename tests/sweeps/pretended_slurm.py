"""Slurm's programs as far as the launcher uses them, on this machine and without a slurm: one script under their names.

    slurm = Pretended.install(tmp_path)
    slurm.use(monkeypatch)

Its state is a folder: `<number>.json` for each job, `<number>.step` with the process that `srun` became.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pytest

PROGRAMS = ("sbatch", "srun", "sacct", "squeue", "scancel", "scontrol")
VARIABLE = "PRETENDED_SLURM"


class Pretended(NamedTuple):
    """The folder of its state, and that of its programs."""

    state: Path
    programs: Path

    @classmethod
    def install(cls, folder: Path) -> Pretended:
        """Lay the programs out."""
        made = cls(folder / "state", folder / "bin")
        made.state.mkdir(parents=True)
        made.programs.mkdir()
        for name in PROGRAMS:
            path = made.programs / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" {name} "$@"\n')
            path.chmod(0o755)
        return made

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For this process and its children."""
        monkeypatch.setenv("PATH", f"{self.programs}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv(VARIABLE, str(self.state))

    def hold(self) -> None:
        """Begin no job from now on."""
        (self.state / "hold").touch()

    def jobs(self) -> dict[str, str]:
        """The states of all jobs, by their numbers."""
        return {path.stem: json.loads(path.read_text())["state"] for path in sorted(self.state.glob("*.json"))}

    def warn(self, number: str) -> None:
        """What slurm does before a job's time is up."""
        os.kill(int((self.state / f"{number}.step").read_text()), signal.SIGUSR2)

    def lose_the_node(self, number: str) -> None:
        """End a job as a machine does that loses its power: what it had begun in other sessions goes with it."""
        import psutil

        _update(self.state, number, state="NODE_FAIL")
        step = psutil.Process(int((self.state / f"{number}.step").read_text()))
        for process in [*step.children(recursive=True), step]:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _sbatch(state: Path, arguments: list[str]) -> None:
    number = str(101 + len(list(state.glob("*.json"))))
    lines = Path(arguments[-1]).read_text().splitlines()
    name = next(line.partition("=")[2] for line in lines if line.startswith("#SBATCH --job-name="))
    _update(state, number, state="PENDING", name=name, user=os.getuid())
    script = state / f"{number}.sh"
    script.write_text("\n".join(lines))
    with (state / f"{number}.log").open("wb") as log:
        command = [sys.executable, __file__, "_run", number]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    _say(f"Submitted batch job {number}")


def _run(state: Path, arguments: list[str]) -> None:
    """A job's life."""
    (number,) = arguments
    while (state / "hold").exists():
        if _job(state, number)["state"] != "PENDING":
            return
        time.sleep(0.1)
    restarts = 0
    while True:
        _update(state, number, state="RUNNING")
        given = {"SLURM_JOB_ID": number, "SLURM_NTASKS": "1", "SLURM_RESTART_COUNT": str(restarts)}
        code = subprocess.call(["bash", str(state / f"{number}.sh")], env={**os.environ, **given})
        requeued = state / f"{number}.requeue"
        if not requeued.exists():
            break
        requeued.unlink()
        restarts += 1
    if _job(state, number)["state"] == "RUNNING":
        _update(state, number, state="FAILED" if code else "COMPLETED")


def _srun(state: Path, arguments: list[str]) -> None:
    number = os.environ["SLURM_JOB_ID"]
    while arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option in {"--output", "--error"}:
            path = arguments.pop(0).replace("%j", number).replace("%t", "0")
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(file, 1 if option == "--output" else 2)
    (state / f"{number}.step").write_text(str(os.getpid()))
    os.execvp(arguments[0], arguments)


def _sacct(state: Path, arguments: list[str]) -> None:
    numbers = arguments[arguments.index("--jobs") + 1].split(",")
    for number in numbers:
        _say(f"{number}|{_job(state, number)['state']}")


def _squeue(state: Path, arguments: list[str]) -> None:
    form = next(text.partition("=")[2] for text in arguments if text.startswith("--format="))
    for path in sorted(state.glob("*.json")):
        job = _job(state, path.stem)
        if job["state"] in {"PENDING", "RUNNING"}:
            _say(form.replace("%i", path.stem).replace("%T", job["state"]).replace("%j", job["name"]))


def _scancel(state: Path, arguments: list[str]) -> None:
    options = dict(text.removeprefix("--").split("=") for text in arguments if text.startswith("--"))
    for number in (text for text in arguments if not text.startswith("--")):
        now = _job(state, number)["state"]
        if now == "PENDING" and "signal" not in options:
            _update(state, number, state="CANCELLED by 0")
        elif now == "RUNNING" and "state" not in options:
            if "signal" not in options:
                _update(state, number, state="CANCELLED by 0")
            step = int((state / f"{number}.step").read_text())
            os.kill(step, getattr(signal, "SIG" + options.get("signal", "TERM")))


def _scontrol(state: Path, arguments: list[str]) -> None:
    assert arguments[0] == "requeue"
    (state / f"{arguments[1]}.requeue").touch()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _job(state: Path, number: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((state / f"{number}.json").read_text())
    return job


def _update(folder: Path, number: str, **changes: object) -> None:
    path = folder / f"{number}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    new = folder / f".{number}.{os.getpid()}"
    new.write_text(json.dumps({**before, **changes}))
    new.replace(path)


if __name__ == "__main__":
    globals()[f"_{sys.argv[1].removeprefix('_')}"](Path(os.environ[VARIABLE]), sys.argv[2:])
