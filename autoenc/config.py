"""Checks a resolved config and turns it into a frozen `ExperimentConfig`, or raises a one-line `ConfigError`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from autoenc.data.datasets import DATASETS, Dataset, Splits
from autoenc.data.datasets.digests import differing
from autoenc.data.noise import NOISES, Noise
from autoenc.devices import DEVICES, DeviceSettings
from autoenc.evaluation.evaluation_settings import EVALUATIONS, Denoising, EvaluationSettings
from autoenc.models.architectures import ARCHITECTURES, Architecture
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS, BottleneckSettings
from autoenc.models.losses import LOSSES, LossSettings
from autoenc.models.shape_check import check_shapes
from autoenc.pictures import PICTURES, FigureFormat
from autoenc.registry import Registry
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, NonNegativeInt, check_keys, check_utf8, checked, field_names, listed
from autoenc.trackers import TRACKERS, TrackerSettings
from autoenc.trackers.choices import with_absolute_file
from autoenc.training.initial_weights import Part
from autoenc.training.optimizers import OPTIMIZERS, OptimizerSettings
from autoenc.training.schedules import SCHEDULES, Schedule
from autoenc.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    PictureName = str
else:  # the pictures that a run may be asked for; pydantic refuses any other name
    PictureName = Literal[tuple(sorted(name for name, entry in PICTURES.items() if not entry.always))]

GROUPS: dict[str, Registry[Any]] = {
    registry.group: registry
    for registry in (
        *(ARCHITECTURES, BOTTLENECKS, LOSSES, DATASETS, NOISES),
        *(OPTIMIZERS, SCHEDULES, DEVICES, TRACKERS, EVALUATIONS),
    )
}

DEFAULTS_OF_EARLIER_RUNS: dict[str, Any] = {
    "tracker": {"name": "none"},
    "evaluation": {"name": "quick", "probe_images": 2000},
}
"""Keys of groups that the first runs did not record in their config.yaml, with what those runs did."""


def parse(values: Mapping[str, Any]) -> ExperimentConfig:
    """Check a resolved config, given as plain values.

    Raises:
        ConfigError: a key, type, range or combination is wrong. The message is one line with the key, the value and
            what is allowed.
    """
    values = _with_absolute_paths(_with_defaults_of_earlier_runs(values))
    check_keys(values, allowed=[*GROUPS, *_NODES, *field_names(_TopLevel)], key="")
    groups = {name: registry.parse(_node(values, name, registry=registry)) for name, registry in GROUPS.items()}
    nodes = {name: checked(settings, _node(values, name), key=name) for name, settings in _NODES.items()}
    top = checked(_TopLevel, {key: values[key] for key in field_names(_TopLevel) if key in values}, key="")
    config = ExperimentConfig(
        **groups,
        **nodes,
        figures=top.figures,
        figure_format=top.figure_format,
        seed=top.seed,
        initialize_from=None if top.initialize_from is None else Path(top.initialize_from),
        initialize_part=top.initialize_part,
        data_dir=Path(top.data_dir),
        values=values,
    )
    _check_combinations(config)
    return config


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """All settings that a run depends on."""

    architecture: Architecture
    bottleneck: BottleneckSettings
    loss: LossSettings
    dataset: Dataset
    noise: Noise
    optimizer: OptimizerSettings
    schedule: Schedule
    device: DeviceSettings
    tracker: TrackerSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    figures: tuple[PictureName, ...] | None
    """The pictures to draw besides the loss curves and reconstructions; None for all that apply to the model."""
    figure_format: FigureFormat
    seed: int
    initialize_from: Path | None
    """The folder of the run whose weights replace the random ones; absolute."""
    initialize_part: Part | None
    """The only part of the model that gets them; None: the whole model."""
    data_dir: Path
    values: Mapping[str, Any]
    """The same settings as plain values, as in `config.yaml`."""

    def build_splits(self, *, trained_on: Mapping[str, str]) -> Splits:
        """The images, on the CPU. They have to be those of a run, whose digests are `trained_on`, if there are any.

        Raises:
            ConfigError: they are not available, do not fit the settings, or are others.
        """
        path = getattr(self.dataset, "path", None)
        if trained_on and path and not os.path.exists(os.path.expanduser(path)):  # noqa: PTH110, PTH111 - never raises
            problem = "the run's images are not there; if they were moved, give their new place by dataset.path="
            raise ConfigError("dataset.path", problem, value=path)
        splits = self.dataset.build(data_dir=self.data_dir)
        # The training pool differs only if train or validation do.
        others = [name for name in differing(splits.digests, trained_on) if name != "training_pool"]
        if others:
            key, value = ("data_dir", str(self.data_dir)) if path is None else ("dataset.path", path)
            problem = f"these are not the images of the run: it had others for {listed(others)}"
            advice = "restore its images" + (
                "" if path is None else ", or give the place that has them by dataset.path="
            )
            raise ConfigError(key, f"{problem}; {advice}", value=value)
        return splits

    def check_batches(self, *, image_count: int | None = None) -> None:
        """Refuse batches in which the bottleneck's penalty has no effect; they have at most `image_count` images.

        Raises:
            ConfigError: `training.batch_size` or the training split is too small.
        """
        smallest, batch_size = self.bottleneck.smallest_batch, self.training.batch_size
        problem = f"the penalty of bottleneck={self.bottleneck.name} needs batches of at least {smallest} images"
        consequence = "with smaller ones a plain autoencoder would be trained"
        if batch_size < smallest:
            raise ConfigError("training.batch_size", f"{problem}; {consequence}", value=batch_size)
        if image_count is not None and image_count < smallest:
            found = f"the training split has {image_count}"
            raise ConfigError("dataset", f"{problem}, and {found}; {consequence}", value=self.dataset.name)

    def build_model(self, *, image_shape: tuple[int, int, int]) -> AutoEncoder:
        """The untrained model for images (C, H, W), on the CPU, so that its weights are the same on every device.

        Raises:
            ConfigError: the parts do not fit together.
        """
        torch.manual_seed(derived_seed(self.seed, "initialisation"))
        code_size = self.architecture.code_size
        bottleneck = self.bottleneck.build(code_size=code_size)
        loss = self.loss.build(image_shape=image_shape)
        encoder, decoder = self.architecture.build(image_shape, feature_size=bottleneck.feature_size)
        model = AutoEncoder(encoder, decoder, bottleneck=bottleneck, loss=loss, output=self.architecture.output)
        names = (self.architecture.name, self.loss.name)
        check_shapes(model, image_shape=image_shape, code_size=code_size, architecture=names[0], loss=names[1])
        return model


@dataclass(frozen=True, kw_only=True)
class _TopLevel:
    """The keys outside the groups and nodes."""

    seed: NonNegativeInt
    data_dir: str
    figures: tuple[PictureName, ...] | None
    # Earlier runs do not have these in their config.yaml.
    figure_format: FigureFormat = "png"
    initialize_from: str | None = None
    initialize_part: Part | None = None


_NODES: dict[str, type[Any]] = {"training": TrainingSettings}


def _check_combinations(config: ExperimentConfig) -> None:
    bottleneck, training = config.bottleneck, config.training
    if config.initialize_from is None and config.initialize_part is not None:
        problem = "it has no effect without initialize_from, the folder of a run"
        raise ConfigError("initialize_part", problem, value=config.initialize_part)
    if isinstance(config.evaluation, Denoising):
        problem = "it tests finished runs (scripts/evaluate.py FOLDER evaluation=denoising); train with quick or full"
        raise ConfigError("evaluation", problem, value=config.evaluation.name)
    if training.patience is not None and config.dataset.validation_fraction == 0:
        problem = "stopping early needs a validation split, and dataset.validation_fraction is 0"
        raise ConfigError("training.patience", problem, value=training.patience)
    bottleneck.check(config.architecture)
    config.check_batches()
    if bottleneck.variational:
        config.loss.emphasis.require_even()
    if not config.loss.emphasis.even and not config.noise.corrupts:
        raise config.loss.emphasis.error("noise=none corrupts no pixels, so they cannot have a weight of their own")
    _check_severity(training, noise=config.noise)
    samples = config.evaluation.nll_samples
    if samples and not bottleneck.variational:
        problem = f"only a variational model has a likelihood, and bottleneck={bottleneck.name} is not variational"
        raise ConfigError("evaluation.nll_samples", problem, value=samples)


def _check_severity(training: TrainingSettings, *, noise: Noise) -> None:
    start, end, epochs = training.severity_start, training.severity_end, training.severity_epochs
    if not noise.corrupts and not start == end == 1:
        key, value = ("severity_start", start) if start != 1 else ("severity_end", end)
        raise ConfigError(f"training.{key}", "noise=none has no strength to change", value=value)
    if epochs is not None and start == end:
        problem = "the noise's strength does not change, because training.severity_start equals training.severity_end"
        raise ConfigError("training.severity_epochs", problem, value=epochs)
    if epochs is not None and epochs > training.epochs:
        problem = f"the training ends after training.epochs={training.epochs}"
        raise ConfigError("training.severity_epochs", problem, value=epochs)


def _node(values: Mapping[str, Any], name: str, *, registry: Registry[Any] | None = None) -> Mapping[str, Any]:
    node = values.get(name)
    if isinstance(node, Mapping):
        return node
    expected = "a group of keys" if registry is None else f"one of {listed(registry.names())}"
    raise ConfigError(name, f"it must be {expected}", value=node)


def _with_defaults_of_earlier_runs(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for group, defaults in DEFAULTS_OF_EARLIER_RUNS.items():
        node = values.get(group, {})
        if isinstance(node, Mapping) and node.get("name", defaults["name"]) == defaults["name"]:
            found[group] = {**defaults, **node}
    return found


def _with_absolute_paths(values: dict[str, Any]) -> dict[str, Any]:
    """The values with absolute paths, so that a run can be resumed from any working directory."""
    values = {**values, "data_dir": _absolute(values.get("data_dir"), key="data_dir")}
    dataset, tracker = values.get("dataset"), values["tracker"]
    if values.get("initialize_from") is not None:
        values["initialize_from"] = _absolute(values["initialize_from"], key="initialize_from")
    if isinstance(dataset, Mapping) and dataset.get("path") is not None:
        values["dataset"] = {**dataset, "path": _absolute(dataset["path"], key="dataset.path")}
    if isinstance(tracker, Mapping) and isinstance(tracker.get("tracking_uri"), str):
        values["tracker"] = {**tracker, "tracking_uri": with_absolute_file(tracker["tracking_uri"])}
    return values


def _absolute(folder: object, *, key: str) -> object:
    """A folder's absolute path. Anything but a string is left to the check of types."""
    if not isinstance(folder, str):
        return folder
    if not folder:
        hint = "; is AUTOENC_DATA empty?" if key == "data_dir" else ""
        raise ConfigError(key, f"it names no folder{hint}", value="")
    try:
        absolute = str(Path(folder).expanduser().absolute())
    except RuntimeError as error:  # ~name of an unknown user
        raise ConfigError(key, str(error), value=folder) from None
    check_utf8(absolute, key=key)
    return absolute
