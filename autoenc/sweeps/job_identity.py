"""How a sweep recognises a job, and what it calls it: by a hash of the config, not by order or time."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoenc.comparison.labels import key_of
from autoenc.display_names import run_name
from autoenc.settings import ConfigError

IDENTITY_LENGTH = 10
"""Hexadecimal digits: among a million jobs, the chance that two share them is one half."""
LONGEST_NAME = 80
"""Characters of a folder's readable part; file systems take 255 bytes."""

IGNORED_SETTINGS = (
    *("data_dir", "figures", "figure_format", "tracker"),
    *("training.checkpoint_every", "training.snapshot_every"),
    *("dataset.cache", "dataset.max_pixels"),
)
"""Settings that change no number. `dataset.path` is not among them: it says which images are used.

`dataset.max_pixels` may decide which pictures are skipped; a sweep then sees that the images differ, by their digests.
"""


def identity(config: Mapping[str, Any], *, swept: Collection[str]) -> str:
    """Hash what a run of this resolved config computes.

    Paths, the device, checkpoints, pictures and trackers are left out, unless the sweep varies them: `device=cpu,cuda`
    makes two jobs. `swept` has the keys that vary, as they stand on the command line. Jobs from before a setting
    existed keep their identity: `dataset.test_limit` counts only if it differs from `dataset.limit`, and
    `initialize_part` only with `initialize_from`.
    """
    kept = {
        key: value if key in swept else _computing(value, key=key, swept=swept)
        for key, value in _as_before(config, swept=swept).items()
        if key in swept or not is_ignored(key)
    }
    text = json.dumps(_canonical(kept), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]


def folder_name(label: str, *, identity: str) -> str:
    """The name of a job's folder: a readable part, then its identity."""
    return f"{_slug(label)}-{identity}"


def known_folders(sweep: Path) -> dict[str, Path]:
    """The folders of a sweep's jobs by the identity at the end of their names."""
    folders = [path for path in sweep.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return {path.name.rpartition("-")[2]: path for path in folders}


def check_identity(folder: Path, *, identity: str | None) -> None:
    """Refuse a folder whose config has been changed since it got its name.

    Raises:
        ConfigError: the config's identity is not the one in the folder's name.
    """
    if identity != folder.name.rpartition("-")[2]:
        problem = f"its config.yaml has been changed: its identity is now {identity}; move the folder away"
        raise ConfigError("sweep.name", problem, value=str(folder))


def sweep_name(*, fixed: Sequence[str], swept: Collection[str]) -> str:
    """The default name of a sweep: the settings of all its jobs, and the keys that vary.

    The values that vary are left out, so that a wider sweep goes into the same folder and adds only new jobs.
    """
    named = [(key_of(text), text.partition("=")[2]) for text in fixed if not _NOT_IN_NAMES.match(text)]
    settings = {key: value for key, value in named if key not in swept}  # the last value of a key counts
    words = [folder_word(key, value) for key, value in settings.items()]
    words += [key.rpartition(".")[2] for key in swept]
    return _slug(", ".join(words) or "sweep")


_NOT_IN_NAMES = re.compile(
    r"[+~]*(hydra[./]|sweep\.|comparison\.|data_dir=|figures=|figure_format=|tracker|device|dataset\.cache=)"
)


def _as_before(config: Mapping[str, Any], *, swept: Collection[str]) -> Mapping[str, Any]:
    """The config without the settings that earlier jobs do not have and that change nothing.

    A sweep over datasets keeps all other settings of `dataset`.
    """
    if config.get("initialize_from") is None:
        config = {key: value for key, value in config.items() if key not in {"initialize_from", "initialize_part"}}
    dataset = config.get("dataset")
    if not isinstance(dataset, Mapping):
        return config
    left_out = {"test_limit"} if dataset.get("test_limit") == dataset.get("limit") else set()
    return {**config, "dataset": _computing(dataset, key="dataset", swept=swept, left_out=left_out)}


def _computing(value: Any, *, key: str, swept: Collection[str], left_out: Collection[str] = ()) -> Any:
    """What of a group changes the numbers of a run."""
    if not isinstance(value, Mapping):
        return value
    full = {name: f"{key}.{name}" for name in value if name not in left_out}
    return {name: value[name] for name, nested in full.items() if nested in swept or not is_ignored(nested)}


def is_ignored(key: str) -> bool:
    """Whether the setting with this dotted key changes no number."""
    of_device = key.startswith("device.") and key != "device.precision"
    return of_device or key in IGNORED_SETTINGS or key.partition(".")[0] in IGNORED_SETTINGS


def folder_word(key: str, value: str) -> str:
    """A setting with its value in the name of a folder, as the config calls them."""
    if key == "initialize_from":
        return f"from {run_name(value)}"
    return f"{key.rpartition('.')[2]} {value}" if "." in key or key == "seed" else value


def _slug(text: str) -> str:
    """Keep letters, digits, `.`, `_` and `-`, which are safe for shells, file systems and Hydra's grammar."""
    parts = [re.sub(r"[^A-Za-z0-9.+-]+", "_", part).strip("_.") for part in text.split(", ")]
    slug = "-".join(part for part in parts if part).replace("+", "") or "job"
    if len(slug) <= LONGEST_NAME:
        return slug
    return f"{slug[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def _canonical(value: Any) -> Any:
    """Make 1 and 1.0 the same."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
