"""`scripts/compare.py FOLDER...`: runs beside one another, on the terminal and in files. Without torch and Hydra."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.folders_given import folders_among
from autoenc.comparison.blocks import Wanted, Words, comparison_blocks, group_metrics, section_groups, shown_keys
from autoenc.comparison.columns import usual_metric
from autoenc.comparison.diff_blocks import difference_blocks
from autoenc.comparison.exports import (
    all_columns,
    as_csv,
    as_json,
    checked_destination,
    groups_as_csv,
    write_text,
)
from autoenc.comparison.grouping import settings_but_the_seed
from autoenc.comparison.keys import Keys
from autoenc.comparison.markdown import as_markdown
from autoenc.comparison.terminal import print_blocks
from autoenc.comparison.view import Order, View, arrange, first_of_each, in_rows
from autoenc.comparison.where import parse_where
from autoenc.progress import console
from autoenc.runs import RunRecord, printable, read_runs
from autoenc.settings import ConfigError, listed

DESCRIPTION = """\
Compare the runs in some folders, whatever became of them: the settings that differ, and what was measured, the best
first. Only what is of the same thing is ranked together: the same images, the same unit, for an error from a noisy
input the same noise. Two runs are also compared key by key. Nothing in the folders is changed or executed.
"""

KEYS = """\
Keys are settings (architecture, optimizer.learning_rate), metrics (test.mse, validation.loss, seconds.training,
parameters, code_size, epochs) and name, label, state, error_kind, error_message and machine. The last part of a key
will do where only one ends so (learning_rate).

Conditions (--where) compare keys with = != < <= > >=, look for a part of a text or a pattern with ~ and !~, and for one
of several values with in (...) and not in (...); and, or, not and parentheses join them. What a run does not have
matches nothing but = null.

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
"""What `--group-by` takes for all that differs but the seed."""
STANDARD_OUTPUT = Path("-")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says; returns the exit code."""
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    return exit_code(lambda: _compare(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compare.py",
        description=DESCRIPTION,
        epilog=KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a run, a sweep, or a folder with such in it"
    )
    parser.add_argument("--where", metavar="CONDITION", help="only the runs of which it is true")
    parser.add_argument(
        "--metric",
        metavar="KEY",
        help="what to rank by (default: validation.mse where every finished run has it, else test.mse)",
    )
    parser.add_argument("--sort", metavar="[-]KEY", help="the order; - for descending (default: the best first)")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--top", type=_positive, metavar="N", help="only the first N of each ranking")
    rows.add_argument("--all", action="store_true", help="every row on the terminal, however many there are")
    parser.add_argument("--columns", metavar="KEY,...", help="the columns; test.* stands for several keys")
    parser.add_argument(
        "--group-by",
        metavar="KEY,...",
        help="runs of which these are the same as one: means, and half of their 95 %% intervals by Student's t. "
        f"'{SETTINGS}': all that differs but the seed",
    )
    for name, what in (("csv", "a table"), ("json", "an object"), ("markdown", "what the terminal shows")):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}; - for standard output")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report of all these runs for a browser")
    return parser


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--sort -key` as argparse takes it: `--sort=-key`."""
    found: list[str] = []
    for argument in arguments:
        if found and found[-1] == "--sort" and argument.startswith("-") and not argument.startswith("--"):
            found[-1] = f"--sort={argument}"
        else:
            found.append(argument)
    return found


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of at least 1")
    return int(text)


def _compare(options: argparse.Namespace) -> int:
    options.folders = folders_among(options.folders)
    records = read_runs(options.folders, history=options.html is not None)
    if not records:
        raise ConfigError("FOLDER", f"there is no run in {listed(str(folder) for folder in options.folders)}")
    _check_destinations(options, records)
    keys = Keys(records)
    if options.where is not None:
        where = parse_where(options.where, keys)
        selected = [record for record in records if where.matches(record)]
        if not selected:
            raise ConfigError("--where", where.said_of_no_match(records), value=options.where)
        records = selected
    wanted = _wanted(options, keys, records)
    by = wanted.order.key if wanted.order is not None and keys.is_metric(wanted.order.key) else wanted.metric
    view = arrange(records, metric=by, order=wanted.order)
    table, key_by_key = list(comparison_blocks(view, wanted)), []
    if len(records) == 2 and _no_table_is_asked_for(options):
        key_by_key = list(difference_blocks(*records))
        if len(options.folders) == 2:
            table = []
        else:
            key_by_key.insert(0, Words("Key by key", "heading"))
    if STANDARD_OUTPUT not in {options.csv, options.json, options.markdown}:
        print_blocks(table, metric=wanted.metric, all_columns=wanted.columns is not None, to=console)
        print_blocks(key_by_key, metric=wanted.metric, all_columns=True, to=console)
    if options.markdown is not None:
        _write(as_markdown([*table, *key_by_key]), options.markdown)
    _export(options, view, wanted)
    console.insist()
    return 0


