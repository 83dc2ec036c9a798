"""Any architecture with any bottleneck, loss, noise and image shape trains, or is refused with a message.

By default, every pair of choices is in some combination: two architectures with the same bottleneck, and so on. The
choices include settings that are not the default. `-m exhaustive` runs the full product of the default settings.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
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

# The same layers, as narrow as possible, because hundreds of combinations are trained.
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
"""By group or node: the settings that differ from the defaults. A group's `name` is its choice."""

EMPHASIS: dict[str, Any] = {"name": "mse", "corrupted_weight": 2.0, "kept_weight": 0.5}

NOT_THE_DEFAULT: dict[str, list[dict[str, Any]]] = {
    "architecture": [
        *({"name": "mlp", **change} for change in ({"tied": True}, {"batch_norm": True}, {"dropout": 0.5})),
        *(
            {"name": name, "upsampling": upsampling}
            for name in ("conv", "conv_linear", "denoising_conv", "residual")
            for upsampling in ("nearest", "bilinear", "pixel_shuffle")
        ),
    ],
    "bottleneck": [
        {"name": "sparse", "kind": "kl"},
        {"name": "sparse", "kind": "relative_l1"},
        {"name": "contractive", "safeguard": "unit_columns"},
        {"name": "contractive", "estimator": "hutchinson", "at": "given"},
        {"name": "regularized", "decoder_penalty": "gradient"},
        {"name": "gaussian", "free_bits": 0.5, "samples": 2, "warmup_epochs": 1},
    ],
    "loss": [{"name": "gaussian", "variance": "per_pixel"}, EMPHASIS],
    "noise": [{"name": "salt_and_pepper", "by": "pixel"}],
}
OUTPUTS = ["identity", "sigmoid", "tanh"]

