"""What is lost at long and at short wavelengths, of reconstructions whose loss is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autoenc.data.datasets import Split
from autoenc.data.noise.pixels import NoNoise
from autoenc.evaluation.evaluation_settings import Full
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scored_split import ScoredSplit, Trained
from autoenc.evaluation.spectral_metrics import lost_share
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.bottleneck import Plain
from tests.devices import cpu

SIDE = 32


def waves(count: int = 40) -> Tensor:
    """uint8 images (N, 1, 32, 32): a wave of 16 pixels across and one of 2.5 pixels down, of random phases."""
    places, phases = torch.arange(SIDE), torch.rand(2, count, 1, generator=torch.Generator().manual_seed(0))
    across = torch.cos(2 * torch.pi * (places / 16 + phases[0]))
    down = torch.cos(2 * torch.pi * (places / 2.5 + phases[1]))
    return (127.5 + 60 * across[:, None, None, :] + 60 * down[:, None, :, None]).round().to(torch.uint8)


class Reconstruct(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, code: Tensor) -> Tensor:
        images = code.reshape(-1, 1, SIDE, SIDE)
        rows = images.mean(2, keepdim=True).expand_as(images)  # without the wave down
        return {
            "exact": images,
            "brighter": images + 0.1,
            "half": images / 2,
            "grey": torch.full_like(images, 0.3),
            "without detail": rows,
            "without shapes": images - rows,
        }[self.way]


@pytest.mark.parametrize(
    ("way", "shape", "detail"),
    [
        ("exact", 0, 0),
        ("brighter", 0, 0),
        ("half", 0.25, 0.25),
        ("grey", 1, 1),
        ("without detail", 0, 1),
        ("without shapes", 1, 0),
    ],
)
def test_what_is_lost(way: str, shape: float, detail: float) -> None:
    images = waves()
    trained = Trained(
        model=AutoEncoder(nn.Flatten(), Reconstruct(way), bottleneck=Plain(code_size=SIDE * SIDE)),
        split=Split(images, torch.zeros(len(images), dtype=torch.int64)),
        noise=NoNoise(),
        code_size=SIDE * SIDE,
        device=cpu(),
        settings=Full(nll_samples=0, probe_images=10, other_dataset=None),
    )
    scored = ScoredSplit(name="test", split=trained.split, trained=trained)
    for name, expected in (("shape_error", shape), ("detail_error", detail)):
        function = METRICS[name].per_split
        assert function is not None
        assert function(scored) == pytest.approx(expected, abs=0.02)


def test_the_wavelengths_between_belong_to_neither_and_the_limits_are_8_and_4_pixels() -> None:
    images = np.ones((64, 64))
    errors = np.zeros((64, 64))
    errors[8, 0] = errors[0, 8] = errors[0, 56] = 1  # 8 pixels, also at the negative frequency
    errors[16, 0] = 1  # 4 pixels
    errors[6, 6] = 1  # 64 / 6 pixels each way: 7.5 along the diagonal
    inside = sum(np.hypot(*pair) <= 8 for pair in np.ndindex(17, 17) if pair[0] and pair[1])
    of_shapes = 1 + 4 * 8 + 4 * inside  # frequencies in the circle of radius 8: the middle, the axes, four quarters
    assert lost_share(errors, images, part="shape") == pytest.approx(3 / of_shapes)
    assert lost_share(errors, images, part="detail") == 0
    errors[12, 12] = 1  # 5.3 pixels each way: 3.8 along the diagonal
    assert lost_share(errors, images, part="detail") != 0


def test_images_without_power_have_no_share() -> None:
    assert lost_share(np.ones((64, 64)), np.zeros((64, 64)), part="shape") is None
