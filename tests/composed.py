"""The config that a command line asks for, without a run."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from autoenc.command_line.compose import Composer, task_values
from autoenc.command_line.hydra_internals import parse_flags


def composed(*overrides: str) -> DictConfig:
    """With Hydra's node."""
    return Composer(parse_flags(overrides)).compose()


def composed_values(*overrides: str) -> dict[str, Any]:
    """What `autoenc.config.parse` is given."""
    return task_values(composed(*overrides))
