"""Any architecture with any bottleneck, noise and loss, on any image shape: it trains, or is refused in words.

Fast: every architecture x bottleneck x loss of default settings, on one shape; the noises and the shapes take turns, so
that each bottleneck x loss x noise is among them. Then settings that are not the default ones, each with everything on
the other side, and what is refused. Slow: the full product of architecture x bottleneck x loss x noise, each on one
shape, which take turns.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from autoenc.config import GROUPS, ExperimentConfig, parse
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.settings import ConfigError
from autoenc.training.step import TrainingStep
from tests.conftest import REPOSITORY

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 29, 31)]

# The same layers, as narrow as they can be: two steps of each of six thousand combinations have to be taken.
LAYERS: dict[str, dict[str, Any]] = {
    "fully_connected": {"hidden_sizes": [5]},
    "linear": {},
    "mlp": {"hidden": [5]},
    "wide": {"hidden": [6]},
    "deep": {"hidden": [5, 4, 4]},
    "conv": {"channels": [2, 3]},
    "conv_linear": {"channels": [2, 3]},
    "denoising_conv": {"channels": [2, 3]},
    "residual": {"channels": [2, 3]},
}
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "architecture": {name: {**layers, "code_size": 4} for name, layers in LAYERS.items()},
    "bottleneck": {
        "top_k": {"k": 2},
        "vector_quantized": {"vector_size": 2, "codebook_size": 6},
        "importance_weighted": {"samples": 2},
    },
}

Settings = Mapping[str, Mapping[str, Any]]
"""By group or node: what differs from the defaults; of a group, `name` is its choice."""

SIGMOID_CODE = {"code_activation": "sigmoid"}
EMPHASIS: dict[str, Any] = {"name": "mse", "corrupted_weight": 2.0, "kept_weight": 0.5}

WITH_EVERY_ARCHITECTURE: dict[str, Settings] = {
    "kl": {"bottleneck": {"name": "sparse", "kind": "kl"}, "architecture": SIGMOID_CODE},
    "relative_l1": {"bottleneck": {"name": "sparse", "kind": "relative_l1"}},
    "unit_columns": {"bottleneck": {"name": "contractive", "safeguard": "unit_columns"}},
    "hutchinson": {"bottleneck": {"name": "contractive", "estimator": "hutchinson", "at": "given"}},
    "gradient": {"bottleneck": {"name": "regularized", "decoder_penalty": "gradient"}},
    "free_bits": {"bottleneck": {"name": "gaussian", "free_bits": 0.5, "samples": 2, "warmup_epochs": 1}},
    "per_pixel": {"loss": {"name": "gaussian", "variance": "per_pixel"}},
    "emphasis": {"loss": EMPHASIS, "noise": {"name": "masking"}},
    "by pixel": {"noise": {"name": "salt_and_pepper", "by": "pixel"}},
    # Not with a loss of logits: an output outside of (0, 1) has no gradient there, and `conv` begins with no other.
    "identity, mse": {"architecture": {"output": "identity"}, "loss": {"name": "mse"}},
    "identity, gaussian": {"architecture": {"output": "identity"}, "loss": {"name": "gaussian"}},
    "sigmoid": {"architecture": {"output": "sigmoid"}},
    "tanh": {"architecture": {"output": "tanh"}},
}
WITH_EVERY_BOTTLENECK: dict[str, Settings] = {
    "tied": {"architecture": {"name": "mlp", "tied": True}},
    "batch_norm": {"architecture": {"name": "mlp", "batch_norm": True}},
    "dropout": {"architecture": {"name": "mlp", "dropout": 0.5}},
    **{
        f"{name}, {upsampling}": {"architecture": {"name": name, "upsampling": upsampling}}
        for name in ("conv", "conv_linear", "denoising_conv", "residual")
        for upsampling in ("nearest", "bilinear", "pixel_shuffle")
    },
}
EXTRA_SHAPES = [(3, 8, 8), (1, 29, 31)]

RELU_CODE = {"code_activation": "relu"}
REFUSALS: list[tuple[str, Settings]] = [
    (
        "architecture.code_activation=relu: bottleneck=gaussian needs means and variances of any size; "
        "set it to identity",
        {"bottleneck": {"name": "gaussian"}, "architecture": RELU_CODE},
    ),
    (
        "architecture.code_activation=relu: bottleneck=importance_weighted needs means and variances of any size; "
        "set it to identity",
        {"bottleneck": {"name": "importance_weighted"}, "architecture": RELU_CODE},
    ),
    (
        "architecture.code_activation=relu: bottleneck=wasserstein wants codes that are spread as N(0, I); "
        "set it to identity",
        {"bottleneck": {"name": "wasserstein"}, "architecture": RELU_CODE},
    ),
    (
        "architecture.code_activation=identity: bottleneck.kind=kl takes a code's entries for probabilities; "
        "set it to sigmoid",
        {"bottleneck": {"name": "sparse", "kind": "kl"}},
    ),
    (
        "bottleneck.k=5: a code of 4 entries has no 5 to keep; lower it or raise architecture.code_size",
        {"bottleneck": {"name": "top_k", "k": 5}},
    ),
    (
        "bottleneck.test_factor=3.0: 6 of 4 entries would be kept; at most 2 goes",
        {"bottleneck": {"name": "top_k", "k": 2, "test_factor": 3.0}},
    ),
    (
        "bottleneck.vector_size=3: architecture.code_size=4 cannot be cut into vectors of that size; change either",
        {"bottleneck": {"name": "vector_quantized", "vector_size": 3}},
    ),
    *(
        (
            "bottleneck.safeguard=tied_weights: the decoder has weights of its own; "
            "set architecture=mlp architecture.tied=true, or another safeguard",
            {"bottleneck": {"name": "contractive", "safeguard": "tied_weights"}, "architecture": {"name": name}},
        )
        for name in ("mlp", "conv")  # one that could be tied, and one that could not
    ),
    (
        "loss.std=0.01: it must be above loss.min_std=0.01",
        {"loss": {"name": "gaussian", "std": 0.01}},
    ),
    (
        "loss.corrupted_weight=2.0: noise=none corrupts no pixel, so that there is none to weigh by itself",
        {"loss": EMPHASIS},
    ),
    (
        "loss.kept_weight=0.0: noise=none corrupts no pixel, so that there is none to weigh by itself",
        {"loss": {"name": "bce", "kept_weight": 0.0}},
    ),
    *(
        (
            "loss.corrupted_weight=2.0: it must be 1 with a variational bottleneck: that needs a likelihood, "
            "and a weighted one is none",
            {"loss": EMPHASIS, "noise": {"name": "masking"}, "bottleneck": {"name": name}},
        )
        for name in ("gaussian", "importance_weighted")
    ),
    (
        "noise.noises={}: it needs at least one noise; for no noise use noise=none",
        {"noise": {"name": "compose", "noises": {}}},
    ),
    (
        "evaluation.nll_samples=5: bottleneck=plain makes no variational model, which alone has a likelihood",
        {"evaluation": {"nll_samples": 5}},
    ),
]


@cache
def choice(group: str, name: str) -> dict[str, Any]:
    values = OmegaConf.to_container(OmegaConf.load(REPOSITORY / "conf" / group / f"{name}.yaml"), resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


@cache
def nodes() -> dict[str, Any]:
    values = yaml.safe_load((REPOSITORY / "conf" / "config.yaml").read_text().replace("${oc.env", "/x #"))
    return {"data_dir": "/data", **{key: values[key] for key in ("training", "evaluation", "figures", "seed")}}


DEFAULTS = {
    "architecture": "mlp",
    "bottleneck": "plain",
    "loss": "mse",
    "dataset": "digits",
    "noise": "none",
    "optimizer": "adam",
    "schedule": "constant",
    "device": "cpu",
    "tracker": "none",
}


def combined(settings: Settings) -> ExperimentConfig:
    """The config of default settings, but for these; the layers are narrow and the code has four entries."""
    values = {**nodes()}
    for group in GROUPS:
        changes = {**settings.get(group, {})}
        name = changes.pop("name", DEFAULTS[group])
        values[group] = {**choice(group, name), **SMALL.get(group, {}).get(name, {}), **changes}
    for node in settings.keys() - GROUPS.keys():
        values[node] = {**values[node], **settings[node]}
    return parse(values)


@cache
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
    scores = measure(model, stored, device=device, noise=config.noise, split="validation", metrics=[METRICS["mse"]])
    assert all(value.isfinite() for value in scores.values()), scores


def test_the_table_of_narrow_layers_names_what_there_is() -> None:
    assert set(LAYERS) == set(names("architecture"))
    assert set(SMALL["bottleneck"]) <= set(names("bottleneck"))
    for group in ("architecture", "bottleneck", "noise", "loss"):
        assert names(group) == GROUPS[group].names()


def attempt(settings: Settings, *, shape: tuple[int, int, int]) -> None:
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    try:
        two_steps(combined(settings), images)
    except Exception as error:
        raise AssertionError(f"{settings} on {shape} fails") from error


def turn(group: str, place: int) -> dict[str, str]:
    """The choices of a group, one after the other and again from the first on."""
    return {"name": names(group)[place % len(names(group))]}


@pytest.mark.parametrize("architecture", names("architecture"))
def test_every_architecture_with_every_bottleneck_and_loss(architecture: str) -> None:
    # Each architecture begins one noise further on, so that all nine of them meet each bottleneck x loss in all.
    combinations = itertools.product(names("bottleneck"), names("loss"))
    for place, (bottleneck, loss) in enumerate(combinations, start=names("architecture").index(architecture)):
        settings = {"architecture": architecture, "bottleneck": bottleneck, "loss": loss}
        chosen: Settings = {group: {"name": name} for group, name in settings.items()}
        attempt({**chosen, "noise": turn("noise", place)}, shape=SHAPES[place % len(SHAPES)])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", names("architecture"))
def test_everything_with_everything(architecture: str) -> None:
    combinations = itertools.product(names("bottleneck"), names("loss"), names("noise"))
    for place, (bottleneck, loss, noise) in enumerate(combinations):
        settings = {"architecture": architecture, "bottleneck": bottleneck, "loss": loss, "noise": noise}
        attempt({group: {"name": name} for group, name in settings.items()}, shape=SHAPES[place % len(SHAPES)])


@pytest.mark.parametrize("name", WITH_EVERY_ARCHITECTURE)
def test_what_is_not_the_default_with_every_architecture(name: str) -> None:
    """Losses and noises that are not part of it take turns."""
    given = WITH_EVERY_ARCHITECTURE[name]
    for place, (architecture, shape) in enumerate(itertools.product(names("architecture"), EXTRA_SHAPES)):
        changed = {"architecture": {"name": architecture, **given.get("architecture", {})}}
        attempt({"loss": turn("loss", place), "noise": turn("noise", place), **given, **changed}, shape=shape)


@pytest.mark.parametrize("name", WITH_EVERY_BOTTLENECK)
def test_what_is_not_the_default_with_every_bottleneck(name: str) -> None:
    given = WITH_EVERY_BOTTLENECK[name]
    for place, (bottleneck, shape) in enumerate(itertools.product(names("bottleneck"), EXTRA_SHAPES)):
        in_turn = {"loss": turn("loss", place), "noise": turn("noise", place)}
        attempt({**in_turn, **given, "bottleneck": {"name": bottleneck}}, shape=shape)


@pytest.mark.parametrize("shape", EXTRA_SHAPES, ids=str)
@pytest.mark.parametrize("architecture", ["mlp", "wide", "deep"])
def test_tied_weights_as_a_safeguard(architecture: str, shape: tuple[int, int, int]) -> None:
    tied = {"name": architecture, "tied": True}
    attempt({"architecture": tied, "bottleneck": {"name": "contractive", "safeguard": "tied_weights"}}, shape=shape)


@pytest.mark.parametrize(("message", "settings"), REFUSALS, ids=[message.split(":")[0] for message, _ in REFUSALS])
def test_what_does_not_go_together_is_refused_in_words(message: str, settings: Settings) -> None:
    with pytest.raises(ConfigError) as caught:
        combined(settings)
    assert str(caught.value) == message
