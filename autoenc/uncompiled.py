"""Optimizers without the hooks of torch's compiler, whose import takes 2 s."""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch

OptimizerClass = TypeVar("OptimizerClass", bound=torch.optim.Optimizer)


def uncompiled(optimizer_class: type[OptimizerClass]) -> type[OptimizerClass]:
    """The same class, with methods that do not import torch's compiler.

    torch wraps these methods so that `torch.compile` does not look into them. The wrappers import the compiler, even if
    nothing is compiled. Here, only models are compiled, never their optimizers. The wrapper of `step` also turns
    gradients off.
    """
    methods = {
        name: inspect.unwrap(getattr(optimizer_class, name))
        for name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    }
    step = torch.no_grad()(inspect.unwrap(optimizer_class.step))
    step.hooked = True  # else torch wraps it again, for profilers and hooks
    return type(optimizer_class.__name__, (optimizer_class,), {**methods, "step": step})
