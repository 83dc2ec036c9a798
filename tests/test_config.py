"""The door: what `parse` takes and refuses, and the model it leads to."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autoenc.config import GROUPS, ExperimentConfig, parse
from autoenc.data.datasets import Dataset
from autoenc.data.noise.pixels import SaltAndPepper
from autoenc.models.architectures.fully_connected import FullyConnected
from autoenc.models.losses.pixel_means import BceSettings
from autoenc.settings import ConfigError
from autoenc.training.optimizers import Sgd
from autoenc.training.training_settings import TrainingSettings
from tests.test_family import DEFAULTS, choice, nodes

VALUES: dict[str, Any] = {**nodes(), **{group: choice(group, name) for group, name in DEFAULTS.items()}}
VALUES["architecture"] = {
    **choice("architecture", "fully_connected"),
    "hidden_sizes": [8],
    "initialization": "torch_default",  # with biases
}

EVEN_WEIGHTS = {"corrupted_weight": 1.0, "kept_weight": 1.0}

SPECKS = {"name": "salt_and_pepper", "probability": 0.2, "salt": 0.5, "by": "channel"}
SGD = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0}


SMALL_BATCHES: list[tuple[str, dict[str, Any], int]] = [
    ("contractive", {}, 4),
    ("wasserstein", {}, 2),
    ("sparse", {"kind": "relative_l1"}, 2),
]
"""Bottlenecks whose penalty is constant in smaller batches."""


def changed(changes: Mapping[str, object]) -> dict[str, Any]:
    """The values with these changes, by dotted key."""
    values = copy.deepcopy(VALUES)
    for key, value in changes.items():
        *path, last = key.split(".")
        node = values
        for name in path:
            node = node[name]
        node[last] = value
    return values


def without(key: str) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    *path, last = key.split(".")
    node = values
    for name in path:
        node = node[name]
    del node[last]
    return values


def message_of(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_group_becomes_its_settings() -> None:
    values = changed({"noise": SPECKS, "optimizer": SGD, "loss": {"name": "bce", **EVEN_WEIGHTS}})
    config = parse(values)
    assert config.architecture == FullyConnected(
        code_size=3, hidden_sizes=(8,), code_activation="identity", output="sigmoid", initialization="torch_default"
    )
    assert config.noise == SaltAndPepper(probability=0.2, salt=0.5, by="channel")
    assert config.optimizer == Sgd(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.0)
    assert config.loss == BceSettings(corrupted_weight=1.0, kept_weight=1.0)
    assert isinstance(config.dataset, Dataset)
    assert config.training == TrainingSettings(**values["training"])
    assert config.seed == 0
    assert config.data_dir == Path("/data")
    assert config.values == values


def test_every_registry_has_its_field() -> None:
    fields = {field.name for field in dataclasses.fields(ExperimentConfig)}
    top = {"figures", "figure_format", "seed", "initialize_from", "initialize_part", "data_dir"}
    assert fields == {*GROUPS, "training", "evaluation", *top, "values"}


def test_the_config_is_frozen_and_the_given_values_stay() -> None:
    values = copy.deepcopy(VALUES)
    config = parse(values)
    assert values == VALUES
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # keys
        ({"sede": 1}, "sede=1: there is no such key (did you mean 'seed'?); the keys are architecture, bottleneck, "),
        (
            {"optimizer.learning_rte": 1},
            "optimizer.learning_rte=1: there is no such key (did you mean 'learning_rate'?); ",
        ),
        ({"noise.probability": 0.5}, "noise.probability=0.5: there is no such key; the keys are none"),
        # names
        (
            {"architecture.name": "cnn"},
            "architecture.name=cnn: there is no such choice (did you mean 'conv'?); the choices are conv, ",
        ),
        ({"architecture": "conv"}, "architecture=conv: it must be one of conv, conv_linear, "),
        ({"noise": None}, "noise=null: it must be one of blur, compose, dropout, gaussian, masking, none, "),
        ({"training": 3}, "training=3: it must be a group of keys"),
        # values
        ({"training.epochs": -1}, "training.epochs=-1: it must be a whole number of at least 1"),
        ({"training.gradient_clip": 0}, "training.gradient_clip=0: it must be a number above 0 or null"),
        (
            {"dataset.validation_fraction": 1},
            "dataset.validation_fraction=1: it must be a number of at least 0 and below 1",
        ),
        ({"architecture.hidden_sizes": 8}, "architecture.hidden_sizes=8: it must be a list, each item a whole number"),
        ({"seed": None}, "seed=null: it must be a whole number of at least 0"),
        ({"figures": ["code"]}, "figures=[code]: it must be null or a list, each item one of codebook, codes, "),
        ({"data_dir": 3}, "data_dir=3: it must be a text"),
        # combinations
        (
            {"training.patience": 3, "dataset.validation_fraction": 0},
            "training.patience=3: stopping early needs a validation split, and dataset.validation_fraction is 0",
        ),
        *(
            (
                {"bottleneck": {**choice("bottleneck", name), **fields}, "training.batch_size": smallest - 1},
                f"training.batch_size={smallest - 1}: the penalty of bottleneck={name} needs batches of at least "
                f"{smallest} images; with smaller ones a plain autoencoder would be trained",
            )
            for name, fields, smallest in SMALL_BATCHES
        ),
    ],
    ids=str,
)
def test_a_wrong_setting_is_a_one_line_error(changes: dict[str, object], message: str) -> None:
    assert message_of(changed(changes)).startswith(message)


@pytest.mark.parametrize(("name", "fields", "smallest"), SMALL_BATCHES)
def test_the_smallest_batch_with_a_penalty_is_accepted(name: str, fields: dict[str, Any], smallest: int) -> None:
    bottleneck = {**choice("bottleneck", name), **fields}
    config = parse(changed({"bottleneck": bottleneck, "training.batch_size": smallest}))
    config.check_batches(image_count=smallest)
    problem = (
        f"^dataset=digits: .* of at least {smallest} images, and the training split has {smallest - 1}; with smaller"
    )
    with pytest.raises(ConfigError, match=problem):
        config.check_batches(image_count=smallest - 1)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("seed", "seed: it is required, but not set"),
        ("optimizer.betas", "optimizer.betas: it is required, but not set"),
        ("optimizer", "optimizer=null: it must be one of adam, adamw, muon, sgd"),
        ("training", "training=null: it must be a group of keys"),
        ("data_dir", "data_dir=null: it must be a text"),
    ],
)
def test_a_missing_setting_is_named(key: str, message: str) -> None:
    assert message_of(without(key)) == message


@pytest.mark.parametrize(("given", "kept"), [("images", "{here}/images"), ("~/images", "{home}/images")])
def test_data_dir_becomes_absolute(given: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    config = parse(changed({"data_dir": given}))
    assert config.values["data_dir"] == kept.format(here=tmp_path, home=tmp_path / "home")
    assert config.data_dir == Path(config.values["data_dir"])  # so that a run can be resumed from elsewhere


def test_the_home_of_an_unknown_user_is_refused() -> None:
    assert message_of(changed({"data_dir": "~unknown_user/images"})).startswith("data_dir=")


def test_a_run_from_before_the_trackers_has_none() -> None:
    config = parse(without("tracker"))
    assert config == parse(VALUES)
    assert config.values["tracker"] == {"name": "none"}
    assert message_of(changed({"tracker": None})).startswith("tracker=null: it must be one of mlflow, none, ")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("sqlite:///runs/a b.db", "sqlite:///{here}/runs/a b.db"),
        ("sqlite:///~/a.db", "sqlite:///{here}/home/a.db"),
        ("http://localhost:5000", "http://localhost:5000"),
    ],
)
def test_the_file_of_a_tracker_becomes_absolute(
    given: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    config = parse(changed({"tracker": {"name": "mlflow", "tracking_uri": given, "experiment": "autoenc"}}))
    assert config.values["tracker"]["tracking_uri"] == kept.format(here=tmp_path)
    assert parse(config.values) == config


# --- the model ---


def weights(changes: Mapping[str, object]) -> dict[str, Tensor]:
    return parse(changed(changes)).build_model(image_shape=(1, 8, 8)).state_dict()


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_seed_determines_the_weights() -> None:
    first = weights({})
    torch.rand(7)  # whatever was drawn before
    assert equal(weights({}), first)
    assert not equal(weights({"seed": 1}), first)
    assert all(not torch.equal(weights({"seed": 1})[name], first[name]) for name in first)


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": SPECKS},
        {"optimizer": SGD},
        {"loss": {"name": "bce", **EVEN_WEIGHTS}},
        {"training.epochs": 7, "training.batch_size": 3, "training.gradient_clip": 1.0},
        {"dataset.split_seed": 9, "dataset.shuffle": False},
        {"device.channels_last": False, "device.precision": "bfloat16"},
        {"architecture.output": "tanh", "architecture.code_activation": "relu"},  # these have no weights
    ],
    ids=str,
)
def test_other_settings_do_not_change_the_weights(changes: dict[str, object]) -> None:
    assert equal(weights(changes), weights({}))


def test_the_models_output_and_code_size_are_the_configs() -> None:
    config = parse(changed({"architecture.output": "tanh", "architecture.code_size": 5}))
    model = config.build_model(image_shape=(3, 4, 6))
    result = model(torch.rand(2, 3, 4, 6))
    assert result.code.shape == (2, 5)
    torch.testing.assert_close(result.reconstruction, (torch.tanh(result.raw) + 1) / 2)
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    assert model.training


def test_the_path_of_a_dataset_becomes_absolute(tmp_path: Path) -> None:
    folder = {**choice("dataset", "image_folder"), "path": "pictures"}
    with contextlib.chdir(tmp_path):
        config = parse(changed({"dataset": folder}))
    assert config.values["dataset"]["path"] == str(tmp_path / "pictures")
    assert config.dataset.path == str(tmp_path / "pictures")  # type: ignore[attr-defined]


def test_the_run_to_start_from_is_an_absolute_folder_or_none(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        config = parse(changed({"initialize_from": "pretrained", "initialize_part": "encoder"}))
    assert config.values["initialize_from"] == str(tmp_path / "pretrained")
    assert (config.initialize_from, config.initialize_part) == (tmp_path / "pretrained", "encoder")
    earlier = parse({key: value for key, value in VALUES.items() if not key.startswith("initialize_")})
    assert (earlier.initialize_from, earlier.initialize_part) == (None, None)


def test_a_run_from_before_there_were_other_formats_has_png() -> None:
    assert parse({key: value for key, value in VALUES.items() if key != "figure_format"}).figure_format == "png"
    assert parse(changed({"figure_format": "pdf"})).figure_format == "pdf"
    assert "figure_format=jpg: it must be one of png, svg, pdf" in message_of(changed({"figure_format": "jpg"}))


def test_an_unknown_picture_is_answered_with_the_choices() -> None:
    assert "codes" in message_of(changed({"figures": ["cods"]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss.kept_weight": 0.5}, "loss.kept_weight=0.5: noise=none corrupts no pixels"),
        ({"training.severity_end": 0.5}, "training.severity_end=0.5: noise=none has no strength to change"),
        ({"training.severity_start": 0.5, "training.severity_end": 0.5}, "training.severity_start=0.5: noise=none"),
        (
            {"noise": SPECKS, "training.severity_epochs": 3},
            "training.severity_epochs=3: the noise's strength",
        ),
    ],
)
def test_settings_without_an_effect_are_refused(changes: dict[str, object], message: str) -> None:
    assert message_of(changed(changes)).startswith(message)
