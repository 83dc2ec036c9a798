"""`scripts/apply.py RUN INPUT OUTPUT`: a trained model applied to the user's own pictures, or exported."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.compose import usual_settings
from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.shared_arguments import (
    DATASET_PATH_HELP,
    Parser,
    above_zero,
    positive,
    take_dataset_path,
)
from autoenc.progress import log_to_terminal
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.training.interruption import Interruption

if TYPE_CHECKING:
    from autoenc.data.datasets import Dataset

DESCRIPTION = """\
Apply the trained model of a run to your own pictures, or export it.

  --do reconstruct   OUTPUT, a folder: the reconstruction of each picture, as a PNG of the model's size under the
                     picture's own name, and overview.png: the first pictures, their reconstructions and the errors
  --do denoise       the same for pictures that are noisy already; no noise is added
  --do encode        OUTPUT, an .npz file: codes (N, code_size), names (N,), and model: which model made them, as JSON.
                     Of a dataset also split, its name, labels (N,), and indices (N,): the positions of the images in
                     the published file, which are their names too, unless each image is a file
  --do decode        from such a file (INPUT) to a folder of PNGs (OUTPUT) with the names in it
  --do score         OUTPUT, a .csv file: the error of each picture and its percentile among the errors of ordinary
                     pictures, the oddest first. Next to it: .json with the AUROC of telling the two apart by their
                     error, .png with the oddest and the most ordinary pictures, _histogram.png with both distributions
  --do export        without INPUT. OUTPUT, an .onnx file for ONNX runtimes, checked against the model: from images
                     (N, C, H, W), float32 in [0, 1], to reconstructions and codes (N, code_size); with --part encoder
                     from images to codes, with --part decoder from codes to images. N is free

INPUT is a picture; a folder of pictures, with its subfolders; an .npy or .npz file of images (N, H, W), (N, C, H, W) or
(N, H, W, C), uint8 or floats in [0, 1]; a dataset, such as mnist (its test split) or mnist:train; or run:test, the
run's own test split. Pictures are brought to the model's size and colours. Of a file with several pages, only the first
is read. A dataset is drawn black and white if the run's is (dataset.binarization).
"""

EXAMPLES = (
    """\
Examples

  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 ~/photos reconstructed
  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 ~/scans clean --do denoise
  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 mnist scores.csv --do score
      with a model of Fashion-MNIST: how odd are digits to it?
  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 encoder.onnx --do export --part encoder

The number of pictures is not limited: they are read a batch at a time. Existing files are not overwritten, an
interruption leaves no incomplete file, and a mistake is one line and an exit code that is not 0.

"""
    + DATASET_PATH_HELP
)

log = logging.getLogger(__name__)

ACTIONS = ("reconstruct", "denoise", "encode", "decode", "score", "export")
_FOR_PICTURES = ("unreadable", "resize", "invert", "white", "max_pixels", "data_dir")
_UNUSED = {
    **dict.fromkeys(ACTIONS, ("baseline", "part")),
    "decode": (*_FOR_PICTURES, "baseline", "part"),
    "score": ("part",),
    "export": (*_FOR_PICTURES, "baseline", "device", "batch_size", "limit"),
}
"""The options that an action does not use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    others, dataset_path = take_dataset_path(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_intermixed_args(others, argparse.Namespace(dataset_path=dataset_path))
    with Interruption().watched():
        return exit_code(lambda: _apply(options))


def _parser() -> Parser:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="apply.py", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=as_written, allow_abbrev=False
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a run that has a checkpoint")
    add("given", metavar="INPUT", nargs="?", help="see above; not for --do export")
    add("output", type=Path, metavar="OUTPUT", help="see above")
    add("--do", choices=ACTIONS, default="reconstruct", help="what to do (default: reconstruct)")
    devices = ("auto", "cpu", "cuda", "mps")
    add("--device", choices=devices, help="where to compute (default: auto)")
    add("--batch-size", type=positive, metavar="N", help="pictures at a time (default: 512, fewer if they are large)")
    add("--limit", type=positive, metavar="N", help="only the first N pictures (default: all)")
    help_text = "list pictures that cannot be read, and stop or skip them (default: error)"
    add("--unreadable", choices=("error", "skip"), help=help_text)
    help_text = (
        "to the model's size: stretch, crop the edges, or pad with black "
        "(default: as the run's own pictures were resized, or stretch)"
    )
    add("--resize", choices=("stretch", "crop", "pad"), help=help_text)
    help_text = "make black white and white black before the model sees it; MNIST, for example, is white on black"
    add("--invert", action="store_const", const=True, help=help_text)
    help_text = (
        "the number in the files of pictures that becomes white, such as 4095 for 12 bits "
        "(default: as the run's own pictures were read)"
    )
    add("--white", type=above_zero, metavar="X", help=help_text)
    help_text = "larger pictures are not read (default: as the run's own pictures were read, or 89478485)"
    add("--max-pixels", type=positive, metavar="N", help=help_text)
    help_text = "with --do score, the ordinary pictures; like INPUT (default: run:test, the run's own test split)"
    add("--baseline", metavar="INPUT2", help=help_text)
    parts = ("autoencoder", "encoder", "decoder")
    add("--part", choices=parts, help="with --do export, what the file computes (default: autoencoder)")
    add("--overwrite", action="store_true", help="replace files of the same names at OUTPUT")
    add("--data-dir", type=_folder, metavar="DIR", help="where datasets are (default: $AUTOENC_DATA, or the run's own)")
    return parser


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _apply(options: argparse.Namespace) -> int:
    log_to_terminal()
    given = {name: value for name, value in vars(options).items() if value is not None}
    for name in _UNUSED[options.do]:
        if name in given:
            raise ConfigError(f"--{name.replace('_', '-')}", f"--do {options.do} does not use it")
    if options.do == "export" and options.given is not None:
        raise ConfigError("INPUT", "--do export takes RUN OUTPUT; leave this out", value=options.given)
    if options.do != "export" and options.given is None:
        raise ConfigError("INPUT", f"it is missing; --do {options.do} takes RUN INPUT OUTPUT")
    RunDirectory.open(options.run, key="RUN")
    from autoenc.application import Request, apply

    if (data_dir := os.environ.get("AUTOENC_DATA")) is not None:
        given = {"data_dir": _folder(data_dir), **given}
    request = Request(**given)
    try:
        apply(request, usual_dataset=_usual_dataset)
    except SystemExit:
        if request.output.is_dir():
            log.info("Interrupted: %s has some of the pictures, each of them complete.", request.output)
        raise
    return 0


def _usual_dataset(name: str) -> Dataset:
    from autoenc.data.datasets import DATASETS

    try:
        values = usual_settings(DATASETS.group, name)
        if not values:
            raise ConfigError(DATASETS.group, "its settings are not known here; give a folder or a file", value=name)
        return DATASETS.parse(values)
    except OmegaConfBaseException as error:
        raise ConfigError(DATASETS.group, str(error).splitlines()[0], value=name) from None
