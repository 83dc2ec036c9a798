"""Muon: the orthogonal matrix against its singular value decomposition, and steps written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from autoenc.training.muon import Muon, orthogonalized


def five_steps(value: float) -> float:
    """What five steps make of a singular value."""
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


def with_singular_values(values: list[float], *, shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """A random matrix U diag(values) V^T, with U and V^T."""
    drawn = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(drawn, full_matrices=False)
    return left @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right, left, right


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (3, 3)])
def test_singular_values_change_and_their_directions_stay(shape: tuple[int, int]) -> None:
    values = [2.0, 0.3, 0.01]
    matrix, left, right = with_singular_values(values, shape=shape)
    expected = [five_steps(value / math.hypot(*values)) for value in values]
    found = orthogonalized(matrix)
    torch.testing.assert_close(found, left @ torch.diag(torch.tensor(expected, dtype=torch.float64)) @ right)
    assert all(0.68 <= value <= 1.21 for value in expected)


def test_single_precision_is_enough() -> None:
    matrix, _, _ = with_singular_values([10.0**-power for power in range(5)], shape=(5, 200))
    error = orthogonalized(matrix.float()).double() - orthogonalized(matrix)
    assert error.abs().max() < 1e-3


@pytest.mark.parametrize("shape", [(1, 4), (3, 4)])
def test_zeros_stay_zeros(shape: tuple[int, int]) -> None:
    assert torch.equal(orthogonalized(torch.zeros(shape)), torch.zeros(shape))


def step_of(weight: Tensor, gradient: Tensor) -> Tensor:
    """How far a first step with learning rate 1 moves the weight."""
    parameter = nn.Parameter(weight.clone())
    parameter.grad = gradient
    Muon([parameter], lr=1.0, momentum=0.9, weight_decay=0.0).step()
    return parameter.detach() - weight


def test_the_step_of_a_matrix_is_orthogonal_whatever_the_length_of_the_gradient() -> None:
    rotation = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    expected = -0.2 * math.sqrt(2) * five_steps(math.sqrt(0.5)) * rotation
    for length in (1e-6, 1e3):
        torch.testing.assert_close(step_of(torch.zeros_like(rotation), length * rotation), expected)


def test_the_step_of_a_bias_has_the_root_mean_square_of_a_matrix() -> None:
    moved = step_of(torch.zeros(3), torch.tensor([3.0, 0.0, 4.0]))
    torch.testing.assert_close(moved, -0.2 * math.sqrt(3) * torch.tensor([0.6, 0.0, 0.8]))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_is_a_matrix_with_a_row_for_each_entry_of_its_first_axis(memory_format: torch.memory_format) -> None:
    gradient = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    expected = step_of(torch.zeros(4, 12), gradient.flatten(1))
    kernel = torch.zeros(4, 3, 2, 2).to(memory_format=memory_format)
    moved = step_of(kernel, gradient.to(memory_format=memory_format))
    torch.testing.assert_close(moved.flatten(1), expected)


def test_a_parameter_without_a_gradient_stays() -> None:
    still = nn.Parameter(torch.ones(2, 2))
    Muon([still], lr=1.0, momentum=0.9, weight_decay=0.5).step()
    assert torch.equal(still, torch.ones(2, 2))
