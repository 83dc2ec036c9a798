from __future__ import annotations

import pytest
import torch

from autoenc.models.bottlenecks import BOTTLENECKS, TopK
from autoenc.settings import ConfigError

FEATURES = torch.tensor([[3.0, -9.0, 1.0, 2.0], [-1.0, -4.0, -3.0, -2.0]])


def test_the_largest_are_kept_and_not_those_of_the_largest_size() -> None:
    output = TopK(code_size=4, k=2, test_k=2)(FEATURES)
    assert output.code.tolist() == [[3, 0, 0, 2], [-1, 0, 0, -2]]
    assert output.samples[0].tolist() == output.code.tolist()


def test_the_gradient_passes_to_what_is_kept() -> None:
    features = FEATURES.clone().requires_grad_()
    weights = torch.arange(1.0, 9.0).view(2, 4)
    (TopK(code_size=4, k=2, test_k=2)(features).code * weights).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[1, 0, 0, 4], [5, 0, 0, 8]]


def test_outside_training_it_keeps_what_was_asked_for() -> None:
    bottleneck = TopK(code_size=4, k=1, test_k=3)
    assert (bottleneck(FEATURES).code != 0).sum(1).tolist() == [1, 1]
    assert (bottleneck.eval()(FEATURES).code != 0).sum(1).tolist() == [3, 3]


def test_the_diagnostics_by_hand() -> None:
    features = torch.tensor([[3.0, 0.0, 1.0, 0.0], [2.0, 0.0, 0.0, 0.0]])  # as after a ReLU: kept zeros are not active
    diagnostics = TopK(code_size=4, k=2, test_k=2)(features).diagnostics
    assert diagnostics["active_units"].item() == 1.5
    assert diagnostics["unused_units"].item() == 0.5


def test_all_of_them_are_the_plain_code() -> None:
    assert torch.equal(TopK(code_size=4, k=4, test_k=4)(FEATURES).code, FEATURES)


@pytest.mark.parametrize(
    ("k", "factor", "message"),
    [
        (5, 1.0, r"^bottleneck\.k=5: .*code of 4 entries"),
        (3, 2.0, r"^bottleneck\.test_factor=2\.0: 6 of 4 entries"),
    ],
)
def test_more_than_there_are_cannot_be_kept(k: int, factor: float, message: str) -> None:
    settings = BOTTLENECKS.parse({"name": "top_k", "k": k, "test_factor": factor})
    with pytest.raises(ConfigError, match=message):
        settings.check(code_size=4, code_activation="identity", tied=False)
    settings.check(code_size=6, code_activation="identity", tied=False)


def test_the_factor_is_applied_and_rounded() -> None:
    bottleneck = BOTTLENECKS.parse({"name": "top_k", "k": 3, "test_factor": 1.5}).build(code_size=9)
    assert isinstance(bottleneck, TopK)
    assert (bottleneck.k, bottleneck.test_k) == (3, 4)


@pytest.mark.parametrize(("key", "value"), [("k", 0), ("test_factor", 0.9)])
def test_what_is_out_of_range_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^bottleneck\.{key}="):
        BOTTLENECKS.parse({"name": "top_k", "k": 3, "test_factor": 1.0, key: value})
