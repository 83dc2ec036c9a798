"""The examination of models that were built by hand with one thing wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.evaluation.batches import batches
from autoenc.evaluation.health.activations import observed
from autoenc.evaluation.health.examination import count_kernels, examine
from autoenc.evaluation.health.units import UnitStatistics, dead, first_layer_dead, unit_statistics
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS, Bottleneck
from tests.devices import cpu

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

SIDE = 4
PIXELS = SIDE * SIDE


def images(count: int = 300, *, seed: int = 0, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, SIDE, SIDE), dtype=torch.uint8, generator=generator)


def model_of(
    *encoder: nn.Module, code_size: int, bottleneck: Bottleneck | None = None, decoder: nn.Module | None = None
) -> AutoEncoder:
    decoder = decoder or nn.Sequential(nn.Linear(code_size, PIXELS), nn.Unflatten(1, (1, SIDE, SIDE)))
    return AutoEncoder(nn.Sequential(*encoder), decoder, bottleneck=bottleneck)


def drawn(module: Layer, *, seed: int = 0) -> Layer:
    """The layer with weights from N(0, 1) / sqrt(inputs) and zero biases."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        module.weight.normal_(generator=generator).div_(module.weight[0].numel() ** 0.5)
    set_to(module.bias, 0.0)
    return module


def set_to(tensor: Tensor | None, value: float | Tensor) -> None:
    assert tensor is not None
    with torch.no_grad():
        tensor.copy_(torch.as_tensor(value))


def inputs(count: int = 300) -> Iterator[Tensor]:
    return batches(images(count), device=cpu())


def examined(model: AutoEncoder, given: Tensor | None = None, **statistics: int) -> dict[str, Any]:
    found = examine(model, inputs() if given is None else batches(given, device=cpu()), statistics=statistics)
    json.dumps(found, allow_nan=False)  # for summary.json
    return found


def test_a_healthy_model() -> None:
    model = model_of(nn.Flatten(), drawn(nn.Linear(PIXELS, 8)), nn.Tanh(), drawn(nn.Linear(8, 3), seed=1), code_size=3)
    assert examined(model) == {
        "collapsed_units": None,
        "dead_units": {"encoder layer 1 (Tanh)": 0, "code": 0},
        "saturated_units": {"encoder layer 1 (Tanh)": 0},
        "collapsed_kernels": 0,
        "duplicate_kernels": 0,
        "dead_codes": None,
        "findings": [],
        "words": ["nothing dead, saturated or collapsed was found"],
    }


# Dead units


def test_dead_relu_units_by_layer() -> None:
    first, second = drawn(nn.Linear(PIXELS, 8)), drawn(nn.Linear(8, 5), seed=1)
    set_to(first.bias, torch.tensor([9.0, 9, 9, 9, 9, 9, -99, -99]))
    set_to(second.bias, torch.tensor([99.0, 99, -999, 99, 99]))
    model = model_of(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), nn.Linear(5, 2), code_size=2)
    found = examined(model)
    assert found["dead_units"] == {"encoder layer 1 (ReLU)": 2, "encoder layer 2 (ReLU)": 1, "code": 0}
    assert found["words"] == [
        "2 of 8 units of encoder layer 1 (ReLU) are dead: constant on the test images, or nearly so",
        "1 of 5 units of encoder layer 2 (ReLU) is dead: constant on the test images, or nearly so",
    ]
    assert found["findings"][1] == {
        "number": 1,
        "total": 5,
        "subject": "units of encoder layer 2 (ReLU)",
        "state": "dead",
        "why": "constant on the test images, or nearly so",
        "activation": "ReLU",
    }


def test_a_constant_code_unit_is_dead() -> None:
    layer = drawn(nn.Linear(PIXELS, 4))
    set_to(layer.weight[1], 0.0)
    set_to(layer.bias, 0.7)
    found = examined(model_of(nn.Flatten(), layer, code_size=4))
    assert found["dead_units"] == {"code": 1}
    assert found["words"][0].startswith("1 of 4 units of the code is dead: ")
    assert found["findings"][0]["activation"] == ""


def test_decoders_are_examined_too() -> None:
    inner = drawn(nn.Linear(2, 6))
    set_to(inner.bias, torch.tensor([9.0, 9, 9, 9, 9, -99]))
    decoder = nn.Sequential(inner, nn.ReLU(), nn.Linear(6, PIXELS), nn.Unflatten(1, (1, SIDE, SIDE)))
    found = examined(model_of(nn.Flatten(), drawn(nn.Linear(PIXELS, 2)), code_size=2, decoder=decoder))
    assert found["dead_units"] == {"code": 0, "decoder layer 1 (ReLU)": 1}


