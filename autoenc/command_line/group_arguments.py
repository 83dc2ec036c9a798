"""Arguments of scripts that take folders of runs and the settings of one config group, in any order."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from autoenc.command_line.compose import Composer, config_directory, plain
from autoenc.command_line.hydra_internals import parse_flags
from autoenc.command_line.shared_arguments import Parser
from autoenc.settings import ConfigError, nearest


def group_parser(
    group: str, *, prog: str, description: str, examples: str, leave_out: Collection[str] = (), settings: Sequence[str]
) -> Parser:
    """A parser of `words`, folders and settings. Its help ends with the YAML of each choice but those to leave out."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=prog, description=description, formatter_class=as_written, allow_abbrev=False)
    parser.settings = settings
    files = sorted((config_directory() / group).glob("*.yaml"))
    texts = [file.read_text(encoding="utf-8") for file in files if file.stem not in leave_out]
    parser.epilog = examples + textwrap.indent("\n".join(texts), "  ")
    words = f"a folder with runs, or a setting: {group}=CHOICE, {group}.KEY=VALUE"
    parser.add_argument("words", nargs="+", metavar="FOLDER | KEY=VALUE", help=words)
    return parser


def folders_and_overrides(words: Sequence[str], *, group: str, known: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The folders, at least one, and the overrides of a group among the words; `known` are options, for hints.

    Raises:
        ConfigError: a word is neither.
    """
    folders, overrides = [], []
    for word in words:
        key, equals, value = word.lstrip("+~").partition("=")
        if Path(word).exists():
            folders.append(Path(word))
        elif key == group or key.startswith(f"{group}."):
            overrides.append(word)
        elif equals:
            raise ConfigError(key, f"it is neither a folder nor a setting{nearest(key, known)}", value=value)
        else:
            choices = [f"{group}={file.stem}" for file in (config_directory() / group).glob("*.yaml")]
            raise ConfigError("FOLDER", f"there is no such folder{nearest(word, (), others=choices)}", value=word)
    if not folders:
        raise ConfigError("FOLDER", "name at least one folder with runs")
    return folders, overrides


def group_values(group: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The node of a group in the config with these overrides, which have one value each."""
    composer = Composer(parse_flags(overrides))
    config = composer.compose(multirun=True)
    for override in composer.parsed(overrides):
        if override.is_sweep_override():
            value = (override.input_line or "").partition("=")[2]
            raise ConfigError(override.key_or_group, "one value at a time", value=value)
    return plain(config[group])
