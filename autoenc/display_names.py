"""What settings and runs are called in labels, legends, titles and tables: `VAE` for `bottleneck=gaussian`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

CHOICES: Mapping[str, Mapping[str, str]] = {
    "architecture": {
        "conv": "convolutional",
        "conv_linear": "linear convolutional",
        "deep": "deep MLP",
        "denoising_conv": "denoising convolutional",
        "mlp": "MLP",
        "wide": "wide MLP",
    },
    "bottleneck": {
        "gaussian": "VAE",
        "importance_weighted": "IWAE",
        "plain": "vanilla",
        "regularized": "RAE",
        "top_k": "top-k",
        "vector_quantized": "VQ-VAE",
        "wasserstein": "WAE",
    },
    "dataset": {
        "arrays": "arrays",
        "cifar10": "CIFAR-10",
        "digits": "8x8 digits",
        "emnist": "EMNIST",
        "fashion_mnist": "Fashion-MNIST",
        "image_folder": "image folder",
        "kmnist": "KMNIST",
        "mnist": "MNIST",
    },
    "device": {"cpu": "CPU", "cuda": "CUDA GPU", "mps": "Apple GPU"},
    "loss": {
        "bce": "BCE",
        "bernoulli": "Bernoulli likelihood",
        "continuous_bernoulli": "continuous Bernoulli likelihood",
        "gaussian": "Gaussian likelihood",
        "l1": "L1",
        "laplace": "Laplace likelihood",
        "mse": "MSE",
    },
    "noise": {
        "blur": "blur",
        "compose": "several kinds of noise",
        "dropout": "dropout noise",
        "gaussian": "Gaussian noise",
        "masking": "masking noise",
        "none": "no noise",
        "occlusion": "occlusion",
        "salt_and_pepper": "salt-and-pepper noise",
        "speckle": "speckle noise",
    },
    "optimizer": {"adam": "Adam", "adamw": "AdamW", "muon": "Muon", "sgd": "SGD"},
    "schedule": {"constant": "constant learning rate", "one_cycle": "one-cycle schedule", "cosine": "cosine schedule"},
    "variant": {
        "conv_3_codes": "convolutional, code size 3",
        "conv_16_codes": "convolutional, code size 16",
        "conv_64_codes": "convolutional, code size 64",
        "fully_connected_3_codes": "fully connected, code size 3",
        "fully_connected_16_codes": "fully connected, code size 16",
        "fully_connected_64_codes": "fully connected, code size 64",
        "relu_throughout": "ReLU",
        "sigmoid_throughout": "sigmoid",
    },
}
"""The display names of the choices whose name in the config is not one, by group."""

_ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "gelu": "GELU", "identity": "no activation"}
_UPSAMPLING = {
    "transposed": "transposed convolution",
    "nearest": "nearest-neighbour upsampling",
    "bilinear": "bilinear upsampling",
    "pixel_shuffle": "pixel shuffle",
}

_METRICS = {
    "bce": "binary cross-entropy",
    "denoising_gain_db": "denoising gain",
    "denoising_gain_over_median_db": "denoising gain over a median filter",
    "denoising_gain_unseen_db": "denoising gain on other noises",
    "denoising_mse": "denoising error",
    "elbo_nats": "ELBO",
    "knn_accuracy": "k-NN accuracy",
    "kmeans_accuracy": "k-means accuracy",
    "mae": "mean absolute error",
    "mse": "reconstruction error",
    "nll_nats": "negative log-likelihood",
    "psnr": "PSNR",
    "reconstruction": "reconstruction loss",
    "ssim": "SSIM",
}
_SWITCHES = {
    "clip": "clipping",
    "nesterov": "Nesterov momentum",
    "residual": "residual connections",
    "shuffle": "shuffling",
    "tied": "tied weights",
}
"""What settings that are true or false switch on, if it is not their name."""
_LIMITS = {"dataset.limit": "image", "dataset.test_limit": "test image"}
"""What these settings limit the number of."""


def choice_label(group: str, name: str) -> str:
    """The display name of a choice of a config group: `VAE`; of a plugin, its name in words."""
    return CHOICES.get(group, {}).get(name, name.replace("_", " "))


def metric_words(name: str) -> str:
    """A metric, without its split, in words: `denoising error`, `ELBO`, `linear probe accuracy`."""
    clean = name.removeprefix("denoising_")
    if name not in _METRICS and clean in _METRICS:
        return f"{_METRICS[clean]} of denoising"
    return _METRICS.get(name, name.replace("_", " "))


def setting_label(key: str, value: str) -> str:
    """A setting with its value, as it is typed on the command line, in words: `ReLU`, `128 units`, `code size 3`.

    `key` is the dotted key; one without a dot, except for `seed`, is a group.
    """
    value = value.strip("'\"")
    if key in _SETTINGS:
        return _SETTINGS[key](value)
    if key in _LIMITS:
        return _limit_label(value, images=_LIMITS[key])
    if value.lower() in _WITH:
        return _switch_label(key, value)
    if "." not in key and key != "seed":
        return choice_label(key, value)
    return f"{key.rpartition('.')[2].replace('_', ' ')} {value.replace('_', ' ')}"


def value_label(key: str, value: str) -> str:
    """The value of a setting next to its key: a choice or a switch in words, any other value as it is typed."""
    if key in _SETTINGS:
        return _SETTINGS[key](value.strip("'\""))
    if value.lower() in _WITH:
        return _switch_label(key, value)
    return choice_label(key, value) if key in CHOICES else value


def told_apart(labels: Sequence[str], *, values: Sequence[str]) -> list[str]:
    """The labels of some values; the values as they are typed if two different ones have the same label."""
    return list(labels if len(set(labels)) >= len(set(values)) else values)


def run_label(config: Mapping[str, Any]) -> str:
    """A run in words: `convolutional VAE, code size 16, on MNIST, salt-and-pepper noise (probability 0.2)`.

    A run that starts from another one says so at the end: `from the encoder of outputs/pretrained`.

    `config` has a run's settings as plain values, as in its `config.yaml`. They need not be checked yet: a setting that
    is missing is left out.
    """
    architecture = _node(config, "architecture")
    parts = [
        f"{choice_label('architecture', str(architecture.get('name', '')))} {_kind_label(config)}".strip(),
        f"code size {architecture['code_size']}" if "code_size" in architecture else "",
        *_data_labels(config),
        _source_label(config),
    ]
    return ", ".join(filter(None, parts))


def training_line(config: Mapping[str, Any], *, continues: bool = False) -> str:
    """The first line of a run: `Training: MLP autoencoder, code size 16, on 8x8 digits` and a full stop."""
    return f"{'Continuing' if continues else 'Training'}: {run_label(config)}."


def run_name(folder: str) -> str:
    """A run's folder in a label: its last two parts, such as a date and a time, or a sweep and a job.

    Of `/home/notebooks/../pretrained`, which is what `../pretrained` becomes, they are `home/pretrained`.
    """
    return _printable("/".join(PurePath(os.path.normpath(folder)).parts[-2:]))


def shared_data_label(configs: Iterable[Mapping[str, Any]]) -> str:
    """The data set and the noise of runs, each if all runs share it: `on MNIST, Gaussian noise (std 0.3)`.

    `configs` as in `run_label`.
    """
    labels = zip(*map(_data_labels, configs), strict=True)
    return ", ".join(same[0] for same in labels if same[0] and len(set(same)) == 1)


def _data_labels(config: Mapping[str, Any]) -> tuple[str, str]:
    """The data set and the noise; empty without one."""
    noise = _node(config, "noise")
    return _dataset_label(_node(config, "dataset")), "" if noise.get("name", "none") == "none" else _noise_label(noise)


def _source_label(config: Mapping[str, Any]) -> str:
    """The run that the weights are from; empty if they start random."""
    source, part = config.get("initialize_from"), config.get("initialize_part")
    return f"from the {part or 'weights'} of {run_name(str(source))}" if source else ""


def _kind_label(config: Mapping[str, Any]) -> str:
    """What the bottleneck makes of an autoencoder: `VAE`, `sparse autoencoder`."""
    name = str(_node(config, "bottleneck").get("name", "plain"))
    label = "" if name == "plain" else choice_label("bottleneck", name)
    return label if label.endswith("AE") else f"{label} autoencoder".strip()


def _dataset_label(dataset: Mapping[str, Any]) -> str:
    """`on binarized MNIST`, `on EMNIST letters`, `on the images in pets`, `on the binarized images in pets`."""
    if not dataset:
        return ""
    binarized = "" if dataset.get("binarization", "none") == "none" else "binarized "
    if "path" in dataset and not dataset["path"]:
        return "on arrays" if dataset.get("name") == "arrays" else "on an image folder"
    if "path" in dataset:
        folder = PurePath(str(dataset["path"])).name or str(dataset["path"])
        return f"on the {binarized}images in {_printable(folder)}"
    label = f"{choice_label('dataset', str(dataset.get('name', '')))} {dataset.get('split', '')}".strip()
    return f"on {binarized}{label}"


def _noise_label(noise: Mapping[str, Any]) -> str:
    """A noise with its strength; several in their order, joined by `then`."""
    if isinstance(noise.get("noises"), Mapping):
        return " then ".join(_noise_label(part) for part in noise["noises"].values() if isinstance(part, Mapping))
    name = str(noise.get("name", ""))
    unit = " pixels" if name == "blur" else ""
    strength = next((f" ({key} {noise[key]}{unit})" for key in _STRENGTHS if key in noise), "")
    return f"{choice_label('noise', name)}{strength}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


_STRENGTHS = ("probability", "std", "size")
"""The settings of which each noise has one as its strength."""


def _node(config: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    node = config.get(group)
    return node if isinstance(node, Mapping) else {}


def _hidden_label(value: str) -> str:
    widths = re.findall(r"\d+", value)
    return f"{'-'.join(widths)} units" if widths else "no hidden layer"


_WITH = {"true": "with", "false": "without"}


def _switch_label(key: str, value: str) -> str:
    name = key.rpartition(".")[2]
    return f"{_WITH[value.lower()]} {_SWITCHES.get(name, name.replace('_', ' '))}"


def _limit_label(value: str, *, images: str) -> str:
    if not value.isdecimal():
        return f"all {images}s"
    return f"{int(value):,} {images}{'' if value == '1' else 's'}"


_SETTINGS: Mapping[str, Callable[[str], str]] = {
    "architecture.activation": lambda value: _ACTIVATIONS.get(value, value),
    "architecture.code_activation": lambda value: f"{_ACTIVATIONS.get(value, value)} on the code",
    "architecture.hidden": _hidden_label,
    "architecture.hidden_sizes": _hidden_label,
    "architecture.upsampling": lambda value: _UPSAMPLING.get(value, value),
    "initialize_from": lambda value: "random weights" if value == "null" else f"weights of {run_name(value)}",
    "initialize_part": lambda value: "the whole model" if value == "null" else f"only the {value}",
}
