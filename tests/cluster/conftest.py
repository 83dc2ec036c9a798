from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.real_slurm import MISSING, Slurm
from tests.sweeps.conftest import faulty

__all__ = ["faulty", "slurm"]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """A real slurm, which this process and its children use. It starts in a fifth of a second."""
    if MISSING is not None:
        pytest.skip(f"NOT TESTED WITH A REAL SLURM, because {MISSING} is not installed")
    with Slurm.started(tmp_path / "slurm") as started:
        monkeypatch.setenv("SLURM_CONF", str(started.configuration))
        yield started
