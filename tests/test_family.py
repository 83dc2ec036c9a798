"""Any architecture with any bottleneck, noise and loss, on any image shape: it trains, or is refused in words."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from autoenc.config import GROUPS, ExperimentConfig, parse
from autoenc.evaluation import measure
from autoenc.settings import ConfigError
from autoenc.training import TrainingStep
from tests.conftest import REPOSITORY

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 29, 31)]

# The same layers, as narrow as they can be: two steps of each of twenty thousand combinations have to be taken.
NARROW: dict[str, dict[str, Any]] = {
    "fully_connected": {"hidden_sizes": [5]},
    "mlp": {"hidden": [5]},
    "wide": {"hidden": [6]},
    "deep": {"hidden": [5, 4, 4]},
    "conv": {"channels": [2, 3]},
    "conv_linear": {"channels": [2, 3]},
    "denoising_conv": {"channels": [2, 3]},
    "residual": {"channels": [2, 3]},
}

# What makes the default settings of a bottleneck one of its codes of four numbers.
SMALL: dict[str, dict[str, Any]] = {
    "top_k": {"k": 2},
    "vector_quantized": {"vector_size": 2, "codebook_size": 6},
    "importance_weighted": {"samples": 2},
}

REFUSALS: list[str] = []
"""Beginnings of the messages with which a combination of default settings may be refused: there are none."""


@cache
def choice(group: str, name: str) -> dict[str, Any]:
    values = OmegaConf.to_container(OmegaConf.load(REPOSITORY / "conf" / group / f"{name}.yaml"), resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


@cache
def base() -> dict[str, Any]:
    values = yaml.safe_load((REPOSITORY / "conf" / "config.yaml").read_text().replace("${oc.env", "/x #"))
    kept = {key: values[key] for key in ("training", "evaluation", "figures", "seed")}
    return {**kept, "data_dir": "/data", **{group: choice(group, name) for group, name in DEFAULTS.items()}}


DEFAULTS = {"dataset": "digits", "optimizer": "adam", "schedule": "constant", "device": "cpu"}


def combined(*, architecture: str, bottleneck: str, noise: str, loss: str) -> ExperimentConfig:
    return parse(
        {
            **base(),
            "architecture": {**choice("architecture", architecture), **NARROW.get(architecture, {}), "code_size": 4},
            "bottleneck": {**choice("bottleneck", bottleneck), **SMALL.get(bottleneck, {})},
            "noise": choice("noise", noise),
            "loss": choice("loss", loss),
        }
    )


def names(group: str) -> list[str]:
    return sorted(path.stem for path in Path(REPOSITORY / "conf" / group).glob("*.yaml"))


def two_steps(config: ExperimentConfig, images: torch.Tensor) -> None:
    """Train two steps, the second on fewer images, and validate: every number is finite, and the weights have moved."""
    device = config.device.build()
    model = config.build_model(image_shape=tuple(images.shape[1:]))  # type: ignore[arg-type]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step = TrainingStep(
        model.train(),
        noise=config.noise,
        optimizer=config.optimizer.build(model.parameters()),
        device=device,
        generator=torch.Generator().manual_seed(0),
    )
    for batch in (images, images[:3]):
        step.begin(epoch=0.5)
        step.train_step(batch)
    assert step.skipped.item() == 0
    assert any(not torch.equal(now, then) for now, then in zip(model.parameters(), before, strict=True))
    stored = (images * 255).to(torch.uint8)
    scores = measure(model, stored, device=device, noise=config.noise, split="validation", metrics=["mse"])
    assert all(value.isfinite() for value in scores.values()), scores


def test_the_table_of_narrow_layers_names_what_there_is() -> None:
    assert set(NARROW) <= set(names("architecture"))
    assert set(SMALL) <= set(names("bottleneck"))
    for group in ("architecture", "bottleneck", "noise", "loss"):
        assert names(group) == GROUPS[group].names()


def attempt(images: torch.Tensor, **chosen: str) -> None:
    try:
        config = combined(**chosen)
    except ConfigError as error:
        if not any(str(error).startswith(beginning) for beginning in REFUSALS):
            raise AssertionError(f"{chosen} is refused: {error}") from error
    else:
        try:
            two_steps(config, images)
        except Exception as error:
            raise AssertionError(f"{chosen} on {tuple(images.shape[1:])} fails") from error


@pytest.mark.parametrize("architecture", names("architecture"))
def test_every_architecture_with_every_bottleneck_and_loss(architecture: str) -> None:
    """On every shape; the noises take turns."""
    noises = itertools.cycle(names("noise"))
    for shape in SHAPES:
        images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
        for bottleneck, loss in itertools.product(names("bottleneck"), names("loss")):
            attempt(images, architecture=architecture, bottleneck=bottleneck, loss=loss, noise=next(noises))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("architecture", names("architecture"))
def test_everything_with_everything(architecture: str, shape: tuple[int, int, int]) -> None:
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    for bottleneck, loss, noise in itertools.product(names("bottleneck"), names("loss"), names("noise")):
        attempt(images, architecture=architecture, bottleneck=bottleneck, loss=loss, noise=noise)
