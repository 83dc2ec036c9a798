"""Every internal name of Hydra that autoenc uses, each with the reason for it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from typing import Any, NoReturn, cast

import hydra
from hydra import initialize_config_dir
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import env_override, setup_globals
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from autoenc import __version__
from autoenc.settings import ConfigError

_IS_1_3 = hydra.__version__.startswith("1.3.")


def parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Hydra's flags, the `overrides`, and the `unknown_options` that Hydra does not have, in any order.

    `--version` prints our version, too. Hydra has no public parser of its flags.

    Raises:
        ConfigError: a flag lacks its value, for example.
    """
    parser = get_args_parser()
    for action in parser._actions:
        if action.dest == "version":
            action.version = f"autoenc {__version__} (Hydra {hydra.__version__})"  # type: ignore[attr-defined]
    parser.error = _refuse  # type: ignore[method-assign, assignment]
    flags, unknown = parser.parse_known_intermixed_args(arguments)
    flags.unknown_options = unknown
    return flags


def _refuse(problem: str) -> NoReturn:
    raise ConfigError("the command line", f"{problem}; settings are written key=value")


def initialize(config_path: str) -> ConfigLoader:
    """Make Hydra ready to compose from a folder.

    `hydra.compose` refuses overrides with several values, which a sweep has. The loader that it calls does not.
    """
    GlobalHydra.instance().clear()
    # Hydra 1.3 warns if it is not told whose defaults to use. Hydra 1.4 warns if it is.
    version: dict[str, Any] = {"version_base": "1.3"} if _IS_1_3 else {}
    initialize_config_dir(config_path, job_name="train", **version)
    register_resolver("hydra", _value_of_hydra)
    loader: Any = GlobalHydra.instance().config_loader()
    loader.repository = _FilesReadOnce(loader.get_search_path())
    return cast("ConfigLoader", loader)


class _FilesReadOnce(ConfigRepository):
    """Reads each file once for all configs of a command line. Hydra's own reads all files again for each job."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        self._read: dict[str, ConfigResult | None] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self._read:
            self._read[config_path] = super().load_config(config_path)
        return deepcopy(self._read[config_path])  # Hydra merges into it

    def __deepcopy__(self, memo: object) -> _FilesReadOnce:
        """Hydra makes a copy for each config, which may look for files elsewhere."""
        return copy(self)


def _value_of_hydra(path: str, *, _root_: DictConfig) -> Any:
    """The value of `${hydra:path}`: from the node `hydra` of the config in which it stands.

    Hydra's own resolver reads the config of the program that it runs. Here each job of a sweep has a config, and a
    notebook trains several runs.
    """
    unknown = object()
    value = OmegaConf.select(_root_, f"hydra.{path}", default=unknown, throw_on_missing=True)
    if value is unknown:
        raise ValueError(f"Hydra's config has no key hydra.{path}")
    return value


def restore_resolvers() -> None:
    """Let `${hydra:...}` mean again what it means in a program that `hydra.main` runs."""
    setup_globals()


def show_text(flags: argparse.Namespace, *, config_path: str) -> None:
    """Print what `--cfg`, `--info`, `--hydra-help` or shell completion ask for.

    The public `hydra.main` reads `sys.argv` and cannot be given overrides.
    """
    GlobalHydra.instance().clear()
    # Without this variable Hydra prints errors in its own format and exits.
    with env_override({"HYDRA_FULL_ERROR": "1"}):
        _run_hydra(flags, get_args_parser(), lambda _: None, config_path=config_path, config_name="config")


def register_resolver(name: str, resolver: Callable[..., Any]) -> None:
    """Define the value of `${name:}` in a config. OmegaConf 2.4, which Hydra 1.4 needs, has renamed the method."""
    register: Any = OmegaConf.register_new_resolver if _IS_1_3 else OmegaConf.register_resolver
    register(name, resolver, replace=True)


def forget_stored_config(path: str) -> None:
    """Remove a config or a group from Hydra's store, such as `hydra/launcher`. The store has no method for it."""
    *groups, name = path.split("/")
    node = ConfigStore.instance().repo
    for group in groups:
        node = node[group]
    node.pop(name, None)
