"""The output folder of a run: claimed before anything is written into it, then given Hydra's files and the log."""

from __future__ import annotations

import contextlib
import logging.config
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from autoenc.command_line.compose import plain
from autoenc.command_line.config_errors import refuse_code
from autoenc.settings import ConfigError

LONGEST_TICK = 10.0
"""Seconds in which a folder name made from the time has to change; several processes may wait for the next second."""

_TERMINAL_HANDLER = "autoenc.progress.TerminalHandler"


@contextlib.contextmanager
def claimed_folder(config: DictConfig) -> Iterator[Path]:
    """Make the folder `hydra.run.dir`, or take it if it exists and is empty. An error in the block removes it again.

    Raises ConfigError if the folder is taken or cannot be made.
    """
    path, made = _claim_folder(config)
    try:
        yield path
    except Exception:
        for item in path.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        with contextlib.suppress(OSError):  # another process uses an outer one by now
            for folder in made:
                folder.rmdir()
        raise


def _claim_folder(config: DictConfig) -> tuple[Path, list[Path]]:
    """The claimed folder, and all folders that were made for it, the innermost first.

    If its name is made from the time (`${now:...}`) and taken, the time is looked up again until the name is free.
    """
    deadline = time.monotonic() + LONGEST_TICK
    while (made := _claim(path := Path(str(plain(config.hydra.run)["dir"])))) is None:
        if time.monotonic() > deadline or "${now:" not in OmegaConf.to_yaml(config.hydra.run):
            problem = "the folder exists and is not empty; choose another, or continue an interrupted run with resume="
            raise ConfigError("hydra.run.dir", problem, value=str(path))
        time.sleep(0.01)
        OmegaConf.clear_cache(config)
    return path.absolute(), [folder.absolute() for folder in made]


def _claim(path: Path) -> list[Path] | None:
    """Claim a folder: it belongs to the one process that finds it empty and makes an entry in it.

    Returns the folders that were made for it, or None if it is taken.
    """
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            if not any(path.iterdir()):
                (path / ".hydra").mkdir()
                return made
    except OSError as error:
        raise ConfigError("hydra.run.dir", f"the folder cannot be made: {error.strerror}", value=str(path)) from None
    return None


def open_log(config: DictConfig, folder: Path) -> None:
    """Log to the terminal and into the run's folder, as `hydra.job_logging` says."""
    with open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder)
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
    if settings.get("root") is not None:  # as in Hydra: without a root logger, nothing is configured
        logging.config.dictConfig(settings)


def logging_settings(config: DictConfig, *, node: str, terminal: bool = True) -> dict[str, Any]:
    """The node `job_logging` or `hydra_logging`, with the levels of `hydra.verbose`, for `logging.config.dictConfig`.

    With `terminal=False`, handlers that write to a terminal are left out. Raises ConfigError if it names code to run.
    """
    settings, verbose = plain(config.hydra[node]), config.hydra.verbose
    refuse_code(settings, path=f"hydra.{node}")
    for handler in () if terminal else (settings.get("handlers") or {}).values():
        if handler.get("class") == _TERMINAL_HANDLER:
            handler["class"] = "logging.NullHandler"
    if verbose is True:
        (settings.get("root") or {})["level"] = "DEBUG"
    elif verbose:
        names: Sequence[str] = [verbose] if isinstance(verbose, str) else list(verbose)
        settings.setdefault("loggers", {}).update({name: {"level": "DEBUG"} for name in names})
    return settings
