"""What a config from anybody may not do: name code to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from autoenc.settings import ConfigError

_TRUSTED = ("hydra.", "logging.", "autoenc.")

_NOT_TAKEN = {
    "hydra.callbacks": "there are no callbacks here",
    "hydra.job.env_set": "a config may not change the environment; set variables in the shell",
}


def refuse_untrusted(config: DictConfig) -> None:
    """Refuse a composed config that would have code run that is neither Hydra's nor ours.

    Raises:
        ConfigError: it would.
    """
    _refuse_code(OmegaConf.to_container(config.hydra, resolve=False), path="hydra")
    for key, why in _NOT_TAKEN.items():
        if OmegaConf.select(config, key):
            raise ConfigError(key, why)


def refuse_packages(main_config: Path) -> None:
    """Refuse a main config that Hydra would import a package for, before anybody can look at what is composed.

    It does so for what `hydra.searchpath` names as `pkg://`.

    Raises:
        ConfigError: it has such an entry.
    """
    if main_config.is_file():
        for entry in OmegaConf.select(OmegaConf.load(main_config), "hydra.searchpath") or ():
            if not str(entry).startswith(("file://", "/", ".")):
                raise ConfigError("hydra.searchpath", "only folders can be searched: file://...", value=str(entry))


def _refuse_code(node: Any, *, path: str) -> None:
    """Refuse what would make Hydra or `logging` import and call something that is neither theirs nor ours."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            _refuse_code(item, path=f"{path}.{index}")
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        named = key in {"_target_", "()", "class", "factory"} and isinstance(value, str)
        if named and not value.startswith(_TRUSTED):
            problem = f"a config may not name code to run, other than of {', '.join(_TRUSTED)}"
            raise ConfigError(f"{path}.{key}", problem, value=value)
        _refuse_code(value, path=f"{path}.{key}")