def _wanted(options: argparse.Namespace, keys: Keys, records: Sequence[RunRecord]) -> Wanted:
    order = None
    if options.sort is not None:
        order = Order(keys.found(options.sort.removeprefix("-"), option="--sort"), options.sort.startswith("-"))
    metric = None
    if options.metric is not None:
        metric = keys.found(options.metric, option="--metric")
        if not keys.is_metric(metric):
            problem = printable(f"it was not measured; there are, among others, {listed(keys.metrics[:12])}")
            raise ConfigError("--metric", problem, value=options.metric)
    usual = order.key if order is not None and keys.is_metric(order.key) else usual_metric(records)
    wanted = Wanted(
        metric=metric or usual,
        order=order,
        top=options.top,
        every=options.all,
        columns=_several(options.columns, keys, option="--columns"),
        group_by=_group_by(options.group_by, keys, records),
    )
    if wanted.group_by is not None:
        asked = {"--columns": wanted.columns or (), "--sort": () if order is None else (order.key,)}
        for option, key in ((option, key) for option, found in asked.items() for key in found):
            if not keys.is_metric(key) and key not in wanted.group_by:
                raise ConfigError(option, "groups have only metrics and the keys of --group-by", value=key)
    return wanted


def _several(text: str | None, keys: Keys, *, option: str) -> tuple[str, ...] | None:
    """The keys that a list of them means; None where nothing was asked for."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ConfigError(option, "it names no key", value=text)
    return tuple(dict.fromkeys(key for word in words for key in keys.matching(word, option=option)))


def _group_by(text: str | None, keys: Keys, records: Sequence[RunRecord]) -> tuple[str, ...] | None:
    words = [] if text is None else [word.strip() for word in text.split(",")]
    if words == [SETTINGS]:
        return tuple(settings_but_the_seed(records))
    if SETTINGS in words and SETTINGS not in keys:
        raise ConfigError("--group-by", f"'{SETTINGS}' is all that differs but the seed, and stands alone", value=text)
    return _several(text, keys, option="--group-by")


def _no_table_is_asked_for(options: argparse.Namespace) -> bool:
    """Whether two runs are to be compared key by key: nothing was asked for that only a table has."""
    asked = (options.metric, options.sort, options.top, options.columns, options.group_by)
    return all(one is None for one in asked)


def _check_destinations(options: argparse.Namespace, records: Sequence[RunRecord]) -> None:
    """Refuse what cannot be written before anything is shown."""
    files = {f"--{name}": getattr(options, name) for name in ("csv", "json", "markdown", "html")}
    given = {option: path for option, path in files.items() if path is not None}
    to_standard_output = [option for option, path in given.items() if path == STANDARD_OUTPUT]
    if len(to_standard_output) > 1:
        raise ConfigError(to_standard_output[1], f"{to_standard_output[0]} goes there already", value="-")
    if options.html == STANDARD_OUTPUT:
        raise ConfigError("--html", "a report needs a file", value="-")
    places: dict[Path, str] = {}
    for option, path in given.items():
        if path == STANDARD_OUTPUT:
            continue
        place = checked_destination(path, option=option, records=records)
        if place in places:
            raise ConfigError(option, f"{places[place]} is written there", value=str(path))
        places[place] = option


def _export(options: argparse.Namespace, view: View, wanted: Wanted) -> None:
    groups = None
    metrics: list[str] = []
    if wanted.group_by is not None:
        found = [section_groups(section, view=view, wanted=wanted)[: wanted.top] for section in view.sections]
        groups = [group for each in found for group in each]
        keys = shown_keys(view, wanted) if wanted.columns is not None else all_columns(view.records)
        metrics = group_metrics(groups, keys) if groups else []
    rows = view if wanted.top is None or groups is not None else first_of_each(view, wanted.top)
    if options.csv is not None and groups is None:
        _write(as_csv(in_rows(rows), columns=wanted.columns), options.csv)
    elif options.csv is not None:
        _write(groups_as_csv(groups or [], metrics=metrics), options.csv)
    if options.json is not None:
        _write(as_json(rows, columns=wanted.columns, groups=groups, metrics=metrics), options.json)
    if options.html is not None:
        from autoenc.comparison.report import write_report

        title = ", ".join(folder.name or str(folder) for folder in options.folders)
        write_report(view.records, options.html.expanduser().absolute(), title=title, metric=wanted.metric)


def _write(text: str, path: Path) -> None:
    if path != STANDARD_OUTPUT:
        write_text(path.expanduser().absolute(), text)
    else:
        sys.stdout.write(text)
