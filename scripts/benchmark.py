"""Compare the speed of the training loop with the usual loop of tutorials and with a minimal one.

    python scripts/benchmark.py                                   # both architectures, on the CPU
    python scripts/benchmark.py --architectures conv --epochs 5 --device cuda

Fashion-MNIST (from AUTOENC_DATA), batches of 64, Adam, squared error, shuffled. The three loops take turns, each in its
own process, so that other load on the machine affects all of them:

- tutorial: a DataLoader over torchvision's dataset with ToTensor, and `.item()` at each step;
- bare: a permutation indexes float images in memory; channels_last, fused Adam, and nothing else;
- ours: `scripts/train.py` on a terminal, with progress bar, metrics and checkpoints.

Seconds are training time per epoch. Memory is the peak of the process. The ratios compare the best round of each loop,
because other load can only make a round slower.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BATCH_SIZE = 64
LOOPS = ("tutorial", "bare", "ours")
TRAIN = str(Path(__file__).with_name("train.py"))


@dataclass(frozen=True)
class Measurement:
    """Time and memory of one process."""

    seconds_per_epoch: float
    peak_megabytes: float


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=["fully_connected", "conv"])
    parser.add_argument("--epochs", type=int, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each loop")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--loop", choices=[*LOOPS, "first step", "imports"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        _be_one_process(options)
        return
    for architecture in options.architectures:
        Console().print(_table(architecture, options))
    _print_start(options)


def _table(architecture: str, options: argparse.Namespace) -> Table:
    found: dict[str, list[Measurement]] = {loop: [] for loop in LOOPS}
    for _ in range(options.rounds):
        for loop in LOOPS:
            found[loop].append(_measure(loop, architecture, options))
    seconds = {loop: min(one.seconds_per_epoch for one in found[loop]) for loop in LOOPS}
    memory = {loop: statistics.median(one.peak_megabytes for one in found[loop]) for loop in LOOPS}
    title = f"{architecture} on {options.device}, {options.rounds} rounds of {options.epochs} epochs"
    table = Table("loop", "best s/epoch", "each round", "tutorial / it", "it / bare", "peak MB", title=title)
    for loop in LOOPS:
        rounds = " ".join(f"{one.seconds_per_epoch:.2f}" for one in found[loop])
        faster, slower = seconds["tutorial"] / seconds[loop], seconds[loop] / seconds["bare"]
        table.add_row(loop, f"{seconds[loop]:.2f}", rounds, f"{faster:.2f}", f"{slower:.3f}", f"{memory[loop]:.0f}")
    return table


def _measure(loop: str, architecture: str, options: argparse.Namespace) -> Measurement:
    with tempfile.TemporaryDirectory() as folder:
        if loop == "ours":
            run = Path(folder) / "run"
            peak = _run_on_a_terminal(
                [sys.executable, TRAIN, *_settings(architecture, options), f"hydra.run.dir={run}"]
            )
            seconds = json.loads((run / "summary.json").read_text())["seconds"]["training"] / options.epochs
            return Measurement(seconds, peak)
        result = Path(folder) / "result.json"
        os.environ["BENCHMARK_RESULT"] = str(result)
        arguments = ["--architectures", architecture, "--epochs", str(options.epochs), "--device", options.device]
        peak = _run_on_a_terminal([sys.executable, __file__, "--loop", loop, *arguments])
        return Measurement(json.loads(result.read_text()) / options.epochs, peak)


def _settings(architecture: str, options: argparse.Namespace) -> list[str]:
    return [
        f"architecture={architecture}",
        "dataset=fashion_mnist",
        "dataset.validation_fraction=0",
        f"device={options.device}",
        f"training.epochs={options.epochs}",
        f"training.batch_size={BATCH_SIZE}",
    ]


def _run_on_a_terminal(command: Sequence[str]) -> float:
    """Run a command in a pseudo-terminal, so that it draws its progress bar; returns its peak memory in MB."""
    leader, follower = pty.openpty()
    process = os.posix_spawn(
        command[0],
        list(command),
        {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        file_actions=[(os.POSIX_SPAWN_DUP2, follower, 1), (os.POSIX_SPAWN_DUP2, follower, 2)],
    )
    os.close(follower)
    printed: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(leader, printed))
    reader.start()
    _, status, usage = os.wait4(process, 0)
    reader.join()
    os.close(leader)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{b''.join(printed).decode(errors='replace')}")
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)  # kilobytes, but bytes on a Mac


def _read_all(descriptor: int, into: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 65536):
            into.append(chunk)
    except OSError:
        return  # on Linux, this means that the other end is closed


def _print_start(options: argparse.Namespace) -> None:
    """Time from the command to the first step, next to the time of the necessary imports."""
    found: dict[str, list[float]] = {"imports": [], "first step": []}
    for _ in range(options.rounds):
        for loop, seconds in found.items():
            started = time.perf_counter()
            _run_on_a_terminal([sys.executable, __file__, "--loop", loop, "--device", options.device])
            seconds.append(time.perf_counter() - started)
    imports, first = (statistics.median(seconds) for seconds in found.values())
    print(f"From the command to the first step: {first:.2f} s, of which imports take {imports:.2f} s.")


def _be_one_process(options: argparse.Namespace) -> None:
    if options.loop == "imports":
        import hydra
        import torch
        import torchvision

        print(hydra.__version__, torch.__version__, torchvision.__version__)
        return
    if options.loop == "first step":
        _stop_at_the_first_step(options)
    images, model = _real_images(options.loop), _model(options)
    loop = _tutorial_loop if options.loop == "tutorial" else _bare_loop
    Path(os.environ["BENCHMARK_RESULT"]).write_text(json.dumps(loop(model, images, options)))


def _stop_at_the_first_step(options: argparse.Namespace) -> None:
    from autoenc.command_line import main as train
    from autoenc.training.step import TrainingStep

    def stop(self: TrainingStep, clean: object) -> None:  # noqa: ARG001
        os._exit(0)

    TrainingStep.train_step = stop  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as folder:
        train([*_settings("fully_connected", options), f"hydra.run.dir={folder}/run"])


def _model(options: argparse.Namespace) -> Any:
    """The same layers, without the `AutoEncoder` around them."""
    import yaml
    from torch import nn

    from autoenc.command_line.compose import config_directory
    from autoenc.models.architectures import ARCHITECTURES

    (architecture,) = options.architectures
    settings = ARCHITECTURES.parse(
        yaml.safe_load((config_directory() / "architecture" / f"{architecture}.yaml").read_text())
    )
    return nn.Sequential(*settings.build((1, 28, 28), feature_size=settings.code_size), nn.Sigmoid())


def _real_images(loop: str) -> Any:
    from torchvision import transforms
    from torchvision.datasets import FashionMNIST

    dataset = FashionMNIST(os.environ["AUTOENC_DATA"], train=True, transform=transforms.ToTensor())
    return dataset if loop == "tutorial" else dataset.data.unsqueeze(1) / 255


def _tutorial_loop(model: Any, dataset: Any, options: argparse.Namespace) -> float:
    import torch
    from torch.nn import functional as F
    from torch.utils.data import DataLoader

    model = model.to(options.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
    started = time.perf_counter()
    for _ in range(options.epochs):
        running = 0.0
        for images, _labels in loader:
            images = images.to(options.device)  # noqa: PLW2901
            optimizer.zero_grad()
            loss = F.mse_loss(model(images), images)
            loss.backward()
            optimizer.step()
            running += loss.item()
    return time.perf_counter() - started


def _bare_loop(model: Any, images: Any, options: argparse.Namespace) -> float:
    import torch
    from torch.nn import functional as F

    images = images.to(options.device)
    model = model.to(options.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    started = time.perf_counter()
    for _ in range(options.epochs):
        for indices in torch.randperm(len(images), device=images.device).split(BATCH_SIZE):
            batch = images[indices]
            optimizer.zero_grad()
            loss = F.mse_loss(model(batch), batch)
            loss.backward()
            optimizer.step()
    if options.device != "cpu":
        loss.item()  # waits for the device
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
