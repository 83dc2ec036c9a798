"""A Ray cluster of two machines with a CPU each, for tests: two raylets here, which listen on the loopback only.

    with RayCluster.started() as cluster:
        launcher("ray", address=cluster.address)

Set `ENVIRONMENT` first, also for commands that connect to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import REPOSITORY
from tests.sweeps.tasks import LIMIT, end_processes

ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # 127.0.0.1 is this machine's address
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "3",  # for a head node that is gone; 60 without it
}
OBJECT_STORE_BYTES = 80 * 2**20


@dataclass
class RayCluster:
    """The addresses and the processes of a cluster."""

    address: str
    head: dict[str, int]
    """Pids by name: `gcs_server`, `raylet` and others."""
    second: dict[str, int]
    """The same: `raylet`."""

    @classmethod
    @contextlib.contextmanager
    def started(cls) -> Iterator[RayCluster]:
        """A cluster that takes tasks."""
        folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets lie deep in it: the path must be short
        command = [sys.executable, "-m", "tests.cluster.ray_cluster", folder]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, start_new_session=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], LIMIT)[0], "Ray does not start"
            yield cls(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LIMIT)
            end_processes(folder)  # Ray's workers name it in their command lines
            process.wait()
            process.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)

    def is_on_second(self, pid: int) -> bool:
        """Whether a job's process was started by the second machine."""
        return self.second["raylet"] in {parent.pid for parent in psutil.Process(pid).parents()}

    def kill_second(self) -> None:
        """End the second machine, as a power failure does."""
        psutil.Process(self.second["raylet"]).kill()

    def kill_head(self) -> None:
        """End the head node, as a power failure does."""
        for name in ("gcs_server", "raylet"):
            psutil.Process(self.head[name]).kill()


def _run(folder: Path) -> None:
    """Start both machines, and end them when the standard input is closed."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    machine: dict[str, Any] = {
        "num_cpus": 1,
        "num_gpus": 0,
        "object_store_memory": OBJECT_STORE_BYTES,
        "node_manager_port": 0,
    }
    own: dict[str, Any] = {
        "temp_dir": str(folder),
        "node_ip_address": "127.0.0.1",
        "min_worker_port": 0,
        "max_worker_port": 0,
    }
    quiet: dict[str, Any] = {"include_dashboard": False, "include_log_monitor": False}
    nodes: list[Node] = []
    for _ in ("head", "second"):
        address = nodes[0].gcs_address if nodes else None
        parameters = RayParams(**machine, **own, **quiet, gcs_address=address)
        nodes.append(Node(parameters, head=address is None, shutdown_at_exit=False, spawn_reaper=False))
    pids = [{name: found[0].process.pid for name, found in node.all_processes.items()} for node in nodes]
    sys.stdout.write(json.dumps({"address": nodes[0].gcs_address, "head": pids[0], "second": pids[1]}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=_reap, daemon=True).start()
    sys.stdin.read()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()


def _reap() -> None:
    """A raylet that is a zombie seems to be alive to its workers."""
    while True:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
        time.sleep(0.05)


if __name__ == "__main__":  # to try things by hand: python -m tests.cluster.ray_cluster /tmp/FOLDER; Ctrl-D ends it
    _run(Path(sys.argv[1]))
