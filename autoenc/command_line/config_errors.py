"""Mistakes in a config as one line: Hydra's errors in our words, and configs that name code to run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.exit_code import in_one_line
from autoenc.overrides import as_value
from autoenc.registry import plugins
from autoenc.settings import ConfigError, listed, nearest

Compose = Callable[[list[str]], DictConfig]

OPTIONS = ("--help", "--multirun", "--cfg", "--version", "--hydra-help", "--info", "--config-dir", "--config-path")
"""The options of `train.py`, for hints."""


class KnownWords(Protocol):
    """What a command line may say."""

    def choices(self, group: str) -> list[str]:
        """The choices of a group; none for a key that is not a group. The groups for ""."""

    def keys(self) -> list[str]:
        """The groups and all keys of a run, also those of other choices: `training.epochs`, `noise.probability`."""

    def all_choices(self) -> list[str]:
        """The choices of all groups: `noise=blur`."""


_TRUSTED_CODE = ("hydra.", "logging.", "autoenc.")
_CALLS_OTHER_CODE = ("hydra.utils.", "logging.config.")


def explained(error: Exception, *, overrides: Sequence[str], compose: Compose, known: KnownWords) -> Exception:
    """Hydra's error about `overrides` as a `ConfigError`, or the error itself if there is nothing to add.

    `compose` composes without the faulty overrides, to find the known keys.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return _unknown_choice(group, choice, choices=sorted(error.options), known=known)
    if isinstance(error, OverrideParseException):
        return _unreadable_override(error, known=known)
    if unknown := re.match(r"Could not override '([^']+)'", str(error)):
        return _unknown_key(unknown[1], overrides=overrides, compose=compose, known=known) or error
    if str(error).startswith("Config group override must be"):  # `group=null` or `group=3`
        return _no_choice(overrides, known=known) or error
    if isinstance(cause := error.__cause__, OmegaConfBaseException):
        return ConfigError(cause.full_key or str(error) or "config", in_one_line(cause))
    return error


_NO_VALUE = {
    "hydra.runtime.output_dir": "the folder is made after the settings have been checked",
    "hydra.job.num": "only the jobs of a sweep (--multirun) have a number",
    "hydra.job.id": "only the jobs of a sweep (--multirun) have an id",
}
"""Why a value of Hydra is missing."""


def unresolved(error: OmegaConfBaseException) -> ConfigError:
    """OmegaConf's error about a value that is missing, or an interpolation that leads nowhere."""
    problem = (error.msg or str(error)).splitlines()[0]
    problem = re.sub(r"^\w+ (raised )?while resolving interpolation: ", "", problem).strip('"')
    key = problem.removeprefix("Missing mandatory value: ")
    if key in _NO_VALUE:
        problem = f"{key} has no value here: {_NO_VALUE[key]}"
    elif problem.startswith("maximum recursion depth exceeded"):
        problem = "it refers to itself"
    return ConfigError(error.full_key or "config", problem)


def unknown_option(option: str, *, known: KnownWords) -> ConfigError:
    """The error about an option that Hydra does not have, such as `--epochs` for `training.epochs`."""
    name = option.partition("=")[0].lstrip("-")
    hint = nearest(name, OPTIONS, others=[*known.keys(), *known.all_choices()])
    problem = f"there is no such option{hint}; a setting is written key=value, without dashes"
    return ConfigError(option, problem)


def _unreadable_override(error: OverrideParseException, *, known: KnownWords) -> ConfigError:
    key, equals, value = error.override.partition("=")
    if not equals:
        hint = nearest(key, [*OPTIONS, *known.keys(), *known.all_choices()])
        return ConfigError(key, f"a setting is written key=value, without spaces{hint}")
    first, *others = str(error).splitlines()
    if first.startswith("LexerNoViableAltException"):
        problem = "a text with special characters needs quotes that the shell keeps"
        return ConfigError(key, f"{problem}: {key}={as_value(value)}", value=value)
    if value.count("${") > 1:
        in_quotes = shlex.quote(f'"{value}"')
        problem = "an interpolation inside another needs quotes that the shell keeps"
        return ConfigError(key, f"{problem}: {key}={in_quotes}", value=value)
    reason = others[0] if first.startswith("Error parsing override") else first
    return ConfigError(key, f"Hydra cannot read it: {reason}", value=value)


