"""The connection to Ray, and a Ray that is started on this machine: quiet, for nobody else, and gone with the sweep."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from autoenc.extras import imported
from autoenc.settings import ConfigError
from autoenc.sweeps.launchers.local import cores_here, gpus_here

LONGEST_FOLDER = 20
"""Characters: sockets lie in Ray's folder, deep down, and their paths may have no more than about 100."""
MARK = "of_autoenc"
"""A file in the folder of a Ray of ours."""
ANSWER_SECONDS = 10.0
OBJECT_STORE_BYTES = 80 * 2**20
"""The least that Ray takes; nothing is put there."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_COLOR_PREFIX": "0"}
"""Nobody is told of the use of Ray."""
ALONE = {
    # Ray listens on all addresses but where it believes to be on a system on which it builds no clusters.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_enable_metrics_collection": "0",
    "RAY_worker_niceness": "0",
}
"""For a Ray of our own."""

SET_BY_RAY = ("PYTHONBREAKPOINT", "RAY_AUTH_MODE")


class RayConnection:
    """Ray, as long as it is needed.

    Raises:
        ConfigError: it is not installed, or there is none at the address.
    """

    def __init__(self, address: str | None) -> None:
        self._before: dict[str, str | None] = {name: os.environ.get(name) for name in SET_BY_RAY}
        self._folder: Path | None = None
        self._set(QUIET)
        if address is None:
            self._set({**ALONE, "RAY_AUTH_TOKEN": secrets.token_hex(32)})
        try:
            self.ray = _not_connected(imported("ray", extra="ray", key="hydra.launcher"), address=address)
            _reread_environment(self.ray)
            self._connect(address)
        except BaseException:
            self.close()
            raise

    def nodes(self) -> list[Mapping[str, float]]:
        """What each machine of the cluster has, by resource."""
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def close(self) -> None:
        """Disconnect, and end a Ray of our own."""
        ray = getattr(self, "ray", None)
        if ray is not None:
            with contextlib.suppress(Exception):  # Ray's: it may be gone
                ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        self._before = {}
        if ray is not None:
            _reread_environment(ray)

    def _connect(self, address: str | None) -> None:
        if address is not None:
            _check_that_it_answers(address)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        options |= self._own() if address is None else {"address": address}
        try:
            with _signals_kept():
                self.ray.init(**options)
        except Exception as error:  # of many kinds; where there is no cluster, most often ConnectionError
            problem = f"Ray cannot be reached or started: {' '.join(str(error).split())[:300]}"
            raise ConfigError("hydra.launcher.address", problem, value=address) from error
        # Ray prints to the terminal what became of its workers, in spite of the above; the sweep's table tells of it.
        self.ray._private.worker._worker_logs_enabled = False

    def _own(self) -> dict[str, Any]:
        self._folder = _new_folder()
        return {
            "address": "local",
            "num_cpus": this_machine()["CPU"],
            "num_gpus": this_machine()["GPU"],
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": str(self._folder),
        }

    def _set(self, variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = value


def _new_folder() -> Path:
    """For a Ray of our own; those of processes that were killed are taken away."""
    place = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "/tmp")  # noqa: S108
    for mark in place.glob(f"ray-*-*/{MARK}"):
        number = mark.parent.name.split("-")[1]
        with contextlib.suppress(OSError):
            if mark.stat().st_uid == os.getuid() and number.isdecimal() and not psutil.pid_exists(int(number)):
                shutil.rmtree(mark.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"ray-{os.getpid()}-", dir=place))
    (folder / MARK).touch()
    return folder


def _check_that_it_answers(address: str) -> None:
    """Ray itself takes a minute and prints a page before it says so."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # `auto`
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError("hydra.launcher.address", f"nobody answers there: {error}", value=address) from None


def _not_connected(ray: Any, *, address: str | None) -> Any:
    """The package, where nobody else in this process uses it: its connection is one for all."""
    if ray.is_initialized():
        raise ConfigError("hydra.launcher.address", "this process is connected to a Ray already", value=address)
    return ray


def _reread_environment(ray: Any) -> None:
    """Ray reads these variables when it is imported, which may have been before."""
    listens = os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") != "0"
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = listens and sys.platform not in {"darwin", "win32"}
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM over, which the sweep watches for."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def this_machine() -> dict[str, float]:
    """What a Ray of our own has."""
    return {"CPU": cores_here(), "GPU": len(gpus_here())}


def largest(nodes: Sequence[Mapping[str, float]], resource: str) -> float:
    """What the machine has that has most of it."""
    return max((node.get(resource, 0.0) for node in nodes), default=0.0)


def total(nodes: Sequence[Mapping[str, float]], resource: str) -> float:
    """What all machines have of it."""
    return sum(node.get(resource, 0.0) for node in nodes)
