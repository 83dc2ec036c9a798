"""Architectures: the initial weights."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from autoenc.models.architectures.architecture import EncoderDecoder
from autoenc.models.architectures.initialization import Initialization, initialise
from autoenc.models.architectures.upsampling import SubPixelConv2d
from autoenc.models.layers import TiedLinear, weighted_layers
from tests.models.architectures.architecture_cases import CASES, Case, architecture, build

LAWS: tuple[Initialization, ...] = get_args(Initialization)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_weight_is_left_to_torch(case: Case, law: Initialization, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = architecture(case.name, **case.fields, initialization=law)
    expected = build(settings, (1, 9, 10)).state_dict()

    def spoil(layer: nn.Module) -> None:
        torch.rand(3)  # torch's draws must not shift ours either
        for parameter in layer.parameters(recurse=False):
            nn.init.constant_(parameter, math.nan)

    for kind in (nn.Linear, _ConvNd):
        monkeypatch.setattr(kind, "reset_parameters", spoil)
    monkeypatch.setattr(_NormBase, "reset_parameters", spoil)
    for name, weight in build(settings, (1, 9, 10)).state_dict().items():
        assert torch.equal(weight, expected[name]), name


def test_torch_default_is_what_torch_does() -> None:
    """A change here changes all seeded numbers, and belongs in the changelog."""

    def layers() -> list[nn.Module]:
        encoder = [nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.BatchNorm2d(4), nn.Linear(5, 6)]
        return [*encoder, nn.ConvTranspose2d(4, 2, 3, stride=2), nn.Linear(6, 2, bias=False), nn.Linear(2, 3)]

    ours = layers()
    torch.manual_seed(3)
    theirs = nn.Sequential(*layers())
    torch.manual_seed(3)
    initialise(EncoderDecoder(nn.Sequential(*ours[:4]), nn.Sequential(*ours[4:])), "torch_default")
    for one, other in zip(nn.Sequential(*ours).parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def drawn(layer: nn.Module, law: Initialization, *, gain: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    initialise(EncoderDecoder(layer, nn.Identity()), law, gain=gain)
    return layer


@pytest.mark.parametrize(
    ("layer", "inputs", "outputs"),
    [
        (nn.Linear(200, 50), 200, 50),
        (nn.Conv2d(20, 30, 3, padding=1), 180, 270),
        (nn.Conv2d(20, 30, 3, stride=2, padding=1), 180, 67.5),  # an input is under 9/4 of the kernels' places
        (nn.Conv2d(20, 30, 7), 980, 30),  # put down once
        (nn.ConvTranspose2d(30, 20, 3, stride=2, padding=1), 67.5, 180),
        (nn.ConvTranspose2d(30, 20, 7), 30, 980),
        (SubPixelConv2d(20, 30), 180, 1080),
    ],
    ids=str,
)
def test_the_laws(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, inputs: float, outputs: float) -> None:
    for gain in (1.0, 4.0):
        drawn(layer, "xavier", gain=gain)
        bound = gain * math.sqrt(6 / (inputs + outputs))
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    drawn(layer, "auto")
    fan = inputs if isinstance(layer, nn.Linear) else (inputs + outputs) / 2
    assert layer.weight.std().item() == pytest.approx(math.sqrt(1 / fan), rel=0.05)
    drawn(layer, "kaiming")
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.05)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.01)
    assert layer.bias is not None
    assert not layer.bias.any()


def test_batch_normalisation_starts_as_the_identity() -> None:
    model = build(architecture("denoising_conv"), (1, 8, 8)).eval()
    layer = next(layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    values = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(layer(values), values, rtol=1e-4, atol=1e-4)


def test_a_tied_layer_draws_a_bias_and_no_weights() -> None:
    source = nn.Linear(100, 60)
    tied = TiedLinear(source, inputs=60)
    drawn(source, "torch_default")
    before: Tensor = source.weight.clone()
    drawn(tied, "torch_default")
    assert torch.equal(source.weight, before)
    assert tied.bias is not None
    assert tied.bias.abs().max().item() == pytest.approx(1 / math.sqrt(60), rel=0.1)


@pytest.mark.parametrize(("activation", "gain"), [("sigmoid", 4), ("tanh", 1), ("relu", 1)])
def test_xavier_is_wider_for_logistic_units(activation: str, gain: float) -> None:
    model = build(architecture("mlp", hidden=[90], activation=activation, initialization="xavier"), (1, 20, 20))
    (_, first), *_ = weighted_layers(model.encoder)
    assert first.weight.abs().max().item() == pytest.approx(gain * math.sqrt(6 / (400 + 90)), rel=0.01)


@pytest.mark.parametrize(
    ("settings", "inner", "code"),
    [
        ({"activation": "relu"}, math.sqrt(2), 1),
        ({"activation": "gelu", "code_activation": "sigmoid"}, math.sqrt(2), 4),
        ({"activation": "sigmoid", "code_activation": "relu"}, 4, math.sqrt(2)),
        ({"activation": "relu", "batch_norm": True, "dropout": 0.5}, math.sqrt(2), 1),
        ({"activation": "tanh"}, 1, 1),
    ],
)
def test_auto_scales_each_layer_for_the_units_that_follow_it(
    settings: dict[str, Any], inner: float, code: float
) -> None:
    chosen = architecture("mlp", hidden=[500, 400], **{"code_size": 300, "initialization": "auto", **settings})
    model = build(chosen, (1, 20, 20))
    found = [layer for half in (model.encoder, model.decoder) for _, layer in weighted_layers(half)]
    gains = [layer.weight.std().item() * math.sqrt(layer.weight.shape[1]) for layer in found]
    assert gains == pytest.approx([inner, inner, code, inner, inner, 1], rel=0.05)


def test_a_layer_without_an_initialization_is_refused() -> None:
    with pytest.raises(AssertionError, match="no initialization for"):
        initialise(EncoderDecoder(nn.Sequential(nn.GroupNorm(1, 2)), nn.Identity()), "xavier")
