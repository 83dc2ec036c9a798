"""The top-k bottleneck, by hand."""

from __future__ import annotations

import torch

from autoenc.models.bottlenecks.sparse import TopK, TopKSettings

FEATURES = torch.tensor([[3.0, -9.0, 1.0, 2.0], [-1.0, -4.0, -3.0, -2.0]])


def top_k(k: int, *, test_factor: float = 1.0, code_size: int = 4) -> TopK:
    return TopK(TopKSettings(k=k, test_factor=test_factor), code_size=code_size)


def test_the_largest_are_kept_and_not_those_of_the_largest_size() -> None:
    output = top_k(2)(FEATURES)
    assert output.code.tolist() == [[3, 0, 0, 2], [-1, 0, 0, -2]]
    assert output.samples[0].tolist() == output.code.tolist()


def test_the_gradient_passes_to_what_is_kept() -> None:
    features = FEATURES.clone().requires_grad_()
    weights = torch.arange(1.0, 9.0).view(2, 4)
    (top_k(2)(features).code * weights).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[1, 0, 0, 4], [5, 0, 0, 8]]


def test_outside_training_it_keeps_what_was_asked_for() -> None:
    bottleneck = top_k(1, test_factor=3.0)
    assert (bottleneck(FEATURES).code != 0).sum(1).tolist() == [1, 1]
    assert (bottleneck.eval()(FEATURES).code != 0).sum(1).tolist() == [3, 3]


def test_the_diagnostics_by_hand() -> None:
    features = torch.tensor([[3.0, 0.0, 1.0, 0.0], [2.0, 0.0, 0.0, 0.0]])  # as after a ReLU: kept zeros are not active
    output = top_k(2)(features)
    assert output.diagnostics["active_per_image"].item() == 1.5
    assert top_k(2).statistics(output.code, indices=None)["unused_units"].item() == 2


def test_the_test_factor_is_rounded() -> None:
    codes = top_k(3, test_factor=1.5, code_size=9).eval()(torch.arange(1.0, 10.0).view(1, 9)).code
    assert codes.count_nonzero() == 4
