"""The comparison of a model's test error with the baselines for its task, as a sentence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.score_rows import alike
from autoenc.runs import RunRecord

LARGEST_RATIO = 1000
"""Larger ratios are not written: the error of PCA with as many numbers as pixels is only rounding."""


class Verdict(NamedTuple):
    """How a model compares with its baselines."""

    sentence: str
    loses: bool
    """Whether its error is above that of the best baseline."""
    level: int
    """Of `logging`: a warning if a model of its kind should not lose."""


def verdict(record: RunRecord) -> Verdict | None:
    """Compare a model's test error with the baselines for its task; None if it lacks the error or every baseline.

    The sentence begins with the ELBO, if the model has one.
    """
    test, code_size = record.scores, record.metrics.get("code_size", 0)
    what, name = ("denoising error", "denoising_mse") if "denoising_mse" in test else ("error", "mse")
    known = _known_baselines(test, numbers=f"{code_size:g} number{'' if code_size == 1 else 's'}")
    if name not in test or not known:
        return None
    error = test[name]
    best, nothing = min(known, key=lambda words: known[words]), next(iter(known))
    elbo = f"The ELBO is {test['elbo_nats']:.5g} nats an image; higher is better. " if "elbo_nats" in test else ""
    start = f"{elbo}The {what}, {error:.4g}, is"
    if alike(error, known[best]):
        return Verdict(f"{start} that of {best} ({known[best]:.4g}).", False, logging.INFO)
    if error < known[best]:
        return Verdict(f"{start} below that of the best baseline, {best} ({known[best]:.4g}).", False, logging.INFO)
    if error > known[nothing]:
        other = "" if best == nothing else f" The best baseline is {best} ({known[best]:.4g})."
        sentence = f"{start} {_above(error, known[nothing])} that of {nothing} ({known[nothing]:.4g}).{other}"
        return Verdict(sentence, True, logging.WARNING)
    # A variational code is not meant to hold as much as PCA's.
    level = logging.INFO if "elbo_nats" in test else logging.WARNING
    return Verdict(f"{start} {_above(error, known[best])} that of {best} ({known[best]:.4g}).", True, level)


def _known_baselines(test: Mapping[str, float], *, numbers: str) -> dict[str, float]:
    """The baselines for a model's task by their description, the first without any model."""
    score = METRICS["mse"].denoising() if "denoising_mse" in test else METRICS["mse"]
    found = [METRICS[name] for name in dict.fromkeys((*score.baselines, "mean_image_mse")) if name in test]
    if "rate_bits" in test:  # a quantized code has bits, which are fewer
        found = [baseline for baseline in found if not baseline.has_code]
    found.sort(key=lambda baseline: baseline.has_code)
    return {baseline.in_words(numbers=numbers): test[baseline.name] for baseline in found}


def _above(error: float, baseline: float) -> str:
    if not error > 2 * baseline > 0:
        return "above"
    ratio = error / baseline
    if ratio > LARGEST_RATIO:
        return "above"
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:,.0f} times"
