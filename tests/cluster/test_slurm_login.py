"""A sweep that is submitted on a login node, which does not have the devices of the nodes where its jobs run."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from tests.cluster.real_slurm import MISSING, Slurm
from tests.conftest import TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=f"NOT TESTED WITH A REAL SLURM, because {MISSING} is not installed"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here"),
]

SWEEP = Path("outputs/sweeps/s")
COMMAND = [text for text in TINY if text != "device=cpu"]
COMMAND += ["-m", "sweep.name=s", "training.epochs=1", "comparison.pictures=[loss_curves]"]
# As in the README, for a node of two cores.
COMMAND += ["hydra/launcher=slurm", "hydra.launcher.partition=gpu", "hydra.launcher.gpus_per_node=1"]
COMMAND += ["hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2"]


def test_the_job_checks_its_device_and_not_the_command(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Slurm.started(elsewhere / "slurm", gpus=2) as slurm:
        monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
        assert main([*COMMAND, "device=cpu,cuda"]) == 1
    with_cpu, with_cuda = (next(SWEEP.glob(f"{device}-*")) for device in ("cpu", "cuda"))
    assert RunDirectory(with_cpu).state == "finished"
    problem = f"device=cuda: torch finds no CUDA device; {platform.node()} has cpu (device=auto takes the first)"
    assert RunDirectory(with_cuda).status()["error"] == {"kind": "raised", "message": problem}
    captured = capsys.readouterr()
    assert captured.out.count(f"raised: {problem}") == 2  # when it ended, and in the table
    assert captured.err == f"error: 1 of 2 jobs did not finish: {with_cuda}\n"
