"""The page of pictures that a sweep ends with, and the `comparison` node of the config that describes it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autoenc.comparison.comparison_warnings import differences_between
from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.grouping import SEED, Group, group_names, grouped, grouped_by_setting, have_several_seeds
from autoenc.comparison.labels import metric_label, setting
from autoenc.comparison.ranking import baseline_name, best_first, comparable_sections
from autoenc.evaluation.metrics import current_key, find_metric
from autoenc.pictures import PICTURES, picture_class
from autoenc.runs import SPLITS, RunRecord
from autoenc.settings import ConfigError, NonNegativeInt, flattened, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    ComparedPicture = str
else:
    CHARTS = ("loss_curves", "final_losses", "error_against")  # drawn from what a run recorded, not from stored numbers
    ComparedPicture = Literal[(*CHARTS, *(name for name, entry in PICTURES.items() if entry.compared))]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """The `comparison` node of the config. No run depends on it, so no run's config has it."""

    title: str | None
    """Heading of the page; null for one that tells what varies."""
    pictures: tuple[ComparedPicture, ...]
    """Drawn one below another. A picture is left out, with a note in the log, for runs without its numbers."""
    metric: str | None
    """A name from `summary.json`, without the split, for the table and the charts; null: what the runs were trained
    for."""
    against: str | None
    """For `error_against`: the key of the numeric setting on the horizontal axis."""
    epochs: tuple[NonNegativeInt, ...] | None
    """For `progress`: the epochs to show; null for all that were kept."""

    def __post_init__(self) -> None:
        if self.metric is not None:
            object.__setattr__(self, "metric", current_key(self.metric))


def draw_comparison(
    records: Sequence[RunRecord], *, settings: ComparisonSettings, metric: str, title: str, path: Path
) -> bool:
    """Write the page of finished runs, with `metric` in its charts; returns whether there was anything to draw.

    Raises:
        ConfigError: `against` is not a numeric setting of these runs, or `metric` was not measured.
        OSError: the page cannot be written.
    """
    from autoenc.pictures.page import house_style
    from autoenc.pictures.panels import save_stacked

    for record in records:
        _check_record(record, settings=settings, metric=metric)
    with house_style():
        drawn = (_figure_or_warning(name, records, settings=settings, metric=metric) for name in settings.pictures)
        figures = [figure for figure in drawn if figure is not None]
        if figures:
            save_stacked(figures, path, title=title)
    return bool(figures)


def _check_record(record: RunRecord, *, settings: ComparisonSettings, metric: str) -> None:
    if "error_against" in settings.pictures:
        check_comparison(record.config, settings=settings)
    if f"test.{metric}" not in record.metrics:
        measured = [name.removeprefix("test.") for name in record.metrics if name.startswith("test.")]
        problem = f"{record.path} did not measure it; it has {', '.join(measured)}"
        raise ConfigError("comparison.metric", problem, value=metric)


def check_comparison(config: Mapping[str, Any], *, settings: ComparisonSettings) -> None:
    """Refuse a comparison that a run of this config cannot be part of, before it is trained.

    Raises:
        ConfigError: `against` is not a numeric setting of the run.
    """
    if settings.against is None:
        if "error_against" in settings.pictures:
            problem = "error_against needs the key of a numeric setting, such as architecture.code_size"
            raise ConfigError("comparison.against", problem, value=None)
        return
    value = setting(config, settings.against)
    if value is None:
        hint = nearest(settings.against, (key for key, value in flattened(config).items() if is_number(value)))
        raise ConfigError("comparison.against", f"runs have no number with this key{hint}", value=settings.against)
    if not is_number(value):
        problem = f"it must be the key of a number, but a run has {as_typed(value)}"
        raise ConfigError("comparison.against", problem, value=settings.against)


def _figure_or_warning(
    name: str, records: Sequence[RunRecord], *, settings: ComparisonSettings, metric: str
) -> Figure | None:
    try:
        if name == "loss_curves":
            return _loss_curves(records)
        if name == "final_losses":
            return _final_losses(records, metric=metric)
        if name == "error_against":
            return _error_against(records, key=settings.against or "", metric=metric)
        return _picture(name, records, epochs=settings.epochs, metric=metric)
    except ValueError as error:
        log.warning("The picture '%s' is left out: %s", name, error)
        return None


def _picture(name: str, records: Sequence[RunRecord], *, epochs: Sequence[int] | None, metric: str) -> Figure | None:
    """The picture of the numbers next to the runs' drawings, of one run for each setting; None if no run has any.

    A stranger's arrays lead numpy and matplotlib to errors of any kind, which become a ValueError.
    """
    from autoenc.pictures.picture import Panel, Picture
    from autoenc.pictures.progress import Progress

    panels: list[Panel[Picture]] = []
    try:
        for label, record in _representatives(records, metric=f"test.{metric}"):
            path = record.path / "figures" / f"{name}.npz"
            if path.exists() and not path.parent.is_symlink():
                picture = picture_class(name).load(path)
                chosen = picture.only(epochs) if epochs is not None and isinstance(picture, Progress) else picture
                panels.append(Panel(label, chosen))
            else:
                log.info("%s has no numbers of the picture '%s'.", label, name)
        if not panels:
            return None
        figure = picture_class(name).figure(panels, title=PICTURES[name].title)
        figure.draw_without_rendering()
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"its numbers cannot be drawn: {type(error).__name__}: {error}") from error
    return figure


