"""Pictures of the numbers that runs stored next to their own drawings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoenc.comparison.drawing import Drawing, best_runs, representatives
from autoenc.pictures import PICTURES, picture_class
from autoenc.runs import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.picture import Panel, Picture

log = logging.getLogger(__name__)

MOST_PANELS = 12


def stored_picture(
    name: str, records: Sequence[RunRecord], *, epochs: Sequence[int] | None, metric: str
) -> Drawing | None:
    """The picture of one run for each setting, at most of the `MOST_PANELS` best; None if no run has its numbers.

    Args:
        name: of the picture.
        records: the runs.
        epochs: those to show of `progress`; None for all.
        metric: chooses one of several seeds, and the best settings; without its split.

    Raises:
        ValueError: the stored numbers cannot be read.
    """
    found = []
    for label, record in representatives(records, metric=f"test.{metric}"):
        path = record.path / "figures" / f"{name}.npz"
        if path.exists() and not path.parent.is_symlink():
            found.append((label, record))
        else:
            log.info("%s has no numbers of the picture '%s'.", label, name)
    if not found:
        return None
    chosen, note = best_runs(found, metric=f"test.{metric}", most=MOST_PANELS)
    panels = [_panel(name, label, record, epochs=epochs) for label, record in chosen]

    def draw(some: Sequence[Panel[Picture]], title: str) -> Figure:
        return _figure(name, some, title=title)

    return Drawing(title=f"{PICTURES[name].title}{note}", items=panels, draw=draw)


def _panel(name: str, label: str, record: RunRecord, *, epochs: Sequence[int] | None) -> Panel[Picture]:
    from autoenc.pictures.picture import Panel
    from autoenc.pictures.progress import Progress

    picture = picture_class(name).load(record.path / "figures" / f"{name}.npz")
    chosen = picture.only(epochs) if epochs is not None and isinstance(picture, Progress) else picture
    return Panel(label, chosen)


def _figure(name: str, panels: Sequence[Panel[Picture]], *, title: str) -> Figure:
    """A stranger's arrays lead numpy and matplotlib to errors of any kind, which become a ValueError."""
    try:
        figure = picture_class(name).figure(panels, title=title)
        figure.draw_without_rendering()
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"its numbers cannot be drawn: {type(error).__name__}: {error}") from error
    return figure