RELU_CODE = {"code_activation": "relu"}
REFUSALS: list[tuple[str, Settings]] = [
    (
        "architecture.code_activation=relu: bottleneck=importance_weighted needs means and variances of any size; "
        "set it to identity",
        {"bottleneck": {"name": "importance_weighted"}, "architecture": RELU_CODE},
    ),
    (
        "architecture.code_activation=relu: bottleneck=wasserstein needs codes that can be spread as N(0, I); "
        "set it to identity",
        {"bottleneck": {"name": "wasserstein"}, "architecture": RELU_CODE},
    ),
    (
        "architecture.code_activation=identity: bottleneck.kind=kl needs code entries that are probabilities; "
        "set it to sigmoid",
        {"bottleneck": {"name": "sparse", "kind": "kl"}},
    ),
    (
        "bottleneck.k=5: a code of 4 entries has fewer; lower it or raise architecture.code_size",
        {"bottleneck": {"name": "top_k", "k": 5}},
    ),
    (
        "bottleneck.test_factor=3.0: it keeps 6 of 4 entries; at most 2 fits",
        {"bottleneck": {"name": "top_k", "k": 2, "test_factor": 3.0}},
    ),
    (
        "bottleneck.vector_size=3: architecture.code_size=4 is not a multiple of it; change either",
        {"bottleneck": {"name": "vector_quantized", "vector_size": 3}},
    ),
    (
        "bottleneck.safeguard=tied_weights: the decoder has weights of its own; "
        "set architecture=mlp architecture.tied=true, or another safeguard",
        {"bottleneck": {"name": "contractive", "safeguard": "tied_weights"}, "architecture": {"name": "conv"}},
    ),
    (
        "loss.corrupted_weight=2.0: it must be 1 with a variational bottleneck: "
        "a weighted likelihood is not a likelihood",
        {"loss": EMPHASIS, "noise": {"name": "masking"}, "bottleneck": {"name": "gaussian"}},
    ),
    (
        "noise.noises={}: it needs at least one noise; for no noise use noise=none",
        {"noise": {"name": "compose", "noises": {}}},
    ),
    (
        "evaluation.nll_samples=5: only a variational model has a likelihood, and bottleneck=plain is not variational",
        {"evaluation": {"nll_samples": 5}},
    ),
    (
        "evaluation=denoising: it tests finished runs (scripts/evaluate.py FOLDER evaluation=denoising); "
        "train with quick or full",
        {"evaluation": {"name": "denoising"}},
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
    return {"data_dir": "/data", **{key: values[key] for key in ("training", "figures", "seed")}}


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
    "evaluation": "quick",
}


def combined(settings: Settings) -> ExperimentConfig:
    """The config of these settings over the defaults, with narrow layers and a code of four entries."""
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
    """Train two steps, the second on fewer images, and validate: all numbers are finite, and the weights change."""
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
    assert all(value.isfinite() for value in scores.averages.values()), scores


def attempt(settings: Settings, *, shape: tuple[int, int, int]) -> None:
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    try:
        two_steps(combined(settings), images)
    except Exception as error:
        raise AssertionError(f"{settings} on {shape} fails") from error


# --- pairwise ---

AXES: dict[str, list[Any]] = {
    **{
        group: [*({"name": name} for name in names(group)), *NOT_THE_DEFAULT[group]]
        for group in ("architecture", "bottleneck", "loss", "noise")
    },
    "output": OUTPUTS,
    "shape": SHAPES,
}

Place = tuple[str, int]
"""An axis and an index of its values."""


def goes_together(first: Place, second: Place) -> bool:
    """Whether two choices can be in one config. What cannot is refused, see REFUSALS."""
    (axis, one), (other_axis, other) = sorted([first, second])
    value, other_value = AXES[axis][one], AXES[other_axis][other]
    match axis, other_axis:
        case "bottleneck", "loss":
            return other_value is not EMPHASIS or value["name"] not in {"gaussian", "importance_weighted"}
        case "loss", "noise":
            return value is not EMPHASIS or other_value["name"] != "none"
        case "loss", "output":
            # Losses of logits have no gradient outside (0, 1), where `conv` starts with an identity output.
            return other_value != "identity" or value["name"] in {"mse", "gaussian"}
    return True


def rows_of_all_pairs() -> Iterator[dict[str, int]]:
    """Combinations, an index for each axis, that have every pair of values which can go together.

    Greedy: each row starts from a pair that is missing, and adds the values with the most missing pairs.
    """
    places = [(axis, index) for axis, values in AXES.items() for index in range(len(values))]
    pairs = itertools.combinations(places, 2)
    missing = {frozenset(pair) for pair in pairs if pair[0][0] != pair[1][0] and goes_together(*pair)}
    while missing:
        row = dict(min(missing, key=sorted))
        for axis, values in AXES.items():
            if axis not in row:
                fitting = [
                    index
                    for index in range(len(values))
                    if all(goes_together((axis, index), place) for place in row.items())
                ]
                row[axis] = max(
                    fitting, key=lambda i: sum(frozenset([(axis, i), place]) in missing for place in row.items())
                )
        missing -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
        yield row


ROWS = list(rows_of_all_pairs())


@pytest.mark.parametrize("architecture", range(len(AXES["architecture"])), ids=lambda i: str(AXES["architecture"][i]))
def test_every_pair_of_choices_trains(architecture: int) -> None:
    for row in ROWS:
        if row["architecture"] == architecture:
            settings = {axis: AXES[axis][index] for axis, index in row.items()}
            shape, output = settings.pop("shape"), settings.pop("output")
            activation = "sigmoid" if settings["bottleneck"].get("kind") == "kl" else "identity"
            changed = {**settings["architecture"], "output": output, "code_activation": activation}
            attempt({**settings, "architecture": changed}, shape=shape)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("architecture", names("architecture"))
def test_every_combination_of_choices_trains(architecture: str) -> None:
    combinations = itertools.product(names("bottleneck"), names("loss"), names("noise"))
    for place, (bottleneck, loss, noise) in enumerate(combinations):
        settings = {"architecture": architecture, "bottleneck": bottleneck, "loss": loss, "noise": noise}
        attempt({group: {"name": name} for group, name in settings.items()}, shape=SHAPES[place % len(SHAPES)])


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 29, 31)], ids=str)
@pytest.mark.parametrize("architecture", ["mlp", "wide", "deep"])
def test_tied_weights_as_a_safeguard(architecture: str, shape: tuple[int, int, int]) -> None:
    tied = {"name": architecture, "tied": True}
    attempt({"architecture": tied, "bottleneck": {"name": "contractive", "safeguard": "tied_weights"}}, shape=shape)


@pytest.mark.parametrize(("message", "settings"), REFUSALS, ids=[message.split(":")[0] for message, _ in REFUSALS])
def test_settings_that_do_not_go_together_are_refused(message: str, settings: Settings) -> None:
    with pytest.raises(ConfigError) as caught:
        combined(settings)
    assert str(caught.value) == message
