"""A folder that no other process has, before anything is written into it."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from autoenc.settings import ConfigError

LONGEST_TICK = 10.0
"""Seconds after which a name made from the time must have changed; several processes may wait for the next second."""


class Claim(NamedTuple):
    """A folder that is ours alone."""

    path: Path
    """Absolute."""
    made: list[Path]
    """The folders that were made for it, the outermost first."""

    def give_back(self) -> None:
        """Leave no trace: for a command that turns out to be impossible before it has done anything."""
        for item in self.path.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        with contextlib.suppress(OSError):  # somebody else is using an outer one by now
            for folder in reversed(self.made):
                folder.rmdir()


def claim_folder(config: DictConfig, key: str) -> Claim:
    """Make the folder that `key` of Hydra's config names, or take it over if it is there and empty.

    Where the name is made from the time (`${now:...}`) and taken, the time is looked up again until it is not.

    Raises:
        ConfigError: the folder is somebody else's, or cannot be made.
    """
    tried = None
    deadline = time.monotonic() + LONGEST_TICK
    while True:
        name = str(OmegaConf.select(config, key))
        try:
            claim = _claim(Path(name).absolute()) if name != tried else None
        except OSError as error:
            raise ConfigError(key, f"the folder cannot be made: {error.strerror}", value=name) from None
        if claim is not None:
            return claim
        tried = name
        if time.monotonic() > deadline or "${now:" not in _as_written(config, key):
            problem = "the folder exists and is not empty; choose another, or go on with an interrupted run by resume="
            raise ConfigError(key, problem, value=name)
        time.sleep(0.001)
        OmegaConf.clear_cache(config)


def _as_written(config: DictConfig, key: str) -> str:
    """The value of a key before interpolation."""
    parent, _, name = key.rpartition(".")
    return str(OmegaConf.to_container(OmegaConf.select(config, parent), resolve=False)[name])  # type: ignore[call-overload, index]


def _claim(path: Path) -> Claim | None:
    """The folder, or None when somebody else has it."""
    made: list[Path] = []
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                made.append(folder)
        if any(path.iterdir()):
            return None
        # Whoever made the folder, it belongs to the one process that makes this entry, which Hydra would make anyway.
        return Claim(path, made) if _made_exclusively(path / ".hydra") else None
    except OSError:
        for folder in reversed(made):
            folder.rmdir()
        raise


def _made_exclusively(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True
