"""The connection to Ray, or a Ray that is started on this machine: private, quiet, and gone with the sweep."""

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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from autoenc.extras import imported
from autoenc.settings import ConfigError
from autoenc.sweeps.launchers.local import cores_here, gpus_here

LONGEST_FOLDER = 20
"""Characters: Ray's sockets lie deep in its folder, and their paths may have about 100."""
MARK = "of_autoenc"
"""A file that marks the folder of a Ray of ours."""
ANSWER_SECONDS = 10.0
OBJECT_STORE_BYTES = 80 * 2**20
"""The least that Ray takes; it stays empty."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_COLOR_PREFIX": "0"}
PRIVATE = {
    # Ray listens only on the loopback where it believes to be on a system without clusters.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_enable_metrics_collection": "0",
    "RAY_worker_niceness": "0",
}
"""For a Ray of ours."""

SET_BY_RAY = ("PYTHONBREAKPOINT", "RAY_AUTH_MODE")


class RayConnection:
    """A connection to Ray; with `address=None`, to a new one on this machine.

    Raises:
        ConfigError: Ray is not installed, or does not answer at the address.
    """

    def __init__(self, address: str | None) -> None:
        ours = {} if address is not None else {**PRIVATE, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        variables = {**QUIET, **ours}
        self._before = {name: os.environ.get(name) for name in (*SET_BY_RAY, *variables)}
        self._folder: Path | None = None
        os.environ.update(variables)
        self.ray: Any = imported("ray", extra="ray", key="hydra.launcher")
        try:
            _reread_environment(self.ray)
            self._connect(address)
            # In spite of its options, Ray prints what happens to its workers; the sweep's table shows it.
            self.ray._private.worker._worker_logs_enabled = False
        except BaseException:
            self.close()
            raise

    def nodes(self) -> list[Mapping[str, float]]:
        """The resources of each machine of the cluster."""
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def close(self) -> None:
        """Disconnect, and end a Ray of ours."""
        with contextlib.suppress(Exception):  # it may be gone
            self.ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        _reread_environment(self.ray)

    def _connect(self, address: str | None) -> None:
        if address is not None:
            _check_answer(address)
            options: dict[str, Any] = {"address": address}
        else:
            self._folder = _new_folder()
            options = _own_options(self._folder)
        try:
            with _sigterm_kept():
                self.ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:  # of many kinds; most often ConnectionError
            problem = f"Ray cannot be reached or started: {' '.join(str(error).split())[:300]}"
            raise ConfigError("hydra.launcher.address", problem, value=address) from error


def _own_options(folder: Path) -> dict[str, Any]:
    machine = {"num_cpus": cores_here(), "num_gpus": len(gpus_here()), "object_store_memory": OBJECT_STORE_BYTES}
    return {**machine, "address": "local", "include_dashboard": False, "_temp_dir": str(folder)}


def _new_folder() -> Path:
    """Make a folder for a Ray of ours, and remove those of processes that were killed."""
    parent = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "/tmp")  # noqa: S108
    for mark in parent.glob(f"ray-*-*/{MARK}"):
        pid = mark.parent.name.split("-")[1]
        with contextlib.suppress(OSError):
            if mark.stat().st_uid == os.getuid() and pid.isdecimal() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(mark.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"ray-{os.getpid()}-", dir=parent))
    (folder / MARK).touch()
    return folder


def _check_answer(address: str) -> None:
    """Try the address first: without an answer, Ray takes a minute and prints a page."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # `auto`
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError("hydra.launcher.address", f"there is no answer: {error}", value=address) from None


def _reread_environment(ray: Any) -> None:
    """Have Ray read its variables again; it may have been imported before they were set."""
    listens = os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") != "0"
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = listens and sys.platform not in {"darwin", "win32"}
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Ray replaces and the sweep needs."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