def statistics(*variances: float, mean_squares: float = 1.0) -> UnitStatistics:
    values = torch.tensor(variances, dtype=torch.float64)
    return UnitStatistics(
        name="layer", variances=values, mean_squares=torch.full_like(values, mean_squares), saturation=None
    )


@pytest.mark.parametrize(
    ("variances", "wanted"),
    [
        ((1.0, 1.0, 1.0), [False, False, False]),
        ((4.0, 4.0, 3.9e-6), [False, False, True]),  # a millionth of the median 4
        ((4.0, 4.0, 4.1e-6), [False, False, False]),
        ((4.0, 4.0, 900.0, 1e-3), [False, False, False, False]),
        ((0.0, 0.0, 0.0, 1.0, 1e-7, 1.0), [True, True, True, False, True, False]),  # mostly dead
        ((0.0, 0.0), [True, True]),
        ((1e-13, 1.0, 1.0), [True, False, False]),
    ],
)
def test_dead_is_under_a_millionth_of_the_median(variances: tuple[float, ...], wanted: list[bool]) -> None:
    assert dead(statistics(*variances)).tolist() == wanted


def test_rounding_does_not_make_a_constant_vary() -> None:
    assert dead(statistics(1e-10, 1e-10, mean_squares=1000.0)).tolist() == [True, True]
    layer = drawn(nn.Linear(PIXELS, 3))
    set_to(layer.weight, 0.0)
    set_to(layer.bias, 1000.1)
    assert examined(model_of(nn.Flatten(), layer, code_size=3), images(2500))["dead_units"] == {"code": 3}


def test_statistics_are_those_of_all_images_at_once() -> None:
    given = images(2300)  # three batches
    given[:1000] //= 2  # whose means differ
    model = model_of(
        drawn(nn.Conv2d(1, 3, 3)), nn.ReLU(), nn.Flatten(), drawn(nn.Linear(12, 2)), nn.Sigmoid(), code_size=2
    )
    maps, code = unit_statistics(model, batches(given, device=cpu()))
    assert (maps.name, code.name) == ("encoder layer 1 (ReLU)", "code (Sigmoid)")
    with torch.no_grad():
        expected = model.encoder[:2](given / 255).double()  # type: ignore[index]
        codes = model.encode(given / 255).double()
    torch.testing.assert_close(maps.variances, expected.var(0, correction=0).mean((1, 2)), rtol=1e-4, atol=0)
    torch.testing.assert_close(maps.mean_squares, expected.square().mean((0, 2, 3)), rtol=1e-4, atol=0)
    torch.testing.assert_close(code.variances, codes.var(0, correction=0), rtol=1e-4, atol=0)


def test_a_channel_that_only_knows_the_border_is_dead() -> None:
    layer = nn.Conv2d(1, 2, 3, padding=1)
    with torch.no_grad():
        layer.weight.fill_(0.1)
        layer.bias.zero_()  # type: ignore[union-attr]

    class Framed(nn.Module):
        """The second channel is 1 in the frame and 0 within."""

        def forward(self, maps: Tensor) -> Tensor:
            frame = 1 - F.pad(torch.ones(SIDE - 2, SIDE - 2), (1, 1, 1, 1))
            return torch.stack([maps[:, 0], frame.expand_as(maps[:, 1])], dim=1)

    model = model_of(layer, Framed(), nn.ReLU(), nn.Flatten(), nn.Linear(2 * PIXELS, 2), code_size=2)
    assert examined(model)["dead_units"]["encoder layer 1 (ReLU)"] == 1


# Saturated units


@pytest.mark.parametrize(("activation", "wanted"), [(nn.Sigmoid(), 2), (nn.Tanh(), 2)], ids=["sigmoid", "tanh"])
def test_saturated_units(activation: nn.Module, wanted: int) -> None:
    layer = drawn(nn.Linear(PIXELS, 4))
    set_to(layer.bias, torch.tensor([0.0, 20.0, -20.0, 0.5]))
    found = examined(model_of(nn.Flatten(), layer, activation, drawn(nn.Linear(4, 1), seed=1), code_size=1))
    name = f"encoder layer 1 ({type(activation).__name__})"
    assert found["saturated_units"] == {name: wanted}
    assert (
        f"2 of 4 units of {name} are saturated: within 0.01 of a bound on more than 95 % of the test images"
        in (found["words"])
    )


