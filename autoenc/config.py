"""The door: what YAML and the command line said becomes a checked, frozen `ExperimentConfig`, or a one-line error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autoenc.architectures import ARCHITECTURES, Architecture
from autoenc.autoencoder import AutoEncoder
from autoenc.bottlenecks import BOTTLENECKS, BottleneckSettings
from autoenc.datasets import DATASETS, Dataset
from autoenc.devices import DEVICES, DeviceSettings
from autoenc.losses import LOSSES, LossSettings
from autoenc.noise import NOISES, Noise
from autoenc.optimizers import OPTIMIZERS, OptimizerSettings
from autoenc.registry import Registry
from autoenc.schedules import SCHEDULES, Schedule
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, NonNegativeInt, check_keys, checked, listed
from autoenc.training import TrainingSettings

GROUPS: dict[str, Registry[Any]] = {
    registry.group: registry
    for registry in (ARCHITECTURES, BOTTLENECKS, LOSSES, DATASETS, NOISES, OPTIMIZERS, SCHEDULES, DEVICES)
}


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """Everything a run depends on."""

    architecture: Architecture
    bottleneck: BottleneckSettings
    loss: LossSettings
    dataset: Dataset
    noise: Noise
    optimizer: OptimizerSettings
    schedule: Schedule
    device: DeviceSettings
    training: TrainingSettings
    seed: int
    data_dir: Path
    values: Mapping[str, Any]
    """The same as plain values, the way `config.yaml` holds it."""

    def build_model(self, *, image_shape: tuple[int, int, int]) -> AutoEncoder:
        """The untrained model for images (C, H, W), on the CPU, so that its weights are the same on every device."""
        torch.manual_seed(derived_seed(self.seed, "initialisation"))
        bottleneck = self.bottleneck.build()
        feature_size = bottleneck.feature_size(self.architecture.code_size)
        encoder, decoder = self.architecture.build(image_shape, feature_size=feature_size)
        return AutoEncoder(encoder, decoder, bottleneck=bottleneck, output=self.architecture.output)


@dataclass(frozen=True, kw_only=True)
class _TopLevel:
    """The keys beside the groups."""

    seed: NonNegativeInt
    data_dir: str


def parse(values: Mapping[str, Any]) -> ExperimentConfig:
    """Check a resolved config, given as plain values.

    Raises:
        ConfigError: a key, type, range or combination is wrong; the message is one line with the key, the value and
            what is allowed.
    """
    values = {**values, "data_dir": _absolute(values.get("data_dir"))}
    check_keys(values, allowed=[*GROUPS, "training", "seed", "data_dir"], key="")
    groups = {name: registry.parse(_node(values, name, choices=registry.names())) for name, registry in GROUPS.items()}
    training = checked(TrainingSettings, _node(values, "training"), key="training")
    top = checked(_TopLevel, {key: values[key] for key in ("seed", "data_dir") if key in values}, key="")
    config = ExperimentConfig(**groups, training=training, seed=top.seed, data_dir=Path(top.data_dir), values=values)
    _check_combinations(config)
    return config


def _check_combinations(config: ExperimentConfig) -> None:
    """Refuse settings that are right by themselves and wrong together."""
    if config.training.patience is not None and config.dataset.validation_fraction == 0:
        problem = "stopping early needs a validation split, and dataset.validation_fraction is 0"
        raise ConfigError("training.patience", problem, value=config.training.patience)


def _node(values: Mapping[str, Any], name: str, *, choices: list[str] | None = None) -> Mapping[str, Any]:
    node = values.get(name)
    if isinstance(node, Mapping):
        return node
    wanted = "a group of keys" if choices is None else f"one of {listed(choices)}"
    raise ConfigError(name, f"it must be {wanted}", value=node)


def _absolute(data_dir: object) -> object:
    """A folder's absolute path, so that a run can be taken up from anywhere; what is no text is left to the check."""
    if not isinstance(data_dir, str):
        return data_dir
    if not data_dir:
        raise ConfigError("data_dir", "it names no folder; is AUTOENC_DATA set to nothing?", value="")
    try:
        return str(Path(data_dir).expanduser().absolute())
    except RuntimeError as error:  # nobody's home
        raise ConfigError("data_dir", str(error), value=data_dir) from None
