"""The results at the end of a sweep: a table, `comparison.csv`, `comparison.png`, `slides/` and `report.html`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from autoenc.comparison.columns import usual_metric
from autoenc.comparison.exports import as_csv, write_text
from autoenc.comparison.grouping import groups_by_seed
from autoenc.comparison.keys import without_split
from autoenc.comparison.page import ComparisonSettings, check_measured, draw_comparison
from autoenc.comparison.ranking import rank
from autoenc.comparison.rendering import print_tables
from autoenc.comparison.report import write_report
from autoenc.comparison.tables import TableOptions, comparison_tables
from autoenc.display_names import shared_data_label
from autoenc.pictures import FigureFormat
from autoenc.progress import console
from autoenc.runs import RunRecord, read_runs, read_sweep
from autoenc.settings import ConfigError, checked

log = logging.getLogger(__name__)

TABLE, PAGE, SLIDES, REPORT = "comparison.csv", "comparison.png", "slides", "report.html"

USUAL = ComparisonSettings(
    title=None, pictures=("loss_curves", "final_losses", "reconstructions"), metric=None, against=None, epochs=None
)
"""For runs of several sweeps or of none."""


def finished_runs(folder: Path) -> list[Path]:
    """The folders of a sweep's finished jobs; the log names the others.

    Raises:
        ConfigError: `sweep.json` cannot be read.
    """
    records = jobs_of(folder)
    for record in records:
        if not record.finished:
            log.warning("%s has not finished and is left out.", folder / record.path.name)
    return [folder / record.path.name for record in records if record.finished]


def jobs_of(folder: Path) -> list[RunRecord]:
    """The jobs of a sweep in any state, in the order of its `sweep.json`.

    Raises:
        ConfigError: `sweep.json` cannot be read.
    """
    order = {name: number for number, name in enumerate(read_sweep(folder).labels)}
    found = [record for record in read_runs([folder]) if record.path.name in order]
    jobs = [record for record in found if record.path.parent.resolve() == folder.resolve()]  # not of a sweep below it
    return sorted(jobs, key=lambda record: order[record.path.name])


def compare_sweep(folder: Path, *, figure_format: FigureFormat | None = None, shows_table: bool = True) -> Path | None:
    """Write the table, the page of pictures, the slides and the report of a sweep's jobs, and print the table.

    Slides are in the `figure_format`; None for that of the runs. Without `shows_table`, nothing is printed.

    Returns:
        the page of pictures; None if no job has finished or there is nothing to draw.

    Raises:
        ConfigError: the jobs cannot be compared as `sweep.json` says.
        OSError: a file cannot be read or written.
    """
    jobs = jobs_of(folder)
    finished = [record for record in jobs if record.finished]
    settings, name = comparison_of(folder, finished)
    count = f"{len(finished)}" if len(finished) == len(jobs) else f"{len(finished)} of {len(jobs)}"
    title = settings.title or _title(count, finished)
    metric = _metric(finished, settings)
    try:
        write_text(folder / TABLE, as_csv(jobs))
        drawn = bool(finished) and draw_comparison(
            finished,
            settings=settings,
            metric=name,
            title=title,
            path=folder / PAGE,
            slides=folder / SLIDES,
            figure_format=figure_format or _format_of(finished[0]),
        )
        write_report(jobs, folder / REPORT, title=settings.title or folder.name, metric=metric)
    finally:  # print the table even if, say, the disk is full
        if shows_table:
            _print_table(jobs, title=settings.title, metric=metric)
    return folder / PAGE if drawn else None


def _print_table(jobs: Sequence[RunRecord], *, title: str | None, metric: str | None) -> None:
    if title is not None:
        console.print(title, style="bold", markup=False)
    ranking = rank(jobs, metric=metric)
    shown = TableOptions(metric=metric, all_rows=True, groups=groups_by_seed(ranking))
    print_tables(comparison_tables(ranking, shown), metric=metric, all_columns=False, to=console)


def comparison_of(sweep: Path | None, finished: Sequence[RunRecord]) -> tuple[ComparisonSettings, str]:
    """How a sweep compares its finished runs, and the metric of its charts without the split.

    Raises:
        ConfigError: `sweep.json` cannot be read.
    """
    settings = USUAL if sweep is None else checked(ComparisonSettings, read_sweep(sweep).comparison, key="comparison")
    return settings, settings.metric or (_metric(finished, settings) or "").partition(".")[2]


def draw_slides(records: Sequence[RunRecord], folder: Path, *, metric: str | None, figure_format: FigureFormat) -> None:
    """Draw slides of the finished runs among some: as their sweep compares them if they are jobs of one.

    Args:
        records: the runs.
        folder: made if it does not exist.
        metric: a key such as `test.mse`; None for the usual one.
        figure_format: of the slides.

    Raises:
        ConfigError: no run has finished, none measured the metric on its test split, or there is nothing to draw.
        OSError: a file cannot be read or written.
    """
    finished = [record for record in records if record.finished]
    if not finished:
        raise ConfigError("--slides", "no run has finished", value=str(folder))
    sweeps = {record.sweep for record in finished}
    settings, name = comparison_of(sweeps.pop() if len(sweeps) == 1 else None, finished)
    if metric is not None:
        name = without_split(metric)
        check_measured(finished, name, option="--metric")
    drawn = draw_comparison(
        finished,
        settings=settings,
        metric=name,
        title=settings.title or _title(f"{len(finished)}", finished),
        path=None,
        slides=folder,
        figure_format=figure_format,
    )
    if not drawn:
        problem = f"these runs have no numbers for any of the pictures: {', '.join(settings.pictures)}"
        raise ConfigError("--slides", problem, value=str(folder))


def _title(count: str, finished: Sequence[RunRecord]) -> str:
    """`12 runs compared, on MNIST, Gaussian noise (std 0.3)`."""
    return ", ".join(filter(None, [f"{count} runs compared", shared_data_label(run.config for run in finished)]))


def _format_of(record: RunRecord) -> FigureFormat:
    found = record.config.get("figure_format")
    return cast(FigureFormat, found) if found in get_args(FigureFormat) else "png"


def _metric(finished: Sequence[RunRecord], settings: ComparisonSettings) -> str | None:
    """The key of the metric that the sweep names, or of what the runs were trained for."""
    for key in (f"validation.{settings.metric}", f"test.{settings.metric}"):
        if finished and all(key in record.metrics for record in finished):
            return key
    return usual_metric(finished)
