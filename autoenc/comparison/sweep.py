"""What a sweep ends with: a table, `comparison.csv`, `comparison.png` and `report.html`; and the same again later."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from autoenc.comparison.blocks import Wanted, comparison_blocks
from autoenc.comparison.columns import usual_metric
from autoenc.comparison.exports import write_csv
from autoenc.comparison.page import ComparisonSettings, draw_comparison
from autoenc.comparison.report import write_report
from autoenc.comparison.terminal import print_blocks
from autoenc.comparison.view import arrange
from autoenc.progress import console
from autoenc.runs import RunRecord, read_runs, read_sweep
from autoenc.settings import checked

log = logging.getLogger(__name__)

TABLE, PAGE, REPORT = "comparison.csv", "comparison.png", "report.html"


def finished_runs(folder: Path) -> list[Path]:
    """The folders of a sweep's jobs that have finished; the others are named in the log.

    Raises:
        ConfigError: `sweep.json` cannot be read.
    """
    records = jobs_of(folder)
    for record in records:
        if record.state != "finished":
            log.warning("%s has not finished, and is left out.", folder / record.path.name)
    return [folder / record.path.name for record in records if record.state == "finished"]


def jobs_of(folder: Path) -> list[RunRecord]:
    """The jobs of a sweep in the order of its `sweep.json`, whatever became of them.

    Raises:
        ConfigError: `sweep.json` cannot be read.
    """
    order = {name: number for number, name in enumerate(read_sweep(folder).labels)}
    found = [record for record in read_runs([folder]) if record.path.name in order]
    jobs = [record for record in found if record.path.parent.resolve() == folder.resolve()]  # and not of one below it
    return sorted(jobs, key=lambda record: order[record.path.name])


def compare_sweep(folder: Path) -> Path | None:
    """Write the numbers of a sweep's jobs, their pictures on one page, and the report; and print the table.

    Returns:
        the page of pictures; None where nothing has finished, or there is nothing to draw.

    Raises:
        ConfigError: the jobs cannot be compared as `sweep.json` says.
        OSError: something cannot be read or written.
    """
    settings = checked(ComparisonSettings, read_sweep(folder).comparison, key="comparison")
    jobs = jobs_of(folder)
    finished = [record for record in jobs if record.state == "finished"]
    count = f"{len(finished)}" if len(finished) == len(jobs) else f"{len(finished)} of {len(jobs)}"
    title = settings.title or f"{count} runs compared"
    metric = _ranking(finished, settings)
    try:
        write_csv(jobs, folder / TABLE)
        drawn = bool(finished) and draw_comparison(finished, settings=settings, title=title, path=folder / PAGE)
        write_report(jobs, folder / REPORT, title=settings.title or folder.name, metric=metric)
    finally:  # the files first, which stay; but where a disk is full, say, the table can still be seen
        if settings.title is not None:
            console.print(settings.title, style="bold", markup=False)
        _print(jobs, metric=metric)
    return folder / PAGE if drawn else None


def _ranking(finished: Sequence[RunRecord], settings: ComparisonSettings) -> str | None:
    """What to rank by: on the validation split, where there is one, since the test split selects nothing."""
    for key in (f"validation.{settings.metric}", f"test.{settings.metric}"):
        if finished and all(key in record.metrics for record in finished):
            return key
    return usual_metric(finished)


def _print(jobs: Sequence[RunRecord], *, metric: str | None) -> None:
    wanted = Wanted(metric=metric, order=None, top=None, every=True, columns=None, group_by=None)
    print_blocks(
        comparison_blocks(arrange(jobs, metric=metric, order=None), wanted),
        metric=metric,
        all_columns=False,
        to=console,
    )
