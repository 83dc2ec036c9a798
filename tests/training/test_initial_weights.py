"""Which weights of another model fit, and where they go."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autoenc.config import parse
from autoenc.models.autoencoder import AutoEncoder
from autoenc.training.checkpoints import model_tensors
from autoenc.training.initial_weights import Part, fitting_weights, take_weights
from tests.composed import composed_values

SMALL = ("architecture.code_size=3", "device=cpu")


def model(*overrides: str, size: int = 8, seed: int = 0) -> AutoEncoder:
    config = parse(composed_values(*SMALL, f"seed={seed}", *overrides))
    return config.build_model(image_shape=(1, size, size))


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model_tensors(module).items()}


def taken_layers(own: AutoEncoder, other: AutoEncoder, *, part: Part | None = None) -> list[str]:
    return fitting_weights(model_tensors(own), model_tensors(other), part=part).taken


PAIR = {"encoder.0.weight": torch.zeros(4, 2), "encoder.0.bias": torch.zeros(4), "decoder.1.weight": torch.zeros(2, 4)}


@pytest.mark.parametrize(
    ("part", "taken"),
    [(None, ["encoder.0", "decoder.1"]), ("encoder", ["encoder.0"]), ("decoder", ["decoder.1"])],
)
def test_equal_models_fit_in_the_part_that_is_asked_for(part: Part | None, taken: list[str]) -> None:
    others = {name: tensor + 1 for name, tensor in reversed(PAIR.items())}
    found = fitting_weights(PAIR, others, part=part)
    assert found.taken == taken
    assert found.left == {}
    assert set(found.tensors) == {name for name in PAIR if name.rpartition(".")[0] in taken}
    assert all(tensor is others[name] for name, tensor in found.tensors.items())


def test_a_layer_fits_as_a_whole_or_not_at_all() -> None:
    """Its bias has the same shape, but belongs to the weights it was trained with."""
    found = fitting_weights(PAIR, {**PAIR, "encoder.0.weight": torch.zeros(4, 5)}, part=None)
    assert set(found.tensors) == {"decoder.1.weight"}
    assert found.left == {"encoder.0": "weight 4x2, there 4x5"}
    without = {name: tensor for name, tensor in PAIR.items() if name != "encoder.0.bias"}
    assert fitting_weights(PAIR, without, part=None).left == {"encoder.0": "bias 4, there none"}
    assert fitting_weights(without, PAIR, part=None).left == {"encoder.0": "bias none, there 4"}


def test_a_layer_that_only_one_model_has_is_left() -> None:
    deeper = {**PAIR, "decoder.3.weight": torch.zeros(2, 2)}
    assert fitting_weights(deeper, PAIR, part=None).left == {"decoder.3": "not there"}
    assert fitting_weights(PAIR, deeper, part=None).left == {}


def test_the_encoder_alone_leaves_the_decoder_as_it_was() -> None:
    own, other = model("architecture=conv", seed=1), model("architecture=conv")
    before, theirs = weights(own), weights(other)
    take_weights(own, theirs, part="encoder")
    for name, tensor in weights(own).items():
        assert torch.equal(tensor, (theirs if name.startswith("encoder.") else before)[name])
    assert not torch.equal(before["encoder.0.weight"], theirs["encoder.0.weight"])


def test_convolutions_fit_images_of_any_size_and_the_layers_next_to_the_code_do_not() -> None:
    own, other = model("architecture=conv_linear", size=28), model("architecture=conv_linear", size=8)
    found = fitting_weights(model_tensors(own), model_tensors(other), part="encoder")
    assert found.taken == ["encoder.0", "encoder.1"]
    assert found.left == {"encoder.3": "weight 3x1568, there 3x128"}


def test_batch_normalisation_keeps_its_running_statistics() -> None:
    own, other = model("architecture=denoising_conv"), model("architecture=denoising_conv")
    theirs = {name: tensor + 1 for name, tensor in model_tensors(other).items()}
    take_weights(own, theirs, part=None)
    (name,) = (name for name in weights(own) if name.endswith("encoder.2.running_mean"))
    assert torch.equal(weights(own)[name], torch.ones_like(theirs[name]))


def test_tied_weights_are_the_encoders() -> None:
    tied = ("architecture=mlp", "architecture.hidden=[5]", "architecture.tied=true")
    own, other = model(*tied, seed=1), model(*tied)
    assert taken_layers(own, other, part="encoder") == ["encoder.1", "encoder.3"]
    assert set(fitting_weights(model_tensors(own), model_tensors(other), part="decoder").tensors) == {
        "decoder.0.bias",
        "decoder.2.bias",
    }
    take_weights(own, weights(other), part="encoder")
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(own(images).reconstruction, other(images).reconstruction)  # all biases are zero


def test_a_codebook_is_taken_with_its_counts_and_only_with_the_whole_model() -> None:
    quantized = ("architecture=linear", "architecture.code_size=4", "bottleneck=vector_quantized")
    sizes = [f"bottleneck.codebook_size={size}" for size in (8, 9)]
    own, other, larger = model(*quantized, sizes[0]), model(*quantized, sizes[0]), model(*quantized, sizes[1])
    assert "bottleneck" in taken_layers(own, other)
    assert "bottleneck" not in taken_layers(own, other, part="encoder")
    # Otherwise `begun`, which fits, would keep the new codebook from starting as vectors of the first batch.
    assert "bottleneck" not in taken_layers(own, larger)


def test_the_learned_variance_of_a_loss_belongs_to_the_whole_model() -> None:
    learned = ("architecture=linear", "loss=gaussian")
    own = model(*learned)
    assert "loss" in taken_layers(own, model(*learned))
    assert "loss" not in taken_layers(own, model(*learned), part="decoder")


def test_a_constrained_weight_does_not_fit_a_free_one() -> None:
    """The numbers would have the same shape, but not the same meaning."""
    own = model("architecture=linear", "bottleneck=contractive", "bottleneck.safeguard=unit_columns")
    found = fitting_weights(model_tensors(own), model_tensors(model("architecture=linear")), part=None)
    assert found.taken == ["encoder.1"]
    assert list(found.left) == ["decoder.0"]
