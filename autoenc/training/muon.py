"""Muon: gradient descent with momentum, along the orthogonal matrix that is nearest to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Jordan et al. 2024. Five steps with them bring singular values between 0.0015 and 1 to between 0.68 and 1.21."""
STEPS = 5


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024, https://kellerjordan.github.io/posts/muon, with the scale of Liu et al. 2025.

    The step is along U V^T, where U S V^T is the singular value decomposition of Nesterov's momentum. So directions in
    which the gradient is small change as fast as those in which it is large. A kernel is a matrix of one row for each
    entry of its first axis. A bias is a matrix of one row, so that its step has a fixed length. Other implementations
    leave biases to Adam.

    The factor 0.2 sqrt(max(m, n)) gives the step of an m x n matrix the root mean square of 0.2 times the learning
    rate (Liu et al. 2025, arXiv:2502.16982, section 2.2). `weight_decay` acts on the weights directly, as in AdamW.
    Like torch's fused optimizers, it skips a step on the device where `found_inf` is 1.
    """

    _step_supports_amp_scaling = True

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """Change every parameter that has a gradient."""
        skip = getattr(self, "found_inf", None)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._change(parameter, gradient=parameter.grad, settings=group, skip=skip)

    def _change(self, weight: Tensor, *, gradient: Tensor, settings: Mapping[str, Any], skip: Tensor | None) -> None:
        rate, momentum, weight_decay = (settings[name] for name in ("lr", "momentum", "weight_decay"))
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        average = state["momentum_buffer"]
        if skip is not None:
            gradient = torch.where(skip > 0, average, gradient)
        average.lerp_(gradient, 1 - momentum)
        matrix = torch.lerp(gradient, average, momentum).reshape(len(weight) if weight.ndim > 1 else 1, -1)
        change = orthogonalized(matrix) * (-0.2 * rate * math.sqrt(max(matrix.shape)))
        change = torch.sub(change.reshape(weight.shape), weight, alpha=rate * weight_decay)
        weight.add_(change if skip is None else torch.where(skip > 0, 0, change))


def orthogonalized(matrix: Tensor) -> Tensor:
    """Approximate U V^T of a matrix U S V^T, (m, n), by Newton-Schulz steps; zeros of zeros.

    A step multiplies by a I + b G + c G^2 from the left, where G is the current matrix times its transpose. All factors
    are polynomials in the first G, so the steps need only matrices of the smaller side: on 128 x 784 that takes half as
    long as steps on the whole matrix.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.T).T
    matrix = matrix / matrix.norm().clamp_min(1e-12)
    if len(matrix) == 1:
        return matrix
    gram = matrix @ matrix.T
    product = factor = _factor(gram)
    for _ in range(STEPS - 1):
        gram = factor @ gram @ factor
        factor = _factor(gram)
        product = factor @ product
    return product @ matrix


def _factor(gram: Tensor) -> Tensor:
    """What a step multiplies by, (m, m)."""
    a, b, c = COEFFICIENTS
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor
