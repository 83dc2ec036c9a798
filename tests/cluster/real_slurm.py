"""A slurm of one node on this machine, for tests: it listens on the loopback only, and its processes end with it.

    with Slurm.started(tmp_path / "slurm", cpus=2) as slurm:
        monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))

As on many small clusters, there is no accounting (`sacct` fails), and a signal for a step reaches each of its
processes (`proctrack/linuxproc`).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
MISSING = next((name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None), None)
"""A program of slurm's that this machine lacks."""

SECONDS = 30.0
"""How long slurm may take to begin or to do something small."""


@dataclass
class Slurm:
    """Slurm's processes, and what its programs say."""

    folder: Path
    configuration: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    """`munged`, `slurmctld` and `slurmd`."""

    @classmethod
    @contextlib.contextmanager
    def started(
        cls, folder: Path, *, cpus: int = 2, gpus: int = 0, settings: Mapping[str, object] | None = None
    ) -> Iterator[Slurm]:
        """A slurm that takes jobs; `settings` are further lines of its `slurm.conf`.

        Its GPUs are pretended, in a partition of that name: slurm counts them, and torch finds none.
        """
        folder.mkdir(parents=True)
        slurm = cls(folder, folder / "slurm.conf")
        slurm.configuration.write_text(_configuration(folder, cpus=cpus, gpus=gpus, settings=settings or {}))
        try:
            slurm._authenticate()
            slurm.start_controller()
            slurm._start("slurmd", "-D", "-f", str(slurm.configuration), "-N", "node")
            slurm._wait_for(lambda: slurm.ask("sinfo", "--noheader", "--format=%T").strip() == "idle", "an idle node")
            yield slurm
        finally:
            slurm.end()

    def ask(self, program: str, *arguments: str) -> str:
        """What one of slurm's programs prints."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        done = subprocess.run([program, *arguments], capture_output=True, text=True, env=environment, check=False)
        return done.stdout + done.stderr

    def states(self) -> dict[str, str]:
        """The states of all jobs that slurm still knows, by their numbers."""
        lines = self.ask("squeue", "--states=all", "--noheader", "--format=%i %T").splitlines()
        return dict(line.split() for line in sorted(lines))

    def restarts(self, number: str) -> int:
        """How often a job was queued again."""
        found = re.search(r"Restarts=(\d+)", self.ask("scontrol", "show", "job", number))
        assert found is not None, number
        return int(found[1])

    def start_controller(self) -> None:
        """Start `slurmctld`, for the first time or after `stop_controller`."""
        self._start("slurmctld", "-D", "-f", str(self.configuration))
        self._wait_for(lambda: "UP" in self.ask("scontrol", "ping"), "slurmctld")

    def stop_controller(self) -> None:
        """End `slurmctld` as a machine does that goes away; jobs continue."""
        controller = self.processes.pop("slurmctld")
        controller.kill()
        controller.wait()

    def end(self) -> None:
        """End all jobs and slurm's processes."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes.clear()
        for step in _steps_of(self.folder):  # now, no further one begins
            with contextlib.suppress(ProcessLookupError):
                os.kill(step, signal.SIGKILL)

    def _authenticate(self) -> None:
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        names = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid"}
        names |= {"log-file": "munge.log", "seed-file": "munge.seed"}
        paths = [f"--{option}={self.folder / name}" for option, name in names.items()]
        self._start("munged", "--foreground", "--force", *paths)
        self._wait_for((self.folder / "munge.socket").exists, "munged")

    def _start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, name
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _wait_for(self, there: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + SECONDS
        while not there():
            logs = "\n".join(path.read_text()[-1000:] for path in sorted(self.folder.glob("*.log")))
            assert time.monotonic() < until, f"slurm has no {what}:\n{logs}"
            time.sleep(0.05)


def _steps_of(folder: Path) -> list[int]:
    """The processes of jobs, and those of slurm that watch them: they know this slurm by their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # Read here, since psutil stops where slurm writes its title over the environment.
            environment = (process / "environ").read_bytes()
            of_a_job = b"SLURM_JOB_ID=" in environment or (process / "comm").read_text() == "slurmstepd\n"
            if of_a_job and f"SLURM_CONF={folder}/".encode() in environment:
                found.append(int(process.name))
    return found


def _configuration(folder: Path, *, cpus: int, gpus: int, settings: Mapping[str, object]) -> str:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\n")
    devices = [folder / f"gpu{number}" for number in range(gpus)]
    for device in devices:
        device.touch()
    (folder / "gres.conf").write_text("".join(f"NodeName=node Name=gpu File={device}\n" for device in devices))
    controller, node = _free_ports(2)
    lines = {
        "ClusterName": "tests",
        "SlurmctldHost": f"{socket.gethostname()}(127.0.0.1)",
        "SlurmctldPort": controller,
        "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
        "SlurmUser": getpass.getuser(),
        "SlurmdUser": getpass.getuser(),
        # `cred_expire` is also how long a job that is queued again waits: two minutes without it.
        "AuthInfo": f"socket={folder / 'munge.socket'},cred_expire=5",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "MpiDefault": "none",
        "GresTypes": "gpu",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherFrequency": "task=1",
        "JobAcctGatherParams": "OverMemoryKill",
        "SchedulerParameters": "sched_interval=1,batch_sched_delay=0,bf_interval=1",
        "KillWait": 5,
        "ReturnToService": 2,
    } | dict(settings)
    resources = f"CPUs={cpus} RealMemory={psutil.virtual_memory().total // 2**20} Gres=gpu:{gpus}"
    return "\n".join(
        [
            *(f"{key}={value}" for key, value in lines.items()),
            f"NodeName=node NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={node} {resources}",
            "PartitionName=short Nodes=node Default=YES MaxTime=INFINITE State=UP",
            "PartitionName=long Nodes=node MaxTime=INFINITE State=UP",
            "PartitionName=gpu Nodes=node MaxTime=INFINITE State=UP",
            "",
        ]
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as taken:
        sockets = [taken.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":  # to try things by hand: python -m tests.cluster.real_slurm NEW_FOLDER
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: sys.exit())
    with Slurm.started(Path(sys.argv[1])) as started:
        sys.stdout.write(f"export SLURM_CONF={started.configuration}\n")
        sys.stdout.flush()
        started.processes["slurmctld"].wait()
