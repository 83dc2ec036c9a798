"""Names, units and settings in the folders of earlier runs, as they are called today."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_OLD_NAME = re.compile("(^|/)noisy_")
_NEW_UNITS = (
    (re.compile("; nats an image, Bernoulli likelihood; pixels (.+)$"), r"; Bernoulli probability of \1 pixels"),
    (
        re.compile("; nats an image, (?:continuous Bernoulli|Gaussian|Laplace) likelihood[^;]*; pixels (.+)$"),
        r"; density of \1 pixels",
    ),
    (re.compile("; from the noisy input$"), "; from the noisy input to the clean image"),
    (re.compile("^decibels, mean over images, peak 1"), "decibels, mean over images, pixels in [0, 1]"),
)
"""How the first runs named the units of likelihoods, of denoising errors and of `psnr`, and today's names."""


def with_new_names(values: dict[str, Any], *, file: str) -> dict[str, Any]:
    """The content of a run's file with today's names of metrics, units and settings."""
    if file == "config.yaml":
        return _with_new_settings(values)
    if file == "metrics.jsonl":
        return _with_new_metrics(values)
    return _with_new_units(_with_new_metrics(values)) if file == "summary.json" else values


def _with_new_settings(values: dict[str, Any]) -> dict[str, Any]:
    """The config with the settings that did not exist yet, as runs were then.

    All pictures were PNG files, all initial weights were random, and `dataset.limit` limited the test split too.
    """
    dataset = values.get("dataset")
    if not isinstance(dataset, dict) or "limit" not in dataset:
        return values
    top = {"figure_format": "png", "initialize_from": None, "initialize_part": None}
    return {**top, **values, "dataset": {"test_limit": dataset["limit"], **dataset}}


def _with_new_metrics(values: dict[str, Any]) -> dict[str, Any]:
    """The metrics `noisy_<name>` of the first runs as `denoising_<name>`."""
    return {
        _new_name(key): _with_new_metrics(value) if isinstance(value, dict) else value for key, value in values.items()
    }


@lru_cache(maxsize=20_000)  # thousands of runs share their metrics
def _new_name(metric: str) -> str:
    return _OLD_NAME.sub(r"\1denoising_", metric)


def _with_new_units(values: dict[str, Any]) -> dict[str, Any]:
    units = values.get("units")
    if not isinstance(units, dict):
        return values
    return {**values, "units": {name: _new_unit(unit) if type(unit) is str else unit for name, unit in units.items()}}


def _new_unit(unit: str) -> str:
    for old, new in _NEW_UNITS:
        unit = old.sub(new, unit)
    return unit
