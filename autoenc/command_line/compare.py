"""`scripts/compare.py FOLDER...`: compare runs, on the terminal and in files. Imports neither torch nor Hydra."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.shared_arguments import folders_among, folders_parser, positive
from autoenc.comparison.columns import usual_metric
from autoenc.comparison.difference_tables import difference_tables
from autoenc.comparison.exports import (
    all_columns,
    as_csv,
    as_json,
    check_destination,
    check_folder,
    groups_as_csv,
    write_text,
)
from autoenc.comparison.grouping import Group, group_metrics, groups_by_seed, groups_of, without_seed
from autoenc.comparison.keys import Keys, differing_settings
from autoenc.comparison.ranking import Ranking, SortOrder, rank
from autoenc.comparison.rendering import as_markdown, print_tables
from autoenc.comparison.sweep_results import draw_slides
from autoenc.comparison.tables import (
    Line,
    Table,
    TableOptions,
    comparison_tables,
    shown_keys,
)
from autoenc.comparison.where import parse_where
from autoenc.pictures import FigureFormat
from autoenc.progress import console, insist_on_output
from autoenc.runs import RunRecord, read_runs
from autoenc.settings import ConfigError, listed

DESCRIPTION = """\
Compare the runs in some folders, finished or not: the settings that differ and the metrics, the best first. Only
comparable numbers are ranked together: of images with the same content and the same unit, and for an error from a noisy
input of the same noise. Runs that differ only in their seed are one result: the mean, with half of its 95 % interval
and the standard deviation.
The best setting is compared with the others, paired by seed. Two runs are also compared key by key, and image by image.
Nothing in the folders is changed or executed.
"""

KEYS = """\
Keys are settings (architecture, optimizer.learning_rate), metrics (test.mse, validation.loss, seconds.training,
parameters, code_size, epochs) and name, label, state, error_kind, error_message and machine. The last part of a key
is enough if only one key ends in it (learning_rate).

Conditions (--where) compare keys with = != < <= > >=, look for a part of a text or a pattern with ~ and !~, and for one
of several values with in (...) and not in (...); and, or, not and parentheses combine them. A key that a run does not
have matches nothing but = null.

Examples

  python scripts/compare.py outputs/
  python scripts/compare.py outputs/sweeps/rates --where 'architecture=conv and test.mse<0.01' --sort -seed --top 10
  python scripts/compare.py outputs/sweeps/rates --group-by architecture,learning_rate --metric test.mse
  python scripts/compare.py outputs/ --columns 'architecture,test.*,seconds.training' --csv runs.csv
  python scripts/compare.py outputs/a outputs/b
      what differs between two runs
  python scripts/compare.py outputs/sweeps/rates --html report.html
      everything on one page for a browser
"""

SETTINGS = "settings"
"""The value of `--group-by` for all settings that differ, except the seed."""
STANDARD_OUTPUT = Path("-")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says; returns the exit code."""
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    return exit_code(lambda: _compare(options))


def _parser() -> argparse.ArgumentParser:
    parser = folders_parser(prog="compare.py", description=DESCRIPTION, epilog=KEYS, allow_abbrev=False)
    parser.add_argument("--where", metavar="CONDITION", help="only the runs for which it is true")
    default = "what all runs were trained for: denoising_mse, elbo_nats or else mse, on validation if all have it"
    parser.add_argument("--metric", metavar="KEY", help=f"what to rank by (default: {default})")
    parser.add_argument("--sort", metavar="[-]KEY", help="the order; - for descending (default: the best first)")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--top", type=positive, metavar="N", help="only the first N rows, of all rankings together")
    rows.add_argument("--all", action="store_true", help="every row on the terminal, however many there are")
    parser.add_argument("--columns", metavar="KEY,...", help="the columns; test.* stands for several keys")
    means = "combine runs with the same values of these: means, half of their 95 %% intervals by Student's t, and "
    means += f"standard deviations (default: '{SETTINGS}', all settings that differ except the seed, if there are "
    means += "several seeds)"
    grouping = parser.add_mutually_exclusive_group()
    grouping.add_argument("--group-by", metavar="KEY,...", help=means)
    grouping.add_argument("--each-run", action="store_true", help="a row for each run, not for each setting")
    for name, what in (("csv", "a table"), ("json", "an object"), ("markdown", "what the terminal shows")):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}; - for standard output")
    what = "write a slide for each picture that compares these finished runs, those of the sweep if they are its jobs"
    parser.add_argument("--slides", type=Path, metavar="FOLDER", help=what)
    parser.add_argument(
        "--figure-format", choices=get_args(FigureFormat), default="png", help="of the slides (default: png)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report of all these runs for a browser")
    return parser


