"""The pictures that compare runs, on one page and as slides, and the `comparison` node of the config."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autoenc.comparison.charts import CHARTS, chart
from autoenc.comparison.drawing import Drawing
from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.labels import setting
from autoenc.comparison.stored_pictures import stored_picture
from autoenc.evaluation.metrics import current_key
from autoenc.pictures import PICTURES, FigureFormat
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError, NonNegativeInt, flattened, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    ComparedPicture = str
else:
    ComparedPicture = Literal[(*CHARTS, *(name for name, entry in PICTURES.items() if entry.compared))]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """The `comparison` node of the config. No run depends on it, so no run's config has it."""

    title: str | None
    """Heading of the page; null for one that tells what varies."""
    pictures: tuple[ComparedPicture, ...]
    """Drawn one below another, and each on slides. A picture is left out, with a note in the log, for runs without its
    numbers."""
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
    records: Sequence[RunRecord],
    *,
    settings: ComparisonSettings,
    metric: str,
    title: str,
    path: Path | None,
    slides: Path | None = None,
    figure_format: FigureFormat = "png",
) -> bool:
    """Draw finished runs, with `metric` in the charts: a page at `path`, and slides in the folder `slides`.

    A slide is 1920 x 1080 pixels, `<picture>.<figure_format>`. What does not fit on one is spread over several:
    `<picture>-1.<figure_format>` and so on.

    Returns:
        whether there was anything to draw.

    Raises:
        ConfigError: `against` is not a numeric setting of these runs, or no run measured `metric`.
        OSError: a file cannot be written.
    """
    from autoenc.pictures.page import house_style
    from autoenc.pictures.panels import save_stacked
    from autoenc.pictures.slides import save_slides

    _check_records(records, settings=settings, metric=metric)
    pages = []
    with house_style():
        for name in settings.pictures:
            try:
                drawing = _drawing(name, records, settings=settings, metric=metric)
                if drawing is None:
                    continue
                page = drawing.draw(drawing.items, drawing.title)
                on_slides = _on_slides(drawing, title=f"{title}: {drawing.title}") if slides is not None else []
            except ValueError as error:
                log.warning("The picture '%s' is left out: %s", name, error)
                continue
            pages.append(page)
            if slides is not None:
                save_slides(on_slides, slides, name=name, figure_format=figure_format)
        if pages and path is not None:
            save_stacked(pages, path, title=title)
    return bool(pages)


def _drawing(name: str, records: Sequence[RunRecord], *, settings: ComparisonSettings, metric: str) -> Drawing | None:
    """A picture of the runs; None if no run has its numbers."""
    if name in CHARTS:
        return chart(name, records, metric=metric, against=settings.against)
    return stored_picture(name, records, epochs=settings.epochs, metric=metric)


def _on_slides(drawing: Drawing, *, title: str) -> list[Figure]:
    """The fewest slides whose text is large enough; at the least, one panel or row on each."""
    from autoenc.pictures.slides import is_readable

    count = len(drawing.items)
    for number in range(1, count + 1):
        size = -(-count // number)
        first = drawing.draw(drawing.items[:size], title)
        if is_readable(first) or size == 1:
            rest = [drawing.items[start : start + size] for start in range(size, count, size)]
            return [first, *(drawing.draw(part, title) for part in rest)]
    return []


def _check_records(records: Sequence[RunRecord], *, settings: ComparisonSettings, metric: str) -> None:
    if "error_against" in settings.pictures:
        for record in records:
            check_comparison(record.config, settings=settings)
    check_measured(records, metric, option="comparison.metric")


def check_measured(records: Sequence[RunRecord], metric: str, *, option: str) -> None:
    """Refuse a metric that no run has on its test split."""
    if all(f"test.{metric}" not in record.metrics for record in records):
        names = dict.fromkeys(name for record in records for name in record.metrics if name.startswith("test."))
        measured = ", ".join(name.removeprefix("test.") for name in names)
        raise ConfigError(option, f"no run measured it on the test split; they have {measured}", value=metric)


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
