from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

import psutil
import pytest

from tests.sweeps.faulty import Installed, install
from tests.sweeps.tasks import end_processes


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """`noise=faulty`, for this process and for those that it starts from now on; these end with the test."""
    installed = install(tmp_path / "plugin")
    installed.use(monkeypatch)
    yield installed
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    end_processes(str(installed.site), keep={server, resource_tracker._resource_tracker._pid})  # type: ignore[attr-defined]
    if server is not None and psutil.pid_exists(server):
        for job in psutil.Process(server).children(recursive=True):
            job.kill()