def _joined(arguments: Sequence[str]) -> list[str]:
    """Turn `--sort -key` into `--sort=-key`, which argparse accepts."""
    found: list[str] = []
    for argument in arguments:
        if found and found[-1] == "--sort" and argument.startswith("-") and not argument.startswith("--"):
            found[-1] = f"--sort={argument}"
        else:
            found.append(argument)
    return found


def _compare(options: argparse.Namespace) -> int:
    options.folders = folders_among(options.folders)
    records = read_runs(options.folders, history=options.html is not None or options.slides is not None)
    if not records:
        raise ConfigError("FOLDER", f"there is no run in {listed(str(folder) for folder in options.folders)}")
    _check_destinations(options, records)
    keys = Keys(records)
    records = records if options.where is None else _selected(records, options.where, keys)
    ranking, shown = _ranked(records, options, keys)
    _show(options, ranking, shown)
    _export(options, ranking, shown)
    if options.html is not None:
        from autoenc.comparison.report import write_report

        title = ", ".join(folder.name or str(folder) for folder in options.folders)
        write_report(ranking.records, options.html.expanduser().absolute(), title=title, metric=shown.metric)
    if options.slides is not None:
        metric = None if options.metric is None else shown.metric
        folder = options.slides.expanduser()
        draw_slides(ranking.records, folder, metric=metric, figure_format=options.figure_format)
        if not _writes_to_standard_output(options):
            console.print(f"slides: {folder}", soft_wrap=True, markup=False)
    insist_on_output()
    return 0


def _selected(records: Sequence[RunRecord], condition: str, keys: Keys) -> list[RunRecord]:
    where = parse_where(condition, keys)
    selected = [record for record in records if where.matches(record)]
    if not selected:
        raise ConfigError("--where", where.explain_no_match(records), value=condition)
    return selected


def _ranked(records: Sequence[RunRecord], options: argparse.Namespace, keys: Keys) -> tuple[Ranking, TableOptions]:
    """The runs in the order that was asked for, and what to show of them."""
    order = None
    if options.sort is not None:
        order = SortOrder(keys.find(options.sort.removeprefix("-"), option="--sort"), options.sort.startswith("-"))
    sorted_by = order.key if order is not None and keys.is_metric(order.key) else None
    group_by = _group_by(options.group_by, keys, records)
    metric = _metric(options.metric, keys) or sorted_by or usual_metric(records)
    columns = _keys_in(options.columns, keys, option="--columns")
    ranking, groups = rank(records, metric=sorted_by or metric, order=order), None
    if group_by is not None:
        _check_groups(keys, "--columns", columns or (), by=group_by)
        _check_groups(keys, "--sort", () if order is None else (order.key,), by=group_by)
        groups = [groups_of(section, ranking=ranking, keys=group_by) for section in ranking.sections]
    elif not options.each_run:
        shown = [*(columns or ()), *(() if order is None else (order.key,))]
        groups = groups_by_seed(ranking, also_by=[key for key in shown if not keys.is_metric(key)])
    return ranking, TableOptions(metric=metric, top=options.top, all_rows=options.all, columns=columns, groups=groups)


