"""Mistakes in a config as one line: Hydra's errors in our words, and configs that name code to run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.exit_code import in_one_line
from autoenc.registry import plugins
from autoenc.settings import ConfigError, listed, nearest

Compose = Callable[[list[str]], DictConfig]
Choices = Callable[[str], list[str]]

_TRUSTED_CODE = ("hydra.", "logging.", "autoenc.")
_CALLS_OTHER_CODE = ("hydra.utils.", "logging.config.")


def explained(error: Exception, *, overrides: Sequence[str], compose: Compose, choices: Choices) -> Exception:
    """Hydra's error about `overrides` as a `ConfigError`, or the error itself if there is nothing to add.

    `compose` composes without the faulty overrides, to find the known keys. `choices` has the choices of a group, and
    none for a key that is not a group.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return _unknown_choice(group, choice, choices=sorted(error.options))
    if isinstance(error, OverrideParseException):
        return _unreadable_override(error.override)
    if unknown := re.match(r"Could not override '([^']+)'", str(error)):
        return _unknown_key(unknown[1], overrides=overrides, compose=compose, choices=choices) or error
    if str(error).startswith("Config group override must be"):  # `group=null` or `group=3`
        return _no_choice(overrides, choices=choices) or error
    if isinstance(cause := error.__cause__, OmegaConfBaseException):
        return ConfigError(cause.full_key or str(error) or "config", in_one_line(cause))
    return error


def _unreadable_override(override: str) -> ConfigError:
    key, equals, value = override.partition("=")
    if not equals:
        return ConfigError(key, "a setting is written key=value, without spaces")
    problem = f"it cannot be read; special characters need two pairs of quotes: \"{key}='{value}'\""
    return ConfigError(key, problem, value=value)


def _unknown_choice(group: str, choice: str, *, choices: list[str]) -> ConfigError:
    value = yaml.safe_load(choice)
    if (plugin := plugins(group).get(choice)) is not None:
        place = f"{plugin.module.partition('.')[0]}/conf/{group}/{choice}.yaml"
        problem = f"the plugin {plugin.value} is installed, but there is no YAML file with its defaults: {place}"
        return ConfigError(group, problem, value=value)
    known = f"the choices are {listed(choices)}"
    if hint := nearest(choice, choices):
        return ConfigError(group, f"there is no such choice{hint}; {known}", value=value)
    problem = f"there is no such choice, and no installed package has the plugin '{group}.{choice}'; {known}"
    return ConfigError(group, problem, value=value)


def _no_choice(overrides: Sequence[str], *, choices: Choices) -> ConfigError | None:
    for override in overrides:
        group, _, value = override.partition("=")
        if (known := choices(group)) and value not in known:
            return _unknown_choice(group, value, choices=known)
    return None


def _unknown_key(key: str, *, overrides: Sequence[str], compose: Compose, choices: Choices) -> ConfigError | None:
    path = key.partition("@")[0]
    faulty = [override for override in overrides if override.lstrip("+~").partition("=")[0] == key]
    try:
        config = compose([override for override in overrides if override not in faulty])
    except (ConfigCompositionException, OmegaConfBaseException):
        return None  # more than one mistake: the first is shown in Hydra's words
    parent, _, name = path.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    value = yaml.safe_load(faulty[0].partition("=")[2]) if faulty else ""
    if not isinstance(node, DictConfig):
        problem = f"'{parent}' has no keys" if node is not None else f"there is no '{parent}'"
        top = [str(known) for known in config if known != "hydra"]
        hint = f"{nearest(path.partition('.')[0], top)}; at the top there are {listed(top)}"
        return ConfigError(path, problem + hint, value=value)
    if name in node:  # a group of this name, without an entry in the defaults list
        return ConfigError(path, "only single values can be changed here, not a whole group", value=value)
    if not parent:
        keys = sorted({*(str(key) for key in node if key != "hydra"), *choices("")})
        return ConfigError(name, f"there is no such key{nearest(name, keys)}; the keys are {listed(keys)}", value=value)
    problem = _no_such_key(name, parent=parent, node=node, compose=compose, choices=choices)
    return ConfigError(f"{parent}.{name}", problem, value=value)


def _no_such_key(name: str, *, parent: str, node: DictConfig, compose: Compose, choices: Choices) -> str:
    """The problem with a key below `parent`: the choices of the group that have it, or a similar key, and all keys."""
    group = parent.replace(".", "/") if parent.startswith("hydra.") else parent
    offered = choices(group)
    nodes = {choice: OmegaConf.select(compose([f"{group}={choice}"]), group.replace("/", ".")) for choice in offered}
    others = [choice for choice, other in nodes.items() if name in other]
    keys = [str(key) for key in node if not (key == "name" and offered)]
    hint = f" (it is one of {group}={'|'.join(others)})" if others else nearest(name, keys)
    there_are = f"the keys are {listed(keys)}" if keys else "nor any other"
    return f"{_labelled(parent, node)} has no such key{hint}; {there_are}"


def _labelled(parent: str, node: DictConfig) -> str:
    """`noise=none` for a group, else the path."""
    name = OmegaConf.to_container(node).get("name") if "." not in parent else None  # type: ignore[union-attr]
    return f"{parent}={name}" if isinstance(name, str) else parent


def refuse_untrusted(config: DictConfig) -> None:
    """Refuse a composed config that would run code of anyone but Hydra and us, or change the environment."""
    refuse_code(OmegaConf.to_container(config.hydra, resolve=False), path="hydra")
    if config.hydra.callbacks:
        raise ConfigError("hydra.callbacks", "autoenc runs no callbacks")
    if config.hydra.job.env_set:
        raise ConfigError("hydra.job.env_set", "a config may not change the environment; set variables in the shell")


def refuse_code(node: Any, *, path: str) -> None:
    """Refuse the node at `path` if it has values that Hydra or `logging` would import and call."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            refuse_code(item, path=f"{path}.{index}")
    if isinstance(node, str) and node.startswith("ext://") and node not in {"ext://sys.stdout", "ext://sys.stderr"}:
        raise ConfigError(path, "a config may not name code to run", value=node)
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        names_code = key in {"_target_", "()", "class", "factory", "queue", "listener"} and isinstance(value, str)
        if names_code and (not value.startswith(_TRUSTED_CODE) or value.startswith(_CALLS_OTHER_CODE)):
            problem = f"a config may not name code to run, other than of {', '.join(_TRUSTED_CODE)}"
            raise ConfigError(f"{path}.{key}", problem, value=value)
        refuse_code(value, path=f"{path}.{key}")


def refuse_packages(main_config: Path) -> None:
    """Refuse a main config with a `pkg://` entry in `hydra.searchpath`: Hydra would import it while composing."""
    if main_config.is_file():
        for entry in OmegaConf.select(OmegaConf.load(main_config), "hydra.searchpath") or ():
            if not str(entry).startswith(("file://", "/", ".")):
                raise ConfigError("hydra.searchpath", "only folders can be searched: file://...", value=str(entry))
