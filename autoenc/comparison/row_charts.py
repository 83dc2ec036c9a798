"""Charts with a row for each setting that show no score: the time of an epoch, and dead units."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autoenc.comparison.drawing import Drawing, counted_groups
from autoenc.comparison.formatting import as_typed
from autoenc.comparison.grouping import Group
from autoenc.display_names import choice_label
from autoenc.runs import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.rows_by_setting import SettingRow

MOST_ROWS = 40
MOST_DEVICES = 3
"""Named below the title."""


def seconds_per_epoch(records: Sequence[RunRecord], **_: Any) -> Drawing:
    """The median time of an epoch of each setting."""
    from autoenc.pictures.rows_by_setting import SettingRow, rows_by_setting

    seconds = {name: _epoch_seconds(group) for name, group in counted_groups(records)}
    medians = {name: statistics.median(values) for name, values in seconds.items() if values}
    if not medians:
        raise ValueError("no run recorded the seconds of its epochs")
    fastest = min(medians.values())
    rows = [
        SettingRow(name, median, seconds[name], None, f"{median:.3g} s\n{median / fastest:.2f} times the fastest")
        for name, median in medians.items()
    ]
    line = (
        "Median over the epochs of all seeds: training and validation, without evaluation and pictures. Faint: single "
        f"epochs. Runs that were trained at the same time slow each other.{_trained_on(records)}"
    )

    def draw(some: Sequence[SettingRow], title: str) -> Figure:
        return rows_by_setting(some, label="seconds per epoch", title=title, line=line, zero=True)

    return Drawing(title="Seconds per epoch", items=rows[:MOST_ROWS], draw=draw)


def _epoch_seconds(group: Group) -> list[float]:
    found = [row.get("seconds") for record in group.records for row in record.history]
    return [value for value in found if value is not None]


def _trained_on(records: Sequence[RunRecord]) -> str:
    """A sentence that names the devices: the same seconds mean something else on another one."""
    devices = list(dict.fromkeys(_device_words(record) for record in records if record.device))
    shown = devices[:MOST_DEVICES]
    more = f" and {len(devices) - len(shown)} more" if len(devices) > len(shown) else ""
    return f" Trained on: {'; '.join(shown)}{more}." if shown else ""


def _device_words(record: RunRecord) -> str:
    """`CPU, 2 threads`, or `cuda:0 (NVIDIA H200)`."""
    device = record.device or ""
    threads = record.environment.get("threads")
    if device != "cpu" or threads is None:
        return choice_label("device", device)
    return f"{choice_label('device', device)}, {as_typed(threads)} thread{'' if threads == 1 else 's'}"


def dead_units(records: Sequence[RunRecord], **_: Any) -> Drawing:
    """The share of the code's units that are dead, of each setting."""
    from autoenc.pictures.rows_by_setting import SettingRow, rows_by_setting

    rows = []
    for name, group in counted_groups(records):
        shares = [share for run, *_ in group.draws.values() if (share := _dead_share(run)) is not None]
        if shares:
            all_dead = sum(share == 1 for share in shares)
            text = f"{statistics.mean(shares):.0%}\nall dead in {all_dead} of {len(shares)} runs"
            rows.append(SettingRow(name, statistics.mean(shares), shares, None, text))
    if not rows:
        raise ValueError("no run counted its dead units")
    line = (
        "The share of the code's units that are dead: constant on the test images, or nearly so. Mark: mean over the "
        "seeds. Faint: the single seeds; several can lie on one point."
    )

    def draw(some: Sequence[SettingRow], title: str) -> Figure:
        label = "share of dead units of the code"
        return rows_by_setting(some, label=label, title=title, line=line, zero=True)

    return Drawing(title="Dead units of the code", items=rows[:MOST_ROWS], draw=draw)


def _dead_share(record: RunRecord) -> float | None:
    dead = (record.summary.get("health") or {}).get("dead_units") or {}
    of_code = [count for layer, count in dead.items() if layer.split(" ")[0] == "code" and count is not None]
    size = record.metrics.get("code_size")
    return min(1.0, of_code[0] / size) if of_code and size else None
