"""Losses averaged over pixels: against numbers by hand, torch's functions, and numerical gradients."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.losses import LOSSES, Emphasis, Loss, LossSettings
from autoenc.models.losses.pixel_means import BinaryCrossEntropy
from autoenc.models.output_ranges import OutputName
from autoenc.settings import ConfigError

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
NAMES = ["mse", "l1", "bce"]


def settings_named(name: str, *, corrupted: float = 1.0, kept: float = 1.0) -> LossSettings:
    return LOSSES.parse({"name": name, "corrupted_weight": corrupted, "kept_weight": kept})


def loss_named(name: str, *, corrupted: float = 1.0, kept: float = 1.0) -> Loss:
    return settings_named(name, corrupted=corrupted, kept=kept).build(image_shape=(2, 3, 4))


def predictions(raw: Tensor, *, loss: Loss, output: OutputName) -> Tensor:
    """What a model with this loss and this output range gives to the loss."""
    return AutoEncoder(nn.Flatten(), nn.Flatten(), loss=loss, output=output).predictions(raw)


def some_batch() -> tuple[Tensor, Tensor]:
    """Predictions and targets, (5, 2, 3, 4)."""
    generator = torch.Generator().manual_seed(1)
    predicted, target = torch.rand(2, 5, 2, 3, 4, generator=generator, dtype=torch.float64)
    return predicted, target


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
    loss = loss_named(name)
    given = (predictions(raw, loss=loss, output=output), target)
    torch.testing.assert_close(loss.per_image(*given), torch.tensor([first, second], dtype=torch.float64))
    assert loss(*given).item() == pytest.approx((first + second) / 2)


def test_a_loss_that_gives_only_per_pixel_has_the_rest() -> None:
    class Excess(Loss):
        unit = "how much too bright"

        def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
            return (prediction - target).clamp(min=0)

    class Nats(Excess):
        in_nats = True

    reconstruction = torch.tensor([[0.0, 0.5], [1.0, 0.25]]).reshape(2, 1, 1, 2)
    given = (reconstruction, torch.zeros(2, 1, 1, 2))
    assert Excess().per_image(*given).tolist() == [0.25, 0.625]
    assert Excess()(*given).item() == 0.4375
    assert Nats().per_image(*given).tolist() == [0.5, 1.25]
    assert Nats().likelihood().in_nats
    with pytest.raises(ConfigError, match="needs a likelihood in nats"):
        Excess().likelihood()


def test_cross_entropy_of_extreme_logits_keeps_its_digits() -> None:
    # Through probabilities a float32 sigmoid of -200 is 0 and its logarithm has to be cut off (torch does at -100).
    raw, target = torch.full((1, 1, 1, 1), -200.0), torch.ones(1, 1, 1, 1)
    loss = loss_named("bce")
    for output, wanted in [("sigmoid", 200), ("tanh", 400)]:
        logits = predictions(raw, loss=loss, output=output)  # type: ignore[arg-type]
        assert loss(logits, target).item() == wanted
        assert loss.per_image(logits, target).item() == wanted


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pixel", [-0.5, 0.0, 1.0, 1.5])
def test_cross_entropy_of_the_identity_is_finite_at_and_beyond_the_edges(pixel: float, dtype: torch.dtype) -> None:
    # bfloat16 is what a model gives under `device.precision=bfloat16`.
    loss = BinaryCrossEntropy()
    logits = predictions(torch.full((1, 1, 1, 1), pixel, dtype=dtype), loss=loss, output="identity")
    right, wrong = torch.full((1, 1, 1, 1), float(pixel > 0.5)), torch.full((1, 1, 1, 1), float(pixel < 0.5))
    assert loss(logits, right).item() == pytest.approx(0, abs=1e-5)
    assert loss(logits, wrong).item() == pytest.approx(-math.log(1e-6), rel=1e-2)
    torch.testing.assert_close(loss(logits, wrong), loss.per_image(logits, wrong).mean())


# --- emphasis: Vincent et al. 2010, section 5 ---


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        # The images of `test_by_hand`, where the noise took the first pixel of the first image, and no other: 3 times
        # the corrupted pixel's error and half of the others', and still divided by the two pixels there are.
        ("mse", (3 / 4 + 1 / 32) / 2, 1 / 32 / 2),
        ("l1", (3 / 2 + 1 / 8) / 2, 1 / 8 / 2),
        (
            "bce",
            (3 * math.log(2) + math.log(4 / 3) / 2) / 2,
            (math.log(4 / 3) / 2 + math.log(4) / 2 + math.log(2)) / 4,
        ),
    ],
)
def test_emphasis_by_hand(name: str, first: float, second: float) -> None:
    reconstruction = torch.tensor([1 / 2, 1 / 4, 3 / 4, 1 / 2], dtype=torch.float64).reshape(2, 1, 1, 2)
    target = torch.tensor([1, 0, 1 / 2, 1 / 2], dtype=torch.float64).reshape(2, 1, 1, 2)
    corrupted = torch.tensor([True, False, False, False]).reshape(2, 1, 1, 2)
    loss = loss_named(name, corrupted=3.0, kept=0.5)
    predicted = predictions(reconstruction, loss=loss, output="identity")
    found = loss.per_image(predicted, target, corrupted=corrupted)
    torch.testing.assert_close(found, torch.tensor([first, second], dtype=torch.float64))
    mean = loss(predicted, target, corrupted=corrupted)
    assert mean.item() == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_corrupted_may_be_told_by_pixel_or_for_all(name: str) -> None:
    batch = some_batch()
    loss, plain = loss_named(name, corrupted=3.0, kept=0.5), loss_named(name)
    by_pixel = torch.rand(5, 1, 3, 4, generator=torch.Generator().manual_seed(2)) < 0.4
    torch.testing.assert_close(
        loss.per_image(*batch, corrupted=by_pixel), loss.per_image(*batch, corrupted=by_pixel.expand(5, 2, 3, 4))
    )
    everywhere, nowhere = torch.full((2, 1, 1, 1, 1), fill_value=True)
    torch.testing.assert_close(loss(*batch, corrupted=everywhere), 3 * plain(*batch))
    torch.testing.assert_close(loss(*batch, corrupted=~nowhere), plain(*batch) / 2)
    torch.testing.assert_close(loss(*batch), plain(*batch) / 2)  # nothing is said to be corrupted


@pytest.mark.parametrize("name", NAMES)
def test_an_even_emphasis_leaves_the_loss_alone_to_the_bit(name: str) -> None:
    assert settings_named(name).emphasis.even
    assert not settings_named(name, corrupted=2.0, kept=2.0).emphasis.even
    batch, loss = some_batch(), loss_named(name)
    corrupted = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    assert torch.equal(loss(*batch, corrupted=corrupted), loss(*batch))


def test_a_weight_is_not_negative() -> None:
    with pytest.raises(ConfigError, match=r"^loss.kept_weight=-1"):
        settings_named("mse", kept=-1.0)
    assert settings_named("mse", kept=0.0).emphasis == Emphasis(corrupted=1.0, kept=0.0)


# --- the likelihood of which a loss is the mean ---


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("mse", "nats an image, Gaussian likelihood of standard deviation 0.7071"),
        ("l1", "nats an image, Laplace likelihood of scale 1"),
        ("bce", "nats an image, Bernoulli likelihood"),
    ],
)
def test_the_likelihoods_unit_names_it(name: str, unit: str) -> None:
    likelihood = loss_named(name).likelihood()
    assert likelihood.unit == unit
    assert likelihood.likelihood() is likelihood
