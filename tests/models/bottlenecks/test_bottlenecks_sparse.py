"""Sparse codes: the three penalties by hand, and whether a change of scale lowers them."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.sparse import Sparse, SparseSettings
from autoenc.models.layers import weighted_layers
from autoenc.settings import ConfigError

CODE = torch.tensor([[3.0, 0.0], [-4.0, 1.0]])


def sparse(
    kind: Literal["l1", "relative_l1", "kl"], *, code_size: int = 2, weight: float = 1.0, target: float = 0.2
) -> Sparse:
    return Sparse(SparseSettings(kind=kind, weight=weight, target=target), code_size=code_size)


def autoencoder(decoder: nn.Module, *, code_size: int = 2) -> AutoEncoder:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, code_size))
    return AutoEncoder(encoder, decoder, bottleneck=sparse("l1", code_size=code_size))


def affine(code_size: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(code_size, 9), nn.Unflatten(1, (1, 3, 3)))


def columns(model: AutoEncoder) -> Tensor:
    """Each code entry's outgoing weights, (code_size, ...)."""
    (_, layer), *_ = weighted_layers(model.decoder)
    return layer.weight.T


# --- the penalties ---


def test_l1_is_the_sum_of_absolute_values() -> None:
    output = sparse("l1", weight=0.5)(CODE)
    torch.testing.assert_close(output.penalty, torch.tensor([1.5, 2.5]))
    assert output.code is CODE


def test_relative_l1_is_relative_to_each_entrys_root_mean_square() -> None:
    first, second = math.sqrt((9 + 16) / 2), math.sqrt(1 / 2)
    expected = torch.tensor([3 / first, 4 / first + 1 / second])
    torch.testing.assert_close(sparse("relative_l1")(CODE).penalty, expected)


@pytest.mark.parametrize("scale", [1e-3, 7.0, 1e4])
def test_no_entry_gains_by_its_scale_in_relative_l1(scale: float) -> None:
    scales = torch.tensor([scale, 1.0], requires_grad=True)
    codes = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    penalty = sparse("relative_l1")(codes * scales).penalty.mean()
    assert penalty.item() == pytest.approx(sparse("relative_l1")(codes).penalty.mean().item(), rel=1e-4)
    penalty.backward()
    assert scales.grad is not None
    torch.testing.assert_close(scales.grad * scales.detach(), torch.zeros(2), atol=1e-5, rtol=0)


def test_relative_l1_of_a_dead_entry_is_nothing_to_learn_from() -> None:
    codes = torch.tensor([[0.0, 1.0], [0.0, 2.0]], requires_grad=True)
    sparse("relative_l1")(codes).penalty.sum().backward()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()


def test_kl_is_that_of_two_coins() -> None:
    codes = torch.tensor([[0.1, 0.6], [0.5, 0.6]])  # mean activities 0.3 and 0.6
    coins = torch.distributions.Bernoulli(probs=torch.tensor([0.3, 0.6]))
    expected = torch.distributions.kl_divergence(torch.distributions.Bernoulli(probs=torch.tensor([0.2, 0.2])), coins)
    torch.testing.assert_close(sparse("kl", weight=2.0)(codes).penalty, 2 * expected.sum())


def test_kl_is_zero_at_the_target_and_finite_at_the_ends() -> None:
    at_target = torch.tensor([[0.1, 0.2], [0.3, 0.2]])
    torch.testing.assert_close(sparse("kl")(at_target).penalty, torch.tensor(0.0), atol=1e-6, rtol=0)
    ends = torch.tensor([[0.0, 1.0], [0.0, 1.0]], requires_grad=True)
    penalty = sparse("kl")(ends).penalty
    penalty.backward()
    assert penalty.isfinite()
    assert penalty > 10
    assert ends.grad is not None
    assert ends.grad.isfinite().all()


def test_the_diagnostics_by_hand() -> None:
    codes = torch.tensor([[0.0, 2.0, 0.0, 1.0], [0.0, -4.0, 0.001, 0.0]])
    bottleneck = sparse("l1", code_size=4)
    reported = {**bottleneck(codes).diagnostics, **bottleneck.statistics(codes, indices=None)}
    values = {name: value.item() for name, value in reported.items()}
    expected = {"mean_activity": 7.001 / 8, "near_zero": 5 / 8, "silent_units": 2}
    assert values == pytest.approx(expected, rel=1e-6)


# --- columns of norm 1 ---


def test_columns_stay_of_norm_one_while_training() -> None:
    torch.manual_seed(0)
    model = autoencoder(affine())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    images = torch.rand(8, 1, 3, 3)
    torch.testing.assert_close(columns(model).norm(dim=1), torch.ones(2))
    before = columns(model).detach().clone()
    for _ in range(5):
        optimizer.zero_grad()
        model.objective(model(images), target=images).loss.backward()
        optimizer.step()
        torch.testing.assert_close(columns(model).norm(dim=1), torch.ones(2))
    assert (columns(model) - before).abs().max() > 0.05


def test_other_kinds_leave_the_decoder_alone() -> None:
    for kind in ("relative_l1", "kl"):
        decoder = affine()
        AutoEncoder(nn.Flatten(), decoder, bottleneck=sparse(kind))
        assert "0.weight" in dict(decoder.named_parameters())


def test_a_column_of_zeros_stays_one() -> None:
    decoder = nn.Linear(2, 3)
    nn.init.zeros_(decoder.weight)
    AutoEncoder(nn.Flatten(), decoder, bottleneck=sparse("l1"))
    assert torch.equal(decoder.weight, torch.zeros(3, 2))


@pytest.mark.parametrize("decoder", [nn.Flatten(), nn.Linear(3, 9)])
def test_a_decoder_without_a_column_for_each_entry_is_refused(decoder: nn.Module) -> None:
    with pytest.raises(ConfigError, match=r"^bottleneck\.kind: "):
        AutoEncoder(nn.Flatten(), decoder, bottleneck=sparse("l1"))
