"""What the settings of a config do in the model that is built from it, with known answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoenc.config import ExperimentConfig
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import Gaussian
from autoenc.models.layers import weighted_layers
from autoenc.training.step import TrainingStep
from tests.conftest import Train
from tests.test_family import combined

SHAPE = (1, 8, 8)
PIXELS = 64


def images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def training_step(config: ExperimentConfig, model: AutoEncoder) -> TrainingStep:
    return TrainingStep(
        model.train(),
        noise=config.noise,
        optimizer=config.optimizer.build(model.parameters()),
        device=config.device.build(),
        generator=torch.Generator().manual_seed(0),
    )


def model_of(**groups: dict[str, Any]) -> AutoEncoder:
    return combined(groups).build_model(image_shape=SHAPE)


# --- the encoder's input ---


@pytest.mark.parametrize(("output", "black", "white"), [("identity", 0, 1), ("sigmoid", 0, 1), ("tanh", -1, 1)])
@pytest.mark.parametrize("salt", [0.0, 1.0])
def test_noise_comes_before_the_map_to_the_models_range(output: str, black: int, white: int, salt: float) -> None:
    """All pixels become pepper (0) or salt (1) in [0, 1], and only then enter the model's range."""
    noise = {"name": "salt_and_pepper", "probability": 1.0, "salt": salt}
    config = combined({"architecture": {"output": output}, "noise": noise})
    model = config.build_model(image_shape=SHAPE)
    given: list[Tensor] = []
    model.encoder.register_forward_pre_hook(lambda encoder, inputs: given.append(inputs[0]))
    step = training_step(config, model)
    step.begin(epoch=0)
    step.train_step(images())
    stored = (images() * 255).to(torch.uint8)
    device = config.device.build()
    measure(model, stored, device=device, noise=config.noise, split="validation", metrics=[METRICS["mse"]])
    assert len(given) >= 2
    for batch in (given[0], given[-1]):
        assert batch.unique().tolist() == [white if salt else black]


# --- the likelihood of a variational bottleneck ---


@pytest.mark.parametrize("bottleneck", ["gaussian", "importance_weighted"])
@pytest.mark.parametrize(
    ("loss", "metric", "constant"),
    [
        ("mse", "mse", PIXELS * math.log(math.pi) / 2),  # a Gaussian of variance 1/2
        ("l1", "mae", PIXELS * math.log(2)),  # a Laplace distribution of scale 1
        ("bce", "bce", 0.0),
    ],
)
def test_a_pixel_mean_becomes_the_likelihood_of_which_it_is_the_mean(
    bottleneck: str, loss: str, metric: str, constant: float
) -> None:
    model = model_of(bottleneck={"name": bottleneck}, loss={"name": loss}).eval()
    output = model(images())
    reconstruction = output.reconstruction
    error = {
        "mse": (reconstruction - images()).square().mean(),
        "mae": (reconstruction - images()).abs().mean(),
        "bce": nn.functional.binary_cross_entropy(reconstruction, images()),
    }[metric]
    found = model.objective(output, target=images()).parts["reconstruction"]
    torch.testing.assert_close(found, (PIXELS * error + constant).detach())


def test_the_settings_of_the_gaussian_likelihood_reach_it() -> None:
    values = {"name": "gaussian", "std": 0.3, "min_std": 0.05}
    fixed = model_of(loss={**values, "variance": "fixed"}).loss
    errors = images() - images().flip(0)
    expected = -torch.distributions.Normal(0.0, 0.3).log_prob(errors).flatten(1).sum(1)
    torch.testing.assert_close(fixed.per_image(images(), images().flip(0)), expected)
    for variance, shape in (("shared", ()), ("per_pixel", SHAPE)):
        learned: Any = model_of(loss={**values, "variance": variance}).loss
        torch.testing.assert_close(learned.std, torch.full(shape, 0.3))
        nn.init.constant_(learned.log_ratio, -50.0)
        torch.testing.assert_close(learned.std, torch.full(shape, 0.05))


def test_the_weights_of_corrupted_and_kept_pixels_reach_the_loss() -> None:
    weights = {"name": "mse", "corrupted_weight": 3.0, "kept_weight": 0.5}
    loss: Any = model_of(loss=weights, noise={"name": "masking"}).loss
    corrupted = torch.zeros(6, *SHAPE, dtype=torch.bool)
    corrupted[..., :2] = True  # a quarter
    zeros, ones = torch.zeros(6, *SHAPE), torch.ones(6, *SHAPE)
    assert loss(zeros, ones, corrupted=corrupted).item() == pytest.approx(0.25 * 3.0 + 0.75 * 0.5)


# --- the bottleneck ---


