"""The denoising matrix: models with known gains, the same draws for all, and the noises of the settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch import Tensor, nn

from autoenc.data.noise import NOISES
from autoenc.evaluation.baselines import median_filter
from autoenc.evaluation.denoising_matrix import (
    denoising_errors,
    gain_db,
    level_of,
    mean_gain_db,
    mean_gains,
    noise_levels,
)
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.bottleneck import Plain
from autoenc.settings import ConfigError
from tests.pictures.subjects import CPU, images_of

IMAGES = images_of(1200, 1, 6, 6)  # more than one batch
USUAL: dict[str, dict[str, Any]] = {
    "gaussian": {"name": "gaussian", "std": 0.3, "by": "channel", "clip": True},
    "masking": {"name": "masking", "probability": 0.3, "by": "channel"},
    "blur": {"name": "blur", "std": 1.0},
    "occlusion": {"name": "occlusion", "size": 0.4, "value": 0.0},
}
LEVELS = noise_levels(
    {"gaussian": [0.1, 0.3], "masking": [0.5], "occlusion": [0.4]}, usual_settings=lambda kind: USUAL[kind]
)


ALL = np.arange(len(LEVELS))


class Constant(nn.Module):
    """Returns the clean images, whatever it is given, batch after batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Tensor] = [batch / 255 for batch in IMAGES.split(1000)]

    def forward(self, codes: Tensor) -> Tensor:
        self.batches.append(self.batches.pop(0))
        return self.batches[-1]


def model_of(decoder: nn.Module) -> AutoEncoder:
    return AutoEncoder(nn.Identity(), decoder, bottleneck=Plain(code_size=0)).eval()


def test_known_gains() -> None:
    """Doing nothing gains 0 dB everywhere. A perfect model gains as much as there is noise, an error of 1e-10 apart."""
    errors = denoising_errors([model_of(nn.Identity()), model_of(Constant())], IMAGES, levels=LEVELS, device=CPU)
    np.testing.assert_array_equal(errors.denoising[0], errors.noise)
    np.testing.assert_array_equal(gain_db(errors.noise, errors.denoising[0]), 0)
    assert mean_gain_db(errors.noise, errors.denoising[0], averaged=ALL) == (0, 0, (0, 1, 2, 3))
    expected = 10 * np.log10(errors.noise.mean(1, dtype=np.float64) / 1e-10)
    np.testing.assert_allclose(gain_db(errors.noise, errors.denoising[1]), expected)
    assert errors.noise[2].mean() == pytest.approx((IMAGES.double() / 255).square().mean().item() / 2, rel=0.02)


def test_the_cell_of_a_models_own_noise_has_the_scores_of_its_summary() -> None:
    """The draws are those of the test split, and the same for every model."""
    model = model_of(nn.AvgPool2d(3, stride=1, padding=1))
    errors = denoising_errors([model_of(nn.Identity()), model], IMAGES, levels=LEVELS, device=CPU)
    found = measure(model, IMAGES, device=CPU, noise=LEVELS[1].noise, split="test", metrics=[METRICS["mse"]])
    np.testing.assert_allclose(errors.denoising[1, 1], found.per_image["denoising_mse"], rtol=1e-5)
    alone = denoising_errors([model], IMAGES, levels=LEVELS[1:2], device=CPU)
    np.testing.assert_array_equal(alone.denoising[0, 0], errors.denoising[1, 1])


def test_the_median_filter_is_scipys() -> None:
    images = torch.rand(3, 2, 5, 7)
    expected = scipy.ndimage.median_filter(images.numpy(), size=(1, 1, 3, 3), mode="nearest")
    np.testing.assert_array_equal(median_filter(images).numpy(), expected)


def test_a_gain_is_of_mean_errors_and_its_standard_error_is_that_of_resampled_images() -> None:
    """An image without noise would have a gain of minus infinity; of mean errors it has none of its own."""
    baseline, errors = np.array([0.0, 0.3]), np.array([0.01, 0.02])
    assert gain_db(baseline, errors) == pytest.approx(10)
    generator = np.random.default_rng(0)
    baseline, errors = generator.gamma(2, 0.1, (3, 500)), generator.gamma(2, 0.05, (3, 500))
    estimate = mean_gain_db(baseline, errors, averaged=np.arange(3))
    picks = generator.integers(0, 500, (1000, 500))
    resampled = [gain_db(baseline[:, pick], errors[:, pick]).mean() for pick in picks]
    assert estimate.value == pytest.approx(float(gain_db(baseline, errors).mean()))
    assert estimate.standard_error == pytest.approx(np.std(resampled), rel=0.1)


