"""What `--help` prints. Hydra's own way to print it reads every config twice and takes twice as long."""

from __future__ import annotations

from hydra.core.object_type import ObjectType
from hydra.types import RunMode
from omegaconf import OmegaConf

from autoenc.command_line.composition import Composer


def help_text(composer: Composer) -> str:
    """Examples, the groups with their choices, and all settings as the command line's overrides leave them."""
    config = composer.compose(run_mode=RunMode.RUN)
    settings = OmegaConf.to_yaml(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    return _TEMPLATE.format(groups=_groups(composer), settings=_indented(settings))


def _groups(composer: Composer) -> str:
    repository = composer.hydra.config_loader.repository  # type: ignore[attr-defined]
    groups = [group for group in repository.get_group_options("", ObjectType.GROUP) if group != "hydra"]
    of_sweeps = ["hydra/launcher", "hydra/sweeper"]
    choices = {group: repository.get_group_options(group, ObjectType.CONFIG) for group in [*sorted(groups), *of_sweeps]}
    return _indented("\n".join(f"{group}: {', '.join(sorted(found))}" for group, found in choices.items()))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


_TEMPLATE = """\
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
      go on with an interrupted run

Groups and their choices (group=choice)

{groups}

Settings (key=value)

{settings}

More: --cfg job shows the config alone, --multirun tries all combinations of values, both together show the jobs that
there would be, --hydra-help shows Hydra's flags, -sc install=bash sets up tab completion (see the README).
"""
