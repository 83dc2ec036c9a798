"""Small architectures of every kind, and how to look into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from autoenc.models.architectures import ARCHITECTURES, Architecture, ImageShape
from autoenc.models.architectures.upsampling import Upsampling
from autoenc.models.autoencoder import AutoEncoder
from tests.conftest import REPOSITORY

UPSAMPLINGS: tuple[Upsampling, ...] = get_args(Upsampling)
SHAPES: list[ImageShape] = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 29, 31), (1, 1, 1)]
MLP: dict[str, Any] = {"hidden": [9, 7], "activation": "relu", "batch_norm": False, "dropout": 0.0, "tied": False}
RESIDUAL: dict[str, Any] = {"layers_per_block": 2, "residual": True, "batch_norm": True}
OF_ITS_OWN: dict[str, dict[str, Any]] = {
    "linear": {},
    "fully_connected": {"hidden_sizes": [9, 7]},
    "mlp": MLP,
    "wide": {**MLP, "hidden": [40], "activation": "sigmoid"},
    "deep": {**MLP, "hidden": [20, 15, 10], "activation": "sigmoid"},
    "conv": {"channels": [4, 6]},
    "conv_linear": {"channels": [4, 6], "upsampling": "nearest"},
    "denoising_conv": {"channels": [4, 6], "upsampling": "transposed"},
    "residual": {"channels": [4, 6], "upsampling": "transposed", **RESIDUAL},
}
CONVOLUTIONAL = ("conv", "conv_linear", "denoising_conv", "residual")


class Case(NamedTuple):
    """A choice in the table, and fields other than those above."""

    name: str
    fields: dict[str, Any]

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.fields.items())])


CASES = [
    *(Case(name, {}) for name in OF_ITS_OWN),
    *(Case(name, {"upsampling": upsampling}) for name in CONVOLUTIONAL for upsampling in UPSAMPLINGS),
    *(Case(name, {"channels": []}) for name in CONVOLUTIONAL),
    *(Case("residual", {"residual": False, "batch_norm": norm}) for norm in (False, True)),
    Case("residual", {"batch_norm": False}),
    Case("mlp", {"hidden": []}),
    Case("mlp", {"hidden": [], "tied": True}),
    Case("mlp", {"tied": True}),
    Case("mlp", {"tied": True, "batch_norm": True, "dropout": 0.2}),
    *(Case("mlp", {"activation": activation}) for activation in ("leaky_relu", "elu", "gelu", "tanh", "identity")),
]


def architecture(name: str, **fields: object) -> Architecture:
    common = {"code_size": 5, "code_activation": "identity", "output": "sigmoid"}
    return ARCHITECTURES.parse({"name": name, **OF_ITS_OWN[name], **common, **fields})


def shipped(name: str, **fields: object) -> Architecture:
    """What `architecture=name` gives, with its YAML's own values."""
    values = OmegaConf.to_container(OmegaConf.load(Path(REPOSITORY, "conf", "architecture", f"{name}.yaml")))
    assert isinstance(values, dict)
    return ARCHITECTURES.parse({**{str(key): value for key, value in values.items()}, **fields})


def build(settings: Architecture, image_shape: ImageShape, *, seed: int = 0) -> AutoEncoder:
    torch.manual_seed(seed)
    parts = settings.build(image_shape, feature_size=settings.code_size)
    return AutoEncoder(parts.encoder, parts.decoder, output=settings.output)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def shapes_after(module: nn.Module, given: Tensor, *, kinds: tuple[type[nn.Module], ...]) -> list[tuple[int, ...]]:
    """The shapes, without the batch, that leave the layers of these kinds."""
    shapes: list[tuple[int, ...]] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        shapes.append(tuple(output.shape[1:]))

    hooks = [layer.register_forward_hook(record) for layer in module.modules() if isinstance(layer, kinds)]
    module(given)
    for hook in hooks:
        hook.remove()
    return shapes


def kinds_of_layers(module: nn.Module) -> list[str]:
    """The names of torch's layers, also where the computation is ours."""
    return [_torchs(type(layer)).__name__ for layer in module.children()]


def _torchs(kind: type[nn.Module]) -> type[nn.Module]:
    return next((one for one in (nn.Conv2d, nn.ConvTranspose2d) if issubclass(kind, one)), kind)
