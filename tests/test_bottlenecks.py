"""Bottlenecks: the plain one, and what the base class does for those to come."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autoenc.bottlenecks import BOTTLENECKS, Bottleneck, BottleneckOutput, Plain
from autoenc.losses import MeanSquaredError

TARGET = torch.zeros(2, 1, 1, 2)
RECONSTRUCTION = torch.tensor([[1.0, 1.0], [2.0, 0.0]]).reshape(2, 1, 1, 2)  # squared errors 1 and 2 an image


class Absolute(Bottleneck):
    """Twice the features, half of them thrown away, at a price."""

    def feature_size(self, code_size: int) -> int:
        return 2 * code_size

    def forward(self, features: Tensor) -> BottleneckOutput:
        code = features[:, : features.shape[1] // 2]
        return BottleneckOutput(code=code, penalty=code.abs().sum(1), diagnostics={})


def test_the_choices() -> None:
    assert BOTTLENECKS.names() == ["plain"]
    assert isinstance(BOTTLENECKS.parse({"name": "plain"}).build(), Plain)


def test_plain_gives_the_features_at_no_penalty() -> None:
    features = torch.randn(5, 3, requires_grad=True)
    output = Plain()(features)
    assert output.code is features
    torch.testing.assert_close(output.penalty, torch.zeros(5))
    assert output.diagnostics == {}


@pytest.mark.parametrize("code_size", [1, 3, 64])
def test_plain_needs_as_many_features_as_the_code_has_entries(code_size: int) -> None:
    assert Plain().feature_size(code_size) == code_size


def test_plain_has_nothing_to_learn() -> None:
    assert list(Plain().parameters()) == []
    assert Plain().state_dict() == {}


def test_the_objective_of_plain_is_the_loss() -> None:
    loss = MeanSquaredError()
    objective = Plain().objective(
        loss, raw=RECONSTRUCTION, reconstruction=RECONSTRUCTION, target=TARGET, penalty=torch.zeros(2)
    )
    assert objective.item() == 1.5


def test_the_objective_adds_the_mean_penalty_an_image() -> None:
    bottleneck = Absolute()
    output = bottleneck(torch.tensor([[1.0, 9.0], [-4.0, 9.0]]))
    objective = bottleneck.objective(
        MeanSquaredError(), raw=RECONSTRUCTION, reconstruction=RECONSTRUCTION, target=TARGET, penalty=output.penalty
    )
    assert objective.item() == 1.5 + 2.5


def test_the_penalty_is_learned_from() -> None:
    features = torch.tensor([[1.0, 9.0], [-4.0, 9.0]], requires_grad=True)
    bottleneck = Absolute()
    bottleneck.objective(
        MeanSquaredError(),
        raw=RECONSTRUCTION,
        reconstruction=RECONSTRUCTION,
        target=TARGET,
        penalty=bottleneck(features).penalty,
    ).backward()
    torch.testing.assert_close(features.grad, torch.tensor([[0.5, 0.0], [-0.5, 0.0]]))


def test_the_base_class_is_no_bottleneck() -> None:
    with pytest.raises(NotImplementedError):
        Bottleneck().feature_size(3)
    with pytest.raises(NotImplementedError):
        Bottleneck()(torch.zeros(1, 3))
