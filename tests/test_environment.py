from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from autoenc import environment
from autoenc.environment import describe_environment, describe_installation
from tests.devices import cpu

described_again = describe_installation.__wrapped__


def test_versions_device_threads_and_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "seed=1"])
    found = describe_environment(cpu())
    assert found["packages"]["hydra-core"].startswith("1.3.")
    assert found["device"] == "cpu"
    assert found["threads"] == 1
    assert found["cpu_flushes_denormals"] is False
    assert found["command_line"] == ["train.py", "seed=1"]


def test_flushing_is_recorded_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu(threads=1).set_threads()
    assert describe_environment(cpu())["cpu_flushes_denormals"] is True
    torch.set_flush_denormal(False)
    monkeypatch.setattr(torch, "set_flush_denormal", lambda flush: False)
    cpu(threads=1).set_threads()
    assert describe_environment(cpu())["cpu_flushes_denormals"] is False


@pytest.mark.parametrize(
    ("functions", "name"),
    [((), "system"), (("tc_version",), "tcmalloc"), (("mallctl",), "jemalloc"), (("mi_version",), "mimalloc")],
)
def test_an_allocator_is_known_by_its_functions(
    monkeypatch: pytest.MonkeyPatch, functions: tuple[str, ...], name: str
) -> None:
    monkeypatch.setattr(ctypes, "pythonapi", SimpleNamespace(malloc=None, **dict.fromkeys(functions)))
    assert describe_environment(cpu())["allocator"] == name


def test_a_package_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert described_again()["packages"] == {"no-such-package": None}


def test_the_installation_is_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code that a process has loaded does not change, whatever happens to its files."""
    first = describe_environment(cpu())["git"]
    monkeypatch.setattr(environment, "_git_state", lambda folder: {"commit": "a later one", "dirty": True})
    assert describe_environment(cpu())["git"] == first


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_and_whether_it_is_dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "environment.py"
    monkeypatch.setattr(environment, "__file__", str(module))
    assert described_again()["git"] is None  # no repository
    git(tmp_path, "init", "-q")
    module.touch()
    assert described_again()["git"] is None  # a repository of other code
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    commit = git(tmp_path, "rev-parse", "HEAD")
    index = (tmp_path / ".git" / "index").read_bytes()
    os.utime(module, (0, 0))  # git would write down that it looked at it, under a lock that a kill leaves behind
    assert described_again()["git"] == {"commit": commit, "dirty": False}
    assert (tmp_path / ".git" / "index").read_bytes() == index
    module.write_text("changed")
    assert described_again()["git"] == {"commit": commit, "dirty": True}
