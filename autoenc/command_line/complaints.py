"""Errors in one line: the key, the value, and what would be right. Hydra's own are put into our words."""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.ending import in_one_line
from autoenc.settings import ConfigError, join, listed, nearest

Compose = Callable[[list[str]], DictConfig]
Choices = Callable[[str], list[str]]


def explained(error: Exception, *, overrides: list[str], compose: Compose, choices: Choices) -> Exception:
    """Hydra's complaint about `overrides` as a `ConfigError`, or the error itself where there is nothing to add.

    `compose` is called with the overrides that are not at fault, to see which keys there are; `choices` gives the
    choices of a group, none for what is no group.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return _no_such_choice(group, choice, choices=sorted(error.options))
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    several = re.match(r"Ambiguous value for argument '([^=]+)=(.*)'", str(error))
    if several:
        return ConfigError(several[1], "these are several values; --multirun tries each", value=several[2])
    unknown = re.match(r"Could not override '([^']+)'", str(error))
    explanation: Exception | None = None
    if unknown:
        explanation = _no_such_key(unknown[1], overrides=overrides, compose=compose, choices=choices)
    elif str(error).startswith("Config group override must be"):
        explanation = _no_choice_at_all(overrides, choices=choices)
    elif isinstance(error.__cause__, OmegaConfBaseException):
        cause = error.__cause__
        explanation = ConfigError(cause.full_key or str(error) or "config", in_one_line(cause))
    return explanation or error


def _unreadable(override: str) -> ConfigError:
    key, equals, value = override.partition("=")
    if not equals:
        return ConfigError(override, "a setting is written key=value, without spaces")
    problem = f"it cannot be read; odd characters need two pairs of quotes: \"{key}='{value}'\""
    return ConfigError(key, problem, value=value)


def _no_such_choice(group: str, choice: str, *, choices: list[str]) -> ConfigError:
    problem = f"there is no such choice{nearest(choice, choices)}; the choices are {listed(choices)}"
    return ConfigError(group, problem, value=yaml.safe_load(choice))


def _no_choice_at_all(overrides: list[str], *, choices: Choices) -> ConfigError | None:
    """For `group=null`, and for `group=3`."""
    for override in overrides:
        group, _, value = override.partition("=")
        if choices(group) and value not in choices(group):
            return _no_such_choice(group, value, choices=choices(group))
    return None


def _no_such_key(key: str, *, overrides: list[str], compose: Compose, choices: Choices) -> ConfigError | None:
    path = key.partition("@")[0]
    at_fault = [override for override in overrides if override.lstrip("+~").partition("=")[0] == key]
    try:
        config = compose([override for override in overrides if override not in at_fault])
    except (ConfigCompositionException, OmegaConfBaseException):
        return None  # more than one mistake: the first is told in Hydra's words
    parent, _, name = path.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    value = yaml.safe_load(at_fault[0].partition("=")[2]) if at_fault else ""
    if not isinstance(node, DictConfig):
        problem = f"'{parent}' has no keys" if node is not None else f"there is no '{parent}'"
        return ConfigError(path, problem + _top_level_hint(path, config), value=value)
    if name in node:  # a group of this name, without an entry in the defaults list
        return ConfigError(path, "only single values can be changed here, not a whole group", value=value)
    group = parent.replace(".", "/") if parent.startswith("hydra.") else parent
    offered = choices(group) if parent else []
    known = [str(key) for key in node if key != "hydra" and not (key == "name" and offered)]
    keys = known if parent else sorted({*known, *choices("")})
    where = "there is no such key" if not parent else f"{_labelled(parent, node)} has no such key"
    others = _choices_with(name, group=group, choices=offered, compose=compose)
    hint = f" (it is one of {group}={'|'.join(others)})" if others else nearest(name, keys)
    there_are = f"the keys are {listed(keys)}" if keys else "nor any other"
    return ConfigError(join(parent, name), f"{where}{hint}; {there_are}", value=value)


def _choices_with(name: str, *, group: str, choices: list[str], compose: Compose) -> list[str]:
    """The choices of a group that do have the key."""
    found = {choice: OmegaConf.select(compose([f"{group}={choice}"]), group.replace("/", ".")) for choice in choices}
    return [choice for choice, node in found.items() if name in node]


def _top_level_hint(path: str, config: DictConfig) -> str:
    keys = [str(known) for known in config if known != "hydra"]
    return f"{nearest(path.partition('.')[0], keys)}; at the top there are {listed(keys)}"


def _labelled(parent: str, node: DictConfig) -> str:
    """`noise=none` for a group, else the path."""
    name = OmegaConf.to_container(node).get("name") if "." not in parent else None  # type: ignore[union-attr]
    return f"{parent}={name}" if isinstance(name, str) else parent
