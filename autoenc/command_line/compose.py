"""The config that a command line asks for: composed by Hydra, once, from YAML files and overrides."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.config_errors import explained, refuse_packages, refuse_untrusted, unresolved
from autoenc.command_line.hydra_internals import forget_stored_config, initialize, register_resolver
from autoenc.command_line.text_values import TEXT_KEYS, with_text
from autoenc.command_line.yaml_comments import Comments, read_comments
from autoenc.overrides import as_value
from autoenc.registry import plugin_config_folders
from autoenc.runs import RunDirectory, printable
from autoenc.settings import ConfigError, check_utf8, checked, flattened

SettingsType = TypeVar("SettingsType")

RUN_CONFIG = "config_of_a_run"
"""The name that an earlier run's config has among Hydra's configs."""

COMMAND_KEYS = {"hydra", "resume", "rerun", "sweep", "comparison"}
"""Keys of the command line that are not stored in the run."""

_RUN_DEFAULTS = ["_self_", {"tracker": "none"}] + [
    {f"override hydra/{group}": "autoenc"} for group in ("output", "job_logging", "hydra_logging")
]


def config_directory() -> Path:
    """The folder of our YAML: next to the package in a checkout, inside it when installed from a wheel."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


class _ConfigFolders(SearchPathPlugin):
    """Adds our groups, also to a user's own main config (`--config-path`), the folder of `--config-dir`, and those of
    plugins. The first folder that has a file wins.
    """

    config_dir: ClassVar[str | None] = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        ours = str(config_directory())
        if all(element.path not in {ours, f"file://{ours}"} for element in search_path.get_path()):
            search_path.append("autoenc", f"file://{ours}")
        if self.config_dir is not None:
            search_path.append("command-line", f"file://{self.config_dir}")
        for folder in plugin_config_folders():
            search_path.append("plugin", f"file://{folder}")


def _devices_here() -> str:
    """The value of `${devices_here:}`: the kinds of device that this machine has, for a sweep."""
    from autoenc.devices import kinds_here

    return ",".join(kinds_here())


def register_configs(config_dir: str | None = None) -> None:
    """Let Hydra find our YAML, and the user's folder `config_dir`, wherever it composes."""
    _ConfigFolders.config_dir = config_dir
    Plugins.instance().register(_ConfigFolders)
    for group in ("launcher", "sweeper"):  # Hydra would check ours, which have the same names, by its own schemas
        forget_stored_config(f"hydra/{group}")
    register_resolver("devices_here", _devices_here)


