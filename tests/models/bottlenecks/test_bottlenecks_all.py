"""Every bottleneck: it trains, resumes from a checkpoint, and never waits for the device."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from autoenc.data.noise.pixels import Gaussian, NoNoise
from autoenc.devices import Device
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.bottleneck import Plain
from autoenc.models.layers import BatchNorm1d
from autoenc.settings import ConfigError
from autoenc.training.checkpoints import Checkpoint, load_last, load_model, model_tensors, save_last
from autoenc.training.step import TrainingStep
from tests.conftest import REPOSITORY
from tests.devices import cpu

CONF = REPOSITORY / "conf" / "bottleneck"
CODE_SIZE = 4

# What each YAML says, and what it might say instead.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("plain", {}),
    ("sparse", {}),
    ("sparse", {"kind": "relative_l1"}),
    ("sparse", {"kind": "kl"}),
    ("top_k", {"k": 2}),
    ("gaussian", {}),
    ("gaussian", {"samples": 3, "beta": 4.0, "warmup_epochs": 2, "free_bits": 0.1}),
    ("importance_weighted", {}),
    ("contractive", {}),
    ("contractive", {"safeguard": "unit_columns", "estimator": "hutchinson", "at": "given"}),
    ("contractive", {"estimator": "hutchinson"}),
    ("regularized", {}),
    ("regularized", {"decoder_penalty": "gradient", "decoder_weight": 0.1}),
    ("vector_quantized", {}),
    ("vector_quantized", {"vector_size": 2, "codebook_size": 4, "restart_below": 0.5}),
    ("wasserstein", {}),
]
every_case = pytest.mark.parametrize(
    ("name", "fields"), CASES, ids=[f"{name}-{'-'.join(map(str, fields.values()))}" for name, fields in CASES]
)


def shipped(name: str) -> dict[str, Any]:
    # Plain YAML would read 1e-3 as a string.
    values: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    return values  # type: ignore[no-any-return]


def model(name: str, fields: dict[str, Any], *, seed: int = 0) -> AutoEncoder:
    torch.manual_seed(seed)
    bottleneck = BOTTLENECKS.parse({**shipped(name), **fields}).build(code_size=CODE_SIZE)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 8), BatchNorm1d(8), nn.Tanh())
    encoder.append(nn.Linear(8, bottleneck.feature_size))
    if fields.get("kind") == "kl":
        encoder.append(nn.Sigmoid())
    decoder = nn.Sequential(nn.Linear(CODE_SIZE, 8), nn.Tanh(), nn.Linear(8, 9), nn.Unflatten(1, (1, 3, 3)))
    return AutoEncoder(encoder, decoder, bottleneck=bottleneck)


def training_step(autoencoder: AutoEncoder, *, device: Device | None = None, seed: int = 1) -> TrainingStep:
    return TrainingStep(
        autoencoder,
        noise=Gaussian(std=0.1, by="channel", clip=True),
        optimizer=torch.optim.Adam(autoencoder.parameters(), lr=0.01, fused=True),
        device=device or cpu(),
        generator=torch.Generator().manual_seed(seed),
    )


def batch(count: int = 12, *, seed: int = 2) -> Tensor:
    return torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(seed))


def train(step: TrainingStep, *, steps: int, first: int = 0) -> list[float]:
    losses = []
    for number in range(first, first + steps):
        step.begin(epoch=number / 4)
        losses.append(step.train_step(batch(seed=number)).item())
    return losses


def test_the_choices() -> None:
    assert set(BOTTLENECKS.names()) == {name for name, _ in CASES} == {path.stem for path in CONF.glob("*.yaml")}


OUT_OF_RANGE: dict[str, dict[str, Any]] = {
    "gaussian": {"beta": -1, "warmup_epochs": -1, "free_bits": -1, "samples": 0},
    "importance_weighted": {"samples": 0},
    "contractive": {"weight": -1, "at": "noisy", "estimator": "best", "probes": 0, "safeguard": "none"},
    "regularized": {"code_weight": -1, "decoder_penalty": "none", "decoder_weight": -1, "probes": 0},
    "sparse": {"kind": "l2", "weight": -1, "target": 0},
    "top_k": {"k": 0, "test_factor": 0.9},
    "vector_quantized": {"vector_size": 0, "codebook_size": 1, "commitment": -1, "decay": 1.0, "restart_below": 1.0},
    "wasserstein": {"weight": -1},
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_values_out_of_range_are_refused(name: str) -> None:
    for key, value in OUT_OF_RANGE[name].items():
        with pytest.raises(ConfigError, match=rf"^bottleneck\.{key}="):
            BOTTLENECKS.parse({**shipped(name), key: value})


def test_plain_gives_the_features_at_no_penalty() -> None:
    features = torch.randn(5, 3, requires_grad=True)
    plain = Plain(code_size=3)
    output = plain(features)
    assert output.code is features
    assert torch.equal(output.samples, features.unsqueeze(0))
    assert output.penalty.sum().item() == 0
    assert (output.diagnostics, output.divergence) == ({}, None)
    assert plain.state_dict() == {}
    assert plain.draw(features, generator=torch.Generator()) is None


@every_case
def test_it_trains(name: str, fields: dict[str, Any]) -> None:
    autoencoder = model(name, fields)
    before = {key: value.clone() for key, value in autoencoder.named_parameters()}
    step = training_step(autoencoder)
    losses = train(step, steps=2)
    assert all(map(math.isfinite, losses))
    assert step.skipped.item() == 0
    unmoved = [key for key, value in autoencoder.named_parameters() if torch.equal(value, before[key])]
    # Of a bias before batch normalisation the gradient is 0, but for rounding.
    assert [key for key in unmoved if key != "encoder.1.bias"] == []


@every_case
def test_what_it_reports_has_units_and_is_not_differentiated(name: str, fields: dict[str, Any]) -> None:
    autoencoder = model(name, fields)
    images = batch()
    draws = autoencoder.draw(images, generator=torch.Generator().manual_seed(0))
    output = autoencoder(images, draws=draws)
    statistics = autoencoder.bottleneck.statistics(output.code.detach(), indices=output.indices)
    reported = {**output.diagnostics, **statistics}
    assert set(reported) == set(autoencoder.bottleneck.diagnostic_units)
    assert not output.diagnostics.keys() & statistics.keys()
    assert all(value.shape == () and not value.requires_grad for value in reported.values())
    assert (autoencoder.bottleneck.penalty_unit != "none") == autoencoder.bottleneck.penalizes
    objective = autoencoder.objective(output, target=images)
    assert objective.loss.shape == ()
    assert {"reconstruction", "penalty"} <= set(objective.parts) or not autoencoder.bottleneck.penalizes


@every_case
def test_without_draws_nothing_is_random_and_nothing_changes(name: str, fields: dict[str, Any]) -> None:
    autoencoder = model(name, fields)
    train(training_step(autoencoder), steps=1)
    autoencoder.bottleneck.train()
    autoencoder.encoder.eval()  # where batch normalisation counts what it sees
    before = copy.deepcopy(autoencoder.state_dict())
    first, second = autoencoder(batch()), autoencoder(batch())
    assert torch.equal(first.reconstruction, second.reconstruction)
    assert torch.equal(first.code, autoencoder.encode(batch()))
    assert first.code.shape == (12, CODE_SIZE)
    assert first.samples.shape == (1, 12, CODE_SIZE)
    assert all(torch.equal(value, before[key]) for key, value in autoencoder.state_dict().items())


@every_case
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_been(name: str, fields: dict[str, Any], tmp_path: Path) -> None:
    autoencoder = model(name, fields)
    step = training_step(autoencoder)
    train(step, steps=2)
    save_last(tmp_path, Checkpoint(model_tensors(autoencoder), {}, {}))
    moments, random = copy.deepcopy(step.optimizer.state_dict()), step.generator.get_state()
    expected = train(step, steps=2, first=2)

    checkpoint = load_last(tmp_path)
    assert checkpoint is not None
    other = model(name, fields, seed=9)
    load_model(other, checkpoint.model)
    again = training_step(other, seed=9)
    again.optimizer.load_state_dict(moments)
    again.generator.set_state(random)
    assert train(again, steps=2, first=2) == expected
    for key, value in autoencoder.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key


@every_case
def test_a_step_does_not_wait_for_the_device(
    name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a step synchronised")

    autoencoder = model(name, fields)
    step = training_step(autoencoder)
    step._masks_on_device = True  # as on a GPU; a CPU's number can be read without waiting
    images = batch()
    for method in ("item", "tolist", "cpu", "__bool__", "__float__", "__int__", "__index__", "new_tensor"):
        monkeypatch.setattr(Tensor, method, refuse)
    for maker in ("tensor", "as_tensor"):  # a number's way to the device is waited for, too
        monkeypatch.setattr(torch, maker, refuse)
    step.begin(epoch=0.5)
    step.train_step(images)


@every_case
def test_in_bfloat16_it_trains_and_reports_in_float32(name: str, fields: dict[str, Any]) -> None:
    device = cpu(precision="bfloat16")
    autoencoder = model(name, fields)
    step = training_step(autoencoder, device=device)
    assert all(map(math.isfinite, train(step, steps=2)))
    with device.autocast():
        images = batch()
        output = autoencoder(images, draws=autoencoder.draw(images, generator=torch.Generator().manual_seed(0)))
    assert {value.dtype for value in output.diagnostics.values()} <= {torch.float32}


@every_case
def test_a_single_image_is_a_batch(name: str, fields: dict[str, Any]) -> None:
    autoencoder = model(name, fields)
    step = training_step(autoencoder)
    step.begin(epoch=0)
    assert step.train_step(batch(1)).isfinite()
    assert step.skipped.item() == 0


def trained_weights(name: str, fields: dict[str, Any], *, batch_size: int) -> Tensor:
    """The weights after some steps of a model without batch normalisation, without noise."""
    torch.manual_seed(0)
    bottleneck = BOTTLENECKS.parse({**shipped(name), **fields}).build(code_size=CODE_SIZE)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, CODE_SIZE))
    decoder = nn.Sequential(nn.Linear(CODE_SIZE, 9), nn.Unflatten(1, (1, 3, 3)))
    step = dataclasses.replace(training_step(AutoEncoder(encoder, decoder, bottleneck=bottleneck)), noise=NoNoise())
    for number in range(5):
        step.begin(epoch=number)
        step.train_step(batch(batch_size, seed=number))
    return torch.cat([parameter.detach().flatten() for parameter in step.parameters])


@pytest.mark.parametrize(
    ("name", "fields", "smallest"),
    [
        ("contractive", {"weight": 0.1}, 4),
        ("contractive", {"weight": 0.1, "safeguard": "unit_columns"}, 1),
        ("wasserstein", {}, 2),
        ("sparse", {"kind": "relative_l1"}, 2),
        ("regularized", {"code_weight": 1.0}, 1),
        ("vector_quantized", {"vector_size": 1, "codebook_size": 2}, 1),
    ],
)
def test_the_smallest_batch_is_the_first_whose_penalty_has_an_effect(
    name: str, fields: dict[str, Any], smallest: int
) -> None:
    assert BOTTLENECKS.parse({**shipped(name), **fields}).smallest_batch == smallest
    plain, penalized = (
        [trained_weights(*choice, batch_size=size) for size in (smallest, smallest - 1) if size]
        for choice in (("plain", {}), (name, fields))
    )
    assert not torch.allclose(plain[0], penalized[0], atol=1e-4)
    if smallest > 1:
        torch.testing.assert_close(plain[1], penalized[1], rtol=0, atol=1e-6)


def test_all_other_bottlenecks_take_batches_of_one_image() -> None:
    found = {name for name in BOTTLENECKS.names() if BOTTLENECKS.parse(shipped(name)).smallest_batch > 1}
    assert found == {"contractive", "wasserstein"}
