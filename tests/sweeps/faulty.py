"""A noise that goes wrong on request, as an installed plugin: for the tests of sweeps.

    faulty = install(tmp_path)              # a package with the noise, and a folder with its YAML
    faulty.use(monkeypatch)                 # for this process and its children
    main(["-m", "--config-dir", str(faulty.conf), "noise=faulty", "noise.fault=none,raise,kill,hang,memory"])

The package is a copy of this file, so that a job finds it wherever it runs, without the tests.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from autoenc.data.noise.corruption import Corruption, all_or_none
from autoenc.settings import NonNegativeFloat, NonNegativeInt

if TYPE_CHECKING:
    import pytest

Fault = Literal["none", "raise", "tell", "exit", "kill", "hang", "memory"]

MODULE = "autoenc_faulty"

_calls = 0
"""In this process."""


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """`noise=faulty`: leaves images unchanged until the fault occurs."""

    corrupts: ClassVar[bool] = False
    fault: Fault
    after: NonNegativeInt
    """Batches that go well before; 0: the run fails before its first step."""
    seconds: NonNegativeFloat
    """Duration of a batch, so that a test can act while the job runs."""
    unless: str | None
    """A file; if it exists, nothing goes wrong."""

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """The same tensor."""
        global _calls  # noqa: PLW0603 - a noise is frozen
        _calls += 1
        time.sleep(self.seconds)
        if _calls > self.after and not (self.unless and Path(self.unless).exists()):
            _go_wrong(self.fault)
        return Corruption(images, all_or_none(images, corrupted=False))

    def at(self, severity: float) -> Faulty:
        """There is nothing to weaken."""
        return self


def _go_wrong(fault: Fault) -> None:
    if fault == "raise":
        raise RuntimeError("the noise was told to fail")
    if fault == "tell":
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        raise RuntimeError(f"GPUs {gpus}, {torch.get_num_threads()} threads")
    if fault == "exit":
        os._exit(3)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while fault == "hang":
        time.sleep(3600)
    if fault == "memory":
        torch.empty(1 << 62, dtype=torch.uint8)  # more than there are addresses: refused at once


class Installed(NamedTuple):
    """Where `install` has put things."""

    site: Path
    """Belongs on the path of imports."""
    conf: Path
    """For `--config-dir`."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have it found by this process and by those that it starts."""
        monkeypatch.syspath_prepend(str(self.site))
        others = os.environ.get("PYTHONPATH")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(self.site), *([others] if others else [])]))
        monkeypatch.delitem(sys.modules, MODULE, raising=False)


def install(folder: Path) -> Installed:
    """Lay out the package the way pip does."""
    site, conf = folder / "site", folder / "conf"
    information = site / f"{MODULE}-0.1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 0.1\n")
    (information / "entry_points.txt").write_text(f"[autoenc.plugins]\nnoise.faulty = {MODULE}:Faulty\n")
    shutil.copy(__file__, site / f"{MODULE}.py")
    (conf / "noise").mkdir(parents=True)
    (conf / "noise" / "faulty.yaml").write_text(YAML)
    return Installed(site, conf)


YAML = """\
# Goes wrong when it is told to.
name: faulty
fault: none
after: 3
seconds: 0.0
unless: null
"""


def noise(
    fault: Fault = "none", *, after: int = 3, seconds: float = 0.0, unless: Path | None = None
) -> dict[str, object]:
    """The settings of the noise, as a job's config has them."""
    unless_text = None if unless is None else str(unless)
    return {"name": "faulty", "fault": fault, "after": after, "seconds": seconds, "unless": unless_text}
