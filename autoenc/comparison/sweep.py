"""What a sweep ends with: a table, `comparison.csv` and `comparison.png`; and `sweep.json`, to make them again."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoenc.comparison.jobs import Job
from autoenc.comparison.page import draw_comparison
from autoenc.comparison.settings import ComparisonSettings
from autoenc.comparison.table import final_losses, write_csv
from autoenc.progress import console
from autoenc.run_directory import RunDirectory, write_atomically
from autoenc.settings import ConfigError, checked

log = logging.getLogger(__name__)

FILE = "sweep.json"
WIDEST = 1000  # characters of a table


class SweepJob(NamedTuple):
    """A job, as `sweep.json` has it."""

    label: str
    """What it is called: what distinguishes it from the others."""
    identity: str
    """A hash of what its config computes."""
    overrides: tuple[str, ...]
    """What its command line has that not all others have."""
    code: str
    """The version of the code that it was begun with."""


class Sweep(NamedTuple):
    """What `sweep.json` says."""

    jobs: dict[str, SweepJob]
    """By the folder of each, below the sweep's."""
    settings: ComparisonSettings

    @property
    def labels(self) -> dict[str, str]:
        """By the folder of each job, below the sweep's, what it is called."""
        return {folder: job.label for folder, job in self.jobs.items()}


def write_sweep(folder: Path, jobs: Mapping[str, SweepJob], *, settings: ComparisonSettings) -> None:
    """Write `sweep.json`.

    Raises:
        OSError: it cannot be written.
    """
    values = {"jobs": {name: job._asdict() for name, job in jobs.items()}, "comparison": asdict(settings)}
    write_atomically(folder / FILE, json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n")


def read_sweep(folder: Path) -> Sweep:
    """What `write_sweep` wrote.

    Raises:
        ConfigError: there is no such file, or it says something else.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text("utf-8"))
        jobs = {str(name): _job(job) for name, job in values["jobs"].items()}
        settings = values["comparison"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(str(path), f"cannot be read: {error}") from None
    outside = [name for name in jobs if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise ConfigError(str(path), "it names a folder that is not below the sweep's", value=outside[0])
    return Sweep(jobs, checked(ComparisonSettings, settings, key="comparison"))


def _job(values: Any) -> SweepJob:
    if isinstance(values, str):  # the label alone, as the first sweeps had it
        return SweepJob(values, "", (), "")
    overrides = tuple(str(text) for text in values["overrides"])
    return SweepJob(str(values["label"]), str(values["identity"]), overrides, str(values["code"]))


def finished_runs(folder: Path) -> list[Path]:
    """The folders of a sweep's jobs that have finished; the others are named in the log.

    Raises:
        ConfigError: `sweep.json` cannot be read.
    """
    runs = [folder / name for name in read_sweep(folder).labels]
    finished = [run for run in runs if RunDirectory(run).status().get("state") == "finished"]
    for run in runs:
        if run not in finished:
            log.warning("%s has not finished, and is left out.", run)
    return finished


def compare_sweep(folder: Path) -> Path | None:
    """Print the table of a sweep's finished jobs, and write their numbers and the page of their pictures.

    Returns:
        the page; None where nothing has finished, or there is nothing to draw.

    Raises:
        ConfigError: the jobs cannot be compared as `sweep.json` says.
        OSError: something cannot be read or written.
    """
    sweep = read_sweep(folder)
    found = [Job.read(folder / name, label=label) for name, label in sweep.labels.items()]
    jobs = [job for job in found if job is not None]
    if not jobs:
        return None
    title = sweep.settings.title or f"{len(jobs)} runs compared"
    table = final_losses(jobs, metric=sweep.settings.metric, title=title)
    _print_whole(table)
    write_csv(jobs, folder / "comparison.csv")
    page = folder / "comparison.png"
    return page if draw_comparison(jobs, settings=sweep.settings, title=title, path=page) else None


def _print_whole(table: Table) -> None:
    """A narrow terminal, or a file, gets whole numbers in long lines, not parts of them."""
    wide = Console(file=io.StringIO(), width=WIDEST, force_terminal=console.is_terminal, highlight=False)
    with wide.capture() as captured:
        wide.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)