def _show(options: argparse.Namespace, ranking: Ranking, shown: TableOptions) -> None:
    tables = list(comparison_tables(ranking, shown))
    by_key: list[Line | Table] = []
    of_tables = (options.metric, options.sort, options.top, options.columns, options.group_by)
    if len(ranking.records) == 2 and all(option is None for option in of_tables):
        by_key = list(difference_tables(*ranking.records))
        if len(options.folders) == 2:
            tables = []
        else:
            by_key.insert(0, Line("Key by key", "heading"))
    if not _writes_to_standard_output(options):
        print_tables(tables, metric=shown.metric, all_columns=shown.columns is not None, to=console)
        print_tables(by_key, metric=shown.metric, all_columns=True, to=console)
    if options.markdown is not None:
        _write(as_markdown([*tables, *by_key]), options.markdown)


def _writes_to_standard_output(options: argparse.Namespace) -> bool:
    return STANDARD_OUTPUT in {options.csv, options.json, options.markdown}


def _metric(word: str | None, keys: Keys) -> str | None:
    if word is None:
        return None
    metric = keys.find(word, option="--metric")
    if not keys.is_metric(metric):
        problem = f"it is not a metric of these runs; there are, among others, {listed(keys.metrics[:12])}"
        raise ConfigError("--metric", problem, value=word)
    return metric


def _check_groups(keys: Keys, option: str, asked: Sequence[str], *, by: Sequence[str]) -> None:
    for key in asked:
        if not keys.is_metric(key) and key not in by:
            raise ConfigError(option, "groups have only metrics and the keys of --group-by", value=key)


def _keys_in(text: str | None, keys: Keys, *, option: str) -> tuple[str, ...] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ConfigError(option, "it names no key", value=text)
    return tuple(dict.fromkeys(key for word in words for key in keys.matching(word, option=option)))


def _group_by(text: str | None, keys: Keys, records: Sequence[RunRecord]) -> tuple[str, ...] | None:
    if text == SETTINGS:
        return without_seed(differing_settings(records))
    if text is not None and SETTINGS in text.split(",") and SETTINGS not in keys:
        problem = f"'{SETTINGS}' means all settings that differ, except the seed, and stands alone"
        raise ConfigError("--group-by", problem, value=text)
    return _keys_in(text, keys, option="--group-by")


def _check_destinations(options: argparse.Namespace, records: Sequence[RunRecord]) -> None:
    if options.html == STANDARD_OUTPUT:
        raise ConfigError("--html", "a report needs a file", value="-")
    places: dict[Path, str] = {}
    for option in ("csv", "json", "markdown", "html"):
        path = getattr(options, option)
        if path is None:
            continue
        place = path if path == STANDARD_OUTPUT else check_destination(path, option=f"--{option}", records=records)
        if place in places:
            raise ConfigError(f"--{option}", f"{places[place]} is written there too", value=str(path))
        places[place] = f"--{option}"
    if options.slides is not None:
        check_folder(options.slides, option="--slides", records=records)


def _export(options: argparse.Namespace, ranking: Ranking, shown: TableOptions) -> None:
    groups: list[Group] = []
    metrics: list[str] = []
    rows = ranking if shown.top is None or options.group_by is not None else ranking.first(shown.top)
    if shown.groups is not None:
        groups = [group for each in shown.groups for group in each][: shown.top]
        keys = shown_keys(ranking, shown) if shown.columns is not None else all_columns(ranking.records)
        metrics = group_metrics(groups, keys) if groups else []
    if options.csv is not None:
        by_run = options.group_by is None
        text = as_csv(rows.rows, columns=shown.columns) if by_run else groups_as_csv(groups, metrics=metrics)
        _write(text, options.csv)
    if options.json is not None:
        found = None if shown.groups is None else groups
        _write(as_json(rows, columns=shown.columns, groups=found, metrics=metrics), options.json)


def _write(text: str, path: Path) -> None:
    if path != STANDARD_OUTPUT:
        write_text(path.expanduser().absolute(), text)
    else:
        sys.stdout.write(text)
