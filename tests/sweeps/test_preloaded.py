"""What a job no longer has to do after it was forked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory
from tests.conftest import REPOSITORY
from tests.sweeps.tasks import LIMIT, outcome, task, values

JOB = """
import json, subprocess, sys
import autoenc.sweeps.preloaded
from pathlib import Path
from autoenc.sweeps.plan import JobTask
from autoenc.sweeps.worker import work

task, target = sys.argv[1:]
loaded, programs = set(sys.modules), []
started = subprocess.Popen.__init__
def counted(self, command, *others, **named):
    programs.append(command)
    started(self, command, *others, **named)
subprocess.Popen.__init__ = counted
work(JobTask(**json.loads(task)))
found = {"modules": sorted(set(sys.modules) - loaded), "programs": programs}
Path(target).write_text(json.dumps(found))
"""

FIRST_IMPORT = """
import os, sys, time
parent = os.getppid()
class Watched:
    def find_spec(self, name, *_):
        if name == "torch":
            print("importing", flush=True)
            while os.getppid() == parent:
                time.sleep(0.01)
        if name == "autoenc.sweeps.worker":
            print("a further import", file=sys.stderr)
sys.meta_path.insert(0, Watched())
import autoenc.sweeps.preloaded
"""

COMMAND = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE).stdout.readline()
"""

LARGE = {"PIL", "autoenc", "filelock", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "torch"}
"""Packages whose modules take long to import ..."""
SMALL = ("torch.fx.", "torch.nested.")
"""... except for these, which torch imports when it needs them."""


@pytest.mark.slow
def test_a_job_imports_nothing_large_and_starts_no_program(tmp_path: Path) -> None:
    job = replace(task(tmp_path / "job"), config=values())
    RunDirectory.begin(tmp_path / "job", config=job.config)
    command = [sys.executable, "-c", JOB, json.dumps(asdict(job)), str(tmp_path / "found.json")]
    subprocess.run(command, check=True, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert outcome(tmp_path / "job") == "finished"
    found = json.loads((tmp_path / "found.json").read_text())
    large = [name for name in found["modules"] if name.partition(".")[0] in LARGE and not name.startswith(SMALL)]
    assert large == []
    assert found["programs"] == []


def test_a_pipe_does_not_wait_for_all_imports_when_the_command_is_over() -> None:
    """As in `train.py -m architecture.code_size=0 | cat`; here, the pipe is that of the errors."""
    command = [sys.executable, "-c", COMMAND, FIRST_IMPORT]
    done = subprocess.run(command, check=True, cwd=REPOSITORY, stderr=subprocess.PIPE, timeout=LIMIT, text=True)
    assert done.stderr == ""
