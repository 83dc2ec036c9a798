"""Losses: against numbers worked out by hand, torch's own functions, and numerical gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.losses import LOSSES, BinaryCrossEntropy, Loss, MeanAbsoluteError, MeanSquaredError
from autoenc.output_ranges import OUTPUT_RANGES, OutputName

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
NAMES = ["mse", "l1", "bce"]


def loss_named(name: str, *, output: OutputName) -> Loss:
    return LOSSES.parse({"name": name}).build(output=output)


def some_batch(output: OutputName, *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Raw output, reconstruction and target, (5, 2, 3, 4), with reconstructions inside (0, 1)."""
    generator = torch.Generator().manual_seed(1)
    raw = torch.randn(5, 2, 3, 4, generator=generator, dtype=dtype)
    raw = raw.sigmoid() if output == "identity" else raw
    target = torch.rand(5, 2, 3, 4, generator=generator, dtype=dtype)
    return raw, OUTPUT_RANGES[output].to_images(raw), target


def test_the_choices() -> None:
    assert LOSSES.names() == sorted(NAMES)
    assert isinstance(loss_named("mse", output="sigmoid"), MeanSquaredError)
    assert isinstance(loss_named("l1", output="sigmoid"), MeanAbsoluteError)
    assert isinstance(loss_named("bce", output="sigmoid"), BinaryCrossEntropy)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        # Two images of two pixels: reconstructions (1/2, 1/4) and (3/4, 1/2), targets (1, 0) and (1/2, 1/2).
        ("mse", (1 / 4 + 1 / 16) / 2, (1 / 16 + 0) / 2),
        ("l1", (1 / 2 + 1 / 4) / 2, (1 / 4 + 0) / 2),
        ("bce", (math.log(2) + math.log(4 / 3)) / 2, (math.log(4 / 3) / 2 + math.log(4) / 2 + math.log(2)) / 2),
    ],
)
@pytest.mark.parametrize("output", OUTPUTS)
def test_by_hand(name: str, first: float, second: float, output: OutputName) -> None:
    reconstruction = torch.tensor([1 / 2, 1 / 4, 3 / 4, 1 / 2], dtype=torch.float64).reshape(2, 1, 1, 2)
    target = torch.tensor([1, 0, 1 / 2, 1 / 2], dtype=torch.float64).reshape(2, 1, 1, 2)
    logits = torch.logit(reconstruction)
    raw = {"identity": reconstruction, "sigmoid": logits, "tanh": logits / 2}[output]
    loss = loss_named(name, output=output)
    per_image = loss.per_image(raw, reconstruction, target)
    torch.testing.assert_close(per_image, torch.tensor([first, second], dtype=torch.float64))
    assert loss(raw, reconstruction, target).item() == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    ("name", "reference"), [("mse", F.mse_loss), ("l1", F.l1_loss), ("bce", F.binary_cross_entropy)]
)
def test_against_torch(name: str, reference: Callable[[Tensor, Tensor], Tensor], output: OutputName) -> None:
    raw, reconstruction, target = some_batch(output)
    loss = loss_named(name, output=output)
    torch.testing.assert_close(loss(raw, reconstruction, target), reference(reconstruction, target))
    each = torch.stack([reference(image, wanted) for image, wanted in zip(reconstruction, target, strict=True)])
    torch.testing.assert_close(loss.per_image(raw, reconstruction, target), each)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", NAMES)
def test_forward_is_the_mean_of_per_image(name: str, output: OutputName) -> None:
    batch = some_batch(output)
    loss = loss_named(name, output=output)
    per_image = loss.per_image(*batch)
    assert per_image.shape == (5,)
    assert loss(*batch).shape == ()
    torch.testing.assert_close(loss(*batch), per_image.mean())


def test_a_loss_that_gives_only_per_image_has_a_forward() -> None:
    class Largest(Loss):
        unit = "largest difference"

        def per_image(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
            return (reconstruction - target).abs().flatten(1).amax(1)

    reconstruction = torch.tensor([[0.0, 0.5], [1.0, 0.25]]).reshape(2, 1, 1, 2)
    assert Largest()(reconstruction, reconstruction, torch.zeros(2, 1, 1, 2)).item() == 0.75


def test_the_base_class_measures_nothing() -> None:
    image = torch.zeros(1, 1, 1, 1)
    with pytest.raises(NotImplementedError):
        Loss()(image, image, image)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str, output: OutputName) -> None:
    raw, _, target = some_batch(output)
    loss = loss_named(name, output=output)

    def mean(raw: Tensor) -> Tensor:
        return loss(raw, OUTPUT_RANGES[output].to_images(raw), target)  # type: ignore[no-any-return]

    def each(raw: Tensor) -> Tensor:
        return loss.per_image(raw, OUTPUT_RANGES[output].to_images(raw), target)

    assert torch.autograd.gradcheck(mean, raw.requires_grad_())
    assert torch.autograd.gradcheck(each, raw.requires_grad_())


def test_cross_entropy_of_extreme_logits_keeps_its_digits() -> None:
    # Through probabilities a float32 sigmoid of -200 is 0 and its logarithm has to be cut off (torch does at -100).
    raw, target = torch.full((1, 1, 1, 1), -200.0), torch.ones(1, 1, 1, 1)
    for output, wanted in [("sigmoid", 200), ("tanh", 400)]:
        loss = loss_named("bce", output=output)  # type: ignore[arg-type]
        assert loss(raw, raw.sigmoid(), target).item() == wanted
        assert loss.per_image(raw, raw.sigmoid(), target).item() == wanted


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pixel", [-0.5, 0.0, 1.0, 1.5])
def test_cross_entropy_of_the_identity_is_finite_at_and_beyond_the_edges(pixel: float, dtype: torch.dtype) -> None:
    # bfloat16 is what a model gives under `device.precision=bfloat16`.
    loss = BinaryCrossEntropy(output="identity")
    raw = torch.full((1, 1, 1, 1), pixel, dtype=dtype)
    right, wrong = torch.full((1, 1, 1, 1), float(pixel > 0.5)), torch.full((1, 1, 1, 1), float(pixel < 0.5))
    assert loss(raw, raw, right).item() == pytest.approx(0, abs=1e-5)
    assert loss(raw, raw, wrong).item() == pytest.approx(-math.log(1e-6), rel=1e-2)
    torch.testing.assert_close(loss(raw, raw, wrong), loss.per_image(raw, raw, wrong).mean())


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("grey", [0.1, 0.5, 0.9])
def test_cross_entropy_on_grey_targets_is_least_at_their_entropy(grey: float, output: OutputName) -> None:
    reconstruction = torch.linspace(0.01, 0.99, 99, dtype=torch.float64).reshape(99, 1, 1, 1)
    logits = torch.logit(reconstruction)
    raw = {"identity": reconstruction, "sigmoid": logits, "tanh": logits / 2}[output]
    values = BinaryCrossEntropy(output=output).per_image(raw, reconstruction, torch.full_like(raw, grey))
    entropy = -grey * math.log(grey) - (1 - grey) * math.log(1 - grey)
    assert values.min().item() == pytest.approx(entropy)
    assert reconstruction[values.argmin()].item() == pytest.approx(grey)


@pytest.mark.parametrize(("name", "words"), [("mse", "squared"), ("l1", "absolute"), ("bce", "nats")])
def test_units_are_named(name: str, words: str) -> None:
    assert words in loss_named(name, output="sigmoid").unit
