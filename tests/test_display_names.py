from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoenc.display_names import (
    CHOICES,
    choice_label,
    metric_words,
    run_label,
    shared_data_label,
    told_apart,
    value_label,
)
from tests.composed import composed_values

CONF = Path(__file__).parents[1] / "conf"


def test_every_display_name_is_of_a_choice() -> None:
    for group, names in CHOICES.items():
        assert not set(names) - {path.stem for path in (CONF / group).glob("*.yaml")}


ONE_WORD = {
    "bottleneck": {"contractive", "sparse"},
    "dataset": set[str](),
    "noise": set[str](),
    "loss": set[str](),
    "optimizer": set[str](),
}
"""The choices whose name in the config is already a display name, by group."""


@pytest.mark.parametrize("group", ONE_WORD)
def test_every_choice_has_a_display_name_or_is_one_in_words(group: str) -> None:
    assert set(CHOICES[group]) | ONE_WORD[group] == {path.stem for path in (CONF / group).glob("*.yaml")}
    assert not set(CHOICES[group]) & ONE_WORD[group]
    for name in ONE_WORD[group]:
        assert choice_label(group, name) == name


def test_display_names_of_a_group_differ() -> None:
    for names in CHOICES.values():
        assert len(set(names.values())) == len(names)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("architecture=mlp architecture.code_size=2", "MLP autoencoder, code size 2, on 8x8 digits"),
        (
            "architecture=conv architecture.code_size=16 bottleneck=gaussian dataset=mnist noise=salt_and_pepper",
            "convolutional VAE, code size 16, on MNIST, salt-and-pepper noise (probability 0.2)",
        ),
        (
            "architecture=residual architecture.code_size=32 bottleneck=sparse noise=gaussian "
            "dataset=emnist dataset.split=letters dataset.binarization=static",
            "residual sparse autoencoder, code size 32, on binarized EMNIST letters, Gaussian noise (std 0.3)",
        ),
        (
            "architecture=linear architecture.code_size=8 bottleneck=top_k noise=compose "
            "dataset=image_folder dataset.path=/pictures/pets",
            "linear top-k autoencoder, code size 8, on the images in pets, "
            "blur (std 1.0 pixels) then salt-and-pepper noise (probability 0.1)",
        ),
    ],
)
def test_a_run_is_described_in_words(overrides: str, expected: str) -> None:
    assert run_label(composed_values(*overrides.split())) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"dataset": {"name": "mnist"}}, "autoencoder, on MNIST"),
        ({"noise": {"name": "a_plugin"}, "dataset": {"path": "."}}, "autoencoder, on the images in ., a plugin"),
        ({"dataset": {"name": "image_folder", "path": None}}, "autoencoder, on an image folder"),
        ({"dataset": {"path": "a.npz", "binarization": "static"}}, "autoencoder, on the binarized images in a.npz"),
        ({"architecture": None, "dataset": None}, "autoencoder"),
        ({"dataset": {"path": "/pictures/caf\udce9"}}, "autoencoder, on the images in caf?"),
        ({"initialize_from": "/runs/a/b\n"}, "autoencoder, from the weights of a/b?"),
        ({"initialize_from": "b", "initialize_part": "encoder"}, "autoencoder, from the encoder of b"),
        ({"initialize_from": None, "initialize_part": None}, "autoencoder"),
    ],
)
def test_a_config_that_is_not_checked_yet_is_described_as_far_as_it_goes(config: dict[str, Any], expected: str) -> None:
    assert run_label(config) == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("bottleneck", "gaussian", "VAE"),
        ("architecture.activation", "relu", "ReLU"),
        ("architecture.code_size", "3", "3"),
        ("architecture.residual", "true", "with residual connections"),
        ("data_dir", "/data_1/my_images", "/data_1/my_images"),
        ("dataset", "a_plugin", "a plugin"),
        ("initialize_from", "/outputs/2026-01-31/12-00-00/", "weights of 2026-01-31/12-00-00"),
        ("initialize_from", "/home/notebooks/../pretrained", "weights of home/pretrained"),
        ("initialize_from", "null", "random weights"),
        ("initialize_part", "encoder", "only the encoder"),
    ],
)
def test_a_value_next_to_its_key_is_in_words_if_it_is_a_choice(key: str, value: str, expected: str) -> None:
    assert value_label(key, value) == expected


def test_labels_that_are_equal_give_way_to_the_values() -> None:
    assert told_apart(["b/c", "b/c", "d/c"], values=["/a/b/c", "/a/b/c", "/d/c"]) == ["b/c", "b/c", "d/c"]
    assert told_apart(["b/c", "b/c"], values=["/1/b/c", "/2/b/c"]) == ["/1/b/c", "/2/b/c"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse", "reconstruction error"),
        ("denoising_mse", "denoising error"),
        ("denoising_psnr", "PSNR of denoising"),
        ("elbo_nats", "ELBO"),
        ("linear_probe_accuracy", "linear probe accuracy"),
    ],
)
def test_a_metric_in_words(name: str, expected: str) -> None:
    assert metric_words(name) == expected


def test_what_all_runs_share_is_their_data_set_and_their_noise() -> None:
    noisy = {"dataset": {"name": "mnist"}, "noise": {"name": "gaussian", "std": 0.3}}
    assert shared_data_label([noisy, {**noisy, "seed": 1}]) == "on MNIST, Gaussian noise (std 0.3)"
    assert shared_data_label([noisy, {**noisy, "noise": {"name": "none"}}]) == "on MNIST"
    assert shared_data_label([noisy, {**noisy, "dataset": {"name": "digits"}}]) == "Gaussian noise (std 0.3)"
    assert shared_data_label([{}]) == ""
