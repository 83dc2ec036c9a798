"""A folder that no other process has, before anything is written into it."""

from __future__ import annotations

import time
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from autoenc.settings import ConfigError

LONGEST_TICK = 10.0
"""Seconds after which a name made from the time must have changed; several processes may wait for the next second."""


def claim_folder(config: DictConfig, key: str) -> Path:
    """Make the folder that `key` of Hydra's config names, or take it over if it is there and empty.

    Where the name is made from the time (`${now:...}`) and taken, the time is looked up again until it is not.

    Returns:
        the absolute path.

    Raises:
        ConfigError: the folder is somebody else's, or cannot be made.
    """
    tried = None
    deadline = time.monotonic() + LONGEST_TICK
    while True:
        name = str(OmegaConf.select(config, key))
        if name != tried and _claimed(Path(name), key=key):
            return Path(name).absolute()
        tried = name
        if time.monotonic() > deadline or "${now:" not in _as_written(config, key):
            problem = "the folder exists and is not empty; an interrupted run goes on with resume="
            raise ConfigError(key, problem, value=name)
        time.sleep(0.001)
        OmegaConf.clear_cache(config)


def _as_written(config: DictConfig, key: str) -> str:
    """The value of a key before interpolation."""
    parent, _, name = key.rpartition(".")
    return str(OmegaConf.to_container(OmegaConf.select(config, parent), resolve=False)[name])  # type: ignore[call-overload, index]


def _claimed(path: Path, *, key: str) -> bool:
    """Whether the folder is ours now."""
    made: list[Path] = []
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.exists():
                folder.mkdir(exist_ok=folder != path)
                made.append(folder)
        if made and made[-1] == path:
            return True
        if any(path.iterdir()):
            return False
        # It was there and empty. Only one process can make this entry, which Hydra would make anyway.
        (path / ".hydra").mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        for folder in reversed(made):
            folder.rmdir()
        raise ConfigError(key, f"the folder cannot be made: {error.strerror}", value=str(path)) from None
    return True
