"""The test scores of a run as text, each next to its baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from autoenc.evaluation.metrics import find_metric
from autoenc.runs import RunRecord

MAIN_SCORES = ("denoising_mse", "elbo_nats", "mse", "linear_probe_accuracy")
"""Those that a person should see first."""

ALIKE = 0.01
"""Two scores are called equal if they differ by less than this share: a linear autoencoder comes so close to PCA."""


REPEATED = {
    "reconstruction": ("mse", "denoising_mse"),
    "loss": ("mse", "denoising_mse", "reconstruction"),
    "penalty": ("kl_nats",),
}
"""Scores that some models measure a second time under another name."""


class ScoreRow(NamedTuple):
    """A test score and its baselines."""

    name: str
    value: str
    """With its standard error over the test images: `0.0430 ± 0.0009`."""
    baselines: tuple[tuple[str, str], ...]
    """The short name and the value of each, the best first."""
    unit: str
    """Without its details."""
    beats_all: bool | None
    """Whether the score is better than every baseline by more than its standard error, and not `alike` the best.

    None without baselines.
    """


def score_rows(record: RunRecord) -> list[ScoreRow]:
    """A row for each test score that is neither a baseline nor `REPEATED`, the main ones first."""
    test, units = record.scores, record.units
    errors = (record.summary.get("standard_errors") or {}).get("test") or {}
    names = [name for name in test if not is_baseline(name) and not _is_repeated(name, test)]
    names.sort(key=lambda name: MAIN_SCORES.index(name) if name in MAIN_SCORES else len(MAIN_SCORES))
    return [_row(name, test, error=errors.get(name), unit=units.get(name, "")) for name in names]


def alike(score: float, baseline: float) -> bool:
    """Whether a score is called equal to that of a baseline."""
    return abs(score - baseline) <= ALIKE * abs(baseline)


def is_baseline(name: str) -> bool:
    """Whether a score depends on no trained model."""
    known = find_metric(name)
    return known is not None and bool(known.short_name)


def _is_repeated(name: str, test: Mapping[str, float]) -> bool:
    others = (test[other] for other in REPEATED.get(name, ()) if other in test)
    return any(math.isclose(test[name], other, rel_tol=1e-6) for other in others)  # summed in another order


def _row(name: str, test: Mapping[str, float], *, error: float | None, unit: str) -> ScoreRow:
    known = find_metric(name)
    baselines = [] if known is None else [baseline for baseline in test if baseline in known.baselines]
    higher = known is not None and known.better == "higher"
    ordered = sorted(baselines, key=lambda baseline: test[baseline], reverse=higher)
    best = test[ordered[0]] if ordered else None
    gain = 0.0 if best is None else test[name] - best if higher else best - test[name]
    return ScoreRow(
        name,
        _with_error(test[name], error),
        tuple((_short_name(baseline), f"{test[baseline]:.4g}") for baseline in ordered),
        _without_details(unit),
        None if best is None else gain > (error or 0) and not alike(test[name], best),
    )


def _short_name(baseline: str) -> str:
    known = find_metric(baseline)
    return known.short_name if known is not None else baseline


def _with_error(value: float, standard_error: float | None) -> str:
    if standard_error is None or standard_error <= 0:
        return f"{value:.5g}"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    return f"{value:.{decimals}f} ± {standard_error:.{decimals}f}"


def _without_details(unit: str) -> str:
    """Details follow a colon in each part of a unit."""
    return "; ".join(part.partition(":")[0].strip() for part in unit.split(";"))