def penalty_of(model: AutoEncoder) -> Tensor:
    penalty: Tensor = model.bottleneck(model.features(images())).penalty
    return penalty.detach().mean()


def test_beta_and_free_bits_reach_the_bottleneck() -> None:
    plain, weighted = (model_of(bottleneck={"name": "gaussian", "beta": beta}) for beta in (1.0, 4.0))
    torch.testing.assert_close(penalty_of(weighted), 4 * penalty_of(plain))
    torch.testing.assert_close(weighted(images()).divergence, plain(images()).divergence)
    free = penalty_of(model_of(bottleneck={"name": "gaussian", "free_bits": 100.0}))
    assert free.item() == 4 * 100  # each of the four entries is below


def test_warmup_is_counted_in_epochs() -> None:
    config = combined({"bottleneck": {"name": "gaussian", "warmup_epochs": 4.0}})
    model = config.build_model(image_shape=SHAPE)
    whole = penalty_of(model.eval())
    step = training_step(config, model)
    for epoch, share in ((0.0, 0.0), (1.0, 0.25), (2.5, 0.625), (4.0, 1.0), (9.0, 1.0)):
        step.begin(epoch=epoch)
        torch.testing.assert_close(penalty_of(model.train()), share * whole)
        torch.testing.assert_close(penalty_of(model.eval()), whole)


def test_a_run_tells_the_bottleneck_the_fraction_of_its_epochs(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs: list[float] = []
    monkeypatch.setattr(Gaussian, "begin_step", lambda self, *, epoch: epochs.append(epoch))
    train("bottleneck=gaussian", "training.epochs=2", "training.batch_size=30", "dataset.limit=100")
    assert epochs == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])  # 90 training images, three steps an epoch


@pytest.mark.parametrize("name", ["gaussian", "importance_weighted"])
def test_samples_reach_the_bottleneck(name: str) -> None:
    model = model_of(bottleneck={"name": name, "samples": 3})
    draws = model.draw(images(), generator=torch.Generator())
    assert draws is not None
    assert draws.shape == (3, 6, 4)


@pytest.mark.parametrize(
    ("name", "others", "changes"),
    [
        ("contractive", {}, {"weight": 0.1}),
        ("contractive", {}, {"at": "given"}),
        ("contractive", {}, {"estimator": "hutchinson"}),
        ("contractive", {"estimator": "hutchinson"}, {"probes": 2}),
        ("contractive", {}, {"safeguard": "unit_columns"}),
        ("regularized", {}, {"code_weight": 0.1}),
        ("regularized", {}, {"decoder_penalty": "gradient"}),
        ("regularized", {}, {"decoder_weight": 0.1}),
        ("regularized", {"decoder_penalty": "gradient"}, {"probes": 7}),
        ("sparse", {}, {"kind": "relative_l1"}),
        ("sparse", {}, {"weight": 0.1}),
        ("top_k", {}, {"k": 1}),
        ("vector_quantized", {}, {"vector_size": 4}),
        ("vector_quantized", {}, {"codebook_size": 3}),
        ("vector_quantized", {}, {"commitment": 2.0}),
        ("vector_quantized", {}, {"decay": 0.1}),
        ("vector_quantized", {"decay": 0.1}, {"restart_below": 0.9}),
        ("wasserstein", {}, {"weight": 2.0}),
    ],
    ids=str,
)
def test_every_setting_of_a_bottleneck_changes_the_training(
    name: str, others: dict[str, Any], changes: dict[str, Any]
) -> None:
    def losses(**fields: Any) -> list[float]:
        config = combined({"bottleneck": {"name": name, **others, **fields}, "noise": {"name": "masking"}})
        step = training_step(config, config.build_model(image_shape=SHAPE))
        found = []
        for _ in range(4):
            step.begin(epoch=0.5)
            found.append(step.train_step(images()).item())
        return found

    assert losses(**changes) != losses()


# --- the layers ---


def test_the_initialization_reaches_every_layer() -> None:
    for name in ("fully_connected", "linear", "mlp", "conv", "conv_linear", "denoising_conv", "residual"):
        models = {
            law: model_of(architecture={"name": name, "initialization": law})
            for law in ("torch_default", "xavier", "kaiming", "auto")
        }
        for law, model in models.items():
            for half in (model.encoder, model.decoder):
                _, last = weighted_layers(half)[-1]
                assert last.bias is not None
                assert bool(last.bias.any()) == (law == "torch_default"), (name, law)
        weights = [weighted_layers(model.decoder)[-1][1].weight for model in models.values()]
        assert not weights[0].equal(weights[1])
        assert not weights[1].equal(weights[2])
        assert not weights[2].equal(weights[3])
