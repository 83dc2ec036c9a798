"""`scripts/apply.py RUN INPUT OUTPUT`: a trained model on a person's own pictures."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.compose import config_directory
from autoenc.command_line.exit_code import exit_code
from autoenc.progress import TerminalHandler
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.training.interruption import Interruption

if TYPE_CHECKING:
    from autoenc.data.datasets import Dataset

DESCRIPTION = """\
Apply the trained model of a run to your own pictures.

  --do reconstruct   OUTPUT, a folder: what the model makes of each picture, as a PNG of the model's size under the
                     picture's own name, and overview.png: the first ones, what is made of them, and the error
  --do denoise       the same for pictures that are noisy already; nothing is added to them
  --do encode        OUTPUT, an .npz file: codes (N, code_size), names (N,), and model: which one made them, as JSON
  --do decode        from such a file (INPUT) to a folder of PNGs (OUTPUT), which have the names in it
  --do score         OUTPUT, a .csv file: each picture's error and where it stands among the errors of ordinary ones,
                     the odd ones first. Beside it: .json with the AUROC of telling the two apart by their error, .png
                     with the oddest and the most ordinary pictures, _histogram.png with both distributions

INPUT is a picture; a folder of pictures, with the folders in it; an .npy or .npz file of images (N, H, W) or
(N, C, H, W), uint8 or floats in [0, 1]; a dataset, such as mnist (its test split) or mnist:train; or run:test, which is
the run's own test split. Pictures are brought to the model's size and colours; a dataset is drawn black and white if
the run's is (dataset.binarization).
"""

EXAMPLES = """\
Examples

  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 ~/photos reconstructed
  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 ~/scans clean --do denoise
  python scripts/apply.py outputs/2026-01-31/12-00-00-000000 mnist scores.csv --do score
      of a model of Fashion-MNIST: how odd are digits to it?

As many pictures as you like: they are read, a batch at a time, while others are computed. What exists is not written
over, what is interrupted leaves no half of a file, and a mistake is one line and an exit code that is not 0.
"""

log = logging.getLogger(__name__)

_USUAL = {"unreadable": "error", "resize": None, "invert": False, "baseline": "run:test"}
_READ_BY = {
    "unreadable": ("reconstruct", "denoise", "encode", "score"),
    "resize": ("reconstruct", "denoise", "encode", "score"),
    "invert": ("reconstruct", "denoise", "encode", "score"),
    "data_dir": ("reconstruct", "denoise", "encode", "score"),
    "baseline": ("score",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    options = _parser().parse_args(arguments)
    with Interruption().watched():
        return exit_code(lambda: _apply(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="apply.py",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run that has a checkpoint")
    parser.add_argument("given", metavar="INPUT", help="see above")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="see above")
    actions = ("reconstruct", "denoise", "encode", "decode", "score")
    parser.add_argument("--do", choices=actions, default="reconstruct", help="what to do (default: reconstruct)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute (default: auto)"
    )
    parser.add_argument(
        "--batch-size", type=_positive, metavar="N", help="pictures at a time (default: 512, fewer of large ones)"
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N pictures (default: all)")
    parser.add_argument(
        "--unreadable",
        choices=("error", "skip"),
        help="of pictures that cannot be read: refuse to go on and list them, or go without them and list them "
        "(default: error)",
    )
    parser.add_argument(
        "--resize",
        choices=("stretch", "crop", "pad"),
        help="to the model's size: stretch, crop what sticks out, or pad with black (default: as the run's own "
        "pictures were, or stretch)",
    )
    parser.add_argument(
        "--invert",
        action="store_const",
        const=True,
        help="make black white and white black before the model sees it: MNIST, say, is white on black",
    )
    parser.add_argument(
        "--baseline",
        metavar="INPUT2",
        help="with --do score, what is ordinary; like INPUT (default: run:test, the run's own test split)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files of the same names at OUTPUT")
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where datasets are (default: $AUTOENC_DATA, or the run's own)"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of at least 1")
    return int(text)


def _apply(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, handlers=[TerminalHandler()], format="%(message)s")
    for name, actions in _READ_BY.items():
        if getattr(options, name) is not None and options.do not in actions:
            raise ConfigError(f"--{name.replace('_', '-')}", f"--do {options.do} has no use for it")
    RunDirectory.open(options.run, key="RUN")
    from autoenc.application import Request, apply

    given = {name: value for name, value in vars(options).items() if value is not None}
    missing = {"batch_size": None, "limit": None}
    request = Request(**{**missing, **_USUAL, **given, "data_dir": _data_dir(options.data_dir)})
    try:
        apply(request, usual_dataset=_usual_dataset)
    except SystemExit:
        if request.output.is_dir():
            log.info("Interrupted: %s has some of the pictures, each of them whole.", request.output)
        raise
    return 0


def _data_dir(given: Path | None) -> Path | None:
    """Where datasets are; None for where the run had them."""
    folder = given or os.environ.get("AUTOENC_DATA")
    return None if folder is None else Path(folder).expanduser().absolute()


def _usual_dataset(name: str) -> Dataset:
    """A dataset with the settings of its YAML.

    Raises:
        ConfigError: there is no YAML, or it leaves something open.
    """
    from autoenc.data.datasets import DATASETS

    path = config_directory() / DATASETS.group / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(DATASETS.group, "its settings are not known here; give a folder or a file", value=name)
    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(DATASETS.group, str(error).splitlines()[0], value=name) from None
    assert isinstance(values, dict)
    return DATASETS.parse({str(key): value for key, value in values.items()})
