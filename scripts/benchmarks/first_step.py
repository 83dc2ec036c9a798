"""Run a module as a script until its optimizer's first step, whatever its training loop is.

python -m scripts.benchmarks.first_step scripts.train architecture=conv
"""

from __future__ import annotations

import os
import runpy
import sys


def main() -> None:
    """Run the module, with its arguments, and end the process when an optimizer makes its first step."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    register_optimizer_step_pre_hook(lambda *_: os._exit(0))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    sys.exit("no optimizer made a step")


if __name__ == "__main__":
    main()
