"""Hydra, up to the point where it would begin to write: a config from YAML files and the command line.

This, `our_configs` and `commands` use some names of Hydra's that are internal (`hydra._internal`); `pyproject.toml`
keeps to the 1.3 series for them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra.errors
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.complaints import explained
from autoenc.command_line.our_configs import config_directory, search_path
from autoenc.command_line.trust import refuse_packages, refuse_untrusted
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError

OF_A_RUN = "config_of_a_run"
"""What the config of an earlier run is called among Hydra's configs."""


class Composer:
    """The config that a command line asks for."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.overrides: list[str] = list(arguments.overrides)
        self.config_name: str = arguments.config_name or "config"
        self.resume = self._take("resume")
        self.rerun = self._take("rerun")
        self.recorded_tracker = "none"
        """What the run that is begun from was told to, by its name."""
        self._start_from_a_run()
        if arguments.config_path is not None:
            refuse_packages(Path(arguments.config_path) / f"{Path(self.config_name).with_suffix('')}.yaml")
        GlobalHydra.instance().clear()
        self.hydra = Hydra.create_main_hydra2(
            task_name="train", config_search_path=search_path(arguments.config_path, arguments.config_dir)
        )

    @property
    def tracker_overrides(self) -> list[str]:
        """What the command line says of the tracker."""
        return [text for text in self.overrides if text.lstrip("+").startswith(("tracker=", "tracker."))]

    def wants_sweep(self) -> bool:
        """Whether the config itself (a preset, say) asks for a multirun."""
        config = self._compose(run_mode=RunMode.MULTIRUN, check_sweeps=False)
        return bool(config.hydra.mode == RunMode.MULTIRUN)

    def compose(self, *, run_mode: RunMode) -> DictConfig:
        """The composed config, Hydra's node included.

        Raises:
            ConfigError: it cannot be composed, or names code to run.
        """
        for text in self.overrides:
            group, _, choice = text.lstrip("+").partition(".name=")
            if choice and choice in self._choices(group):
                raise ConfigError(f"{group}.name", f"a choice is made by {group}={choice}", value=choice)
        config = self._compose(run_mode=run_mode, check_sweeps=True)
        config.hydra.mode = run_mode
        return config

    def compose_job(self, config: DictConfig, overrides: list[str], *, number: int) -> DictConfig:
        """The config of job `number` of the sweep that `config` describes.

        Raises:
            ConfigError: it cannot be composed.
        """

        def compose(kept: list[str]) -> DictConfig:
            return self.hydra.config_loader.load_sweep_config(config, kept)

        try:
            job = compose(overrides)
        except (ValueError, hydra.errors.HydraException, OmegaConfBaseException) as error:
            raise explained(error, overrides=overrides, compose=compose, choices=self._choices) from error
        with open_dict(job):
            job.hydra.job.id = job.hydra.job.num = number
        return job

    def _compose(self, *, run_mode: RunMode, check_sweeps: bool) -> DictConfig:
        def compose(overrides: list[str]) -> DictConfig:
            return self.hydra.compose_config(
                config_name=self.config_name,
                overrides=overrides,
                run_mode=run_mode,
                validate_sweep_overrides=check_sweeps,
            )

        try:
            config = compose(self.overrides)
        except (ValueError, hydra.errors.HydraException, OmegaConfBaseException) as error:
            raise explained(error, overrides=self.overrides, compose=compose, choices=self._choices) from error
        refuse_untrusted(config)
        return config

    def _choices(self, group: str) -> list[str]:
        if not group:
            groups = self.hydra.config_loader.get_group_options("", ObjectType.GROUP)
            return [name for name in groups if name != "hydra"]
        of_a_run = self.config_name == OF_A_RUN and group != "tracker"  # whose groups are chosen
        if group == "hydra" or "." in group or of_a_run:
            return []
        return self.hydra.config_loader.get_group_options(group)

    def _take(self, key: str) -> Path | None:
        """Take `key=folder` out of the overrides."""
        found = [text for text in self.overrides if text.lstrip("+").startswith(f"{key}=")]
        self.overrides = [text for text in self.overrides if text not in found]
        folder = None
        for text in found:
            folder = self._folder(text.lstrip("+"), key=key)
        return folder

    def _folder(self, text: str, *, key: str) -> Path | None:
        given = text.partition("=")[2]
        try:
            override = OverridesParser.create().parse_override(text)
        except hydra.errors.HydraException:  # a path may have characters that Hydra's grammar has not
            return Path(given).expanduser()
        if override.is_sweep_override():
            raise ConfigError(key, "one folder at a time", value=given)
        if override.value() == "":
            raise ConfigError(key, "it names no folder", value="")
        return None if override.value() is None else Path(str(override.value())).expanduser()

    def _start_from_a_run(self) -> None:
        """Put a run's config in the place of `config.yaml`, for Hydra to apply the overrides to.

        But for its tracker, which is the command's: a folder may be anybody's, and is not to say where this machine
        sends numbers and passwords.
        """
        ConfigStore.instance().repo.pop(f"{OF_A_RUN}.yaml", None)  # of an earlier command in this process
        if self.resume is not None:
            if self.rerun is not None:
                raise ConfigError("resume", "it cannot be given together with rerun", value=str(self.resume))
            others = [text for text in self.overrides if text not in self.tracker_overrides]
            if others:
                problem = f"a resumed run keeps its settings, all but tracker, and '{others[0]}' is set"
                raise ConfigError("resume", f"{problem}; use rerun= to change them", value=str(self.resume))
        source, key = (self.resume, "resume") if self.resume is not None else (self.rerun, "rerun")
        if source is not None:
            values = {**_nodes_of_no_run(), **RunDirectory.open(source, key=key).config()}
            self.recorded_tracker = _name_in(values.pop("tracker", None))
            ConfigStore.instance().store(name=OF_A_RUN, node={"defaults": _DEFAULTS_OF_A_RUN, **values})
            self.config_name = OF_A_RUN


def _name_in(node: object) -> str:
    """What is chosen in a group, if the folder says so in a way that can be shown."""
    name = node.get("name") if isinstance(node, Mapping) else None
    return name if isinstance(name, str) and name.isidentifier() else "none"


def task_values(config: DictConfig) -> dict[str, Any]:
    """The config without Hydra's node, resolved to plain values.

    Raises:
        ConfigError: an interpolation leads nowhere, or a mandatory value is missing.
    """
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key not in NO_PART_OF_A_RUN])
    try:
        values = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(error.full_key or "config", (error.msg or str(error)).splitlines()[0]) from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


NO_PART_OF_A_RUN = {"hydra", "resume", "rerun", "sweep", "comparison"}
"""Keys that say where a run begins, how a sweep goes and what it ends with, and that no run depends on."""


def _nodes_of_no_run() -> dict[str, Any]:
    """What a run's config does not have of ours, for a sweep that starts from a run."""
    ours = OmegaConf.to_container(OmegaConf.load(config_directory() / "config.yaml"), resolve=False)
    assert isinstance(ours, dict)
    return {key: ours[key] for key in ("sweep", "comparison")}


_DEFAULTS_OF_A_RUN = ["_self_", {"tracker": "none"}] + [
    {f"override hydra/{group}": "autoenc"} for group in ("output", "job_logging", "hydra_logging")
]
