from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoenc.sweeps.launchers.slurm_queue import SlurmQueue
from tests.cluster.real_slurm import MISSING, Slurm
from tests.sweeps.conftest import faulty

__all__ = ["faulty", "slurm"]


@pytest.fixture
def slurm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """A real slurm, which this process and its children use; a parameter is its `settings`. It starts in 0.2 s."""
    if MISSING is not None:
        pytest.skip(f"NOT TESTED WITH A REAL SLURM, because {MISSING} is not installed")
    queues: list[SlurmQueue] = []
    begun = SlurmQueue.__init__

    def remember(queue: SlurmQueue) -> None:
        queues.append(queue)
        begun(queue)

    monkeypatch.setattr(SlurmQueue, "__init__", remember)
    with Slurm.started(tmp_path / "slurm", settings=getattr(request, "param", None)) as started:
        monkeypatch.setenv("SLURM_CONF", str(started.configuration))
        yield started
        for queue in queues:  # a test may have left a launcher as a killed command does; its thread would go on asking
            queue.close()
