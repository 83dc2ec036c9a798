"""The output folder of a run: claimed before anything is written into it, then given Hydra's files and the log."""

from __future__ import annotations

import contextlib
import logging.config
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from autoenc.command_line.compose import plain
from autoenc.command_line.config_errors import refuse_code
from autoenc.settings import ConfigError

LONGEST_TICK = 10.0
"""Seconds in which a folder name made from the time has to change; several processes may wait for the next second."""

_TERMINAL_HANDLER = "autoenc.progress.TerminalHandler"


class Claim(NamedTuple):
    """A folder that belongs to this process alone."""

    path: Path
    """Absolute."""
    made: list[Path]
    """The folders that were made for it, the outermost first."""

    def undo(self) -> None:
        """Remove the folder, because the run turned out to be impossible."""
        for item in self.path.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        with contextlib.suppress(OSError):  # another process uses an outer one by now
            for folder in reversed(self.made):
                folder.rmdir()


def claim_folder(config: DictConfig) -> Claim:
    """Make the folder `hydra.run.dir`, or take it if it exists and is empty.

    If its name is made from the time (`${now:...}`) and taken, the time is looked up again until the name is free.

    Raises:
        ConfigError: the folder is taken or cannot be made.
    """
    tried = None
    deadline = time.monotonic() + LONGEST_TICK
    while True:
        name = str(config.hydra.run.dir)
        try:
            claim = _claim(Path(name).absolute()) if name != tried else None
        except OSError as error:
            raise ConfigError("hydra.run.dir", f"the folder cannot be made: {error.strerror}", value=name) from None
        if claim is not None:
            return claim
        tried = name
        if time.monotonic() > deadline or "${now:" not in OmegaConf.to_yaml(config.hydra.run):
            problem = "the folder exists and is not empty; choose another, or go on with an interrupted run by resume="
            raise ConfigError("hydra.run.dir", problem, value=name)
        time.sleep(0.001)
        OmegaConf.clear_cache(config)


def _claim(path: Path) -> Claim | None:
    """The folder, or None if another process has it."""
    made: list[Path] = []
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                made.append(folder)
        if any(path.iterdir()):
            return None
    except OSError:
        for folder in reversed(made):
            folder.rmdir()
        raise
    try:  # Whoever made the folder, it belongs to the one process that makes this entry.
        (path / ".hydra").mkdir()
    except FileExistsError:
        return None
    return Claim(path, made)


def open_log(config: DictConfig, folder: Path) -> None:
    """Log to the terminal and into the run's folder, as `hydra.job_logging` says."""
    with open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(config)  # for `${hydra:...}`
    configure_logging(config, node="job_logging")


def write_hydra_files(config: DictConfig, folder: Path) -> None:
    """Write the files that Hydra itself would write into a run's folder."""
    for name, text in hydra_files(config).items():
        path = folder / str(config.hydra.output_subdir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def hydra_files(config: DictConfig) -> dict[str, str]:
    """The content, by name, of the files that Hydra itself would write for a run."""
    if config.hydra.output_subdir is None:
        return {}
    return {
        "config.yaml": OmegaConf.to_yaml(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])),
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.masked_copy(config, "hydra")),
        "overrides.yaml": OmegaConf.to_yaml(config.hydra.overrides.task),
    }


def configure_logging(config: DictConfig, *, node: str) -> None:
    """Configure `logging` by a node of Hydra's config, `job_logging` or `hydra_logging`."""
    settings = logging_settings(config, node=node)
    if settings.get("root") is not None:  # without a root logger, Hydra leaves logging alone
        logging.config.dictConfig(settings)


def logging_settings(config: DictConfig, *, node: str, terminal: bool = True) -> dict[str, Any]:
    """A node of Hydra's logging, with the levels of `hydra.verbose`, for `logging.config.dictConfig`.

    Args:
        config: with Hydra's node.
        node: `job_logging` or `hydra_logging`.
        terminal: False to leave out the handlers that write to a terminal, for a process without one.

    Raises:
        ConfigError: it names code to run.
    """
    settings, verbose = plain(config.hydra[node]), config.hydra.verbose
    refuse_code(settings, path=f"hydra.{node}")
    if not terminal:
        _remove_terminal(settings)
    if verbose is True:
        (settings.get("root") or {})["level"] = "DEBUG"
    elif verbose:
        names: Sequence[str] = [verbose] if isinstance(verbose, str) else list(verbose)
        settings.setdefault("loggers", {}).update({name: {"level": "DEBUG"} for name in names})
    return settings


def _remove_terminal(settings: dict[str, Any]) -> None:
    handlers = settings.get("handlers") or {}
    for name in [name for name, handler in handlers.items() if handler.get("class") == _TERMINAL_HANDLER]:
        del handlers[name]
        for logger in (settings.get("root") or {}, *(settings.get("loggers") or {}).values()):
            if name in logger.get("handlers", []):
                logger["handlers"].remove(name)