def test_the_standard_error_is_that_of_a_sample() -> None:
    """Two images have influences of plus and minus 5 / ln 10 dB, with a standard deviation of sqrt(2) times that."""
    baseline, errors = np.array([[0.1, 0.3]]), np.array([[0.01, 0.01]])
    found = mean_gain_db(baseline, errors, averaged=np.array([0]))
    assert found.standard_error == pytest.approx(5 / np.log(10))
    assert mean_gain_db(baseline[:, :1], errors[:, :1], averaged=np.array([0])).standard_error is None


def test_the_means_of_a_model_are_over_the_listed_noises_without_its_own() -> None:
    """The models were trained on the first noise, on one that is not listed, and on the only one that is listed."""
    errors = denoising_errors([model_of(nn.AvgPool2d(3, stride=1, padding=1))], IMAGES, levels=LEVELS, device=CPU)
    gains = gain_db(errors.noise, errors.denoising[0])
    own = np.eye(4, dtype=bool)
    (first,) = mean_gains(errors, listed=ALL < 3, trained_on=own[:1])
    assert first["denoising_gain_db"].value == pytest.approx(gains[:3].mean())
    assert first["denoising_gain_unseen_db"].value == pytest.approx(gains[1:3].mean())
    over_median = gain_db(errors.median, errors.denoising[0])[:3].mean()
    assert first["denoising_gain_over_median_db"].value == pytest.approx(over_median)
    assert first["denoising_gain_unseen_db"].averaged == (1, 2)
    (other,) = mean_gains(errors, listed=ALL < 3, trained_on=own[3:])
    assert other["denoising_gain_unseen_db"] == other["denoising_gain_db"]
    (only,) = mean_gains(errors, listed=ALL < 1, trained_on=own[:1])
    assert list(only) == ["denoising_gain_db", "denoising_gain_over_median_db"]


def test_levels_have_the_usual_settings_and_tell_unusual_ones() -> None:
    assert [level.name for level in LEVELS] == ["gaussian 0.1", "gaussian 0.3", "masking 0.5", "occlusion 0.4"]
    assert LEVELS[1].heading == "Gaussian noise (std)"
    assert LEVELS[1].noise == NOISES.parse(USUAL["gaussian"])
    white = NOISES.parse({**USUAL["occlusion"], "value": 1.0})
    assert level_of(white, usual_settings=lambda kind: USUAL[kind]).name == "occlusion, value 1.0 0.4"
    both = NOISES.parse({"name": "compose", "noises": {"a": USUAL["blur"], "b": USUAL["masking"]}})
    assert level_of(both, usual_settings=lambda kind: USUAL[kind]).heading == "blur 1 and masking 0.3"


@pytest.mark.parametrize(
    ("noises", "message"),
    [
        ({"gausian": [0.1]}, "evaluation.noises.gausian: there is no such noise (did you mean 'gaussian'?)"),
        ({"compose": [0.1]}, "evaluation.noises.compose: it has no single strength; the choices are blur, dropout"),
        ({"gaussian": 0.1}, "evaluation.noises.gaussian=0.1: it must be a list of severities, such as [0.1, 0.3]"),
        ({"masking": [0.1, 2]}, "evaluation.noises.masking.probability=2: it must be a number from 0 to 1"),
        ({"masking": None, "blur": []}, "it has no severity of any noise"),
    ],
)
def test_wrong_noises_are_refused_with_the_choices(noises: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        noise_levels(noises, usual_settings=lambda kind: USUAL[kind])
    assert message in str(caught.value)


def test_a_noise_that_changes_nothing_is_refused() -> None:
    levels = noise_levels({"blur": [0.1]}, usual_settings=lambda kind: USUAL[kind])
    with pytest.raises(ConfigError, match=r"at 0\.1 it changes no pixel"):
        denoising_errors([], IMAGES, levels=levels, device=CPU)
