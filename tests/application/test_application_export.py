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
from tests.application.application_cases import names_in
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
    run.model.train()  # as a user may have left it
    export(run, "model.onnx")
    run.model.eval()
    for count in (3, 11):
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


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("autoencoder", "images (N, 1, 8, 8) to reconstructions (N, 1, 8, 8) and codes (N, 3)"),
        ("encoder", "images (N, 1, 8, 8) to codes (N, 3)"),
        ("decoder", "codes (N, 3) to images (N, 1, 8, 8)"),
    ],
)
def test_a_file_names_what_it_takes_and_gives(
    finished: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture, part: PartName, text: str
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc")
    run = autoenc.load_run(finished)
    autoenc.export(run, "new/model.onnx", part=part)
    session = onnxruntime.InferenceSession("new/model.onnx", providers=["CPUExecutionProvider"])
    item_shapes = {"images": [1, 8, 8], "reconstructions": [1, 8, 8], "codes": [3]}
    (given,), made = session.get_inputs(), session.get_outputs()
    for one in (given, *made):
        assert (one.type, one.shape) == ("tensor(float)", ["N", *item_shapes[one.name]])
    assert f"{given.name} (N, " in text
    assert [one.name for one in made] == re.findall(r"(\w+) \(N", text)[1:]
    facts = session.get_modelmeta()
    assert facts.graph_name == part
    label = "linear autoencoder, code size 3, on 8x8 digits, Gaussian noise (std 0.3)"
    assert facts.description == f"{label}. {part.capitalize()}: {text}; pixels are in [0, 1] scale."
    assert facts.custom_metadata_map["run"] == "run"
    assert json.loads(facts.custom_metadata_map["image_shape"]) == [1, 8, 8]
    assert json.loads(facts.custom_metadata_map["code_size"]) == 3
    content = Path("new/model.onnx").read_bytes()
    assert str(REPOSITORY).encode() not in content  # torch writes the stack trace of each operator
    assert names_in("new") == ["model.onnx"]
    log = [record.getMessage() for record in caplog.records]
    assert log[0] == f"{part.capitalize()}: {text}; {len(content) / 1e6:.2f} MB, ONNX opset 18."
    assert re.fullmatch(
        r"Checked with onnxruntime on 10 random images\."
        r"( (Reconstructions|Codes|Images) differ from the model's by at most [\d.e-]+ \(allowed: [\d.e-]+\)\.)+",
        log[1],
    )
    assert len(log) == 2


def test_encoder_and_decoder_are_the_halves_of_the_model(finished: Path, elsewhere: Path) -> None:
    run, given = autoenc.load_run(finished), images(4, shape=(1, 8, 8))
    export(run, "encoder.onnx", part="encoder")
    export(finished, "decoder.onnx", part="decoder")
    (codes,) = computed("encoder.onnx", given)
    np.testing.assert_allclose(codes, run.encode(given).numpy(), rtol=1e-4, atol=1e-5)
    (made,) = computed("decoder.onnx", torch.from_numpy(codes))
    np.testing.assert_allclose(made, run.reconstruct(given).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("output", ["codes", "reconstructions"])
@pytest.mark.parametrize("error", [0.01, float("nan")])
def test_a_file_that_differs_from_the_model_is_not_written(
    finished: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, output: str, error: float
) -> None:
    honest = onnx_export._computed

    def wrong(*arguments: Any, **options: Any) -> dict[str, Tensor]:
        found = honest(*arguments, **options)
        found[output][-1].view(-1)[0] += error
        return found

    monkeypatch.setattr(onnx_export, "_computed", wrong)
    Path("model.onnx").write_text("mine")
    message = refused(autoenc.load_run(finished))
    assert re.match(
        rf"--do=export: the file's {output} differ from the model's by ([\d.]+|nan) \(allowed: [\d.e-]+\)$", message
    )
    assert Path("model.onnx").read_text() == "mine"
    assert names_in(".") == ["model.onnx"]


def refused(run: TrainedModel) -> str:
    with pytest.raises(ConfigError) as caught:
        export(run, "model.onnx")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def quantizing(codebook: list[float]) -> AutoEncoder:
    """A model whose code is each pixel's nearest entry of a codebook."""
    settings = VectorQuantizedSettings(
        vector_size=1, codebook_size=len(codebook), commitment=0.25, decay=0.99, restart_below=0.0
    )
    model = AutoEncoder(nn.Flatten(), nn.Unflatten(1, (1, 4, 4)), bottleneck=settings.build(code_size=16))
    model.bottleneck.load_state_dict({"codebook": torch.tensor(codebook).unsqueeze(1)}, strict=False)
    return model.eval()


@pytest.mark.parametrize(("entry", "accepted"), [(0.5, True), (1.0, False)])
def test_a_code_at_a_tie_may_be_either_of_two_entries(
    entry: float, accepted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A rounding error decides between 0 and 0.5 for a pixel of 0.25."""
    caplog.set_level(logging.INFO, logger="autoenc")
    model = quantizing([0.0, 0.5, 1.0])
    pixels = torch.tensor([[0.25, *[0.1] * 15]]).view(1, 1, 4, 4)
    found = torch.zeros(1, 16)
    found[0, 0] = entry
    assert model.encode(pixels)[0, 0] == 0.0
    expected = onnx_export._expected_codes(model, pixels, found)
    assert torch.equal(expected, found) == accepted
    message = "1 of 16 code entries jump: the file has the model's values for pixels that differ by 0.0001 or less."
    assert caplog.messages == ([message] if accepted else [])


def test_more_than_a_few_jumps_are_no_rounding_errors() -> None:
    model = quantizing([0.0, 0.5, 1.0])
    pixels = torch.full((1, 1, 4, 4), 0.25)
    assert not onnx_export._expected_codes(model, pixels, torch.full((1, 16), 0.5)).any()


def test_a_model_that_is_too_large_for_one_file_is_refused(
    finished: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "LARGEST_BYTES", 1000)
    message = refused(autoenc.load_run(finished))
    assert re.fullmatch(r"--do=export: its weights have 1,8\d\d bytes, and at most 1,000 fit", message)
    assert names_in(".") == []


class ScaledByBatch(nn.Flatten):
    """Converts the batch size into a Python number."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        return super().forward(input) / len(input)


def test_a_model_with_a_fixed_batch_size_is_refused(elsewhere: Path) -> None:
    run = model_of({"name": "linear"}, {"name": "plain"}, shape=SHAPE)
    run.model.encoder[0] = ScaledByBatch()  # type: ignore[operator]
    assert refused(run).startswith("--do=export: this model cannot be converted (")
    assert names_in(".") == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named(
    finished: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    expected = f"--do=export: the package {package} is not installed; pip install 'autoenc[onnx]'"
    assert refused(autoenc.load_run(finished)) == expected


def test_a_part_that_does_not_exist_is_refused(finished: Path, elsewhere: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        export(autoenc.load_run(finished), "model.onnx", part="halves")  # type: ignore[arg-type]
    expected = "part=halves: there is no such part; the parts are autoencoder, encoder, decoder"
    assert str(caught.value) == expected
