"""Arguments that several scripts share: folders of runs, a moved folder of pictures, and positive numbers."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from autoenc import __version__
from autoenc.comparison.formatting import listed_in_words
from autoenc.runs import printable
from autoenc.settings import listed, nearest

DATASET_PATH = "dataset.path="
DATASET_PATH_HELP = """\
If a run's folder of pictures has been moved, add dataset.path=FOLDER. The pictures have to be the same.
"""


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, with the nearest option or choice."""

    settings: Sequence[str] = (DATASET_PATH.rstrip("="),)
    """What the command takes as KEY=VALUE."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_argument("--version", action="version", version=f"autoenc {__version__}")

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit with code 2."""
        if unknown := re.match(r"unrecognized arguments: (.+)", message):
            message = self._too_many(unknown[1].split()[0])
        self.exit(2, f"error: {message} (--help explains the command)\n")

    def _too_many(self, word: str) -> str:
        name, equals, _ = word.partition("=")
        options = [option for option in self._option_string_actions if option.startswith("--")]
        if not (equals or name.startswith("-")):
            return f"{word}: one argument too many"
        return (
            f"{name}: there is no such option{nearest(name, [*options, *self.settings])}; there are {listed(options)}"
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            problem = f"'{value}' is not a choice{nearest(str(value), action.choices)}"
            raise argparse.ArgumentError(action, f"{problem}; the choices are {listed(action.choices)}")


def folders_parser(**options: Any) -> Parser:
    """A parser with these options of argparse that takes folders and prints its texts as they are."""
    parser = Parser(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
    parser.settings = ()
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
