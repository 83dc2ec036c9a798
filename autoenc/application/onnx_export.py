"""A trained model as an ONNX file, for programs without autoenc or torch."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from autoenc.application.codes import model_facts
from autoenc.display_names import run_label
from autoenc.extras import imported
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import printable, write_atomically
from autoenc.settings import ConfigError, listed
from autoenc.trained_model import TrainedModel, load_run

log = logging.getLogger(__name__)

OPSET = 18
"""The version of ONNX's operators: the one that torch's exporter writes without a conversion."""
LARGEST_BYTES = 2**31 - 2**20
"""Of the weights: a file in one piece has at most 2 GiB."""
BATCHES = (1, 2, 7)
"""The sizes of the batches with which a file is checked."""
TOLERANCE = 1e-4
"""The largest difference from the model, for values up to 1; for larger ones, it is a share of the largest. float32 has
seven digits, and sums lose some of them."""
NUDGES, NUDGED_COPIES = (1e-6, 1e-5, 1e-4), 16
"""Changes of pixels that show where codes jump. The largest is a fortieth of a grey level."""
MOST_AT_JUMPS = 0.1
"""The share of all entries of the codes that may be at a jump."""
LONGEST_REASON = 200

PartName = Literal["autoencoder", "encoder", "decoder"]


class Part(NamedTuple):
    """What a file computes, and how its input and its outputs are called."""

    input: str
    outputs: tuple[str, ...]
    compute: Callable[[AutoEncoder, Tensor], tuple[Tensor, ...]]


def _reconstructed(model: AutoEncoder, images: Tensor) -> tuple[Tensor, ...]:
    output = model(images)
    return output.reconstruction, output.code


PARTS: Mapping[PartName, Part] = {
    "autoencoder": Part("images", ("reconstructions", "codes"), _reconstructed),
    "encoder": Part("images", ("codes",), lambda model, images: (model.encode(images),)),
    "decoder": Part("codes", ("images",), lambda model, codes: (model.decode(codes),)),
}


def export(run: TrainedModel | str | Path, path: str | Path, *, part: PartName = "autoencoder") -> None:
    """Write the model of a run to an ONNX file, after comparing the file's outputs with the model's.

    Input and outputs are float32 and have any batch size N: images (N, C, H, W) in [0, 1] scale and codes
    (N, code_size), as in `TrainedModel.encode`, `decode` and `reconstruct`. The code of a distribution is its mean. An
    existing file is replaced.

    Args:
        run: the run, or its folder.
        path: the file. Its folder is created if necessary.
        part: `encoder`: from `images` to `codes`. `decoder`: from `codes` to `images`. `autoencoder`: from `images` to
            `reconstructions` and `codes`.

    Raises:
        ConfigError: the extra `onnx` is not installed, or the model cannot be converted, is too large for one file, or
            differs from the file; or there is no such part. Nothing is written.
    """
    if part not in PARTS:
        raise ConfigError("part", f"there is no such part; the parts are {listed(PARTS)}", value=part)
    for package in ("onnx", "onnxruntime", "onnxscript"):  # torch.onnx.export imports the last one
        imported(package, extra="onnx", key="--do", value="export")
    run = run if isinstance(run, TrainedModel) else load_run(run)
    model = copy.deepcopy(run.model).cpu().eval()
    images = torch.rand(sum(BATCHES), *run.image_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        given = model.encode(images) if part == "decoder" else images
        try:
            content = _converted(run, model, part=part, example=given[:2])
            found = _computed(content, given, part=PARTS[part])
        except ConfigError:
            raise
        except Exception as error:  # of many types: a plugin may have operators that one of the packages lacks
            raise _refused(f"this model cannot be converted ({_reason(error)})") from error
        differences = _differences(model, given, found)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, content)
    log.info("%s; %.2f MB, ONNX opset %d.", _interface(run, part), len(content) / 1e6, OPSET)
    log.info("Checked with onnxruntime on %d random images. %s.", len(images), ". ".join(differences))


class _Module(nn.Module):
    """A part of a model as a module, for torch.export."""

    def __init__(self, model: AutoEncoder, part: Part) -> None:
        super().__init__()
        self.model = model
        self.part = part

    def forward(self, given: Tensor) -> tuple[Tensor, ...]:
        """Images (N, C, H, W) or codes (N, code_size)."""
        return self.part.compute(self.model, given)


def _converted(run: TrainedModel, model: AutoEncoder, *, part: PartName, example: Tensor) -> bytes:
    """The content of the file."""
    from onnx import checker
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    module = _Module(model, PARTS[part])
    any_size = ({0: torch.export.Dim("N")},)
    # Two steps: given the module, torch.onnx.export falls back to a fixed batch size where this export fails.
    exported = torch.export.export(module, (example,), dynamic_shapes=any_size)
    program = torch.onnx.export(
        exported,
        dynamo=True,
        opset_version=OPSET,
        input_names=[PARTS[part].input],
        output_names=PARTS[part].outputs,
        dynamic_shapes=any_size,  # for the name in the file
        verbose=False,
    )
    assert program is not None
    ClearMetadataAndDocStringPass()(program.model)  # stack traces, with paths of this machine
    weights = sum(value.const_value.nbytes for value in program.model.graph.initializers.values() if value.const_value)
    if weights > LARGEST_BYTES:
        raise _refused(f"its weights have {weights:,} bytes, and at most {LARGEST_BYTES:,} fit")
    proto = program.model_proto
    proto.graph.name = part
    proto.doc_string = f"{run_label(run.config.values)}. {_interface(run, part)}; pixels are in [0, 1] scale."
    for key, value in {"run": run.path.name, **model_facts(run)}.items():
        proto.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    return content


def _computed(content: bytes, given: Tensor, *, part: Part) -> dict[str, Tensor]:
    """The outputs of a file by name, computed by onnxruntime in batches of the sizes `BATCHES`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    batches = [session.run(part.outputs, {part.input: batch.numpy()}) for batch in given.split(BATCHES)]
    return {
        name: torch.from_numpy(np.concatenate(values))
        for name, values in zip(part.outputs, zip(*batches, strict=True), strict=True)
    }