def _unknown_choice(group: str, choice: str, *, choices: list[str], known: KnownWords) -> ConfigError:
    value = yaml.safe_load(choice)
    if (plugin := plugins(group).get(choice)) is not None:
        place = f"{plugin.module.partition('.')[0]}/conf/{group}/{choice}.yaml"
        problem = f"the plugin {plugin.value} is installed, but there is no YAML file with its defaults: {place}"
        return ConfigError(group, problem, value=value)
    others = [other for other in known.all_choices() if not other.startswith(f"{group}=")]
    hint = nearest(choice, choices, others=others)
    problem = f"there is no such choice{hint or f', and no installed package has the plugin {group}.{choice}'}"
    problem += f"; the choices are {listed(choices)}"
    if group == "device":
        from autoenc.devices import kinds_here

        problem += f"; this machine has {listed(kinds_here())}"
    return ConfigError(group, problem, value=value)


def _no_choice(overrides: Sequence[str], *, known: KnownWords) -> ConfigError | None:
    for override in overrides:
        group, _, value = override.partition("=")
        if (choices := known.choices(group)) and value not in choices:
            return _unknown_choice(group, value, choices=choices, known=known)
    return None


def _unknown_key(key: str, *, overrides: Sequence[str], compose: Compose, known: KnownWords) -> ConfigError | None:
    path = key.partition("@")[0]
    faulty = [override for override in overrides if override.lstrip("+~").partition("=")[0] == key]
    try:
        config = compose([override for override in overrides if override not in faulty])
    except (ConfigCompositionException, OmegaConfBaseException):
        return None  # more than one mistake: the first is shown in Hydra's words
    parent, _, name = path.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    value = yaml.safe_load(faulty[0].partition("=")[2]) if faulty else ""
    top = [str(key) for key in config if key != "hydra"]
    if not isinstance(node, DictConfig):
        problem = f"'{parent}' has no keys" if node is not None else f"there is no '{parent}'"
        hint = nearest(name, [], others=known.keys()) or nearest(path.partition(".")[0], top)
        return ConfigError(path, f"{problem}{hint}; at the top there are {listed(top)}", value=value)
    if name in node:  # a group of this name, without an entry in the defaults list
        return ConfigError(path, "only single values can be changed here, not a whole group", value=value)
    if not parent:
        keys = sorted({*top, *known.choices("")})
        hint = nearest(name, keys, others=known.keys())
        return ConfigError(name, f"there is no such key{hint}; the keys are {listed(keys)}", value=value)
    problem = _no_such_key(name, parent=parent, node=node, compose=compose, known=known)
    return ConfigError(f"{parent}.{name}", problem, value=value)


def _no_such_key(name: str, *, parent: str, node: DictConfig, compose: Compose, known: KnownWords) -> str:
    """The problem with a key below `parent`: the choices of the group that have it, or a similar key, and all keys."""
    group = parent.replace(".", "/") if parent.startswith("hydra.") else parent
    offered = known.choices(group)
    nodes = {choice: OmegaConf.select(compose([f"{group}={choice}"]), group.replace("/", ".")) for choice in offered}
    others = [choice for choice, other in nodes.items() if name in other]
    keys = [str(key) for key in node if not (key == "name" and offered)]
    label = _labelled(parent, node)
    if not keys:
        having = others or [choice for choice, other in nodes.items() if len(other) > 1]
        hint = f"; choose one of {group}={'|'.join(having)}" if having else ""
        return f"{label} has no settings{hint}"
    hint = f" (it is one of {group}={'|'.join(others)})" if others else nearest(name, keys, others=known.keys())
    return f"{label} has no such key{hint}; the keys are {listed(keys)}"


def _labelled(parent: str, node: DictConfig) -> str:
    """`noise=none` for a group, else the path."""
    name = OmegaConf.to_container(node).get("name") if "." not in parent else None  # type: ignore[union-attr]
    return f"{parent}={name}" if isinstance(name, str) else parent


def refuse_untrusted(config: DictConfig) -> None:
    """Refuse a composed config that would run code of anyone but Hydra and us, or change the environment."""
    refuse_code(OmegaConf.to_container(config.hydra, resolve=False), path="hydra")
    if config.hydra.callbacks:
        raise ConfigError("hydra.callbacks", "autoenc runs no callbacks")
    for key in ("env_copy", "env_set"):  # Hydra puts the variables of the first into the second
        if config.hydra.job[key]:
            problem = "a config may not change the environment; set variables in the shell"
            raise ConfigError(f"hydra.job.{key}", problem)


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
