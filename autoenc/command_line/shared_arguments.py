"""Arguments that several scripts share: folders of runs, a moved folder of pictures, and positive numbers."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoenc.comparison.formatting import listed_in_words
from autoenc.runs import printable

DATASET_PATH = "dataset.path="
DATASET_PATH_HELP = """\
If a run's folder of pictures has been moved, add dataset.path=FOLDER. The pictures have to be the same.
"""


def folders_parser(**options: Any) -> argparse.ArgumentParser:
    """A parser with these options of argparse that takes folders and prints its texts as they are."""
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a run, a sweep, or a folder that contains some"
    )
    return parser


def take_dataset_path(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Take `dataset.path=FOLDER`, anywhere among the arguments, out of them; the last one counts."""
    found = [text for text in arguments if text.startswith(DATASET_PATH)]
    others = [text for text in arguments if text not in found]
    return others, found[-1].removeprefix(DATASET_PATH) if found else None


def folders_among(paths: Sequence[Path]) -> list[Path]:
    """Drop plain files if there is a folder too, with a warning: `outputs/*` includes a sweep's table and page.

    If there is no folder, nothing is dropped, and the reader reports the mistake.
    """
    files = [path for path in paths if path.is_file()]
    if not files or not any(path.is_dir() for path in paths):
        return list(paths)
    names = listed_in_words(printable(path.name) for path in files)
    sys.stderr.write(f"warning: ignored, because they are not folders: {names}\n")
    return [path for path in paths if path not in files]


def positive(text: str) -> int:
    """A whole number of at least 1, as an argument's type."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


def above_zero(text: str) -> float:
    """A finite number above 0, as an argument's type."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return number
