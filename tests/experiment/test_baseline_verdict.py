"""The sentence that compares a model with a baseline: like with like, on the numbers of the issue."""

from __future__ import annotations

import logging

import pytest

from autoenc.experiment.baseline_verdict import verdict
from tests.comparison.made_records import record

MASKED = {
    "mse": 0.0196,
    "pca_mse": 0.0170,
    "mean_image_mse": 0.0675,
    "noise_mse": 0.0797,
    "median_mse": 0.0803,
    "pca_denoising_mse": 0.0668,
    "linear_denoising_mse": 0.0311,
}
LIGHT = {"noise_mse": 0.0069, "median_mse": 0.0071, "pca_denoising_mse": 0.0115, "linear_denoising_mse": 0.0112}
PLAIN = {"mean_image_mse": 0.0675, "pca_mse": 0.0170}


@pytest.mark.parametrize(
    ("test", "level", "sentence"),
    [
        (
            {**MASKED, "denoising_mse": 0.0214},
            logging.INFO,
            "The denoising error, 0.0214, is below that of the best baseline, the best linear denoiser with 32 numbers "
            "(0.0311).",
        ),
        (
            {**MASKED, "denoising_mse": 0.0414},
            logging.WARNING,
            "The denoising error, 0.0414, is above that of the best linear denoiser with 32 numbers (0.0311).",
        ),
        (
            {**LIGHT, "mse": 0.0201, "pca_mse": 0.017, "denoising_mse": 0.0259},
            logging.WARNING,
            "The denoising error, 0.0259, is 3.8 times that of doing nothing (0.0069).",
        ),
        (
            {**PLAIN, "mse": 0.01},
            logging.INFO,
            "The error, 0.01, is below that of the best baseline, PCA with 32 numbers (0.017).",
        ),
        ({**PLAIN, "mse": 0.0171}, logging.INFO, "The error, 0.0171, is that of PCA with 32 numbers (0.017)."),
        ({**PLAIN, "mse": 0.02}, logging.WARNING, "The error, 0.02, is above that of PCA with 32 numbers (0.017)."),
        (
            {**PLAIN, "mse": 0.07},
            logging.WARNING,
            "The error, 0.07, is above that of the mean image (0.0675). The best baseline is PCA with 32 numbers "
            "(0.017).",
        ),
        (
            {**PLAIN, "mse": 0.03, "elbo_nats": -90.0},
            logging.INFO,
            "The ELBO is -90 nats an image; higher is better. The error, 0.03, is above that of PCA with 32 numbers "
            "(0.017).",
        ),
        (
            {**PLAIN, "mse": 0.2, "elbo_nats": -90.0},
            logging.WARNING,
            "The ELBO is -90 nats an image; higher is better. The error, 0.2, is 3.0 times that of the mean image "
            "(0.0675). The best baseline is PCA with 32 numbers (0.017).",
        ),
        (
            {**PLAIN, "mse": 0.0675, "rate_bits": 120.0},
            logging.INFO,
            "The error, 0.0675, is that of the mean image (0.0675).",
        ),
        (
            {"noise_mse": 0.0465, "median_mse": 0.0192, "mean_image_mse": 0.0675, "mse": 0.06, "denoising_mse": 0.0646},
            logging.WARNING,
            "The denoising error, 0.0646, is above that of doing nothing (0.0465). The best baseline is a 3x3 median "
            "filter (0.0192).",
        ),
        (
            {"noise_mse": 0.0, "median_mse": 0.003, "mse": 0.02, "denoising_mse": 0.02},
            logging.WARNING,
            "The denoising error, 0.02, is above that of doing nothing (0).",
        ),
        (
            {"mean_image_mse": 0.0675, "mse": 0.03},
            logging.INFO,
            "The error, 0.03, is below that of the best baseline, the mean image (0.0675).",
        ),
    ],
)
def test_the_verdict_compares_like_with_like(test: dict[str, float], level: int, sentence: str) -> None:
    found = verdict(record("a", test, code_size=32))
    assert found is not None
    assert (found.level, found.sentence) == (level, sentence)
    assert found.loses == ("below" not in sentence and "is that of" not in sentence)


@pytest.mark.parametrize(
    "test", [{}, None, {"mse": 0.1}, {"pca_mse": 0.1}, {"mse": None, "pca_mse": 0.1}, {"mse": 0.1, "pca_mse": None}]
)
def test_there_is_no_verdict_without_an_error_and_a_baseline(test: dict[str, float | None] | None) -> None:
    assert verdict(record("a", summary={"test": test})) is None