def _differences(model: AutoEncoder, given: Tensor, found: Mapping[str, Tensor]) -> list[str]:
    """The largest difference between each output of a file and the model, in words.

    Pictures are compared with those that the model decodes from the file's codes.

    Raises:
        ConfigError: a difference is too large.
    """
    texts = []
    for name, values in sorted(found.items()):  # codes first: an error there makes one of the pictures
        codes = found.get("codes", given)
        expected = _expected_codes(model, given, codes) if name == "codes" else model.decode(codes)
        largest, allowed = (values - expected).abs().amax().item(), _allowed(expected)
        if not largest <= allowed:  # or not a number
            raise _refused(f"the file's {name} differ from the model's by {largest:.2g} (allowed: {allowed:.2g})")
        texts.append(f"{name.capitalize()} differ from the model's by at most {largest:.2g} (allowed: {allowed:.2g})")
    return texts


def _expected_codes(model: AutoEncoder, images: Tensor, found: Tensor) -> Tensor:
    """The model's codes of images, (N, code_size), to compare those that were `found` in a file with.

    A code of chosen entries or vectors jumps where two of them are equally good, and a rounding error can choose the
    other. A few entries of a code may therefore be those of images that differ as little as `NUDGES`.
    """
    codes = model.encode(images)
    allowed = _allowed(codes)
    far = ~((found - codes).abs() <= allowed)
    if not 0 < far.float().mean() <= MOST_AT_JUMPS:
        return codes
    generator = torch.Generator().manual_seed(0)
    for nudge in NUDGES:
        for _ in range(NUDGED_COPIES):
            nudged = model.encode(images + nudge * torch.randn(images.shape, generator=generator))
            codes = torch.where(far & ((found - nudged).abs() <= allowed), nudged, codes)
    if jumps := int((far & ((found - codes).abs() <= allowed)).sum()):
        text = "%d of %s code entries jump: the file has the model's values for pixels that differ by %g or less."
        log.info(text, jumps, f"{far.numel():,}", NUDGES[-1])
    return codes


def _allowed(expected: Tensor) -> float:
    return TOLERANCE * max(1.0, expected.abs().amax().item())


def _interface(run: TrainedModel, part: PartName) -> str:
    """`Encoder: images (N, 1, 28, 28) to codes (N, 16)`."""
    code = f"(N, {run.config.architecture.code_size})"
    image = f"(N, {', '.join(map(str, run.image_shape))})"
    given, *made = [
        f"{name} {code if name == 'codes' else image}" for name in (PARTS[part].input, *PARTS[part].outputs)
    ]
    return f"{part.capitalize()}: {given} to {' and '.join(made)}"


def _reason(error: BaseException) -> str:
    """The innermost cause, in one line and without torch's long advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return printable(" ".join(str(error).split())[:LONGEST_REASON])


def _refused(problem: str) -> ConfigError:
    return ConfigError("--do", problem, value="export")
