"""The charts of what runs recorded: losses, scores, their differences, times and dead units.

To add a chart, write its function here and add it to `CHARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoenc.comparison.comparison_warnings import differences_between
from autoenc.comparison.drawing import Drawing, best_runs, counted_groups, named_groups
from autoenc.comparison.formatting import as_typed
from autoenc.comparison.grouping import SEED, Group
from autoenc.comparison.labels import metric_label, setting
from autoenc.comparison.paired import paired_values
from autoenc.comparison.ranking import baseline_name, better_direction, comparable_sections
from autoenc.comparison.row_charts import MOST_ROWS, dead_units, seconds_per_epoch
from autoenc.display_names import choice_label, metric_words, setting_label
from autoenc.evaluation.estimates import estimate
from autoenc.evaluation.metric import is_logarithmic
from autoenc.evaluation.metrics import DENOISING, find_metric
from autoenc.runs import SPLITS, RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.rows_by_setting import SettingRow

COLLAPSED = 0.9
"""The error of the mean image is shown next to runs that have at least this share of it."""


def chart(name: str, records: Sequence[RunRecord], *, metric: str, against: str | None) -> Drawing:
    """A chart of `CHARTS`.

    Args:
        name: of the chart.
        records: the runs.
        metric: the score, without its split.
        against: for `error_against`, the key of a numeric setting.

    Raises:
        ValueError: the runs do not have what it shows.
    """
    return CHARTS[name](records, metric=metric, against=against)


def _loss_curves(records: Sequence[RunRecord], **_: Any) -> Drawing:
    from autoenc.pictures.loss_charts import Loss
    from autoenc.pictures.losses_by_run import losses_by_run

    groups = counted_groups(records)
    histories = [(label, [copies[0].history for copies in group.draws.values()]) for label, group in groups]
    runs = [group.records[0] for _, group in groups]
    losses = [Loss(run.unit("test.loss") or "loss", denoising="test.denoising_mse" in run.metrics) for run in runs]

    def draw(_: Sequence[Any], title: str) -> Figure:
        return losses_by_run(histories, losses=losses, title=title)

    return Drawing(title="Loss by epoch", items=[histories], draw=draw)


def _final_losses(records: Sequence[RunRecord], *, metric: str, **_: Any) -> Drawing:
    from autoenc.pictures.scores_by_run import ScoreRow, scores_by_run

    groups, left_out = _best_groups(counted_groups(records), metric=f"test.{metric}")
    shown = [record for _, group in groups for record in group.records]
    baselines = _baselines(shown, metric=metric)
    rows = []
    for label, group in groups:
        runs = [copies[0] for copies in group.draws.values()]
        scores = [{split: run.metrics.get(f"{split}.{metric}") for split in SPLITS} for run in runs]
        rows.append(ScoreRow(label, scores, _baseline_values(runs[0], baselines)))
    label, scale = _axis(records, metric)
    note = _comparability(records, metric)

    def draw(some: Sequence[ScoreRow], title: str) -> Figure:
        return scores_by_run(some, metric_label=label, title=title, note=note, scale=scale)

    return Drawing(title=f"Final {metric_words(metric)}{left_out}", items=rows, draw=draw)


def _error_against(records: Sequence[RunRecord], *, metric: str, against: str | None) -> Drawing:
    from autoenc.pictures.error_by_setting import Point, error_by_setting

    key = against or ""
    points = []
    baselines: dict[str, dict[float, float]] = {}
    for name, run in ((name, run) for name, group in named_groups(records) for run, *_ in group.draws.values()):
        place = float(setting(run.config, key))
        series = _series(name, run, key=key)
        points.append(Point(series, place, run.metrics.get(f"test.{metric}"), run.metrics.get(f"train.{metric}")))
        for baseline, value in _baseline_values(run, _baselines([run], metric=metric)).items():
            baselines.setdefault(baseline, {})[place] = value
    label, scale = _axis(records, metric)
    note = _comparability(records, metric, shown=key)
    lines = {name: sorted(values.items()) for name, values in baselines.items() if len(values) > 1}

    def draw(_: Sequence[Any], title: str) -> Figure:
        return error_by_setting(
            points,
            x_label=_words(key),
            metric_label=label,
            baselines=lines,
            title=title,
            note=note,
            scale=scale,
        )

    return Drawing(title=f"{_capitalized(metric_words(metric))} against {_words(key)}", items=[points], draw=draw)


def _differences(records: Sequence[RunRecord], *, metric: str, **_: Any) -> Drawing:
    """Each setting minus the best one, paired by seed."""
    from autoenc.pictures.rows_by_setting import SettingRow, rows_by_setting

    key = f"test.{metric}"
    groups = named_groups(records)
    means = {name: found.mean for name, group in groups if (found := group.estimate(key)) is not None}
    if len(means) < 2 or any(group.varying != (SEED,) for _, group in groups):
        raise ValueError("it needs two settings whose runs differ only in their seed, with comparable scores")
    unit = _unit(records, metric)
    best = (max if better_direction(metric) == "higher" else min)(means, key=means.__getitem__)
    reference = dict(groups)[best]
    rows = []
    for name, group in groups:
        values = [] if name == best or name not in means else paired_values(group, reference, key)
        if len(values) > 1:
            found = estimate(values)
            half = found.half_width or 0.0
            has_ratio = means[best] != 0 and not is_logarithmic(unit)
            share = f"{found.mean / means[best]:+.1%}, " if has_ratio else ""
            chance = "more than chance" if abs(found.mean) > half else "may be chance"
            text = f"{found.rounded}\n{share}{chance}"
            rows.append(SettingRow(name, found.mean, values, (found.mean - half, found.mean + half), text))
    if not rows:
        raise ValueError("it needs two seeds that two settings share")
    label, _scale = _axis(records, metric)
    line = (
        "Mean of the differences between runs of the same seed: each setting minus the best one. Bar: 95 % "
        "interval by Student's t. Faint: the single seeds. If the interval contains 0, the difference may be chance."
    )

    def draw(some: Sequence[SettingRow], title: str) -> Figure:
        return rows_by_setting(some, label=f"difference in {label}", title=title, line=line, zero=True)

    return Drawing(title=f"Difference in {metric_words(metric)} from the best ({best})", items=rows, draw=draw)


CHARTS: Mapping[str, Callable[..., Drawing]] = {
    "loss_curves": _loss_curves,
    "final_losses": _final_losses,
    "error_against": _error_against,
    "differences": _differences,
    "seconds_per_epoch": seconds_per_epoch,
    "dead_units": dead_units,
}
"""By the name in `comparison.pictures`."""


def _best_groups(groups: Sequence[tuple[str, Group]], *, metric: str) -> tuple[list[tuple[str, Group]], str]:
    """At most `MOST_ROWS` groups, and what the title adds if some are left out."""
    kept, note = best_runs([(name, group.records[0]) for name, group in groups], metric=metric, most=MOST_ROWS)
    names = {name for name, _ in kept}
    return [each for each in groups if each[0] in names], note


def _baselines(records: Sequence[RunRecord], *, metric: str) -> list[str]:
    """The names of what a metric is shown next to: of the clean images, the last of its baselines.

    The mean image is only shown next to runs that are about as bad, because it would stretch the axis of the others.
    """
    known = find_metric(metric)
    baselines = [] if known is None else [*known.baselines]
    found = baselines if metric.startswith(DENOISING) else baselines[-1:]
    pairs = [(run.metrics.get(f"test.{metric}"), run.metrics.get("test.mean_image_mse")) for run in records]
    near = any(error is not None and mean is not None and error >= COLLAPSED * mean for error, mean in pairs)
    return [*found, "mean_image_mse"] if metric == "mse" and near else found


def _baseline_values(record: RunRecord, names: Sequence[str]) -> dict[str, float]:
    """The baselines that a run has, by their short names."""
    values = {name: record.metrics.get(f"test.{name}") for name in names}
    return {baseline_name(name): value for name, value in values.items() if value is not None}


def _comparability(records: Sequence[RunRecord], metric: str, *, shown: str = "") -> str:
    """A note if the metric does not measure the same thing in all runs; else empty.

    None if they differ in the setting `shown` alone, which is on an axis.
    """
    sections = comparable_sections(records, f"test.{metric}")
    if {name for section in sections for name in section.apart} <= {shown}:
        return ""
    return f"Not all are comparable: they differ in {differences_between(sections)}." if len(sections) > 1 else ""


def _axis(records: Sequence[RunRecord], metric: str) -> tuple[str, str]:
    found = find_metric(f"test.{metric}")
    return metric_label(metric, unit=_unit(records, metric)), found.scale if found else "log"


def _unit(records: Sequence[RunRecord], metric: str) -> str:
    return next(filter(None, (record.unit(f"test.{metric}") for record in records)), "")


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _words(key: str) -> str:
    """`code size`, `noise std`."""
    return key.removeprefix("architecture.").replace(".", " ").replace("_", " ")


def _series(name: str, run: RunRecord, *, key: str) -> str:
    """The name of a setting without its value of a key; if nothing is left, its architecture."""
    own = setting_label(key, as_typed(setting(run.config, key)))
    rest = [part for part in name.split(", ") if part != own]
    return ", ".join(rest) or choice_label("architecture", as_typed(run.settings.get("architecture")))
