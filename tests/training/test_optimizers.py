"""Optimizers: their first steps against the papers' formulas, written out."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import pytest
import torch
from torch import nn

from autoenc.settings import ConfigError
from autoenc.training.optimizers import OPTIMIZERS, Adam, AdamW, Muon, OptimizerSettings, Sgd
from autoenc.uncompiled import uncompiled

START = 0.7
GRADIENTS = [0.5, -0.2, 0.3]
ALL: dict[str, OptimizerSettings] = {
    "adam": Adam(learning_rate=0.1, betas=(0.8, 0.95), epsilon=1e-3, weight_decay=0.0),
    "adam with decay": Adam(learning_rate=0.1, betas=(0.8, 0.95), epsilon=1e-3, weight_decay=0.04),
    "adamw": AdamW(learning_rate=0.1, betas=(0.8, 0.95), epsilon=1e-3, weight_decay=0.04),
    "sgd": Sgd(learning_rate=0.1, momentum=0.0, nesterov=False, weight_decay=0.04),
    "sgd with momentum": Sgd(learning_rate=0.1, momentum=0.9, nesterov=False, weight_decay=0.04),
    "sgd with nesterov": Sgd(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.04),
    "muon": Muon(learning_rate=0.1, momentum=0.9, weight_decay=0.04),
}


def after_steps(settings: OptimizerSettings) -> list[float]:
    """Where a weight is after each step along the gradients."""
    weight = nn.Parameter(torch.tensor([START], dtype=torch.float64))
    optimizer = settings.build([weight])
    path = []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        path.append(weight.item())
    return path


def adam_by_hand(*, decay_of_gradient: float = 0.0, decay_of_weight: float = 0.0) -> list[float]:
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2."""
    weight, first, second, path = START, 0.0, 0.0, []
    for step, gradient in enumerate(GRADIENTS, start=1):
        along = gradient + decay_of_gradient * weight
        first = 0.8 * first + 0.2 * along
        second = 0.95 * second + 0.05 * along**2
        corrected = first / (1 - 0.8**step), second / (1 - 0.95**step)
        weight = weight - 0.1 * corrected[0] / (math.sqrt(corrected[1]) + 1e-3) - 0.1 * decay_of_weight * weight
        path.append(weight)
    return path


def sgd_by_hand(*, momentum: float, nesterov: bool) -> list[float]:
    """Sutskever et al. 2013, section 2, in the form in which the gradient is taken at the weight that is kept."""
    weight, velocity, path = START, 0.0, []
    for gradient in GRADIENTS:
        along = gradient + 0.04 * weight
        velocity = momentum * velocity + along
        weight = weight - 0.1 * (along + momentum * velocity if nesterov else velocity)
        path.append(weight)
    return path


def muon_by_hand() -> list[float]:
    """Of a bias of one entry, whose step is as long for every gradient."""
    weight, average, path = START, 0.0, []
    for gradient in GRADIENTS:
        average = 0.9 * average + 0.1 * gradient
        ahead = 0.9 * average + 0.1 * gradient
        weight = weight - 0.1 * 0.2 * math.copysign(1, ahead) - 0.1 * 0.04 * weight
        path.append(weight)
    return path


BY_HAND: dict[str, Callable[[], list[float]]] = {
    "adam": adam_by_hand,
    "adam with decay": lambda: adam_by_hand(decay_of_gradient=0.04),
    "adamw": lambda: adam_by_hand(decay_of_weight=0.04),
    "sgd": lambda: sgd_by_hand(momentum=0.0, nesterov=False),
    "sgd with momentum": lambda: sgd_by_hand(momentum=0.9, nesterov=False),
    "sgd with nesterov": lambda: sgd_by_hand(momentum=0.9, nesterov=True),
    "muon": muon_by_hand,
}


@pytest.mark.parametrize("name", ALL)
def test_three_steps_by_hand(name: str) -> None:
    assert after_steps(ALL[name]) == pytest.approx(BY_HAND[name](), rel=1e-12)


TORCHS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "adam with decay": lambda weights: torch.optim.Adam(
        weights, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.04, fused=True
    ),
    "adamw": lambda weights: torch.optim.AdamW(
        weights, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.04, fused=True
    ),
    "sgd with nesterov": lambda weights: torch.optim.SGD(
        weights, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.04, fused=True
    ),
}


@pytest.mark.parametrize("name", TORCHS)
def test_the_optimizers_do_what_those_of_torch_do(name: str) -> None:
    found = []
    for build in (ALL[name].build, TORCHS[name]):
        weights = [nn.Parameter(torch.arange(3.0)), nn.Parameter(torch.ones(2, 2))]
        optimizer = build(weights)
        for step in range(3):
            optimizer.zero_grad()
            sum(((weight - step) ** 3).sum() for weight in weights).backward()  # type: ignore[union-attr]
            optimizer.step()
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        assert all(weight.is_leaf and weight.requires_grad for weight in weights)
        found.append((str(state["state"]), [weight.tolist() for weight in weights]))
    assert found[0] == found[1]


def test_a_step_records_no_gradients() -> None:
    class Recording(torch.optim.SGD):
        def step(self, closure: None = None) -> None:  # type: ignore[override]
            self.records_gradients = torch.is_grad_enabled()

    optimizer = uncompiled(Recording)([nn.Parameter(torch.ones(1))])
    optimizer.step()
    assert not optimizer.records_gradients
    assert torch.is_grad_enabled()


