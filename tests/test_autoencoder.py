"""The model: its record, its ranges, and PCA as the known answer of the linear one."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

import autoenc
from autoenc.architectures import ARCHITECTURES
from autoenc.autoencoder import AutoEncoder, AutoEncoderOutput
from autoenc.bottlenecks import Bottleneck, BottleneckOutput, Plain
from autoenc.datasets import DATASETS
from autoenc.losses import MeanSquaredError
from autoenc.output_ranges import OutputName

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)


class Recorder(nn.Module):
    """An encoder that keeps what it was given."""

    given: Tensor

    def forward(self, images: Tensor) -> Tensor:
        self.given = images
        return images.flatten(1)


class Halving(Bottleneck):
    """Two features for each entry of the code: their sum, with a penalty and a diagnostic."""

    def feature_size(self, code_size: int) -> int:
        return 2 * code_size

    def forward(self, features: Tensor) -> BottleneckOutput:
        code = features.unflatten(1, (-1, 2)).sum(2)
        return BottleneckOutput(code=code, penalty=code.abs().sum(1), diagnostics={"mean": code.detach().mean()})


def small_model(output: OutputName, *, bottleneck: Bottleneck | None = None) -> AutoEncoder:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh())
    code_size = 6 if bottleneck is None else 3
    decoder = nn.Sequential(nn.Linear(code_size, 12), nn.Unflatten(1, (1, 3, 4)))
    return AutoEncoder(encoder, decoder, bottleneck=bottleneck, output=output)


def test_the_record_has_the_code_first_and_then_the_reconstruction() -> None:
    model = small_model("sigmoid")
    code, reconstruction, *rest = model(torch.rand(5, 1, 3, 4))
    assert code.shape == (5, 6)
    assert reconstruction.shape == (5, 1, 3, 4)
    assert AutoEncoderOutput._fields == ("code", "reconstruction", "raw", "penalty", "diagnostics")
    raw, penalty, diagnostics = rest
    torch.testing.assert_close(reconstruction, torch.sigmoid(raw))
    torch.testing.assert_close(penalty, torch.zeros(5))
    assert diagnostics == {}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("bottleneck", [None, Halving()])
def test_encode_and_decode_agree_with_forward_to_the_bit(output: OutputName, bottleneck: Bottleneck | None) -> None:
    model = small_model(output, bottleneck=bottleneck)
    images = torch.rand(5, 1, 3, 4)
    result = model(images)
    assert torch.equal(model.encode(images), result.code)
    assert torch.equal(model.decode(result.code), result.reconstruction)


def test_the_bottleneck_is_plain_by_default() -> None:
    assert isinstance(small_model("identity").bottleneck, Plain)


def test_the_bottleneck_stands_between_encoder_and_decoder() -> None:
    model = small_model("identity", bottleneck=Halving())
    images = torch.rand(5, 1, 3, 4)
    result = model(images)
    features = model.encoder(images)  # (5, 6)
    torch.testing.assert_close(result.code, features[:, ::2] + features[:, 1::2])
    torch.testing.assert_close(result.penalty, result.code.abs().sum(1))
    torch.testing.assert_close(result.diagnostics["mean"], result.code.mean())


def test_the_objective_is_the_loss_and_the_penalty_against_the_target_that_is_given() -> None:
    model = small_model("sigmoid", bottleneck=Halving())
    images, target = torch.rand(2, 5, 1, 3, 4)
    result = model(images)
    wanted = (result.reconstruction - target).square().mean() + result.penalty.mean()
    torch.testing.assert_close(model.objective(result, MeanSquaredError(), target=target), wanted)


def test_any_modules_that_fit() -> None:
    class Encoder(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((2, 3))

    class Decoder(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return code[:, :, None, None].expand(-1, -1, 2, 3)

    images = torch.rand(4, 3, 2, 3)
    result = AutoEncoder(Encoder(), Decoder())(images)
    assert result.code.shape == (4, 3)
    torch.testing.assert_close(result.reconstruction, images.mean((2, 3), keepdim=True).expand_as(images))


def test_the_model_is_offered_by_the_package() -> None:
    assert autoenc.AutoEncoder is AutoEncoder


def test_the_parts_are_named_in_the_weights() -> None:
    names = {name.split(".")[0] for name in small_model("identity").state_dict()}
    assert names == {"encoder", "decoder"}


@pytest.mark.parametrize(("output", "low", "high"), [("identity", 0, 1), ("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_what_the_encoder_is_given(output: OutputName, low: float, high: float) -> None:
    encoder = Recorder()
    model = AutoEncoder(encoder, nn.Unflatten(1, (1, 1, 3)), output=output)
    images = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    wanted = torch.tensor([low, (low + high) / 2, high]).reshape(1, 1, 1, 3)
    model(images)
    torch.testing.assert_close(encoder.given, wanted)
    model.encode(images)
    torch.testing.assert_close(encoder.given, wanted)


def test_with_tanh_the_reconstruction_is_the_tanh_brought_back() -> None:
    result = small_model("tanh")(torch.rand(5, 1, 3, 4))
    torch.testing.assert_close(result.reconstruction, (torch.tanh(result.raw) + 1) / 2)


@pytest.mark.parametrize("output", OUTPUTS)
def test_only_the_identity_may_leave_the_range_of_images(output: OutputName) -> None:
    model = AutoEncoder(Recorder(), nn.Unflatten(1, (1, 1, 3)), output=output)
    images = model.decode(torch.tensor([[-3.0, 0.0, 3.0]]))
    outside = (images.min() < 0) and (images.max() > 1)
    assert bool(outside) == (output == "identity")


# --- the known answer ---


def digits() -> Tensor:
    """The training split of the digits, (N, 1, 8, 8), in float64: PCA is met to many digits."""
    values = {"validation_fraction": 0.1, "split_seed": 0, "limit": None, "shuffle": True}
    splits = DATASETS.parse({"name": "digits", **values}).build(data_dir=Path())
    return splits.train.images.double() / 255


def error_of_pca(images: Tensor, *, components: int) -> float:
    """The mean squared error per pixel that is left by the first principal components."""
    rows = images.flatten(1)
    singular_values = torch.linalg.svdvals(rows - rows.mean(0))
    return float(singular_values[components:].square().sum()) / rows.numel()


@pytest.mark.parametrize("code_size", [2, 8])
def test_the_linear_autoencoder_converges_to_pca_and_never_beats_it(code_size: int) -> None:
    """Baldi and Hornik 1989: the best linear code spans the first principal components, and there are only saddles.

    Identity output, biases both ways, squared error, no noise, no decay; all images in every step.
    """
    images = digits()
    torch.manual_seed(0)
    linear = ARCHITECTURES.parse(
        {"name": "linear", "code_size": code_size, "code_activation": "identity", "output": "identity"}
    )
    model = AutoEncoder(*linear.build((1, 8, 8), feature_size=code_size), output="identity").double()
    loss = MeanSquaredError()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300, history_size=20, line_search_fn="strong_wolfe")
    errors = []

    def closure() -> float:
        optimizer.zero_grad()
        objective = model.objective(model(images), loss, target=images)
        objective.backward()
        errors.append(objective.item())
        return errors[-1]

    optimizer.step(closure)
    bound = error_of_pca(images, components=code_size)
    assert min(errors) >= bound * (1 - 1e-9)
    assert errors[-1] <= bound * 1.01
    # The bound is one of its own: a code larger by one would be let through otherwise.
    assert errors[-1] > 1.01 * error_of_pca(images, components=code_size + 1)
