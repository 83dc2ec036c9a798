"""What Ray runs for a job of ours: the watching of its process."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any

from autoenc.sweeps.launchers.supervision import POLL_SECONDS, Supervisor
from autoenc.sweeps.task import JobTask


def watch(task: JobTask) -> None:
    """Run the job to its end. Ray's `cancel` asks it to save and end; asked twice, it ends without saving."""
    # What the job is forked from may be older than this task, and may have been given another GPU.
    supervisor = Supervisor(replace(task, environment={**os.environ, **task.environment}))
    asked = 0

    def stop(number: int, frame: Any) -> None:  # noqa: ARG001
        nonlocal asked
        asked += 1
        supervisor.stop(at_once=asked > 1)

    before = signal.signal(signal.SIGINT, stop)  # which is how a cancelled task learns of it
    try:
        supervisor.start()
        while not supervisor.wait(POLL_SECONDS):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
