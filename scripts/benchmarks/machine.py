"""The machine that the figures are from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

BUSY = 0.3
"""Processes that want to run, on average over the last minute: above this, other work slows the measurements."""

_INSTALLED = """
import json, torch
from autoenc.environment import allocator, describe_installation
gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
print(json.dumps({**describe_installation(), "torch": torch.__version__, "threads": torch.get_num_threads(),
                  "gpu": gpu, "allocator": allocator()}))
"""


def describe_machine() -> dict[str, Any]:
    """Processor, cores, versions, threads, allocator, and the load before the measurements begin."""
    load = os.getloadavg()[0]
    # In another process: the memory of this one counts as that of its children until they start their own program.
    installed = json.loads(subprocess.run([sys.executable, "-c", _INSTALLED], check=True, capture_output=True).stdout)  # noqa: S603
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        **installed,
        "load": load,
    }


def machine_sentences(machine: dict[str, Any]) -> list[str]:
    """What a reader of the table has to know."""
    hardware = ", ".join([machine["processor"], f"{machine['cores']} cores", *filter(None, [machine["gpu"]])])
    software = f"torch {machine['torch']}, Python {machine['python']}"
    sentences = [
        f"{hardware}; {software}; threads: {machine['threads']}; memory allocator: {machine['allocator']}.",
        f"Load before the start: {machine['load']:.1f}.",
    ]
    if machine["load"] > BUSY:
        sentences.append("**The machine was busy: the figures are too high, and their ratios uncertain.**")
    return sentences


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