def _groups(records: Sequence[RunRecord]) -> list[tuple[str, Group]]:
    """The runs by their settings without the seed, with names; without several seeds, each run with its label."""
    groups = grouped_by_setting(records)
    if have_several_seeds(groups):
        return list(zip(group_names(groups), groups, strict=True))
    return [(group.records[0].label, group) for group in grouped(records, ["name"], differing=())]


def _labelled(records: Sequence[RunRecord]) -> list[tuple[str, Group]]:
    """The same with the number of seeds: `conv (5 seeds)`."""
    groups = _groups(records)
    if not have_several_seeds(group for _, group in groups):
        return groups
    counts = [f"{len(group.draws)} seed{'' if len(group.draws) == 1 else 's'}" for _, group in groups]
    return [(f"{name} ({count})", group) for count, (name, group) in zip(counts, groups, strict=True)]


def _representatives(records: Sequence[RunRecord], *, metric: str) -> list[tuple[str, RunRecord]]:
    """One run for each setting: the median of its seeds by a metric; of two in the middle, the better one."""
    found = []
    for name, group in _groups(records):
        seeds = best_first((copies[0] for copies in group.draws.values()), metric)
        median = seeds[(len(seeds) - 1) // 2]
        chosen = "median" if len(seeds) > 2 else "better"
        which = f", seed {as_typed(median.settings.get(SEED))} ({chosen} of {len(seeds)} by {metric})"
        found.append((name + (which if len(seeds) > 1 else ""), median))
    return found


def _loss_curves(records: Sequence[RunRecord]) -> Figure:
    from autoenc.pictures.loss_curves import Loss, loss_curves_by_run

    settings = _labelled(records)
    histories = [(label, [copies[0].history for copies in group.draws.values()]) for label, group in settings]
    runs = [group.records[0] for _, group in settings]
    losses = [Loss(run.unit("test.loss") or "loss", denoising="test.denoising_mse" in run.metrics) for run in runs]
    return loss_curves_by_run(histories, losses=losses, title="Loss by epoch")


def _final_losses(records: Sequence[RunRecord], *, metric: str) -> Figure:
    from autoenc.pictures.scores_by_run import scores_by_run

    rows = [
        (label, [{split: run.metrics.get(f"{split}.{metric}") for split in SPLITS} for run, *_ in group.draws.values()])
        for label, group in _labelled(records)
    ]
    label, scale = _axis(records, metric)
    note = _comparability(records, metric)
    return scores_by_run(rows, metric_label=label, title=f"Final {metric}", note=note, scale=scale)


def _comparability(records: Sequence[RunRecord], metric: str) -> str:
    """A note if the metric does not measure the same thing in all runs; else empty."""
    sections = comparable_sections(records, f"test.{metric}")
    return f"Not all are comparable: they differ in {differences_between(sections)}." if len(sections) > 1 else ""


def _axis(records: Sequence[RunRecord], metric: str) -> tuple[str, str]:
    found = find_metric(f"test.{metric}")
    return metric_label(metric, unit=records[0].unit(f"test.{metric}")), found.scale if found else "log"


def _error_against(records: Sequence[RunRecord], *, key: str, metric: str) -> Figure:
    from autoenc.pictures.error_by_setting import Point, error_by_setting

    points = []
    known = find_metric(metric)
    name_of_baseline = known.baseline if known is not None and key == "architecture.code_size" else ""
    baseline: dict[float, float] = {}
    for name, record in ((name, run) for name, group in _groups(records) for run, *_ in group.draws.values()):
        place, metrics = float(setting(record.config, key)), record.metrics
        series = _series(name, key=key)
        points.append(Point(series, place, metrics.get(f"test.{metric}"), metrics.get(f"train.{metric}")))
        if f"test.{name_of_baseline}" in metrics:
            baseline[place] = metrics[f"test.{name_of_baseline}"]
    label, scale = _axis(records, metric)
    return error_by_setting(
        points,
        x_label=key,
        metric_label=label,
        baseline=sorted(baseline.items()),
        baseline_name=baseline_name(name_of_baseline),
        title=f"{metric} against {key}",
        note=_comparability(records, metric),
        scale=scale,
    )


def _series(name: str, *, key: str) -> str:
    """The name of a setting without its value of a key."""
    start = f"{key.rpartition('.')[2].replace('_', ' ')} "
    rest = [part for part in name.split(", ") if not part.startswith(start)]
    return ", ".join(rest) or "the runs"
