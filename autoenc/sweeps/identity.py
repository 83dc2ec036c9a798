"""By what a sweep knows a job again, and what it calls it: the config decides, not the order or the time."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from autoenc.comparison.labels import key_of

IDENTITY_LENGTH = 10
"""Hexadecimal digits: among a million jobs, two would share them once in two."""
LONGEST_NAME = 80
"""Characters of a folder's readable part; file systems take 255 bytes."""


def identity(config: Mapping[str, Any], *, swept: Collection[str]) -> str:
    """A hash of what a run of this resolved config computes.

    Where it runs, where its data lie, what is kept, drawn and said of it are left out, but for what the sweep varies
    (`swept`, keys as they stand on the command line): of `device=cpu,cuda` there are two jobs.
    """
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key in swept or not _is_of_no_matter(key):
            kept[key] = value if key in swept else _what_matters(value, of=key, swept=swept)
    text = json.dumps(_canonical(kept), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]


OF_NO_MATTER = ("data_dir", "figures", "tracker", "training.checkpoint_every", "training.snapshot_every")
"""Settings that change no number; `dataset.path` says which images, and is no mere place."""


def _what_matters(value: Any, *, of: str, swept: Collection[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    full = {name: f"{of}.{name}" for name in value}
    return {name: value[name] for name, key in full.items() if key in swept or not _is_of_no_matter(key)}


def _is_of_no_matter(key: str) -> bool:
    return key in OF_NO_MATTER or (key.startswith("device.") and key != "device.precision")


def folder_name(label: str, *, identity: str) -> str:
    """What a job's folder is called: readable first, then what it is known by."""
    return f"{_slug(label)}-{identity}"


def sweep_name(*, fixed: Sequence[str], swept: Collection[str]) -> str:
    """What a sweep without a name is called: what is set for all of its jobs, and what varies.

    The values that vary have no part in it, so that a wider sweep goes into the same folder and adds what is new.
    """
    named = [(key_of(text), text.partition("=")[2]) for text in fixed if not _NO_PART_OF_A_NAME.match(text)]
    settings = {key: value for key, value in named if key not in swept}  # of a key that is set twice, the last counts
    words = [_said(key, value) for key, value in settings.items()]
    words += [key.rpartition(".")[2] for key in swept]
    return _slug(", ".join(words) or "sweep")


_NO_PART_OF_A_NAME = re.compile(r"[+~]*(hydra[./]|sweep\.|comparison\.|data_dir=|figures=|tracker|device)")


def _said(key: str, value: str) -> str:
    return f"{key.rpartition('.')[2]} {value}" if "." in key or key == "seed" else value


def _slug(text: str) -> str:
    """Letters, digits, `.`, `_` and `-` alone: no shell and no file system minds these, nor does Hydra's grammar."""
    parts = [re.sub(r"[^A-Za-z0-9.+-]+", "_", part).strip("_.") for part in text.split(", ")]
    slug = "-".join(part for part in parts if part).replace("+", "") or "job"
    if len(slug) <= LONGEST_NAME:
        return slug
    return f"{slug[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def _canonical(value: Any) -> Any:
    """The same number is the same, written 1 or 1.0."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