@pytest.mark.parametrize(("white", "wanted"), [(940, 0), (960, 1)])
def test_saturated_is_on_more_than_95_percent_of_the_images(white: int, wanted: int) -> None:
    given = torch.zeros(1000, 1, SIDE, SIDE, dtype=torch.uint8)
    given[:white] = 255
    layer = nn.Linear(PIXELS, 1)
    set_to(layer.weight, 1.0)
    set_to(layer.bias, 0.0)  # sigmoid(16) or sigmoid(0)
    found = examined(model_of(nn.Flatten(), layer, nn.Sigmoid(), code_size=1), given)
    assert found["saturated_units"] == {"code (Sigmoid)": wanted}


@pytest.mark.parametrize(("level", "wanted"), [(0.0101, 0), (0.0099, 1), (0.9901, 1), (0.9899, 0)])
def test_saturated_is_within_a_hundredth(level: float, wanted: int) -> None:
    layer = nn.Linear(PIXELS, 1)
    set_to(layer.weight, 0.0)
    set_to(layer.bias, torch.logit(torch.tensor(level)))
    found = examined(model_of(nn.Flatten(), layer, nn.Sigmoid(), code_size=1))
    assert found["saturated_units"] == {"code (Sigmoid)": wanted}


# Collapsed code units


def test_collapsed_units_are_those_that_are_not_active() -> None:
    model = model_of(nn.Flatten(), drawn(nn.Linear(PIXELS, 3)), code_size=3)
    assert examined(model)["collapsed_units"] is None
    found = examined(model, active_units=2)
    assert found["collapsed_units"] == 1
    assert found["dead_units"] == {"code": 0}
    assert found["words"] == [
        "1 of 3 code units is collapsed: the variance of the mean over the test images is at most 0.01"
    ]


# Kernels


def kernels(*rows: list[float]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows))
    set_to(layer.weight, torch.tensor(rows))
    return layer


def test_collapsed_and_repeated_kernels() -> None:
    layer = kernels([1.0, 0, 0], [0, 2.0, 0], [0, 0, 0.0], [0, 0, 0.0151], [0, 0, 0.0149], [-3.0, 0.1, 0], [3, 0.5, 0])
    # Norms 1, 2, 0, 0.0151, 0.0149, 3, 3.04: the median of those above zero is 1 (of six, the lower), 1 % of it 0.01.
    assert count_kernels(layer) == (7, 1, 2)
    set_to(layer.weight[1], torch.tensor([0, 2.0, 0]))
    set_to(layer.weight[3:5], torch.tensor([[0, 0, 0.0101], [0.0099, 0, 0]]))
    assert count_kernels(layer).collapsed == 2


def test_zero_kernels_have_no_part_in_the_median() -> None:
    layer = kernels([0.0, 0], [0, 0], [0, 0], [1, 0], [0, 1], [0.009, 0.001])
    assert count_kernels(layer).collapsed == 4


def test_alike_is_a_cosine_over_099_of_either_sign() -> None:
    def beside(cosine: float) -> list[float]:
        return [cosine, (1 - cosine**2) ** 0.5]

    assert count_kernels(kernels([1.0, 0], beside(0.991))).duplicate == 1
    assert count_kernels(kernels([1.0, 0], beside(-0.991))).duplicate == 1
    assert count_kernels(kernels([1.0, 0], beside(0.989))).duplicate == 0
    assert count_kernels(kernels([1.0, 0], [2.0, 0], [5.0, 0])).duplicate == 2
    assert count_kernels(kernels([1.0], [2.0])).duplicate == 0  # single weights
    assert count_kernels(kernels([0.0, 0], [0.0, 0])) == (2, 2, 0)


def test_a_zero_kernel_is_found_in_a_convolution() -> None:
    layer = drawn(nn.Conv2d(1, 6, 3))
    set_to(layer.weight[4], 0.0)
    model = model_of(layer, nn.ReLU(), nn.Flatten(), nn.Linear(24, 2), code_size=2)
    found = examined(model)
    assert found["collapsed_kernels"] == 1
    assert "1 of 6 first-layer kernels is collapsed: the norm is under a hundredth of the median one" in found["words"]
    wanted = first_layer_dead(model, inputs())
    assert wanted is not None
    assert wanted.tolist() == [False, False, False, False, True, False]


