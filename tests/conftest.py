from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest
import torch

from autoenc.command_line import main

REPOSITORY = Path(__file__).parents[1]

# A run of a second: few images, a small model, everything on that a stopped run has to remember.
TINY = (
    "architecture=linear",
    "architecture.code_size=3",
    "dataset.limit=100",
    "dataset.test_limit=100",
    "noise=gaussian",
    "device=cpu",
    "device.threads=1",
    "training.epochs=3",
    "training.batch_size=16",
    "training.checkpoint_every=4",
    "training.snapshot_every=1",
    "figures=[]",  # each takes a second
)

Train = Callable[..., Path]
AddPlugin = Callable[..., None]

FONTS = matplotlib.get_cachedir()


@pytest.fixture(autouse=True)
def _same_torch() -> Iterator[None]:
    """Two OpenMP threads beside another busy process can be ten times slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)  # an earlier command in this process set it
    torch.manual_seed(0)  # a test does not depend on those before it
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """A run configures logging for the process; its handlers write into a folder that goes with the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of run folders that were read is not to be kept of a test's, nor beside a person's own."""
    monkeypatch.setenv("MPLCONFIGDIR", FONTS)  # which matplotlib looks for in the same place, and takes long to make
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def make_pipe() -> Iterator[Callable[[Path], Path]]:
    """Makes named pipes. They are open for writing, so that wrong code reads from them instead of waiting forever."""
    opened: list[int] = []

    def make(path: Path) -> Path:
        os.mkfifo(path)
        opened.append(os.open(path, os.O_RDWR))
        return path

    yield make
    for descriptor in opened:
        os.close(descriptor)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, which the test stands in."""
    with contextlib.chdir(tmp_path):
        yield tmp_path


@pytest.fixture
def train(elsewhere: Path) -> Train:
    """Train as the command line does, in this process; returns the run's folder."""

    def call(*overrides: str, folder: str = "run", exit_code: int = 0) -> Path:
        assert main([*TINY, *overrides, f"hydra.run.dir={folder}"]) == exit_code
        return elsewhere / folder

    return call


@pytest.fixture
def add_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddPlugin]:
    """Install a package the way pip does: a module, and its `.dist-info` with entry points."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = []

    def add(module: str, *, source: str | None, entries: str) -> None:
        information = tmp_path / f"{module}-0.1.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 0.1\n")
        (information / "entry_points.txt").write_text(f"[autoenc.plugins]\n{entries}\n")
        if source is not None:
            (tmp_path / f"{module}.py").write_text(source)
        modules.append(module)

    yield add
    for module in modules:
        sys.modules.pop(module, None)