class Composer:
    """Composes the config of one command line. Its methods raise `ConfigError` for a mistake in it."""

    def __init__(self, flags: argparse.Namespace, *, sweep_advice: str = "--multirun tries each") -> None:
        for text in flags.overrides:
            key, _, value = text.partition("=")
            check_utf8(value, key=key)
        check_utf8(str(Path.cwd()), key="the current folder")
        self.overrides = [with_text(text) for text in flags.overrides]
        self.config_name: str = flags.config_name or "config"
        self.resume = self._take("resume")
        self.rerun = self._take("rerun")
        self.recorded_tracker = "none"
        """The tracker of the earlier run."""
        self._start_from_run()
        self._multirun: bool = flags.multirun
        self._sweep_advice = sweep_advice
        config_path = _absolute_folder(flags.config_path, flag="--config-path")
        if config_path is not None:
            refuse_packages(Path(config_path) / f"{Path(self.config_name).with_suffix('')}.yaml")
        self.config_path = config_path or str(config_directory())
        """The folder of the main config, absolute."""
        register_configs(_absolute_folder(flags.config_dir, flag="--config-dir"))
        self._loader = initialize(self.config_path)

    @property
    def tracker_overrides(self) -> list[str]:
        """The overrides that concern the tracker."""
        return [text for text in self.overrides if text.lstrip("+").startswith(("tracker=", "tracker."))]

    def compose(self, *, multirun: bool | None = None) -> DictConfig:
        """The config, Hydra's node included.

        `multirun` becomes its `hydra.mode`; None: as the command line or the config, for example a preset, asks for.
        """
        for text in self.overrides:
            group, _, choice = text.lstrip("+").partition(".name=")
            if choice and choice in self.choices(group):
                raise ConfigError(f"{group}.name", f"a choice is made by {group}={choice}", value=choice)
        config = self._explaining(self._load, self.overrides)
        if multirun is None:
            multirun = self._multirun or config.hydra.mode == RunMode.MULTIRUN
        config.hydra.mode = RunMode.MULTIRUN if multirun else RunMode.RUN
        for override in self.parsed(self.overrides):
            if override.is_sweep_override():
                if not multirun:
                    problem = f"these are several values; {self._sweep_advice}"
                    raise _override_error(override, f"{problem}{_comma_hint(override)}")
                if override.is_hydra_override():
                    raise _override_error(override, "a sweep cannot vary Hydra's own settings")
        return config

    def compose_job(self, config: DictConfig, overrides: Sequence[str], *, number: int) -> DictConfig:
        """The config of job `number` of the sweep that `config` describes."""
        job = self._explaining(lambda kept: self._loader.load_sweep_config(config, kept), overrides)
        with open_dict(job):
            job.hydra.job.id, job.hydra.job.num = str(number), number
        job.sweep.name, job.hydra.sweep.dir = config.sweep.name, config.hydra.sweep.dir  # the same for all jobs
        return job

    def parsed(self, overrides: Sequence[str]) -> list[Override]:
        """Overrides as Hydra reads them."""
        return list(OverridesParser.create(config_loader=self._loader).parse_overrides(list(overrides)))

    def choices(self, group: str) -> list[str]:
        """The choices of a group that the command line can make; none for a key that is not a group.

        For "", the groups without Hydra's own. An earlier run has made its choices, all but the tracker.
        """
        if not group:
            return sorted(name for name in self._loader.get_group_options("", ObjectType.GROUP) if name != "hydra")
        if group == "hydra" or "." in group:
            return []
        is_open = self.config_name != RUN_CONFIG or group == "tracker" or group.startswith("hydra/")
        return sorted(self._loader.get_group_options(group)) if is_open else []

    def all_choices(self) -> list[str]:
        """The choices of all groups: `noise=blur`."""
        groups = (*self.choices(""), "hydra/launcher", "hydra/sweeper")
        return [f"{group}={choice}" for group in groups for choice in self.choices(group)]

    def keys(self) -> list[str]:
        """The groups and all keys of a run, also those of other choices: `training.epochs`, `noise.probability`."""
        config = task_values(self._load([]))
        found = {*self.choices(""), *TEXT_KEYS, *(key for key in flattened(config) if key.count(".") < 2)}
        for group, choice in (text.split("=") for text in self.all_choices()):
            if group in config:
                found |= {f"{group}.{key}" for key in self.comments(f"{group}/{choice}").keys if "." not in key}
        return sorted(found - {f"{group}.name" for group in config})

    def comments(self, name: str) -> Comments:
        """The comments of a config, such as `architecture/conv`; none if Hydra finds no such file."""
        folders = [element.path for element in self._loader.get_search_path().get_path()]
        files = [Path(folder.removeprefix("file://")) / f"{name}.yaml" for folder in folders]
        return next((read_comments(file) for file in files if file.is_file()), Comments("", {}))

    def _load(self, overrides: list[str]) -> DictConfig:
        return self._loader.load_configuration(
            self.config_name, overrides, RunMode.MULTIRUN, validate_sweep_overrides=False
        )

    def _explaining(self, compose: Callable[[list[str]], DictConfig], overrides: Sequence[str]) -> DictConfig:
        try:
            config = compose(list(overrides))
        except (ValueError, HydraException, OmegaConfBaseException) as error:
            raise explained(error, overrides=overrides, compose=compose, known=self) from error
        except KeyError as error:  # Hydra looks these variables up while it composes
            raise ConfigError("hydra.job.env_copy", f"there is no environment variable {error}") from None
        refuse_untrusted(config)
        return config

    def _take(self, key: str) -> Path | None:
        """Take `key=folder` out of the overrides; the last one counts."""
        found = [text for text in self.overrides if text.lstrip("+").startswith(f"{key}=")]
        self.overrides = [text for text in self.overrides if text not in found]
        return _folder(found[-1].lstrip("+"), key=key) if found else None

    def _check_resume(self) -> None:
        """Refuse `resume=` together with settings, all but the tracker and the place of the images."""
        kept = [text for text in self.overrides if text not in self.tracker_overrides]
        others = [text for text in kept if not text.lstrip("+").startswith("dataset.path=")]
        if self.rerun is not None:
            raise ConfigError("resume", "it cannot be given together with rerun", value=str(self.resume))
        if others:
            problem = f"a resumed run keeps its settings, all but tracker and dataset.path, and '{others[0]}' is set"
            raise ConfigError("resume", f"{problem}; use rerun= to change them", value=str(self.resume))

    def _start_from_run(self) -> None:
        """Replace `config.yaml` by the config of the run to resume or rerun.

        Its tracker is left out: a folder may come from a stranger, who must not decide where this machine sends numbers
        and passwords.
        """
        forget_stored_config(f"{RUN_CONFIG}.yaml")  # of an earlier command in this process
        if self.resume is not None:
            run_directory = RunDirectory.open(self.resume, key="resume")
            self._check_resume()
            values = run_directory.config()
        elif self.rerun is not None:
            values = RunDirectory.open(self.rerun, key="rerun").config()
        else:
            return
        ours = OmegaConf.load(config_directory() / "config.yaml")
        tracker = values.pop("tracker", None)
        if isinstance(tracker, Mapping):
            self.recorded_tracker = printable(str(tracker.get("name")))
        node = {"defaults": _RUN_DEFAULTS, "sweep": ours.sweep, "comparison": ours.comparison, **values}
        ConfigStore.instance().store(name=RUN_CONFIG, node=node)
        self.config_name = RUN_CONFIG


