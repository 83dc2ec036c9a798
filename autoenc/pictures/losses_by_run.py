"""The losses of several settings by epoch, each the mean of its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from autoenc.evaluation.overfitting import overfitting_onset
from autoenc.pictures.charts import TRAINING_LINE, names_height
from autoenc.pictures.class_colors import look
from autoenc.pictures.loss_charts import Chart, Curve, Loss, Row, draw_chart
from autoenc.pictures.page import FRAME, MARGIN
from autoenc.pictures.panels import panel_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS_WIDTH, LEAST_WIDTH = 1400 - 2 * MARGIN, 1000 - 2 * MARGIN  # of several runs: of the only chart, of one of several
RUNS_HEIGHT, MOST_HEIGHT = 680, 820  # a chart grows with the names beside it; at the most, it names the best runs only
LINE = (
    "Solid: validation loss; dashed: training loss. The number is the last validation loss, or the last training loss "
    "of a run without a validation split."
)
SEEDS = (
    "Lines: means over seeds, to the last epoch that all of them have. Band: from the lowest to the highest validation "
    "loss of the seeds."
)
ONSET = "Ring: overfitting begins after this epoch. The validation loss rises while the training loss still falls."


def losses_by_run(
    histories: Sequence[tuple[str, Sequence[Sequence[Row]]]], *, losses: Sequence[Loss], title: str
) -> Figure:
    """The losses of several settings by epoch, in one chart for each kind of loss; call it inside `house_style`.

    Of each setting there is a name, for each of its seeds the rows of metrics.jsonl, and what its loss is. Several
    seeds have a line through their mean, as far as all of them go, and a band. Of very many settings, those with
    the lowest last loss are named. Values that are missing or not finite leave a gap.

    Raises:
        ValueError: there is no run, or a run has no epoch.
    """
    if not histories or not all(seeds and all(seeds) for _, seeds in histories):
        raise ValueError("histories: expected at least one run, each with at least one epoch")
    runs = [_curves_of_setting(name, seeds, index=index) for index, (name, seeds) in enumerate(histories)]
    charts = [
        _chart([run for run, other in zip(runs, losses, strict=True) if other == loss], loss=loss)
        for loss in dict.fromkeys(losses)
    ]
    width = RUNS_WIDTH if len(charts) == 1 else LEAST_WIDTH
    height = max(RUNS_HEIGHT, *(names_height(chart.names) for chart in charts))
    seeds = SEEDS if any(len(seeds) > 1 for _, seeds in histories) else ""
    onset = ONSET if any(curve.onset is not None for chart in charts for curve in chart.curves) else ""
    line = " ".join(filter(None, [LINE, seeds, onset, *(chart.remark for chart in charts)]))
    headings = [chart.loss.explanation for chart in charts]
    page = panel_page(headings, width=width, height=height, columns=2, title=title, line=line)
    for chart, corner in zip(charts, page.corners, strict=True):
        draw_chart(page, chart, corner=corner, width=width, height=height)
    return page.page.figure


def _curves_of_setting(name: str, seeds: Sequence[Sequence[Row]], *, index: int) -> list[Curve]:
    """The curves of its only run; or those of the mean of its runs, the main one with a band of its seeds."""
    rows = seeds[0] if len(seeds) == 1 else _mean_rows(seeds)
    main, *others = _curves_of_run(name, rows, index=index)
    if len(seeds) > 1:
        every = [_curves_of_run("_seed", rows, index=index)[0] for rows in seeds]
        losses = np.array([curve.losses[np.isin(curve.epochs, main.epochs)] for curve in every])  # (seeds, E)
        main = replace(main, band=np.array([losses.min(0), losses.max(0)]))
    onset = _onset(rows)
    if onset is not None:
        main = replace(main, onset=onset, overfitting=f"overfits after epoch {onset}")
    elif len(seeds) > 1:
        main = replace(main, overfitting=_overfitting_seeds(seeds))
    return [main, *others]


def _onset(rows: Sequence[Row]) -> int | None:
    place = overfitting_onset([row.get("train/loss") for row in rows], [row.get("validation/loss") for row in rows])
    return None if place is None else int(rows[place - 1]["epoch"] or 0)


def _overfitting_seeds(seeds: Sequence[Sequence[Row]]) -> str:
    """Which of several seeds overfit, where their mean does not: `2 of 3 seeds overfit after epochs 24 and 31`."""
    onsets = sorted(onset for rows in seeds if (onset := _onset(rows)) is not None)
    if not onsets:
        return ""
    verb, plural = ("overfits", "") if len(onsets) == 1 else ("overfit", "s")
    *before, last = map(str, onsets)
    when = " and ".join(filter(None, [", ".join(before), last]))
    return f"{len(onsets)} of {len(seeds)} seeds {verb} after epoch{plural} {when}"


def _mean_rows(seeds: Sequence[Sequence[Row]]) -> list[Row]:
    """The losses of the epochs that all seeds have, averaged."""
    by_epoch = [{row["epoch"]: row for row in rows} for rows in seeds]
    shared = [row["epoch"] for row in seeds[0] if all(row["epoch"] in rows for rows in by_epoch)]
    return [{"epoch": epoch, **_mean_losses([rows[epoch] for rows in by_epoch])} for epoch in shared]


def _mean_losses(rows: Sequence[Row]) -> dict[str, float]:
    """None of a loss that a seed lacks."""
    values = {key: [row.get(key) for row in rows] for key in ("train/loss", "validation/loss")}
    return {
        key: float(np.mean(np.array(found, dtype=np.float64))) for key, found in values.items() if None not in found
    }


def _curves_of_run(name: str, rows: Sequence[Row], *, index: int) -> list[Curve]:
    """The loss that carries the name, then the training loss if that is another one."""
    color, marker = look(index)
    style = {"name": name, "color": color, "marker": marker, "shift": index}
    validation = Curve.of("validation/loss", rows, **style)
    if math.isnan(validation.last):
        return [Curve.of("train/loss", rows, **style, dashes=TRAINING_LINE)]
    return [
        validation,
        Curve.of("train/loss", rows, name="_train", color=color, marker="", dashes=TRAINING_LINE, thin=True),
    ]


def _chart(runs: Sequence[list[Curve]], *, loss: Loss) -> Chart:
    ended = sorted((run for run in runs if math.isfinite(run[0].last)), key=lambda run: run[0].last)
    names = [run[0].label for run in ended]
    while names_height(names) > MOST_HEIGHT:
        names.pop()
    unnamed = [run for run in runs if run not in ended[: len(names)]]
    grey = [replace(run[0], color=FRAME, marker="", thin=True) for run in unnamed]
    curves = [curve for run in runs if run not in unnamed for curve in run]
    remark = f"Of {len(ended)} runs the {len(names)} best are named, by this last value; the others are grey."
    return Chart(loss, grey + curves, names, remark if len(names) < len(ended) else "")
