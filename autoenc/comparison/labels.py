"""The labels of a sweep's jobs, made from their overrides, and of a metric's axis; and the value of a config's key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoenc.display_names import metric_words, setting_label, told_apart
from autoenc.evaluation.metrics import DENOISING, find_metric


def metric_label(name: str, *, unit: str) -> str:
    """The label of an axis: a metric in words, what a denoising error is between, and the first words of the unit.

    `denoising_gain_db` is not measured on the noise of the run.
    """
    known = find_metric(name)
    is_denoising = known is not None and known.input == "noisy" and name.startswith(DENOISING)
    between = "from the noisy input to the clean image" if is_denoising else ""
    brief = re.split("[,:;]", unit, maxsplit=1)[0]
    explained = ", ".join(part for part in (between, brief) if part)
    words = metric_words(name)
    return f"{words}: {explained}" if explained else words


def split_words(metric: str) -> str:
    """A metric with its split in words: `test denoising error`."""
    split, _, name = metric.partition(".")
    return f"{split} {metric_words(name)}"


def setting(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key of a config; None if there is no such key."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def labels(overrides: Sequence[Sequence[str]], *, word: Callable[[str, str], str] = setting_label) -> list[str]:
    """A label for each job of a sweep: the overrides that differ, as short as is clear.

    `word` is a setting with its value in words; by default with their display names: `VAE, code size 3`.
    """
    jobs = [{key_of(text): text.partition("=")[2] for text in texts} for texts in overrides]
    keys = list(dict.fromkeys(key for job in jobs for key in job))
    varying = [key for key in keys if len({job.get(key) for job in jobs}) > 1] or keys
    words: dict[str, dict[str, str]] = {}
    for key in varying:
        values = [job[key] for job in jobs if key in job]
        words[key] = dict(zip(values, told_apart([word(key, value) for value in values], values=values), strict=True))
    return [", ".join(words[key][job[key]] for key in varying if key in job) or "the run" for job in jobs]


def key_of(override: str) -> str:
    """The key of an override on the command line: `seed` of `+seed=1`."""
    return override.lstrip("+~").partition("=")[0]
