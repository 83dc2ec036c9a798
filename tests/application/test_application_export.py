"""A model as an ONNX file."""

from __future__ import annotations

import itertools
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import autoenc
from autoenc.application import onnx_export
from autoenc.application.onnx_export import PartName, export
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.vector_quantized import VectorQuantizedSettings
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel
from tests.application.application_cases import apply, names_in
from tests.conftest import REPOSITORY
from tests.test_family import AXES, OUTPUTS, combined, names

SHAPE = (1, 9, 7)


def model_of(architecture: dict[str, Any], bottleneck: dict[str, Any], *, shape: tuple[int, int, int]) -> TrainedModel:
    """An untrained model whose batch normalisation has seen images."""
    activation = "sigmoid" if bottleneck.get("kind") == "kl" else "identity"
    config = combined({"architecture": {"code_activation": activation, **architecture}, "bottleneck": bottleneck})
    model = config.build_model(image_shape=shape)
    with torch.no_grad():
        model.train()(images(5, shape=shape))
    return TrainedModel(model, path=Path("run"), config=config, image_shape=shape, digests={})


def images(count: int, *, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


def computed(path: str, given: Tensor, *, outputs: list[str] | None = None) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (one.name for one in session.get_inputs())
    made: list[NDArray[np.float32]] = session.run(outputs, {name: given.numpy()})
    return made


def check(run: TrainedModel) -> None:
    """Reconstructions and codes of batches of other sizes than those of the export are the model's."""
    export(run, "model.onnx")
    for count in (3, 1):
        given = images(count, shape=run.image_shape)
        reconstructions, codes = computed("model.onnx", given)
        np.testing.assert_allclose(codes, run.encode(given).numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(reconstructions, run.reconstruct(given).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(AXES["architecture"])), ids=lambda place: str(AXES["architecture"][place]))
def test_every_architecture_and_every_bottleneck_is_exported(place: int, elsewhere: Path) -> None:
    """There are more architectures than bottlenecks."""
    bottleneck = AXES["bottleneck"][place % len(AXES["bottleneck"])]
    architecture = {**AXES["architecture"][place], "output": OUTPUTS[place % len(OUTPUTS)]}
    check(model_of(architecture, bottleneck, shape=AXES["shape"][place % 2 * 3]))


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("architecture", names("architecture"))
def test_every_architecture_with_every_bottleneck_is_exported(architecture: str, elsewhere: Path) -> None:
    for bottleneck, output in zip(AXES["bottleneck"], itertools.cycle(OUTPUTS), strict=False):
        check(model_of({"name": architecture, "output": output}, bottleneck, shape=SHAPE))