def test_an_encoder_without_weights() -> None:
    model = model_of(nn.Flatten(), code_size=PIXELS)
    found = examined(model)
    assert found["collapsed_kernels"] is None
    assert found["duplicate_kernels"] is None
    assert first_layer_dead(model, inputs()) is None


# The first layer's units


def test_the_first_layers_units_are_taken_after_their_nonlinearity() -> None:
    layer = drawn(nn.Linear(PIXELS, 4))
    set_to(layer.bias, torch.tensor([9.0, 9, 9, -99]))
    behind = [nn.BatchNorm1d(4), nn.ReLU()]
    for between in ([nn.ReLU()], behind):
        if between is behind:
            set_to(between[0].bias, torch.tensor([9.0, 9, 9, -9]))  # type: ignore[arg-type]
            set_to(layer.bias, 0.0)
        model = model_of(nn.Flatten(), layer, *between, nn.Linear(4, 2), code_size=2).eval()
        found = first_layer_dead(model, inputs())
        assert found is not None
        assert found.tolist() == [False, False, False, True]


def test_a_nonlinearity_before_the_first_layer_is_none_of_it() -> None:
    layer = drawn(nn.Linear(PIXELS, PIXELS))
    set_to(layer.bias, torch.tensor([9.0] * 15 + [-99]))
    model = model_of(nn.Flatten(), nn.Tanh(), layer, nn.ReLU(), nn.Linear(PIXELS, 2), code_size=2)
    found = first_layer_dead(model, inputs())
    assert found is not None
    assert found.tolist() == [False] * 15 + [True]


def test_a_nonlinearity_of_a_later_layer_is_none_of_the_first() -> None:
    second = drawn(nn.Linear(4, 2))
    set_to(second.bias, -99.0)
    model = model_of(nn.Flatten(), drawn(nn.Linear(PIXELS, 4)), second, nn.ReLU(), code_size=2)
    found = first_layer_dead(model, inputs())
    assert found is not None
    assert not found.any()


# What is observed


class Functional(nn.Module):
    """A nonlinearity as a function, with a sum in place after it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, features: Tensor) -> Tensor:
        result = self.function(features)
        result += 1
        return result


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.ReLU(), "ReLU"),
        (nn.ReLU(inplace=True), "ReLU"),
        (nn.GELU(), "GELU"),
        (Functional(F.relu), "ReLU"),
        (Functional(torch.relu_), "ReLU"),
        (Functional(torch.Tensor.tanh), "Tanh"),
    ],
    ids=repr,
)
def test_nonlinearities_are_seen_as_layers_and_as_functions(module: nn.Module, kind: str) -> None:
    model = model_of(nn.Flatten(), nn.Linear(PIXELS, 4), module, nn.Linear(4, 2), code_size=2)
    (observation,) = observed(model, inputs(10))
    hidden, code = observation.activations
    assert (hidden.name, code.name) == (f"encoder layer 1 ({kind})", "code")
    with torch.no_grad():
        expected = model.encoder[:3](images(10) / 255)  # type: ignore[index]
    shift = 1 if isinstance(module, Functional) else 0
    torch.testing.assert_close(hidden.values, expected - shift)


def test_a_nonlinearity_that_makes_the_code_is_not_listed_twice() -> None:
    model = model_of(nn.Conv2d(1, 2, SIDE), nn.ReLU(), nn.Flatten(), code_size=2)
    (observation,) = observed(model, inputs(10))
    (code,) = observation.activations
    assert (code.name, tuple(code.values.shape)) == ("code (ReLU)", (10, 2))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_examined_in_eval_mode_and_left_as_it_was(training: bool) -> None:
    model = model_of(nn.Flatten(), nn.Dropout(1.0), drawn(nn.Linear(PIXELS, 2)), code_size=2).train(training)
    assert examined(model)["dead_units"] == {"code": 0}
    assert [module.training for module in model.modules()] == [training] * len(list(model.modules()))
    assert not any(module._forward_hooks for module in model.modules())


# The codebook


def test_entries_that_no_image_uses() -> None:
    settings = {"vector_size": 1, "codebook_size": 5, "commitment": 0.25, "decay": 0.9, "restart_below": 0.0}
    bottleneck = BOTTLENECKS.parse({"name": "vector_quantized", **settings}).build(code_size=2)
    model = model_of(nn.Flatten(), drawn(nn.Linear(PIXELS, 2)), code_size=2, bottleneck=bottleneck)
    found = examined(model, unused_entries=3)
    assert found["dead_codes"] == 3
    assert "3 of 5 entries of the codebook are unused: used by no test image" in found["words"]
