"""The plain bottleneck, and what the base class does for the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import Bottleneck, BottleneckOutput, Plain

TARGET = torch.zeros(2, 1, 1, 2)
RECONSTRUCTION = torch.tensor([[1.0, 1.0], [2.0, 0.0]])  # squared errors 1 and 2 an image
FEATURES = torch.tensor([[1.0, 9.0], [-4.0, 9.0]])


class Absolute(Bottleneck):
    """Twice the features, half of them thrown away, at a price."""

    @property
    def feature_size(self) -> int:
        return 2 * self.code_size

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        code = features[:, : self.code_size]
        return BottleneckOutput(code, code.unsqueeze(0), penalty=code.abs().sum(1), diagnostics={})


class Fixed(nn.Module):
    """Gives the same tensor whatever it is given."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = values

    def forward(self, given: Tensor) -> Tensor:
        return self.values


def model(features: Tensor, bottleneck: Bottleneck) -> AutoEncoder:
    return AutoEncoder(Fixed(features), Fixed(RECONSTRUCTION.reshape(2, 1, 1, 2)), bottleneck=bottleneck)


def test_plain_gives_the_features_at_no_penalty() -> None:
    features = torch.randn(5, 3, requires_grad=True)
    output = Plain(code_size=3)(features)
    assert output.code is features
    assert torch.equal(output.samples, features.unsqueeze(0))
    assert output.penalty.sum().item() == 0
    assert output.diagnostics == {}
    assert output.divergence is None


def test_plain_has_nothing_to_learn_and_draws_nothing() -> None:
    plain = Plain(code_size=3)
    assert plain.state_dict() == {}
    assert plain.draw(torch.zeros(2, 3), generator=torch.Generator()) is None


def test_the_objective_of_plain_is_the_loss() -> None:
    autoencoder = model(FEATURES, Plain(code_size=2))
    objective = autoencoder.objective(autoencoder(TARGET), target=TARGET)
    assert objective.loss.item() == 1.5
    assert objective.parts == {}


def test_the_objective_adds_the_mean_penalty_an_image() -> None:
    autoencoder = model(FEATURES, Absolute(code_size=1))
    objective = autoencoder.objective(autoencoder(TARGET), target=TARGET)
    assert objective.loss.item() == 1.5 + 2.5
    assert {name: part.item() for name, part in objective.parts.items()} == {"reconstruction": 1.5, "penalty": 2.5}


def test_the_penalty_is_learned_from() -> None:
    features = FEATURES.clone().requires_grad_()
    autoencoder = model(features, Absolute(code_size=1))
    autoencoder.objective(autoencoder(TARGET), target=TARGET).loss.backward()
    torch.testing.assert_close(features.grad, torch.tensor([[0.5, 0.0], [-0.5, 0.0]]))
