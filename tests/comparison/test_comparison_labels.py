from __future__ import annotations

import pytest

from autoenc.comparison.labels import labels, metric_label


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([["architecture=linear"], ["architecture=conv"]], ["linear", "conv"]),
        ([["variant=conv_3_codes"], ["variant=conv_64_codes"]], ["conv 3 codes", "conv 64 codes"]),
        ([["a.code_size=2", "seed=0"], ["a.code_size=8", "seed=0"]], ["code size 2", "code size 8"]),
        (
            [["architecture=mlp", "seed=0"], ["architecture=mlp", "seed=1"], ["architecture=conv", "seed=0"]],
            ["mlp, seed 0", "mlp, seed 1", "conv, seed 0"],
        ),
        ([["architecture=conv", "training.epochs=2"]], ["conv, epochs 2"]),
        ([[]], ["the run"]),
        ([["architecture.hidden=[]"], ["architecture.hidden=[256,64]"]], ["hidden []", "hidden [256,64]"]),
        ([["+a.b=1"], ["+a.b=2"]], ["b 1", "b 2"]),
    ],
)
def test_a_job_is_called_by_what_distinguishes_it(overrides: list[list[str]], expected: list[str]) -> None:
    assert labels(overrides) == expected


@pytest.mark.parametrize(
    ("name", "unit", "label"),
    [
        ("mse", "squares, pixels in [0, 1]", "mse: squares"),
        ("denoising_mse", "squares, pixels", "denoising_mse: from the noisy input to the clean image, squares"),
        (
            "denoising_gain_db",
            "decibels over nothing: 10 log10",
            "denoising_gain_db: decibels over nothing",
        ),
        ("knn_accuracy", "accuracy: fitted to at most 50 images", "knn_accuracy: accuracy"),
        ("loss", "", "loss"),
    ],
)
def test_an_axis_has_the_first_words_of_the_unit(name: str, unit: str, label: str) -> None:
    assert metric_label(name, unit=unit) == label