def task_values(config: DictConfig) -> dict[str, Any]:
    """The config of the run, without the command's keys, resolved to plain values. Raises as `plain` does."""
    return plain(config, without=COMMAND_KEYS)


def usual_settings(group: str, choice: str) -> dict[str, Any]:
    """The values of the YAML of a choice, ours or a plugin's, without a command line; empty if there is none."""
    for folder in (config_directory(), *plugin_config_folders()):
        if (path := folder / group / f"{choice}.yaml").is_file():
            return plain(cast("DictConfig", OmegaConf.load(path)))
    return {}


def plain(node: DictConfig, *, without: Collection[str] = ()) -> dict[str, Any]:
    """A node of a config, resolved to plain values; its interpolations may refer to the whole config.

    Raises:
        ConfigError: an interpolation leads nowhere, or a mandatory value is missing.
    """
    try:
        values = {str(key): node[key] for key in node if key not in without}
        return {
            key: OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
            if OmegaConf.is_config(value)
            else value
            for key, value in values.items()
        }
    except OmegaConfBaseException as error:
        raise unresolved(error) from None


def node_settings(config: DictConfig, key: str, settings: type[SettingsType]) -> SettingsType:
    """The checked settings of the node `sweep` or `comparison`."""
    node = config.get(key)
    if not isinstance(node, DictConfig):
        raise ConfigError(key, "it must be a group of keys", value=node)
    return checked(settings, plain(node), key=key)


def _comma_hint(override: Override) -> str:
    """How to quote a text, such as a folder's name, that has a comma; empty for settings that are not texts."""
    key, _, value = (override.input_line or "").partition("=")
    return f"; a text with a comma needs quotes: {key}={as_value(value)}" if key in TEXT_KEYS else ""


def _override_error(override: Override, problem: str) -> ConfigError:
    return ConfigError(override.key_or_group, problem, value=(override.input_line or "").partition("=")[2])


def _folder(override: str, *, key: str) -> Path | None:
    parsed = OverridesParser.create().parse_override(override)
    if parsed.is_sweep_override():
        problem = f"one folder at a time{_comma_hint(parsed)}"
        raise ConfigError(key, problem, value=override.partition("=")[2])
    # Without the backslashes of a `${` that is a part of the name.
    folder = plain(OmegaConf.create({key: parsed.value()}))[key]
    if folder == "":
        raise ConfigError(key, "it names no folder", value="")
    return None if folder is None else Path(str(folder)).expanduser()


def _absolute_folder(folder: str | None, *, flag: str) -> str | None:
    """A folder from the command line; Hydra would take it as relative to the script."""
    if folder is None:
        return None
    if not Path(folder).is_dir():
        raise ConfigError(flag, "there is no such folder", value=folder)
    return os.path.abspath(folder)  # noqa: PTH100 - `Path.absolute` keeps `..`
