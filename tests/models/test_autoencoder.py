"""The model: its output, its objective, its ranges, and PCA as the known answer of the linear one."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from autoenc.data.datasets import DATASETS
from autoenc.models.architectures import ARCHITECTURES
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import Bottleneck, BottleneckOutput
from autoenc.models.bottlenecks.bottleneck import Passage, Plain
from autoenc.models.losses import Emphasis, Loss
from autoenc.models.losses.likelihoods import GaussianLikelihood, LearnedGaussianLikelihood
from autoenc.models.losses.pixel_means import BinaryCrossEntropy, MeanAbsoluteError, MeanSquaredError
from autoenc.models.output_ranges import OutputName
from autoenc.settings import ConfigError

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)


class Halving(Bottleneck):
    """Two features for each entry of the code: their sum, with a penalty and a diagnostic."""

    @property
    def feature_size(self) -> int:
        return 2 * self.code_size

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        code = features.unflatten(1, (-1, 2)).sum(2)
        return BottleneckOutput(code, code[None], code.abs().sum(1), diagnostics={"mean": code.detach().mean()})


class Spreading(Bottleneck):
    """Codes are the features plus draws, of each image as many as asked for, at a price by sample and image."""

    variational = True

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor:
        return torch.randn((samples or 2, len(features), self.code_size), generator=generator, dtype=features.dtype)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        samples = features[None] if draws is None else features + draws
        price = samples.abs().sum(2)  # (S, B)
        return BottleneckOutput(features, samples, 10 * price, diagnostics={}, divergence=price)

    def combine(self, errors: Tensor, penalty: Tensor) -> Tensor:
        return (errors + penalty).amax(0)


def small_model(output: OutputName, *, bottleneck: Bottleneck | None = None, loss: Loss | None = None) -> AutoEncoder:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh())
    code_size = 6 if bottleneck is None else bottleneck.code_size
    decoder = nn.Sequential(nn.Linear(code_size, 12), nn.Unflatten(1, (1, 3, 4)))
    return AutoEncoder(encoder, decoder, bottleneck=bottleneck, loss=loss, output=output)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_output_of_a_plain_model() -> None:
    model = small_model("sigmoid")
    assert isinstance(model.bottleneck, Plain)
    assert isinstance(model.loss, MeanSquaredError)
    output = model(torch.rand(5, 1, 3, 4))
    assert output.code.shape == (5, 6)
    assert output.reconstruction.shape == (5, 1, 3, 4)
    torch.testing.assert_close(output.reconstruction, torch.sigmoid(output.raw))
    assert torch.equal(output.samples, output.code[None])
    assert output.penalty == 0
    assert output.diagnostics == {}
    assert output.divergence is output.indices is None


def test_a_loss_of_logits_computes_no_reconstruction() -> None:
    model, images = small_model("sigmoid", loss=BinaryCrossEntropy()), torch.rand(5, 1, 3, 4)
    computed: list[Tensor] = []

    def to_images(raw: Tensor) -> Tensor:
        computed.append(raw)
        return raw.sigmoid()

    model.output_range = model.output_range._replace(to_images=to_images)
    output = model(images)
    loss = model.objective(output, target=images).loss
    assert computed == []
    torch.testing.assert_close(loss, nn.functional.binary_cross_entropy(output.reconstruction, images))
    assert len(computed) == 1
    assert output.reconstruction is output.reconstruction


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("bottleneck", [None, Halving(code_size=3)])
def test_encode_and_decode_agree_with_forward_to_the_bit(output: OutputName, bottleneck: Bottleneck | None) -> None:
    model = small_model(output, bottleneck=bottleneck)
    images = torch.rand(5, 1, 3, 4)
    result = model(images)
    assert torch.equal(model.encode(images), result.code)
    assert model.features(images).shape == (5, 6)
    assert torch.equal(model.decode(result.code), result.reconstruction)


def test_the_bottleneck_stands_between_encoder_and_decoder() -> None:
    model = small_model("identity", bottleneck=Halving(code_size=3))
    images = torch.rand(5, 1, 3, 4)
    result = model(images)
    features = model.encoder(images)  # (5, 6)
    torch.testing.assert_close(result.code, features[:, ::2] + features[:, 1::2])
    torch.testing.assert_close(result.penalty, result.code.abs().sum(1))
    torch.testing.assert_close(result.diagnostics["mean"], result.code.mean())


def test_the_objective_is_the_loss_and_the_penalty_against_the_target_that_is_given() -> None:
    model = small_model("sigmoid", bottleneck=Halving(code_size=3))
    images, target = torch.rand(2, 5, 1, 3, 4)
    result = model(images)
    error = (result.reconstruction - target).square().mean()
    objective = model.objective(result, target=target)
    torch.testing.assert_close(objective.loss, error + result.penalty.mean())
    wanted = {"reconstruction": error, "penalty": result.penalty.mean(), "mean": result.code.mean()}
    assert set(objective.parts) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(objective.parts[name], value.detach())
        assert not objective.parts[name].requires_grad


def test_without_a_penalty_the_objective_is_the_loss_alone() -> None:
    model = small_model("sigmoid", loss=MeanAbsoluteError())
    images, target = torch.rand(2, 5, 1, 3, 4)
    result = model(images)
    objective = model.objective(result, target=target)
    torch.testing.assert_close(objective.loss, (result.reconstruction - target).abs().mean())
    assert objective.parts == {}


@pytest.mark.parametrize("bottleneck", [None, Halving(code_size=3)])
def test_emphasis_reaches_the_objective(bottleneck: Bottleneck | None) -> None:
    loss = MeanSquaredError(emphasis=Emphasis(corrupted=3.0, kept=0.5))
    model = small_model("sigmoid", bottleneck=bottleneck, loss=loss)
    images, target = torch.rand(2, 5, 1, 3, 4)
    corrupted = torch.rand(5, 1, 3, 4) < 0.5
    result = model(images)
    weighted = (result.reconstruction - target).square() * (0.5 + 2.5 * corrupted)
    objective = model.objective(result, target=target, corrupted=corrupted)
    torch.testing.assert_close(objective.loss, weighted.mean() + result.penalty.mean())


def test_a_further_penalty_gets_what_it_needs_and_is_added() -> None:
    passages = []

    class Further(Halving):
        def further_penalty(self, passage: Passage) -> Tensor:
            passages.append(passage)
            return torch.full((5,), 7.0)

    images, given, bottleneck, draws = torch.rand(5, 1, 3, 4), torch.rand(5, 1, 3, 4), Further(code_size=3), generator()
    model = small_model("sigmoid", bottleneck=bottleneck)
    plain = small_model("sigmoid", bottleneck=Halving(code_size=3))
    result = model(given)
    objective = model.objective(result, target=images, given=given, generator=draws)
    without = plain.objective(plain(given), target=images)
    torch.testing.assert_close(objective.loss, without.loss + 7)
    torch.testing.assert_close(objective.parts["penalty"], without.parts["penalty"] + 7)
    (passage,) = passages
    assert passage.clean is images
    assert passage.given is given
    assert passage.generator is draws
    assert passage.output is result
    assert passage.model is model
    model.objective(result, target=images)
    assert passages[1].given is images


# --- sampled codes ---


def test_all_samples_of_an_image_are_decoded() -> None:
    model = small_model("sigmoid", bottleneck=Spreading(code_size=6))
    images = torch.rand(5, 1, 3, 4)
    draws = model.draw(images, generator=generator(), samples=3)
    assert draws is not None
    assert draws.shape == (3, 5, 6)
    result = model(images, draws=draws)
    assert torch.equal(result.code, model.encode(images))
    torch.testing.assert_close(result.samples, result.code + draws)
    assert result.reconstruction.shape == (15, 1, 3, 4)
    for sample, images_of_it in zip(result.samples, result.reconstruction.split(5), strict=True):
        torch.testing.assert_close(model.decode(sample), images_of_it)


def test_the_bottleneck_combines_the_samples_of_each_image() -> None:
    model = small_model("sigmoid", bottleneck=Spreading(code_size=6), loss=GaussianLikelihood(std=0.5))
    images = torch.rand(5, 1, 3, 4)
    result = model(images, draws=model.draw(images, generator=generator(), samples=3))
    errors = torch.stack(
        [
            GaussianLikelihood(std=0.5).per_image(reconstruction, images)
            for reconstruction in result.reconstruction.split(5)
        ]
    )
    objective = model.objective(result, target=images, corrupted=torch.ones(5, 1, 1, 1, dtype=torch.bool))
    torch.testing.assert_close(objective.loss, (errors + result.penalty).amax(0).mean())
    torch.testing.assert_close(objective.parts["reconstruction"], errors.mean().detach())
    # The bound takes the divergence as it is, though it is ten times as dear in training, and the mean over samples.
    torch.testing.assert_close(model.elbo(result, target=images), -(errors + result.penalty / 10).mean(0))


def test_emphasis_reaches_every_sample() -> None:
    class Sampled(Spreading):
        variational = False

    model = small_model(
        "sigmoid",
        bottleneck=Sampled(code_size=6),
        loss=MeanSquaredError(emphasis=Emphasis(corrupted=3.0, kept=0.5)),
    )
    images = torch.rand(5, 1, 3, 4)
    corrupted = torch.rand(5, 1, 3, 1) < 0.5
    result = model(images, draws=model.draw(images, generator=generator(), samples=3))
    squares = (result.reconstruction.unflatten(0, (3, 5)) - images).square()
    errors = (squares * (0.5 + 2.5 * corrupted)).flatten(2).mean(2)
    objective = model.objective(result, target=images, corrupted=corrupted)
    torch.testing.assert_close(objective.loss, (errors + result.penalty).amax(0).mean())


# --- the loss ---


def test_a_variational_bottleneck_takes_a_likelihood_and_others_take_the_loss_as_it_is() -> None:
    loss = BinaryCrossEntropy()
    assert small_model("sigmoid", loss=loss).loss is loss
    variational = small_model("sigmoid", bottleneck=Spreading(code_size=6), loss=loss)
    assert variational.loss.in_nats
    assert "Bernoulli" in variational.loss.unit
    likelihood = GaussianLikelihood(std=0.3)
    assert small_model("sigmoid", bottleneck=Spreading(code_size=6), loss=likelihood).loss is likelihood
    assert small_model("sigmoid", loss=likelihood).loss is likelihood
    with pytest.raises(ConfigError, match=r"loss.corrupted_weight"):
        small_model("sigmoid", bottleneck=Spreading(code_size=6), loss=MeanSquaredError(emphasis=Emphasis(2.0, 1.0)))


@pytest.mark.parametrize("bottleneck", [None, Spreading(code_size=6)])
def test_what_the_loss_learns_is_the_models(bottleneck: Bottleneck | None) -> None:
    loss = LearnedGaussianLikelihood(std=0.5, min_std=0.01, shape=())
    model = small_model("sigmoid", bottleneck=bottleneck, loss=loss)
    assert "loss.log_ratio" in model.state_dict()
    assert any(parameter is loss.log_ratio for parameter in model.parameters())
    images = torch.rand(5, 1, 3, 4)
    objective = model.objective(model(images), target=images)
    objective.loss.backward()
    assert loss.log_ratio.grad is not None
    assert loss.log_ratio.grad.item() != 0
    assert objective.parts["likelihood_std"].item() == 0.5
    assert not objective.parts["likelihood_std"].requires_grad


# --- the known answer ---


def digits() -> Tensor:
    """The training split of the digits, (N, 1, 8, 8), in float64: PCA is met to many digits."""
    values = {"validation_fraction": 0.1, "split_seed": 0, "limit": None, "shuffle": True, "binarization": "none"}
    splits = DATASETS.parse({"name": "digits", **values}).build(data_dir=Path())
    return splits.train.images.double() / 255


def error_of_pca(images: Tensor, *, components: int) -> float:
    """The mean squared error per pixel that is left by the first principal components."""
    rows = images.flatten(1)
    singular_values = torch.linalg.svdvals(rows - rows.mean(0))
    return float(singular_values[components:].square().sum()) / rows.numel()


def test_the_linear_autoencoder_converges_to_pca_and_never_beats_it() -> None:
    """Baldi and Hornik 1989: the best linear code spans the first principal components, and there are only saddles.

    Identity output, biases both ways, squared error, no noise, no decay; all images in every step.
    """
    images, code_size = digits(), 8
    torch.manual_seed(0)
    linear = ARCHITECTURES.parse(
        {"name": "linear", "code_size": code_size, "code_activation": "identity", "output": "identity"}
    )
    model = AutoEncoder(*linear.build((1, 8, 8), feature_size=code_size), output="identity").double()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300, history_size=20, line_search_fn="strong_wolfe")
    errors = []

    def closure() -> float:
        optimizer.zero_grad()
        objective = model.objective(model(images), target=images).loss
        objective.backward()
        errors.append(objective.item())
        return errors[-1]

    optimizer.step(closure)
    bound = error_of_pca(images, components=code_size)
    assert min(errors) >= bound * (1 - 1e-9)
    assert errors[-1] <= bound * 1.01
    # The bound is one of its own: a code larger by one would be let through otherwise.
    assert errors[-1] > 1.01 * error_of_pca(images, components=code_size + 1)
