"""Our YAML: where it is, and how Hydra comes to it."""

from __future__ import annotations

import os
from pathlib import Path

import hydra.version
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from autoenc.settings import ConfigError


def config_directory() -> Path:
    """Where our YAML is: beside the package in a checkout, inside it when installed from a wheel."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def register_our_configs() -> None:
    """Have Hydra find our YAML wherever it composes, and behave as its version 1.3 does."""
    hydra.version.setbase("1.3")
    Plugins.instance().register(_OurConfigs)
    for group in ("launcher", "sweeper"):  # ours have the same names, and Hydra would check them by its own schemas
        ConfigStore.instance().repo["hydra"].pop(group, None)
    OmegaConf.register_new_resolver("devices_here", _devices_here, replace=True)


class _OurConfigs(SearchPathPlugin):
    """Our groups, also for a person who brings a main config of their own by `--config-path`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        path = f"file://{config_directory()}"
        if all(element.path not in {path, str(config_directory())} for element in search_path.get_path()):
            search_path.append("autoenc", path)


def _devices_here() -> str:
    """What `${devices_here:}` in a config becomes: the kinds of device that this machine has, for a sweep to try."""
    from autoenc.devices import kinds_here

    return ",".join(kinds_here())


def search_path(config_path: str | None, config_dir: str | None) -> ConfigSearchPath:
    """Where Hydra looks: `--config-path` or our folder, and `--config-dir` before it."""
    found = create_config_search_path(config_path or str(config_directory()))
    if config_dir is not None:
        found.prepend("command-line", f"file://{config_dir}", SearchPathQuery(provider="schema"))
    return found


def absolute_folder(folder: str | None, *, flag: str) -> str | None:
    """A folder given on the command line, absolute: Hydra would take it as relative to the script.

    Raises:
        ConfigError: there is none.
    """
    if folder is None:
        return None
    if not Path(folder).is_dir():
        raise ConfigError(flag, "there is no such folder", value=folder)
    return os.path.abspath(folder)  # noqa: PTH100 - `Path.absolute` keeps `..`
