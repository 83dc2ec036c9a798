"""What theory says of whole trainings."""

from __future__ import annotations

import pytest
import torch

from autoenc.config import parse
from autoenc.devices import Device
from autoenc.evaluation.baselines import principal_components
from autoenc.evaluation.batches import as_floats, fetch
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.training.step import TrainingStep
from tests.test_conf import composed

IMAGES = 100


def train_to_the_end(*overrides: str, steps: int) -> tuple[float, float]:
    """The error of an autoencoder on the images that it was trained on, all in every step, and PCA's on the same."""
    config = parse(composed(*overrides, "device=cpu", f"dataset.limit={IMAGES}", "dataset.validation_fraction=0"))
    device: Device = config.device.build()
    images = config.dataset.build(data_dir=config.data_dir).train.images
    model = config.build_model(image_shape=tuple(images.shape[1:]))  # type: ignore[arg-type]
    step = TrainingStep(
        model,
        noise=config.noise,
        optimizer=config.optimizer.build(model.parameters()),
        device=device,
        generator=torch.Generator().manual_seed(0),
    )
    batch = as_floats(images, device=device)
    for number in range(steps):
        step.set_learning_rate(config.optimizer.learning_rate * config.schedule.factor(number, total_steps=steps))
        step.train_step(batch)
    scores = measure(model, images, device=device, noise=config.noise, split="train", metrics=[METRICS["mse"]])
    components = config.architecture.code_size
    pca = principal_components(images, components=components, device=device)
    assert pca is not None
    return fetch(scores.averages)["mse"], (pca.reconstruct(batch) - batch).square().mean().item()


@pytest.mark.parametrize("architecture", [("linear",), ("conv_linear", "architecture.channels=[8]")])
def test_what_is_linear_comes_near_pca_on_the_training_images_and_never_beats_it(architecture: tuple[str, ...]) -> None:
    name, *settings = architecture
    error, least = train_to_the_end(
        f"architecture={name}",
        *settings,
        "architecture.code_size=4",
        "architecture.output=identity",
        "optimizer.learning_rate=1e-2",
        "schedule=cosine",
        steps=800,
    )
    assert error >= least * (1 - 1e-5)
    assert error <= least * 1.1


def test_what_is_not_linear_beats_pca() -> None:
    error, least = train_to_the_end(
        "architecture=mlp",
        "architecture.code_size=4",
        "architecture.hidden=[64,32]",
        "optimizer.learning_rate=1e-2",
        "schedule=cosine",
        steps=600,
    )
    assert error < 0.8 * least
