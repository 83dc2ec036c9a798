"""`autoenc.compare`: the comparison of the command line, from Python and in notebooks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoenc.comparison.columns import usual_metric
from autoenc.comparison.exports import all_columns, as_csv
from autoenc.comparison.grouping import groups_by_seed
from autoenc.comparison.html_tables import as_html
from autoenc.comparison.keys import value_of
from autoenc.comparison.ranking import Ranking, rank
from autoenc.comparison.rendering import as_markdown
from autoenc.comparison.tables import Line, Table, TableOptions, comparison_tables
from autoenc.runs import RunRecord, read_runs
from autoenc.settings import ConfigError, listed


def compare(*folders: str | os.PathLike[str]) -> Comparison:
    """Compare runs, finished or not, as `autoenc-compare` does: the settings that differ and the metrics.

    Args:
        folders: runs, sweeps, or folders that contain some. A run that `autoenc.train` or `autoenc.load_run` returned
            stands for its folder.

    Raises:
        ConfigError: no folder is given, there is no such folder, or no run in it. The message is one line.
    """
    if not folders:
        raise ConfigError("compare()", "it needs at least one folder or run")
    paths = [Path(folder) for folder in folders]
    records = read_runs(paths, key="folder")
    if not records:
        raise ConfigError("folders", f"there is no run in {listed(map(str, paths))}")
    return Comparison(rank(records, metric=usual_metric(records)))


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs next to each other, the best first. In a notebook it displays itself as tables, elsewhere as Markdown.

    Runs that differ only in their seed are one row of the tables, as in `autoenc-compare`. `rows` has every run.
    """

    ranking: Ranking

    @property
    def runs(self) -> list[RunRecord]:
        """What the folders of the runs hold, in the order of the ranking; runs that cannot be ranked are last."""
        return self.ranking.rows

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each run: `run`, `folder`, `state`, the settings that differ, and all metrics such as `test.mse`.

        Values that a run does not have are None. `pandas.DataFrame(comparison.rows)` makes a table of them.
        """
        keys = all_columns(self.runs)
        return [
            {"run": record.name, "folder": str(record.path), "state": record.state}
            | {key: value_of(record, key) for key in keys}
            for record in self.runs
        ]

    def to_csv(self) -> str:
        """The text of a CSV file, as `autoenc-compare --csv` writes it: a row for each run, with all digits."""
        return as_csv(self.runs)

    def __repr__(self) -> str:
        return as_markdown(self._tables())

    def _repr_html_(self) -> str:
        return as_html(self._tables())

    def _tables(self) -> Sequence[Line | Table]:
        options = TableOptions(metric=self.ranking.metric, groups=groups_by_seed(self.ranking), all_rows=True)
        return list(comparison_tables(self.ranking, options))
