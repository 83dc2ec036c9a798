"""Every internal name of Hydra that autoenc uses, each with the reason for it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import env_override
from omegaconf import DictConfig


def parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Hydra's flags and the overrides, in any order. Hydra has no public parser of its flags."""
    return get_args_parser().parse_intermixed_args(arguments)


def show_text(flags: argparse.Namespace, *, config_path: str) -> None:
    """Print what `--cfg`, `--info`, `--hydra-help` or shell completion ask for.

    The public `hydra.main` reads `sys.argv` and cannot be given overrides.
    """
    GlobalHydra.instance().clear()
    # Without this variable Hydra prints errors in its own format and exits.
    with env_override({"HYDRA_FULL_ERROR": "1"}):
        _run_hydra(
            args=flags,
            args_parser=get_args_parser(),
            task_function=_unused_task,
            config_path=config_path,
            config_name="config",
        )


def _unused_task(config: DictConfig) -> None:
    """Hydra asks for a task even if it only prints."""
    raise AssertionError(config)


def forget_stored_config(path: str) -> None:
    """Remove a config or a group from Hydra's store, such as `hydra/launcher`. The store has no method for it."""
    *groups, name = path.split("/")
    node = ConfigStore.instance().repo
    for group in groups:
        node = node[group]
    node.pop(name, None)