def test_an_optimizer_imports_torchs_compiler_only_when_something_is_compiled() -> None:
    program = """
import sys, torch
from autoenc.training.optimizers import Adam, Sgd

def train(model, forward):
    for settings in (Adam(learning_rate=0.1, betas=(0.9, 0.99), epsilon=1e-8, weight_decay=0.0),
                     Sgd(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.0)):
        optimizer = settings.build(model.parameters())
        optimizer.zero_grad()
        forward(torch.ones(2, 3)).square().sum().backward()
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
    return [parameter.tolist() for parameter in model.parameters()]

def model():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)

plain = model()
expected = train(plain, plain)
assert "torch._dynamo" not in sys.modules
compiled = model()
assert train(compiled, torch.compile(compiled, backend="eager", fullgraph=True)) == expected
assert "torch._dynamo" in sys.modules
torch.export.export(compiled, (torch.ones(2, 3),))
torchs = torch.optim.Adam(compiled.parameters())
before = compiled.weight.tolist()
torch.compile(torchs.step, backend="eager")()
assert compiled.weight.tolist() != before
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=280)


@pytest.fixture
def unwritten_memory_is_nan() -> Iterator[None]:
    """In deterministic mode torch fills what `empty` and the like give; else it may by luck be zero."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.mark.usefixtures("unwritten_memory_is_nan")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("skipped", [0, 1, 2], ids=lambda step: f"step {step} not finite")
def test_they_skip_a_step_on_the_device(name: str, skipped: int) -> None:
    """A step that is not finite changes nothing: those after it go on as if it had not been, the first one included.

    (torch's fused SGD makes its momentum in the first step, out of memory that nobody has written to.)
    """
    weight = nn.Parameter(torch.tensor([START], dtype=torch.float64))
    optimizer = ALL[name].build([weight])
    assert optimizer._step_supports_amp_scaling is True  # type: ignore[attr-defined] # else the host would decide
    gradients = [*GRADIENTS[:skipped], math.nan, *GRADIENTS[skipped:]]
    path = []
    for gradient in gradients:
        before = weight.detach().clone()
        weight.grad = torch.full_like(weight, gradient)
        optimizer.found_inf = torch.tensor(float(math.isnan(gradient)))  # type: ignore[attr-defined]
        optimizer.step()
        if math.isnan(gradient):
            assert torch.equal(weight, before)
        else:
            path.append(weight.item())
    assert path == pytest.approx(BY_HAND[name](), rel=1e-12)


@pytest.mark.parametrize(("name", "theirs"), [("adam with decay", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adam_is_torch_s_bit_for_bit(name: str, theirs: type[torch.optim.Adam]) -> None:
    torch.manual_seed(0)
    start = [torch.rand(3, 4), torch.rand(5), torch.rand(2)]  # the last one has no gradient
    paths = []
    for build in (ALL[name].build, partial(theirs, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.04, fused=True)):
        weights = [nn.Parameter(weight.clone()) for weight in start]
        optimizer, generator = build(weights), torch.Generator().manual_seed(1)
        for _ in range(5):
            for weight in weights[:2]:
                weight.grad = torch.randn(weight.shape, generator=generator)
            optimizer.step()
        moments = [tensor for weight in weights[:2] for tensor in optimizer.state[weight].values()]
        paths.append([*weights, *moments])
    assert len(paths[0]) == len(paths[1]) == 3 + 2 * 3
    assert all(torch.equal(ours, others) for ours, others in zip(*paths, strict=True))
    assert torch.equal(paths[0][2], start[2])


@pytest.mark.parametrize(("decayed", "expected"), [("all", [0.5, 0.5]), ("weights", [0.5, 1.0])])
def test_adamw_decays_all_parameters_or_only_weights(decayed: Literal["all", "weights"], expected: list[float]) -> None:
    """Without a gradient, a step of size 1 takes off the decay alone."""
    weight, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    settings = AdamW(learning_rate=1.0, betas=(0.9, 0.999), epsilon=1e-8, weight_decay=0.5, decayed=decayed)
    for parameters in ([weight, bias], [weight], [bias]):  # a model may have no biases
        for parameter in parameters:
            parameter.data.fill_(1)
            parameter.grad = torch.zeros_like(parameter)
        settings.build(parameters).step()
    assert [weight.mean().item(), bias.mean().item()] == expected


def test_nesterov_without_momentum_is_refused() -> None:
    values = {"name": "sgd", "learning_rate": 0.1, "momentum": 0, "nesterov": True, "weight_decay": 0}
    with pytest.raises(ConfigError) as caught:
        OPTIMIZERS.parse(values)
    assert str(caught.value) == "optimizer.nesterov=true: it needs optimizer.momentum above 0"
    assert caught.value.key == "optimizer.nesterov"
    assert OPTIMIZERS.parse({**values, "nesterov": False}).learning_rate == 0.1


ADAM = {"name": "adam", "learning_rate": 0.1, "betas": [0.9, 0.999], "epsilon": 1e-8, "weight_decay": 0.0}


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_values_out_of_range_are_refused(name: str) -> None:
    for key, value in {"learning_rate": 0, "epsilon": 0, "weight_decay": -1, "betas": [0.9, 1.0]}.items():
        with pytest.raises(ConfigError, match=rf"^optimizer\.{key}="):
            OPTIMIZERS.parse({**ADAM, "name": name, key: value})
