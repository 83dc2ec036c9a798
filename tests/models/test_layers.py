"""Our layers, and the functions that find and constrain weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from autoenc.models.layers import (
    BatchNorm1d,
    BatchNorm2d,
    TiedLinear,
    constrain_columns,
    weighted_layers,
)


class TiedPair(nn.Module):
    """4 numbers to `features`, of which the first `code_size` are made into 4 numbers again."""

    def __init__(self, *, features: int = 2, code_size: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.source = nn.Linear(4, features)
        self.tied = TiedLinear(self.source, inputs=code_size)

    def forward(self, inputs: Tensor) -> Tensor:
        code: Tensor = self.source(inputs)[:, : self.tied.in_features]
        return self.tied(code)  # type: ignore[no-any-return]


class UnitRows(nn.Module):
    """A parametrization, with a layer of its own that is none of the model's."""

    def __init__(self) -> None:
        super().__init__()
        self.decoy = nn.Linear(1, 1)

    def forward(self, weight: Tensor) -> Tensor:
        norms: Tensor = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
        return weight / norms


# --- tied weights ---


@pytest.mark.parametrize(("features", "code_size"), [(2, 2), (4, 2)])
def test_a_tied_layer_multiplies_by_the_transpose(features: int, code_size: int) -> None:
    model = TiedPair(features=features, code_size=code_size)
    bias = model.tied.bias
    assert bias is not None
    torch.nn.init.normal_(bias)
    codes = torch.randn(3, code_size)
    torch.testing.assert_close(model.tied(codes), codes @ model.source.weight[:code_size] + bias)
    assert (model.tied.in_features, model.tied.out_features) == (code_size, 4)
    assert model.tied.weight.shape == (4, code_size)


def test_tied_weights_are_listed_once() -> None:
    names = ["source.weight", "source.bias", "tied.bias"]
    assert [name for name, _ in TiedPair().named_parameters()] == names
    assert list(TiedPair().state_dict()) == names


def test_gradients_come_from_both_uses() -> None:
    model, twin, code_size = TiedPair(features=4, code_size=2), nn.Linear(2, 4), 2
    with torch.no_grad():
        twin.weight.copy_(model.tied.weight)
        twin.bias.zero_()
    inputs = torch.randn(5, 4)
    twin(model.source(inputs)[:, :code_size]).square().sum().backward()
    assert model.source.weight.grad is not None
    assert twin.weight.grad is not None
    expected = model.source.weight.grad.clone()
    expected[:code_size] += twin.weight.grad.T
    model.source.weight.grad = None
    model(inputs).square().sum().backward()
    torch.testing.assert_close(model.source.weight.grad, expected)


def test_a_copy_is_tied_to_its_own_source() -> None:
    model = TiedPair()
    copied = copy.deepcopy(model)
    before = model(torch.ones(1, 4))
    with torch.no_grad():
        copied.source.weight.mul_(3)
    assert torch.equal(copied.tied.weight, copied.source.weight.T)
    assert torch.equal(model(torch.ones(1, 4)), before)


def test_a_model_that_is_moved_or_converted_stays_tied() -> None:
    model = TiedPair().double()
    assert model(torch.ones(1, 4, dtype=torch.float64)).dtype == torch.float64
    # torch makes new parameters for this device, where it fills the old ones anew for a GPU.
    assert model.to("meta").tied.weight.device == torch.device("meta")


def test_a_tied_layer_without_bias() -> None:
    tied = TiedLinear(nn.Linear(4, 2), inputs=2, bias=False)
    assert list(tied.parameters()) == []
    assert not tied(torch.zeros(1, 2)).any()
    assert repr(tied) == "TiedLinear(in_features=2, out_features=4, bias=False)"


# --- batch normalisation ---


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (BatchNorm1d(3), nn.BatchNorm1d(3), (2, 3)),
        (BatchNorm2d(3), nn.BatchNorm2d(3), (2, 3, 1, 1)),
        (BatchNorm2d(3), nn.BatchNorm2d(3), (1, 3, 1, 2)),
    ],
)
def test_batch_normalisation_is_torchs(ours: nn.Module, theirs: nn.Module, shape: tuple[int, ...]) -> None:
    for trains in (True, False):
        values = torch.randn(shape)
        assert torch.equal(ours.train(trains)(values), theirs.train(trains)(values))
    for mine, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize(
    ("norm", "shape"), [(BatchNorm1d(2, eps=0.0), (1, 2)), (BatchNorm2d(2, eps=0.0), (1, 2, 1, 1))]
)
def test_a_single_value_is_normalised_with_the_running_statistics(
    norm: BatchNorm1d | BatchNorm2d, shape: tuple[int, ...]
) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([10.0, 10.0]))
        norm.bias.copy_(torch.tensor([0.0, 7.0]))
    given = torch.tensor([5.0, 5.0]).view(shape)
    result = norm.train()(given)  # (5 - 1) / 2 * 10, (5 - 2) / 3 * 10 + 7
    torch.testing.assert_close(result.flatten(), torch.tensor([20.0, 17.0]))
    assert norm.running_mean.tolist() == [1.0, 2.0]
    assert norm.running_var.tolist() == [4.0, 9.0]
    result.sum().backward()
    assert norm.weight.grad is not None
    torch.testing.assert_close(norm.weight.grad, torch.tensor([2.0, 1.0]))


# --- where the weights are ---


def test_layers_with_weights_are_found_in_order() -> None:
    inner = nn.Sequential(nn.BatchNorm2d(2), nn.ConvTranspose2d(2, 1, 3))
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), inner, nn.Flatten(), nn.Linear(4, 2))
    found = weighted_layers(model)
    assert [name for name, _ in found] == ["0.0", "1.1", "3"]
    assert [type(layer) for _, layer in found] == [nn.Conv2d, nn.ConvTranspose2d, nn.Linear]
    assert weighted_layers(nn.Linear(1, 1))[0][0] == ""


def test_a_tied_layer_is_found_where_it_stands() -> None:
    model = TiedPair()
    assert [name for name, _ in weighted_layers(model)] == ["source", "tied"]


def test_a_parametrized_layer_is_found_and_nothing_inside_it() -> None:
    layer = nn.Linear(3, 2)
    parametrize.register_parametrization(layer, "weight", UnitRows())
    model = nn.Sequential(nn.ReLU(), layer)
    assert [name for name, _ in weighted_layers(model)] == ["1"]
    torch.testing.assert_close(weighted_layers(model)[0][1].weight.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    "decoder",
    [
        nn.Sequential(nn.Linear(2, 4)),
        nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.ConvTranspose2d(2, 3, 2)),
        nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.Conv2d(2, 3, 1)),
        TiedPair().tied,
    ],
)
def test_the_columns_of_a_code_are_given_unit_norm(decoder: nn.Module) -> None:
    constrain_columns(decoder, code_size=2, key="bottleneck.kind")
    alone = torch.eye(2)  # a code of one entry at a time, so that the outputs are the columns
    responses = decoder(alone) - decoder(torch.zeros(2, 2))
    torch.testing.assert_close(responses.flatten(1).norm(dim=1), torch.ones(2))
