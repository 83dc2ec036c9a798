"""`scripts/figures.py RUN`: the pictures of a finished run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.shared_arguments import DATASET_PATH_HELP, Parser, take_dataset_path
from autoenc.pictures import FigureFormat
from autoenc.progress import console, log_to_terminal
from autoenc.settings import ConfigError

DESCRIPTION = """\
Draw the pictures of a finished run into its folder of figures: all that apply to its model, or those that are named.
The numbers of each picture, except for loss_curves, are stored next to it, as NAME.npz. For a sweep, draw the page that
compares its runs again, after drawing the named pictures for each run.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what the command line names; returns the exit code."""
    parser = Parser(prog="figures.py", description=DESCRIPTION, epilog=DATASET_PATH_HELP)
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run, or of a sweep")
    parser.add_argument(
        "picture", nargs="*", default=[], metavar="PICTURE", help="loss_curves, codes, ... (default: all)"
    )
    parser.add_argument("--tsne", action="store_true", help="project long codes to a plane by t-SNE instead of PCA")
    help_of_format = "of the pictures' files (default: the run's figure_format)"
    parser.add_argument("--figure-format", choices=get_args(FigureFormat), help=help_of_format)
    devices = ("auto", "cpu", "cuda", "mps")
    parser.add_argument("--device", choices=devices, default="auto", help="where to compute (default: auto)")
    others, dataset_path = take_dataset_path(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_intermixed_args(others)  # RUN --figure-format pdf PICTURE
    return exit_code(lambda: _draw(options, dataset_path=dataset_path))


def _draw(options: argparse.Namespace, *, dataset_path: str | None) -> int:
    log_to_terminal()
    from autoenc.comparison.sweep_results import compare_sweep, finished_runs
    from autoenc.experiment.run_pictures import redraw_run
    from autoenc.runs import SWEEP_FILE

    names = options.picture or None
    projection: Literal["pca", "tsne"] = "tsne" if options.tsne else "pca"
    is_sweep = (options.run / SWEEP_FILE).is_file()
    if is_sweep and options.tsne and not names:
        raise ConfigError("--tsne", "name the pictures to draw for each run, codes among them")
    runs = [options.run]
    if is_sweep:
        runs = finished_runs(options.run) if names else []
    for run in runs:
        drawn = redraw_run(
            run,
            names=names,
            projection=projection,
            device=options.device,
            dataset_path=dataset_path,
            file_format=options.figure_format,
        )
        for path in drawn:
            console.print(str(path), soft_wrap=True)
    if is_sweep:
        page = compare_sweep(options.run, figure_format=options.figure_format)
        console.print(str(page or "no run of this sweep has finished"), soft_wrap=True)
    return 0
