"""Pictures of weights and layers, on models whose numbers are known."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autoenc.data.noise import NOISES
from autoenc.data.noise.corruption import Corruption
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.evaluation.scores import measure
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.bottleneck import Plain
from autoenc.models.layers import TiedLinear
from autoenc.models.losses.pixel_means import MeanSquaredError
from autoenc.pictures.codebook import Codebook
from autoenc.pictures.gradients import Gradients
from autoenc.pictures.kernels import Kernels
from autoenc.pictures.sparsity import Sparsity, hoyer
from tests.conftest import REPOSITORY
from tests.pictures.subjects import CPU, gaussian_subject, images_of, measured, pixel_subject, subject_from, subject_of

SIDE = 4
PIXELS = SIDE * SIDE
TRAIN, TEST = images_of(300, 1, SIDE, SIDE), images_of(200, 1, SIDE, SIDE, seed=1)
ARROW, TIMES = "\N{RIGHTWARDS ARROW}", "\N{MULTIPLICATION SIGN}"


def flat_decoder(code_size: int, *, pixels: int = PIXELS, shape: tuple[int, ...] = (1, SIDE, SIDE)) -> nn.Sequential:
    return nn.Sequential(nn.Linear(code_size, pixels), nn.Unflatten(1, shape))


def model_of(*encoder: nn.Module, code_size: int) -> AutoEncoder:
    return AutoEncoder(nn.Sequential(*encoder), flat_decoder(code_size), bottleneck=Plain(code_size=code_size))


def fill(tensor: Tensor | None, value: float | Tensor) -> None:
    assert tensor is not None
    with torch.no_grad():
        tensor.copy_(torch.as_tensor(value))


def test_rows_of_a_matrix_are_kernels_in_the_images_shape() -> None:
    train, test = images_of(50, 3, 4, 5), images_of(50, 3, 4, 5, seed=1)
    layer = nn.Linear(60, 7)
    model = AutoEncoder(nn.Sequential(nn.Flatten(), layer), flat_decoder(7, pixels=60, shape=(3, 4, 5)))
    found = measured(Kernels, subject_of(model, train=train, test=test))
    assert found.kernels.shape == (7, 3, 4, 5)
    np.testing.assert_array_equal(found.kernels.reshape(7, 60), layer.weight.detach().numpy())
    assert (found.count, found.dead_count, found.note) == (7, 0, "")


def test_kernels_of_a_convolution() -> None:
    layer = nn.Conv2d(1, 5, 3)
    model = model_of(layer, nn.ReLU(), nn.Flatten(), nn.Linear(20, 2), code_size=2)
    fill(layer.bias, torch.tensor([9.0, 9, -99, 9, 9]))
    train = TRAIN.clone()
    train[:, :, 0, 0] = 0
    found = measured(Kernels, subject_of(model, train=train, test=TEST))
    np.testing.assert_array_equal(found.kernels, layer.weight.detach().numpy())
    assert found.dead.tolist() == [False, False, True, False, False]
    assert found.note == ""  # a kernel has no pixel of its own


def test_pixels_that_are_always_black_are_told_and_left_out() -> None:
    train = TRAIN.clone()
    train[:, :, :2] = 0  # the upper half
    model = model_of(nn.Flatten(), nn.Linear(PIXELS, 3), code_size=3)
    before = model_of(nn.Flatten(), nn.Linear(PIXELS, 3), code_size=3)
    fill(before.encoder[1].weight, torch.randn(3, PIXELS))  # type: ignore[index]
    smooth = torch.ones(3, PIXELS)
    smooth[:, :8] = before.encoder[1].weight[:, :8].detach()  # type: ignore[index]
    fill(model.encoder[1].weight, smooth)  # type: ignore[index]
    found = measured(Kernels, subject_of(model, train=train, test=TEST, untrained=before))
    assert found.note == "8 pixels are black in every training image: their weights never moved"
    assert found.roughness == 0
    assert found.localities == pytest.approx([1 / 8] * 3)
    assert found.learned_roughness > 0.3  # the negative of random weights
    smooth[0, 0] += 0.1
    fill(model.encoder[1].weight, smooth)  # type: ignore[index]
    moved = measured(Kernels, subject_of(model, train=train, test=TEST, untrained=before))
    assert moved.note == "8 pixels are black in every training image; they do not count in the numbers"
    assert moved.roughness == 0


def test_pixels_that_a_draw_may_light_are_not_black() -> None:
    model = model_of(nn.Flatten(), nn.Linear(PIXELS, 3), code_size=3)
    train = TRAIN.clone()
    train[:, :, 0] = 0
    found = measured(Kernels, subject_of(model, train=train, test=TEST, train_probabilities=TRAIN))
    assert found.note == ""


def test_a_model_without_such_a_layer_has_no_kernels() -> None:
    assert Kernels.measure(subject_of(model_of(nn.Flatten(), code_size=PIXELS), train=TRAIN, test=TEST)) is None
    halved = model_of(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 3), code_size=3)
    assert Kernels.measure(subject_of(halved, train=TRAIN, test=TEST)) is None
    two = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    images = images_of(50, 2, SIDE, SIDE)
    model = AutoEncoder(two, flat_decoder(2, pixels=2 * PIXELS, shape=(2, SIDE, SIDE)))
    assert Kernels.measure(subject_of(model, train=images, test=images)) is None


@pytest.mark.parametrize(
    ("values", "expected"), [([3.0, -3, 3, -3], 0), ([0.0, 0, -2, 0], 1), ([3.0, 4, 0, 0], (2 - 7 / 5) / (2 - 1))]
)
def test_hoyers_sparsity(values: list[float], expected: float) -> None:
    assert hoyer(torch.tensor([values, [10 * value for value in values]])).tolist() == pytest.approx(
        [expected] * 2, abs=1e-6
    )


def test_it_is_undefined_for_zeros_and_for_a_single_number() -> None:
    assert hoyer(torch.tensor([[0.0, 0], [1, 0]])).isnan().tolist() == [True, False]
    assert hoyer(torch.tensor([[2.0], [0]])).isnan().all()


def test_the_sparsity_of_known_activations() -> None:
    layer = nn.Linear(PIXELS, 4)
    fill(layer.weight, 0.0)
    fill(layer.bias, torch.tensor([3.0, -1, 4, -1]))
    model = model_of(nn.Flatten(), layer, nn.ReLU(), nn.Linear(4, 3), nn.Sigmoid(), code_size=3)
    fill(model.encoder[3].weight, 0.0)  # type: ignore[index]
    found = Sparsity.measure(subject_of(model, train=TRAIN, test=TEST.repeat(8, 1, 1, 1)))
    assert found.layers == ("layer 1 (ReLU)", "code (Sigmoid)")
    assert found.zeros.tolist() == [0.5, 0]
    assert found.hoyer[0] == pytest.approx((2 - 7 / 5) / (2 - 1), abs=1e-6)


def test_it_is_the_mean_over_images_of_all_batches() -> None:
    test = images_of(1500, 1, SIDE, SIDE)
    test[:1200] = 0
    layer = nn.Linear(PIXELS, PIXELS)
    fill(layer.weight, torch.eye(PIXELS))
    fill(layer.bias, -0.5)
    model = model_of(nn.Flatten(), layer, nn.ReLU(), code_size=PIXELS)
    found = Sparsity.measure(subject_of(model, train=TRAIN, test=test))
    codes = (test.flatten(1) / 255 - 0.5).relu()
    assert found.layers == ("code (ReLU)",)
    assert found.zeros[0] == pytest.approx((codes == 0).float().mean().item())
    assert found.hoyer[0] == pytest.approx(hoyer(codes[1200:]).mean().item(), abs=1e-5)  # of zeros there is none


def linear_model() -> AutoEncoder:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 3, bias=False))
    decoder = nn.Sequential(nn.Linear(3, PIXELS, bias=False), nn.Unflatten(1, (1, SIDE, SIDE)))
    return AutoEncoder(encoder, decoder, loss=MeanSquaredError())


def norms_on_paper(model: AutoEncoder, given: Tensor) -> list[float]:
    """Of the mean squared error of a `linear_model` on TRAIN, whose weights are W and V: x = V W given."""
    down, up = (module.weight.detach().double() for module in (model.encoder[1], model.decoder[0]))  # type: ignore[index]
    x = given.flatten(1).double()
    error = 2 * (x @ down.T @ up.T - TRAIN.flatten(1) / 255) / x.numel()
    return [(up.T @ error.T @ x).norm().item(), (error.T @ x @ down.T).norm().item()]


def names_of(picture: Gradients) -> list[str]:
    return [name.replace("\N{NO-BREAK SPACE}", " ") for name in picture.layers]


def test_gradients_of_a_linear_model_are_those_on_paper() -> None:
    model, before = linear_model(), linear_model()
    found = measured(Gradients, subject_of(model, train=TRAIN, test=TEST, untrained=before))
    assert names_of(found) == [f"encoder 1: 16 {ARROW} 3", f"decoder 1: 3 {ARROW} 16"]
    assert found.images == 300  # two batches, of which the second is smaller
    for shown, norms in ((model, found.after), (before, found.before)):
        assert norms == pytest.approx(norms_on_paper(shown, TRAIN / 255), rel=1e-4)


def test_the_target_is_the_clean_image_and_the_input_the_noisy_one() -> None:
    model = linear_model()
    masked = NOISES.parse({"name": "masking", "probability": 1.0, "by": "channel"})
    found = measured(Gradients, subject_of(model, train=TRAIN, test=TEST, noise=masked))
    assert found.after.tolist() == [0, 0]  # nothing comes in
    half = NOISES.parse({"name": "masking", "probability": 0.5, "by": "channel"})
    once, again = (measured(Gradients, subject_of(model, train=TRAIN, test=TEST, noise=half)) for _ in range(2))
    assert once.after.tolist() == again.after.tolist() == once.before.tolist()
    clean, generator = TRAIN / 255, frozen_generator(CPU, split="gradients")
    noisy = torch.cat([half(batch, generator=generator).images for batch in clean.split(256)])
    assert once.after == pytest.approx(norms_on_paper(model, noisy), rel=1e-4)


def test_nothing_is_left_behind() -> None:
    encoder = (nn.Flatten(), nn.Linear(PIXELS, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model = model_of(*encoder, code_size=2)
    subject = subject_of(model, train=TRAIN, test=TEST)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    assert Gradients.measure(subject) is not None
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_tied_weights_stand_once_with_both_uses() -> None:
    first = nn.Linear(PIXELS, 3, bias=False)
    tied = nn.Sequential(TiedLinear(first, inputs=3, bias=False), nn.Unflatten(1, (1, SIDE, SIDE)))
    found = measured(
        Gradients, subject_of(AutoEncoder(nn.Sequential(nn.Flatten(), first), tied), train=TRAIN, test=TEST)
    )
    assert names_of(found) == [f"encoder 1: 16 {ARROW} 3 (tied)"]
    x, weight = TRAIN.flatten(1).double() / 255, first.weight.detach().double()
    error = 2 * (x @ weight.T @ weight - x) / x.numel()
    both = weight @ error.T @ x + (error.T @ x @ weight.T).T
    assert found.after[0] == pytest.approx(both.norm().item(), rel=1e-4)


def test_convolutions_are_named_by_channels_and_kernel() -> None:
    encoder = nn.Sequential(nn.Conv2d(1, 2, (3, 2)), nn.Flatten(), nn.Linear(12, 2))
    decoder = nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.ConvTranspose2d(2, 1, SIDE))
    found = measured(Gradients, subject_of(AutoEncoder(encoder, decoder), train=TRAIN, test=TEST))
    assert names_of(found) == [
        f"encoder 1: 1 {ARROW} 2, 3 {TIMES} 2",
        f"encoder 2: 12 {ARROW} 2",
        f"decoder 1: 2 {ARROW} 1, 4 {TIMES} 4 transposed",
    ]


def test_a_model_without_weights_has_no_gradients() -> None:
    model = AutoEncoder(nn.Flatten(), nn.Unflatten(1, (1, SIDE, SIDE)))
    assert Gradients.measure(subject_of(model, train=TRAIN, test=TEST)) is None


NAMES = sorted(path.stem for path in (REPOSITORY / "conf" / "bottleneck").glob("*.yaml"))


@pytest.mark.parametrize("bottleneck", NAMES)
def test_pictures_of_every_bottleneck(bottleneck: str) -> None:
    activation = ["architecture.code_activation=sigmoid"] if bottleneck == "sparse" else []
    images = images_of(40, 1, 8, 8)
    overrides = ["architecture=fully_connected", "architecture.hidden_sizes=[6]", "architecture.code_size=8"]
    further = ["bottleneck.k=2"] if bottleneck == "top_k" else []
    subject = subject_from(f"bottleneck={bottleneck}", *overrides, *activation, *further, train=images, test=images)
    found = measured(Gradients, subject)
    assert np.isfinite(found.before).all()
    np.testing.assert_array_equal(found.before, found.after)  # it has not been trained
    assert (found.after > 0).all()
    assert Sparsity.measure(subject).layers[0] == "layer 1 (ReLU)"
    shown = measured(Kernels, subject)
    assert shown.kernels.shape == (6, 1, 8, 8)
    assert (Codebook.measure(subject) is not None) == (bottleneck == "vector_quantized")


def test_the_uses_of_a_codebook_are_counted_on_the_test_images() -> None:
    test = torch.zeros(10, 1, SIDE, SIDE, dtype=torch.uint8)
    test[:4] = 255
    layer = nn.Linear(PIXELS, 2)
    fill(layer.weight, torch.tensor([[2.0], [0.0]]) / PIXELS)
    fill(layer.bias, 0.0)
    settings = {"vector_size": 1, "codebook_size": 3, "commitment": 0.25, "decay": 0.9, "restart_below": 0.0}
    bottleneck = BOTTLENECKS.parse({"name": "vector_quantized", **settings}).build(code_size=2)
    bottleneck.register_buffer("codebook", torch.tensor([[0.0], [1.0], [2.0]]))
    model = AutoEncoder(nn.Sequential(nn.Flatten(), layer), flat_decoder(2), bottleneck=bottleneck)
    found = measured(Codebook, subject_of(model, train=TRAIN, test=test))
    assert found.uses.tolist() == [16, 0, 4]  # the second number is 0 for all, the first 2 for four images
    assert found.unused == 1
    inverted = Mock(corrupts=True, side_effect=lambda images, generator: Corruption(1 - images, images > 0))
    noisy = measured(Codebook, subject_of(model, train=TRAIN, test=test, noise=inverted))
    assert noisy.uses.tolist() == [14, 0, 6]  # as in summary.json, of the noisy images


def test_the_use_of_a_codebook_is_that_of_the_summary() -> None:
    overrides = ["architecture=fully_connected", "architecture.hidden_sizes=[6]", "architecture.code_size=8"]
    test = images_of(1500, 1, 8, 8)  # two batches
    subject = subject_from("bottleneck=vector_quantized", "noise=masking", *overrides, train=test, test=test)
    scores = measure(subject.model, test, device=CPU, noise=subject.noise, split="test", metrics=[]).averages
    found = measured(Codebook, subject)
    assert 1 < found.perplexity == pytest.approx(float(scores["perplexity"]), rel=1e-5)
    assert 0 < found.unused == int(scores["unused_entries"])


def test_what_training_added_to_the_kernels_is_judged_without_the_initial_weights() -> None:
    before, after = (model_of(nn.Flatten(), nn.Linear(PIXELS, 3), code_size=3) for _ in range(2))
    random = torch.randn(3, PIXELS)
    fill(before.encoder[1].weight, random)  # type: ignore[index]
    fill(after.encoder[1].weight, random + 0.5)  # type: ignore[index]
    found = measured(Kernels, subject_of(after, train=TRAIN, test=TEST, untrained=before))
    assert found.learned_roughness == pytest.approx(0, abs=1e-6)
    assert found.roughness > 0.3


def test_the_sparsity_of_the_code_leaves_out_dead_entries() -> None:
    layer = nn.Linear(PIXELS, PIXELS)
    fill(layer.weight, torch.eye(PIXELS))
    fill(layer.bias, torch.tensor([-0.5] * 12 + [-9.0] * 4))
    model = model_of(nn.Flatten(), nn.Linear(PIXELS, PIXELS), nn.Sigmoid(), layer, nn.ReLU(), code_size=PIXELS)
    found = Sparsity.measure(subject_of(model, train=TRAIN, test=TEST))
    codes = found_codes(model)
    assert found.alive == 12
    assert found.code_zeros == found.zeros[1] == pytest.approx((codes == 0).float().mean().item())
    assert found.code_hoyer == found.hoyer[1]
    assert found.alive_zeros == pytest.approx((codes[:, :12] == 0).float().mean().item())
    sparsity = hoyer(codes[:, :12])
    assert found.alive_hoyer == pytest.approx(sparsity[sparsity.isfinite()].mean().item(), abs=1e-5)
    assert (
        f"12 of 16 entries of the code are alive, and {100 * found.alive_zeros:.0f} % of their values" in found.remark
    )


def found_codes(model: AutoEncoder) -> Tensor:
    with torch.no_grad():
        return model.encode(TEST / 255)


@pytest.mark.parametrize("alive", [0, 1])
def test_a_code_with_fewer_than_two_live_entries_is_not_sparse(alive: int) -> None:
    layer = nn.Linear(PIXELS, 2)
    fill(layer.weight, 0.0)
    fill(layer.bias, 0.0)
    with torch.no_grad():
        layer.weight[:alive] = 1
    found = Sparsity.measure(subject_of(model_of(nn.Flatten(), layer, nn.ReLU(), code_size=2), train=TRAIN, test=TEST))
    assert found.alive == alive
    assert (found.alive_zeros, found.alive_hoyer) == (0, 0)
    assert found.code_zeros == 1 - alive / 2


def test_entries_of_the_code_that_are_alive_and_codes_of_zeros_are_counted() -> None:
    subject = pixel_subject()  # codes are the first two of 16 pixels
    black = int((subject.splits.test.images.flatten(1)[:, :2] == 0).all(1).sum())
    assert black == 0
    assert measured(Sparsity, subject).remark == "2 of 2 entries of the code are alive; none of 60 codes are 0"
    weights = next(iter(subject.model.encoder.parameters()))
    with torch.no_grad():
        weights[0] = 0
    assert measured(Sparsity, subject).remark.startswith("1 of 2 entries of the code are alive")
    nn.init.zeros_(weights)
    collapsed = measured(Sparsity, subject)
    assert (collapsed.alive, collapsed.zero_codes) == (0, 60)
    assert collapsed.remark == "the code has collapsed: none of its entries depends on the image"


def test_an_entry_that_hardly_varies_is_dead_as_in_the_health_report() -> None:
    subject = pixel_subject(3)
    with torch.no_grad():
        next(iter(subject.model.encoder.parameters()))[0] *= 1e-4
    assert measured(Sparsity, subject).alive == 2


def test_collapsed_entries_of_a_variational_code_are_not_alive() -> None:
    shown = measured(Sparsity, gaussian_subject(spread=0.8, deviation=0.6, collapsed=3))
    assert (shown.alive, shown.code_size) == (2, 5)
