"""Evaluation: metrics of a model whose reconstructions are known, and how they are averaged."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from autoenc.data.noise import Noise
from autoenc.data.noise.corruption import Corruption
from autoenc.data.noise.pixels import Gaussian, NoNoise, SaltAndPepper
from autoenc.evaluation.batches import BATCH_SIZE, as_floats, fetch
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS, Bottleneck, BottleneckOutput
from autoenc.models.losses import Emphasis, Loss
from autoenc.models.losses.likelihoods import LearnedGaussianLikelihood
from autoenc.models.losses.pixel_means import BinaryCrossEntropy, MeanAbsoluteError, MeanSquaredError
from autoenc.models.output_ranges import OutputName
from tests.devices import cpu

OF_EACH_IMAGE = [name for name, metric in METRICS.items() if metric.per_image is not None]

NONE = NoNoise()
SPECKS = SaltAndPepper(probability=0.2, salt=0.5, by="channel")


class Whitening:
    """A noise of known result: everything turns white."""

    name: ClassVar[str] = "whitening"
    corrupts: ClassVar[bool] = True

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        return Corruption(torch.ones_like(images), images < 0.5)

    def at(self, severity: float) -> Whitening:
        return self


class Priced(Bottleneck):
    """The features are the code, at a price of 3; it tells their mean."""

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        price = torch.full((len(features),), 3.0)
        return BottleneckOutput(features, features[None], price, diagnostics={"brightness": features.detach().mean()})


class Affine(nn.Module):
    """A decoder that gives the code back, scaled and shifted, as an image (1, 2, 2)."""

    def __init__(self, *, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.scale = scale
        self.shift = shift

    def forward(self, code: Tensor) -> Tensor:
        return (self.scale * code + self.shift).reshape(-1, 1, 2, 2)


def known_model(
    *, scale: float = 1.0, shift: float = 0.0, output: OutputName = "identity", loss: Loss | None = None
) -> AutoEncoder:
    """Reconstructs x as scale * x + shift."""
    return AutoEncoder(nn.Flatten(), Affine(scale=scale, shift=shift), loss=loss, output=output)


def images_of(*levels: int) -> Tensor:
    """An image (1, 2, 2) for each level from 0 to 255."""
    return torch.tensor(levels, dtype=torch.uint8).reshape(-1, 1, 1, 1).repeat(1, 1, 2, 2)


def scores(model: AutoEncoder, images: Tensor, *, noise: Noise = NONE, split: str = "test") -> dict[str, float]:
    measured = measure(model, images, device=cpu(), noise=noise, split=split, metrics=list(METRICS.values()))
    return fetch(measured.averages)


def test_metrics_of_a_known_reconstruction() -> None:
    found = scores(known_model(shift=0.1), images_of(51, 51, 51))  # 0.2, reconstructed as 0.3
    assert found == pytest.approx(
        {
            "mse": 0.01,
            "mae": 0.1,
            "psnr": 20.0,
            "bce": -0.2 * math.log(0.3) - 0.8 * math.log(0.7),
            "ssim": (2 * 0.2 * 0.3 + 1e-4) / (0.2**2 + 0.3**2 + 1e-4),  # nothing but the brightness differs
            "loss": 0.01,
        },
        rel=1e-5,
    )


@pytest.mark.parametrize(("shift", "decibels"), [(0.5, 20 * math.log10(2)), (0.1, 20.0), (0.01, 40.0), (0.0, 100.0)])
def test_psnr_of_a_known_error_is_at_most_100(shift: float, decibels: float) -> None:
    assert scores(known_model(shift=shift), images_of(0))["psnr"] == pytest.approx(decibels, rel=1e-4)


def test_psnr_is_the_mean_over_images_and_not_of_the_mean_error() -> None:
    # Doubling reconstructs black perfectly and is 0.2 off for 0.2.
    found = scores(known_model(scale=2.0), images_of(0, 51))
    assert found["psnr"] == pytest.approx((100 - 20 * math.log10(0.2)) / 2, rel=1e-4)
    assert found["mse"] == pytest.approx(0.04 / 2, rel=1e-5)


def test_mae_takes_both_signs() -> None:
    # Reconstructed as 1 - x: 0.2 too bright by 0.6, 0.8 too dark by 0.6.
    assert scores(known_model(scale=-1.0, shift=1.0), images_of(51, 204))["mae"] == pytest.approx(0.6, rel=1e-5)


@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_bce_is_taken_from_logits(output: OutputName) -> None:
    # So sure of black that the probability of white is 0 in float32, and right or wrong about it.
    model = known_model(scale=0.0, shift=-200.0, output=output)
    factor = 1 if output == "sigmoid" else 2
    assert scores(model, images_of(0))["bce"] == 0
    assert scores(model, images_of(255))["bce"] == pytest.approx(200 * factor)


def test_only_the_metrics_that_are_asked_for() -> None:
    model, images = known_model(), images_of(1)
    for metrics in ([], ["mse"]):
        found = measure(
            model, images, device=cpu(), noise=NONE, split="test", metrics=[METRICS[name] for name in metrics]
        ).averages
        assert set(found) == {"loss", *metrics}
        assert all(value.shape == () and not value.requires_grad for value in found.values())


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [(MeanSquaredError(), 0.01), (MeanAbsoluteError(), 0.1), (BinaryCrossEntropy(), 0.526134)],
)
def test_the_loss_is_the_one_of_the_training(loss: Loss, wanted: float) -> None:
    assert scores(known_model(shift=0.1, loss=loss), images_of(51))["loss"] == pytest.approx(wanted, rel=1e-5)


def test_the_loss_is_the_whole_objective() -> None:
    model = AutoEncoder(nn.Flatten(), Affine(shift=0.1), bottleneck=Priced(code_size=4))
    found = scores(model, images_of(51))
    assert found["loss"] == pytest.approx(3.01, rel=1e-5)
    assert found["reconstruction"] == pytest.approx(0.01, rel=1e-5)
    assert found["penalty"] == pytest.approx(3, rel=1e-5)
    assert found["brightness"] == pytest.approx(0.2, rel=1e-5)
    assert found["mse"] == pytest.approx(0.01, rel=1e-5)


# --- noise ---


def test_noise_gives_twins_against_the_clean_image_and_the_loss_of_the_denoising_input() -> None:
    found = scores(known_model(), images_of(51), noise=Whitening())  # 0.2 comes in as 1 and is given back as 1
    assert set(found) == {"loss"} | set(OF_EACH_IMAGE) | {f"denoising_{name}" for name in OF_EACH_IMAGE}
    assert found["mse"] == pytest.approx(0, abs=1e-12)
    assert found["psnr"] == pytest.approx(100)
    assert found["denoising_mse"] == pytest.approx(0.64, rel=1e-5)
    assert found["denoising_mae"] == pytest.approx(0.8, rel=1e-5)
    assert found["denoising_psnr"] == pytest.approx(-10 * math.log10(0.64), rel=1e-4)
    assert found["denoising_bce"] == pytest.approx(-0.8 * math.log(1e-6), rel=1e-2)
    assert found["loss"] == found["denoising_mse"]


def test_the_loss_weighs_the_pixels_that_the_noise_corrupted() -> None:
    # Of 0.2 and 0.6 that both turn white only the first counts as corrupted.
    loss = MeanSquaredError(emphasis=Emphasis(corrupted=3.0, kept=0.5))
    found = scores(known_model(loss=loss), images_of(51, 153), noise=Whitening())
    assert found["loss"] == pytest.approx((3 * 0.64 + 0.5 * 0.16) / 2, rel=1e-5)
    assert found["denoising_mse"] == pytest.approx((0.64 + 0.16) / 2, rel=1e-5)


def test_what_the_loss_has_learnt_is_among_the_scores() -> None:
    loss = LearnedGaussianLikelihood(std=0.25, min_std=0.01, shape=(1, 2, 2))
    found = scores(known_model(shift=0.1, loss=loss), images_of(51, 102))
    assert found["likelihood_std"] == pytest.approx(0.25)
    assert found["least_likelihood_std"] == pytest.approx(0.25)
    nats = 4 * (0.5 * (0.1 / 0.25) ** 2 + math.log(0.25 * math.sqrt(2 * math.pi)))
    assert found["loss"] == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("noise", [SPECKS, Gaussian(std=0.3, by="channel", clip=True)], ids=repr)
def test_frozen_noise_is_the_same_each_time_and_another_on_another_split(noise: Noise) -> None:
    images = images_of(*range(0, 250, 5))
    first = scores(known_model(), images, noise=noise, split="validation")
    torch.rand(1)  # what anyone else draws has no part in it
    assert scores(known_model(), images, noise=noise, split="validation") == first
    others = [scores(known_model(), images, noise=noise, split=split)["denoising_mse"] for split in ("test", "train")]
    assert len({first["denoising_mse"], *others}) == 3


def test_measuring_draws_nothing_from_torchs_own_generator() -> None:
    before = torch.get_rng_state()
    scores(known_model(), images_of(1, 2, 3), noise=SPECKS)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_is_new_in_every_batch() -> None:
    # With the same noise in each batch, twice the images would give the same mean.
    images = images_of(51).repeat(BATCH_SIZE, 1, 1, 1)
    once = scores(known_model(), images, noise=SPECKS)["denoising_mse"]
    twice = scores(known_model(), images.repeat(2, 1, 1, 1), noise=SPECKS)["denoising_mse"]
    assert once != pytest.approx(twice, rel=1e-5)


# --- averaging ---


@pytest.mark.parametrize("count", [BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 2 * BATCH_SIZE + 3])
def test_the_last_smaller_batch_weighs_by_its_images(count: int) -> None:
    # Everything is reconstructed as black; the last image alone is white.
    images = torch.zeros(count, 1, 2, 2, dtype=torch.uint8)
    images[-1] = 255
    found = scores(known_model(scale=0.0), images, noise=Whitening())
    for name in ("mse", "mae", "denoising_mse", "loss"):
        assert found[name] == pytest.approx(1 / count, rel=1e-5), name
    assert found["psnr"] == pytest.approx(100 * (count - 1) / count, rel=1e-5)


def test_an_empty_split_has_no_metrics() -> None:
    assert scores(known_model(), images_of(1)[:0], noise=SPECKS) == {}


# --- the model ---


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_measured_in_eval_mode_and_left_as_it_was(training: bool) -> None:
    decoder = nn.Sequential(nn.Dropout(0.5), Affine())
    model = AutoEncoder(nn.Flatten(), decoder).train(training)
    assert scores(model, images_of(*range(100)))["mse"] == pytest.approx(0, abs=1e-12)
    assert [module.training for module in model.modules()] == [training] * len(list(model.modules()))


def test_in_bfloat16_metrics_are_averaged_in_float32() -> None:
    images = images_of(*range(256)).repeat(8, 1, 1, 1)
    model = AutoEncoder(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), Affine())
    with torch.no_grad():
        nn.init.eye_(model.encoder[1].weight)  # type: ignore[index]
        nn.init.zeros_(model.encoder[1].bias)  # type: ignore[index]
    found = measure(
        model,
        images,
        device=cpu(precision="bfloat16"),
        noise=NONE,
        split="test",
        metrics=list(METRICS.values()),
    ).averages
    assert {value.dtype for value in found.values()} == {torch.float32}
    # Rounded to 8 bits of mantissa, pixels are off by 2**-9 of themselves at the most.
    assert 0 < fetch(found)["mae"] < 2**-9


# --- from bytes to numbers ---


@pytest.mark.parametrize("channels_last", [True, False])
def test_images_get_the_memory_format_of_the_device(channels_last: bool) -> None:
    images = torch.randint(256, (2, 3, 4, 5), dtype=torch.uint8)
    floats = as_floats(images, device=cpu(channels_last=channels_last))
    assert floats.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert floats.is_contiguous() != channels_last
    torch.testing.assert_close(floats, images / 255)


# --- the split as a whole ---


def test_statistics_are_those_of_the_split_and_not_averages_over_batches() -> None:
    """Each batch of 1,000 images uses one entry of the codebook, the split uses three of four."""
    settings = {"vector_size": 1, "codebook_size": 4, "commitment": 0.25, "decay": 0.9, "restart_below": 0.0}
    bottleneck = BOTTLENECKS.parse({"name": "vector_quantized", **settings}).build(code_size=4)
    bottleneck.register_buffer("codebook", torch.tensor([[0.0], [0.2], [0.4], [9.0]]))
    model = AutoEncoder(nn.Flatten(), Affine(), bottleneck=bottleneck)
    images = torch.cat([images_of(level).repeat(BATCH_SIZE, 1, 1, 1) for level in (0, 51, 102)])
    found = scores(model, images)
    assert found["perplexity"] == pytest.approx(3)
    assert found["rate_bits"] == pytest.approx(4 * math.log2(3))
    assert (found["unused_entries"], type(found["unused_entries"])) == (1, int)
    assert not any(name.startswith("batch_") for name in found)


def test_active_units_vary_over_the_split() -> None:
    """The mean varies between the batches of 1,000 images, and not within them."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 8))
    with torch.no_grad():
        encoder[1].weight.zero_()[:2].fill_(1.0)  # type: ignore[operator]
    bottleneck = BOTTLENECKS.parse(
        {"name": "gaussian", "samples": 1, "beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0}
    ).build(code_size=4)
    model = AutoEncoder(encoder, Affine(), bottleneck=bottleneck)
    images = torch.cat([images_of(level).repeat(BATCH_SIZE, 1, 1, 1) for level in (0, 255)])
    assert scores(model, images)["active_units"] == 2


def test_the_values_of_each_image_are_in_order() -> None:
    images = images_of(*range(0, 250, 50)).repeat(300, 1, 1, 1)
    measured = measure(known_model(scale=0.0), images, device=cpu(), noise=NONE, split="test", metrics=[METRICS["mse"]])
    torch.testing.assert_close(measured.per_image["mse"], (images[:, 0, 0, 0] / 255).square())
    assert measured.averages["mse"].item() == pytest.approx(measured.per_image["mse"].mean().item())
