"""`scripts/evaluate.py FOLDER... evaluation=CHOICE`: score finished runs again, or test them on other noises."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoenc.command_line.compose import usual_settings
from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.group_arguments import folders_and_overrides, group_parser, group_values
from autoenc.command_line.shared_arguments import DATASET_PATH_HELP, Parser, folders_among, take_dataset_path
from autoenc.comparison.denoising_tables import denoising_tables
from autoenc.comparison.exports import check_destination
from autoenc.comparison.reasons import why_not_finished
from autoenc.comparison.rendering import print_tables
from autoenc.progress import console, insist_on_output, log_to_terminal, shown_path
from autoenc.runs import RunRecord, read_run, read_runs
from autoenc.settings import ConfigError, listed

DESCRIPTION = """\
Score finished runs without training them. A folder is a run, a sweep, or a folder that contains some. Runs that have
not finished are left out, with a note.

  evaluation=quick       the scores that every run ends with
  evaluation=full        these and more, which takes longer
  evaluation=denoising   how well the models denoise kinds and severities of noise that they were not trained on: the
                         gain in dB over doing nothing and over a 3x3 median filter

The new scores go into the summary.json of each run. Those of quick or full replace all but the gains. Those of
denoising replace only the gains. quick and full keep the settings of the run's own evaluation, unless you set them.
The test split may be scored again, as long as you choose nothing by its scores.

evaluation=denoising also draws the gains into the figures of each run. For several runs it writes the gains of all of
them as a table (denoising_matrix.csv) and a heat map (denoising_heat_map.png) into the folder that contains them. All
models get the same noisy images, so the runs have to have the same test images. The noise that a run was trained on is
tested too and marked. If it is not among evaluation.noises, it does not count in the means.
"""

EXAMPLES = (
    """\
Examples

  python scripts/evaluate.py outputs/2026-01-31/12-00-00-000000 evaluation=full
  python scripts/evaluate.py outputs/sweeps/noises evaluation=denoising
  python scripts/evaluate.py outputs/a outputs/b evaluation=denoising --output comparison
  python scripts/evaluate.py outputs/a evaluation=denoising 'evaluation.noises.gaussian=[0.2,0.4]' evaluation.limit=1000
  python scripts/evaluate.py outputs/a evaluation=denoising evaluation.noises.blur=null
      without blur

"""
    + DATASET_PATH_HELP
    + """
Settings of each choice (evaluation.KEY=VALUE)

"""
)

log = logging.getLogger(__name__)

SETTINGS = ("evaluation", "dataset.path")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    others, dataset_path = take_dataset_path(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_intermixed_args(others, argparse.Namespace(dataset_path=dataset_path))
    return exit_code(lambda: _evaluate(options))


def _parser() -> Parser:
    parser = group_parser(
        "evaluation", prog="evaluate.py", description=DESCRIPTION, examples=EXAMPLES, settings=SETTINGS
    )
    devices = ("auto", "cpu", "cuda", "mps")
    help_text = "where to compute (default: as the run was trained; for evaluation=denoising, auto)"
    parser.add_argument("--device", choices=devices, help=help_text)
    help_text = "where evaluation=denoising writes the table and heat map of all runs (default: the folder of them all)"
    parser.add_argument("--output", type=Path, metavar="DIR", help=help_text)
    return parser


def _evaluate(options: argparse.Namespace) -> int:
    log_to_terminal()
    known = ("--device", "--output", *SETTINGS)
    folders, overrides = folders_and_overrides(options.words, group="evaluation", known=known)
    values = group_values("evaluation", overrides)
    records = _finished_runs(folders)
    if values["name"] == "denoising":
        _test_denoising(records, values, options)
    else:
        changed = {text.partition("=")[0].rpartition(".")[2] for text in overrides}
        _rescore(records, values, changed, options)
    insist_on_output()
    return 0


def _finished_runs(folders: Sequence[Path]) -> list[RunRecord]:
    records = read_runs(folders_among(folders), history=False)
    for record in records:
        if not record.finished:
            log.warning("%s is left out: %s.", record.name, why_not_finished(record).rstrip("."))
    finished = [record for record in records if record.finished]
    if not finished:
        raise ConfigError("FOLDER", f"there is no finished run in {listed(str(folder) for folder in folders)}")
    return finished


def _rescore(
    records: Sequence[RunRecord], values: Mapping[str, Any], changed: Collection[str], options: argparse.Namespace
) -> None:
    if options.output is not None:
        problem = f"evaluation={values['name']} writes only into each run's own folder"
        raise ConfigError("--output", problem, value=str(options.output))
    from autoenc.experiment.closing_report import report_scores
    from autoenc.experiment.rescoring import rescore

    for record in records:
        place = {"device": options.device, "dataset_path": options.dataset_path}
        rescore(record.path, evaluation=values, changed=changed, **place)
        log.info("Test scores of %s:", record.name)
        report_scores(read_run(record.path))


def _test_denoising(records: Sequence[RunRecord], values: Mapping[str, Any], options: argparse.Namespace) -> None:
    output = _output(options.output, records)
    from autoenc.devices import plain_device
    from autoenc.evaluation.evaluation_settings import EVALUATIONS, Denoising
    from autoenc.experiment.denoising_runs import denoise_with, write_matrices

    settings = EVALUATIONS.parse(values)
    assert isinstance(settings, Denoising)
    device = plain_device(options.device or "auto")
    tested = denoise_with(
        records,
        settings=settings,
        usual_settings=functools.partial(usual_settings, "noise"),
        device=device,
        dataset_path=options.dataset_path,
    )
    paths = write_matrices(tested, settings=settings, device=device, output=output)
    tables = denoising_tables(tested.picture(range(len(records))), tested.means)
    print_tables(tables, metric=None, all_columns=True, to=console)
    for path in paths:
        console.print(f"Written: {shown_path(path)}", soft_wrap=True, markup=False)


def _output(given: Path | None, records: Sequence[RunRecord]) -> Path | None:
    """The folder for the files of all runs; None for a single run, whose own folder has them, unless one is given."""
    if given is None:
        return Path(os.path.commonpath([record.path for record in records])) if len(records) > 1 else None
    if given.exists() and not given.is_dir():
        raise ConfigError("--output", "this is a file; name a folder", value=str(given))
    place = given / "denoising_matrix.csv" if given.is_dir() else given
    check_destination(place, option="--output", records=records)
    return given.absolute()
