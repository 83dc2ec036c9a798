"""Run a module as a script until its first training step, whatever its training loop is.

python -m scripts.benchmarks.first_step scripts.train architecture=conv

Every loop calls `backward` for the gradients of a loss, so the process ends there.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any


def main() -> None:
    """Run the module, with its arguments, and end the process when the first loss is known."""
    import torch

    torch.Tensor.backward = _end  # type: ignore[method-assign]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    sys.exit("there was no training step")


def _end(*_: Any, **__: Any) -> None:
    os._exit(0)


if __name__ == "__main__":
    main()
