from __future__ import annotations

import pytest

from autoenc.comparison.labels import labels, metric_label


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([["architecture=linear"], ["architecture=conv"]], ["linear", "convolutional"]),
        ([["bottleneck=plain"], ["bottleneck=gaussian"]], ["vanilla", "VAE"]),
        ([["noise=none"], ["noise=gaussian"]], ["no noise", "Gaussian noise"]),
        (
            [["architecture.residual=true"], ["architecture.residual=false"]],
            ["with residual connections", "without residual connections"],
        ),
        (
            [
                ["variant=relu_throughout", "architecture.hidden=[128]"],
                ["variant=sigmoid_throughout", "architecture.hidden=[128,64]"],
            ],
            ["ReLU, 128 units", "sigmoid, 128-64 units"],
        ),
        (
            [["architecture.tied=false", "architecture.batch_norm=True"], ["architecture.tied=true"]],
            ["without tied weights, with batch norm", "with tied weights"],
        ),
        ([["architecture=my_plugin"]], ["my plugin"]),
        ([["a.code_size=2", "seed=0"], ["a.code_size=8", "seed=0"]], ["code size 2", "code size 8"]),
        (
            [["architecture=mlp", "seed=0"], ["architecture=mlp", "seed=1"], ["architecture=conv", "seed=0"]],
            ["MLP, seed 0", "MLP, seed 1", "convolutional, seed 0"],
        ),
        ([["architecture=conv", "training.epochs=2"]], ["convolutional, epochs 2"]),
        ([[]], ["the run"]),
        ([["architecture.hidden=[]"], ["architecture.hidden=[256,64]"]], ["no hidden layer", "256-64 units"]),
        ([["dataset.limit=1000"], ["dataset.limit=null"]], ["1,000 images", "all images"]),
        ([["dataset.test_limit=1000"], ["dataset.test_limit=null"]], ["1,000 test images", "all test images"]),
        ([["+a.b=1"], ["+a.b=2"]], ["b 1", "b 2"]),
        ([["initialize_from=/x/a/b"], ["initialize_from=null"]], ["weights of a/b", "random weights"]),
        ([["initialize_from=/x/a/b"], ["initialize_from=/y/a/b"]], ["/x/a/b", "/y/a/b"]),
    ],
)
def test_a_job_is_called_by_what_distinguishes_it(overrides: list[list[str]], expected: list[str]) -> None:
    assert labels(overrides) == expected


@pytest.mark.parametrize(
    ("name", "unit", "label"),
    [
        ("mse", "squares, pixels in [0, 1]", "reconstruction error: squares"),
        (
            "denoising_mse",
            "squares, pixels",
            "denoising error: from the noisy input to the clean image, squares",
        ),
        (
            "denoising_gain_db",
            "decibels over nothing: 10 log10",
            "denoising gain: decibels over nothing",
        ),
        ("knn_accuracy", "accuracy: fitted to at most 50 images", "k-NN accuracy: accuracy"),
        ("loss", "", "loss"),
    ],
)
def test_an_axis_has_the_first_words_of_the_unit(name: str, unit: str, label: str) -> None:
    assert metric_label(name, unit=unit) == label
