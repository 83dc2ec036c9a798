"""The outputs of a model's nonlinearities, whether these are layers or function calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.layers import weighted_layers

NONLINEARITIES = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "softplus": "Softplus",
    "hardtanh": "Hardtanh",
    "relu6": "ReLU6",
    "prelu": "PReLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
"""The functions that count as a nonlinearity: torch's name and the usual spelling."""

Part = Literal["encoder", "code", "decoder"]


class Activation(NamedTuple):
    """The output of one nonlinearity for a batch, or the code."""

    part: Part
    number: int
    """The number of the nonlinearity in its part, from 1; 0 for the code."""
    kind: str
    """`ReLU`, `Sigmoid`, ...; empty for a code without a nonlinearity."""
    values: Tensor
    """(B, units), or feature maps (B, units, H, W), whose channels are the units."""

    @property
    def name(self) -> str:
        """`encoder layer 1 (ReLU)`, `code`, `code (Sigmoid)`, ..."""
        layer = "code" if self.part == "code" else f"{self.part} layer {self.number}"
        return f"{layer} ({self.kind})" if self.kind else layer


class Observation(NamedTuple):
    """The activations of a model for a batch."""

    first: Tensor | None
    """The outputs of the encoder's first weighted layer, (B, units) or (B, units, H, W).

    After its nonlinearity, if it has one; None for an encoder without weights.
    """
    activations: list[Activation]
    """Those of the encoder, the code and the decoder, in the order of the forward pass."""


def observed(model: AutoEncoder, inputs: Iterable[Tensor], *, decoder: bool = True) -> Iterator[Observation]:
    """Observe a model in eval mode on batches of inputs (B, C, H, W) in [0, 1], on its device.

    A code with a distribution counts by its mean. A nonlinearity that ends in the code is listed as the code only. The
    computation is in float32, also where the device trains in bfloat16. Without `decoder`, the decoder is not run.
    """
    with model.evaluating():
        for batch in inputs:
            yield _observe(model, batch, decoder=decoder)


def _observe(model: AutoEncoder, batch: Tensor, *, decoder: bool) -> Observation:
    encoding = _watched(model.encoder, model.output_range.to_model(batch))
    code = model.bottleneck(encoding.result).code
    decoding = _watched(model.decoder, code).calls if decoder else []
    calls = encoding.calls
    ends_in_code = bool(calls) and _same(calls[-1].values, code)
    kind = calls[-1].kind if ends_in_code else ""
    activations = [
        *_numbered(calls[: len(calls) - ends_in_code], part="encoder"),
        Activation("code", 0, kind, code),
        *_numbered(decoding, part="decoder"),
    ]
    return Observation(encoding.first, activations)


class _Call(NamedTuple):
    kind: str
    values: Tensor


class _Watched(NamedTuple):
    """The activations of an encoder or a decoder."""

    result: Tensor
    first: Tensor | None
    """The outputs of its first weighted layer, after its nonlinearity if it has one."""
    calls: list[_Call]


class _Listener(TorchFunctionMode):
    """Records the result of each call of a nonlinearity.

    A torch function mode also sees `F.relu(...)` in a forward, which hooks on modules would miss.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The function's own result."""
        result = func(*args, **(kwargs or {}))
        kind = NONLINEARITIES.get(getattr(func, "__name__", "").removesuffix("_"))
        if kind is not None:
            self.calls.append(_Call(kind, result.clone()))  # a copy, because an in-place operation may follow
        return result


def _watched(module: nn.Module, inputs: Tensor) -> _Watched:
    firsts: list[tuple[Tensor, int]] = []  # the first layer's outputs, and the number of calls before them

    def note(layer: nn.Module, given: Any, output: Tensor) -> None:  # noqa: ARG001
        firsts.append((output.clone(), len(listener.calls)))

    layers = weighted_layers(module)
    with contextlib.ExitStack() as stack:
        if layers:
            stack.callback(layers[0][1].register_forward_hook(note).remove)
        listener = stack.enter_context(_Listener())
        result = module(inputs)
    if not firsts:
        return _Watched(result, None, listener.calls)
    output, before = firsts[0]
    following = [call.values for call in listener.calls[before : before + 1] if call.values.shape[1] == output.shape[1]]
    return _Watched(result, following[0] if following else output, listener.calls)


def _numbered(calls: Iterable[_Call], *, part: Part) -> list[Activation]:
    return [Activation(part, number, call.kind, call.values) for number, call in enumerate(calls, start=1)]


def _same(values: Tensor, code: Tensor) -> bool:
    return values.numel() == code.numel() and torch.equal(values.flatten(1), code.flatten(1))  # synchronizes
