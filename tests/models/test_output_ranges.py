"""Output ranges: [0, 1] to the model's own range, and back, and logits."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
RAW = torch.linspace(-8, 8, 161, dtype=torch.float64)
IMAGES = torch.linspace(0, 1, 101, dtype=torch.float64)


@pytest.mark.parametrize(("output", "low", "high"), [("identity", 0, 1), ("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_images_become_what_the_encoder_reads(output: OutputName, low: float, high: float) -> None:
    given = OUTPUT_RANGES[output].to_model(IMAGES)
    torch.testing.assert_close(given, torch.linspace(low, high, 101, dtype=torch.float64))


@pytest.mark.parametrize(
    ("output", "raw", "pixel"),
    [
        ("identity", 1.7, 1.7),  # may leave [0, 1]
        ("identity", -0.2, -0.2),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", math.log(3), 0.75),
        ("tanh", 0.0, 0.5),
        ("tanh", math.atanh(0.5), 0.75),  # 0.5 of [-1, 1] is three quarters of the way
    ],
)
def test_raw_output_becomes_pixels(output: OutputName, raw: float, pixel: float) -> None:
    assert OUTPUT_RANGES[output].to_images(torch.tensor(raw, dtype=torch.float64)).item() == pytest.approx(pixel)


@pytest.mark.parametrize("output", OUTPUTS)
def test_logits_are_those_of_the_reconstruction(output: OutputName) -> None:
    raw = IMAGES[1:-1] if output == "identity" else RAW
    pixels = OUTPUT_RANGES[output].to_images(raw)
    torch.testing.assert_close(OUTPUT_RANGES[output].to_logits(raw), torch.log(pixels / (1 - pixels)))


@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_logits_do_not_go_through_the_reconstruction(output: OutputName) -> None:
    # In float32 the sigmoid of 40 is 1, and the logit of that infinite.
    logits = OUTPUT_RANGES[output].to_logits(torch.tensor([-40.0, 40.0]))
    assert logits.isfinite().all()
    assert logits.abs().min() >= 40


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_logits_of_the_identity_are_finite_everywhere(dtype: torch.dtype) -> None:
    raw = torch.tensor([-0.5, 0.0, 0.25, 1.0, 1.5], dtype=dtype)
    logits = OUTPUT_RANGES["identity"].to_logits(raw).double()
    bound = math.log((1 - 1e-6) / 1e-6)
    expected = torch.tensor([-bound, -bound, -math.log(3), bound, bound], dtype=torch.float64)
    torch.testing.assert_close(logits, expected, rtol=1e-2, atol=0)
