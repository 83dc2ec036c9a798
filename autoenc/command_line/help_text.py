"""The text of `train.py --help`: what each group and key means, from the comments in our YAML."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.compose import Composer
from autoenc.settings import flattened

INTRODUCTION = """\
Train an autoencoder on images, evaluate it, and leave numbers and pictures in a folder.

Examples

  python scripts/train.py
      a fully connected autoencoder on the 8x8 digits, within seconds
  python scripts/train.py architecture=conv dataset=fashion_mnist training.epochs=10
      a convolutional one on Fashion-MNIST
  python scripts/train.py architecture=conv dataset=mnist noise=salt_and_pepper noise.probability=0.3
      a denoising one
  python scripts/train.py --multirun architecture=linear,fully_connected architecture.code_size=2,8,32
      all six combinations
  python scripts/train.py resume=outputs/2026-01-31/12-00-00-000000
      continue an interrupted run
  python scripts/train.py bottleneck=gaussian --help
      what the settings of a choice mean; experiment=NAME --help says what an experiment shows

Groups and their choices (GROUP=CHOICE)

"""

CLOSING = """\

More: --cfg job shows the config alone, --multirun tries all combinations of values, and both together list the jobs of
the sweep. --hydra-help shows Hydra's flags, -sc install=bash sets up tab completion (see
docs/settings.md).
"""

PRESETS = ("experiment", "variant")
WIDEST, MEANING_COLUMN = 120, 44


def help_text(composer: Composer) -> str:
    """The help on the config that the command line composes."""
    config = composer.compose(multirun=False)
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    groups = [*composer.choices(""), "hydra/launcher", "hydra/sweeper"]
    lines = [line for group in PRESETS for line in _preset(group, composer, config, width=width)]
    lines += INTRODUCTION.splitlines()
    for group in groups:
        lines += _wrapped(", ".join(composer.choices(group)), start=f"  {group}: ", indent=6, width=width)
    lines += ["", "Settings (KEY=VALUE), with the values of this command"]
    for group in groups:
        lines += _group(group, composer, config, width=width)
    others = {str(key): _value(config, key) for key in config if key != "hydra" and key not in groups}
    lines += ["", *_settings(others, composer.comments("config").keys, width=width)]
    return "\n".join([*lines, CLOSING])


def _preset(group: str, composer: Composer, config: DictConfig, *, width: int) -> Iterator[str]:
    """What an experiment or a variant is for, and what it varies."""
    choice = config.hydra.runtime.choices.get(group)
    if choice is None:
        return
    yield from _wrapped(composer.comments(f"{group}/{choice}").head, start=f"{group}={choice}: ", width=width)
    for key, values in (_as_written(config.hydra.sweeper).get("params") or {}).items():
        yield from _wrapped(str(values), start=f"Varies {key}: ", width=width)
    yield ""


def _group(group: str, composer: Composer, config: DictConfig, *, width: int) -> Iterator[str]:
    """The settings of the choice of a group."""
    path = group.replace("/", ".")
    node = OmegaConf.select(config, path)
    if not isinstance(node, DictConfig):
        return
    choice = config.hydra.runtime.choices.get(group) or node.name
    comments = composer.comments(f"{group}/{choice}")
    yield ""
    yield from _wrapped(comments.head, start=f"{group}={choice}: ", width=width)
    values = _as_written(node) if path.startswith("hydra.") else {str(key): _value(node, key) for key in node}
    values = {f"{path}.{key}": value for key, value in values.items() if key != "name"}
    yield from _settings(values, {f"{path}.{key}": meaning for key, meaning in comments.keys.items()}, width=width)


def _value(node: DictConfig, key: Any) -> Any:
    """The value of a key; as it is written if it is not known without a run, such as the number of a sweep's job."""
    try:
        value = node[key]
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException:
        return _as_written(node)[key]


def _as_written(node: DictConfig) -> dict[str, Any]:
    return cast("dict[str, Any]", OmegaConf.to_container(node))


def _settings(values: Mapping[str, Any], meanings: Mapping[str, str], *, width: int) -> Iterator[str]:
    """Each key with its value and its meaning: next to it, or on a narrow terminal below it."""
    column = MEANING_COLUMN if width >= 100 else 6
    for key, value in flattened(values).items():
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":")).replace('"', "")
        start, meaning = f"  {key}={text}", meanings.get(key, "")
        if len(start) + 2 > column or not meaning:
            yield start
            start = ""
        yield from _wrapped(meaning, start=start.ljust(column), indent=column, width=width)


def _wrapped(text: str, *, start: str, indent: int = 4, width: int) -> Iterator[str]:
    """The lines of a text, wrapped and indented, after `start`."""
    for line in text.split("\n") if text else ():
        yield from textwrap.wrap(
            line,
            width,
            initial_indent=start,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        start = " " * indent
