"""The codebook against cases made by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.vector_quantized import VectorQuantized

SETTINGS = {
    "name": "vector_quantized",
    "vector_size": 2,
    "codebook_size": 3,
    "commitment": 0.25,
    "decay": 0.9,
    "restart_below": 0.0,
}
CODEBOOK = torch.tensor([[0.0, 0.0], [1.0, 1.0], [-4.0, 0.0]])
FEATURES = torch.tensor([[0.9, 1.2, 0.1, -0.1], [0.8, 0.7, 1.4, 1.0]])  # nearest: 1, 0 and 1, 1
DRAWS = torch.tensor([3, 0, 2])


def build(*, codebook: Tensor | None = CODEBOOK, **fields: Any) -> VectorQuantized:
    """With the codebook above, each entry used once by itself so far."""
    torch.manual_seed(0)
    bottleneck = BOTTLENECKS.parse({**SETTINGS, **fields}).build(code_size=4)
    assert isinstance(bottleneck, VectorQuantized)
    if codebook is not None:
        bottleneck.codebook.copy_(codebook)
        bottleneck.sums.copy_(codebook)
        bottleneck.begun.fill_(True)
    return bottleneck


# --- the code ---


def test_each_vector_becomes_its_nearest_entry_exactly() -> None:
    output = build()(FEATURES)
    assert output.code.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert output.samples[0].tolist() == output.code.tolist()
    assert build().indices(FEATURES).tolist() == [[1, 0], [1, 1]]


def test_the_nearest_are_those_of_all_distances() -> None:
    bottleneck = build(vector_size=4, codebook_size=50, codebook=None)
    features = torch.randn(200, 4)
    assert torch.equal(bottleneck.indices(features)[:, 0], torch.cdist(features, bottleneck.codebook).argmin(1))


def test_the_gradient_passes_straight_through() -> None:
    features = FEATURES.clone().requires_grad_()
    weights = torch.arange(1.0, 9.0).view(2, 4)
    (build()(features).code * weights).sum().backward()
    assert features.grad is not None
    assert torch.equal(features.grad, weights)


def test_the_commitment_pulls_features_and_not_the_codebook() -> None:
    features = FEATURES.clone().requires_grad_()
    bottleneck = build()
    output = bottleneck(features)
    distances = torch.tensor([(0.01 + 0.04 + 0.01 + 0.01) / 4, (0.04 + 0.09 + 0.16) / 4])
    torch.testing.assert_close(output.penalty, 0.25 * distances)
    torch.testing.assert_close(output.diagnostics["quantization_error"], distances.mean())
    output.penalty.sum().backward()
    torch.testing.assert_close(features.grad, 0.25 * 2 * (FEATURES - output.code.detach()) / 4)
    assert not bottleneck.codebook.requires_grad
    assert list(bottleneck.parameters()) == []


def test_the_use_of_the_codebook_by_hand() -> None:
    output = build()(FEATURES)  # used: 1 of 4, 3 of 4, none
    statistics = build().statistics(output.code, indices=output.indices)
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert statistics["perplexity"].item() == pytest.approx(math.exp(entropy))
    assert statistics["unused_entries"].item() == 1
    assert statistics["rate_bits"].item() == pytest.approx(2 * entropy / math.log(2))  # two vectors a code
    assert statistics["fixed_rate_bits"].item() == pytest.approx(2 * math.log2(3))


def test_a_learned_codebook_counts_as_parameters() -> None:
    model = AutoEncoder(nn.Linear(4, 4), nn.Identity(), bottleneck=build())
    assert model.parameter_count == (4 * 4 + 4) + 3 * 2


# --- how the codebook learns ---


def test_moving_averages_by_hand() -> None:
    bottleneck = build()
    output = bottleneck(FEATURES, draws=DRAWS)
    assert output.code.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]  # by the codebook as it was
    counts = torch.tensor([0.9 + 0.1, 0.9 + 0.3, 0.9])
    to_the_middle = torch.tensor([0.9 + 0.8 + 1.4, 1.2 + 0.7 + 1.0])
    sums = 0.9 * CODEBOOK + 0.1 * torch.stack([torch.tensor([0.1, -0.1]), to_the_middle, torch.zeros(2)])
    torch.testing.assert_close(bottleneck.counts, counts)
    torch.testing.assert_close(bottleneck.sums, sums)
    torch.testing.assert_close(bottleneck.codebook, sums / counts.unsqueeze(1), rtol=1e-4, atol=1e-6)


def test_counts_are_smoothed_by_laplace() -> None:
    """Appendix A.1, with the unsmoothed count of an entry at nothing."""
    bottleneck = build()
    bottleneck.counts.copy_(torch.tensor([3.0, 1.0, 0.0]))
    bottleneck(FEATURES, draws=DRAWS)
    counts = torch.tensor([2.7 + 0.1, 0.9 + 0.3, 0.0], dtype=torch.float64)
    smoothed = (counts + 1e-5) / (4 + 3e-5) * 4
    torch.testing.assert_close(bottleneck.codebook[2].double(), torch.tensor([-3.6, 0.0]).double() / smoothed[2])


def test_dead_entries_become_vectors_of_the_batch() -> None:
    bottleneck = build(restart_below=0.5)
    bottleneck.counts.copy_(torch.tensor([2.0, 2.0, 0.1]))
    bottleneck(FEATURES, draws=DRAWS)
    mean = (1.9 + 2.1 + 0.09) / 3
    torch.testing.assert_close(bottleneck.counts, torch.tensor([1.9, 2.1, mean]))
    torch.testing.assert_close(bottleneck.sums[2], mean * torch.tensor([0.8, 0.7]))  # vector 2 of the batch: draws[2]
    torch.testing.assert_close(bottleneck.codebook[2], torch.tensor([0.8, 0.7]), rtol=1e-4, atol=0)
    kept = build(restart_below=0.05)
    kept.counts.copy_(torch.tensor([2.0, 2.0, 0.1]))
    kept(FEATURES, draws=DRAWS)
    assert kept.counts[2].item() == pytest.approx(0.09)


def test_it_begins_with_vectors_of_the_first_batch_and_only_there() -> None:
    bottleneck = build(codebook=None, codebook_size=3)
    assert not bottleneck.begun
    output = bottleneck(FEATURES, draws=DRAWS)
    vectors = FEATURES.view(4, 2)
    first = vectors[DRAWS]
    assert {tuple(code) for code in output.code.view(-1, 2).tolist()} <= {tuple(entry) for entry in first.tolist()}
    assert output.code[0, :2].tolist() == vectors[0].tolist()  # it is among them
    nearest = torch.cdist(vectors, first).argmin(1)
    chosen = torch.eye(3)[nearest]
    counts = 0.9 * 4 / 3 + 0.1 * chosen.sum(0)
    torch.testing.assert_close(bottleneck.counts, counts)
    torch.testing.assert_close(bottleneck.sums, 0.9 * 4 / 3 * first + 0.1 * chosen.T @ vectors)
    assert bottleneck.begun
    before = bottleneck.codebook.clone()
    bottleneck(100 + FEATURES, draws=DRAWS)
    assert (bottleneck.codebook - before).abs().max() < 50


@pytest.mark.parametrize("learns", ["in eval mode", "without draws"])
def test_looking_does_not_teach(learns: str) -> None:
    bottleneck = build(codebook=None)
    before = {name: value.clone() for name, value in bottleneck.state_dict().items()}
    if learns == "in eval mode":
        bottleneck.eval()(FEATURES, draws=DRAWS)
    else:
        bottleneck(FEATURES)
    bottleneck.indices(FEATURES)
    assert set(before) == {"codebook", "counts", "sums", "begun"}
    assert all(torch.equal(value, before[name]) for name, value in bottleneck.state_dict().items())


def test_draws_pick_each_vector_as_seldom_twice_as_can_be() -> None:
    def drawn(count: int, **fields: Any) -> Tensor:
        bottleneck = build(codebook=None, **fields)
        draws = bottleneck.draw(torch.empty(count, 4), generator=torch.Generator().manual_seed(0))
        assert draws is not None
        return draws

    many = drawn(50, codebook_size=30)  # of 100 vectors
    assert len(many) == len(set(many.tolist())) == 30
    assert 0 <= many.min() < 50 <= many.max() < 100
    few = drawn(2, codebook_size=10)  # of 4
    assert sorted(few.bincount(minlength=4).tolist()) == [2, 2, 3, 3]
    assert build().eval().draw(torch.empty(2, 4), generator=torch.Generator()) is None
