"""The environment of a run: everything besides the config that its numbers may depend on."""

from __future__ import annotations

import ctypes
import functools
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from autoenc.devices import Device, flushes_denormals

PACKAGES = ("autoenc", "torch", "torchvision", "hydra-core", "omegaconf", "numpy", "scikit-learn", "safetensors")

ALLOCATORS = {"tc_version": "tcmalloc", "mallctl": "jemalloc", "mi_version": "mimalloc"}
"""Memory allocators that replace the system's, usually by `LD_PRELOAD`, by a function that only they have."""


def describe_environment(device: Device) -> dict[str, Any]:
    """The contents of `environment.json`: package versions, git commit, device, threads and command line."""
    return {
        **describe_installation(),
        "device": device.description,
        "threads": torch.get_num_threads(),
        "cpu_flushes_denormals": flushes_denormals(),
        "allocator": allocator(),
        "command_line": sys.argv,
    }


@functools.cache
def describe_installation() -> dict[str, Any]:
    """The package versions, the git commit and the system, looked up once: a process does not load its code again.

    A job of a sweep has what the process that it was forked from has found.
    """
    return {
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git": _git_state(Path(__file__).parent),
    }


def describe_code(installation: Mapping[str, Any]) -> str:
    """The version of this package and, in a checkout, the commit: `0.1.0 (af8b16e, changed)`."""
    release, git = installation["packages"]["autoenc"], installation["git"]
    if git is None:
        return str(release)
    return f"{release} ({git['commit'][:7]}{', changed' if git['dirty'] else ''})"


def allocator() -> str:
    """The memory allocator of this process, `system` or one of `ALLOCATORS`."""
    loaded = ctypes.pythonapi  # finds the functions of all libraries that were loaded with the process
    return next((name for function, name in ALLOCATORS.items() if hasattr(loaded, function)), "system")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state(folder: Path) -> dict[str, Any] | None:
    """The commit of the checkout that this package runs from; None for an installed wheel."""
    try:
        # `ls-files` fails for a package that is merely installed inside another repository.
        _git("ls-files", "--error-unmatch", Path(__file__).name, folder=folder)
        commit = _git("rev-parse", "HEAD", folder=folder)
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain", folder=folder))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str, folder: Path) -> str:
    # Without optional locks: they would stay in the repository if this process is killed.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
