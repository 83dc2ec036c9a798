"""The text at the end of a run: its scores, its health, its folder, and the command to run it again."""

from __future__ import annotations

import logging
import math
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.progress import shown_path
from autoenc.runs import RunDirectory

log = logging.getLogger(__name__)

ALIKE = 0.01
"""Two errors are called equal if they differ by less than this share: a linear autoencoder comes so close to PCA."""

MOST_SENTENCES = 3
"""The most findings on health that are logged; a network may have one for each layer."""


def report(summary: dict[str, Any], run_directory: RunDirectory) -> None:
    """Log how good the model is, where the run's folder is, and how to run it again."""
    seconds, epochs = summary["seconds"]["training"], summary["epochs"]
    log.info("Trained %d epoch(s) in %.1f s, %.0f images/s.", epochs, seconds, summary["images_per_second"])
    best = summary["best_epoch"]
    which = "the last epoch's weights" if best is None else f"the weights of epoch {best}, the best on validation"
    log.info("Test, with %s:", which)
    report_scores(summary)
    _report_health(summary["health"]["words"])
    log.info("Folder:    %s", shown_path(run_directory.path))
    log.info("Run again: %s rerun=%s", command(), as_value(shown_path(run_directory.path)))


def report_scores(summary: dict[str, Any]) -> None:
    """Log the test scores, with their standard errors over images, and how they compare with the baselines."""
    errors = summary["standard_errors"]["test"]
    shown = {name: _with_error(value, errors.get(name)) for name, value in summary["test"].items()}
    widths = (max(len(text) for text in column) for column in (shown, shown.values()))
    name_width, value_width = widths
    for name, text in shown.items():
        log.info("  %-*s  %-*s  %s", name_width, name, value_width, text, _short(summary["units"].get(name, "")))
    log.info("±: the standard error over test images. summary.json has the units in full.")
    level, sentence = verdict(summary["test"], code_size=summary["code_size"])
    log.log(level, "%s", sentence)


def verdict(test: Mapping[str, float], *, code_size: int) -> tuple[int, str]:
    """A sentence that compares a model's test error with that of the best baseline for its task, and its log level."""
    numbers = f"{code_size} number{'' if code_size == 1 else 's'}"
    if "denoising_mse" in test:
        what, error = "denoising error", test["denoising_mse"]
        baselines = {
            "doing nothing": "noise_mse",
            "a 3x3 median filter": "median_mse",
            f"the PCA of clean images with {numbers}": "pca_denoising_mse",
            f"the best linear denoiser with {numbers}": "linear_denoising_mse",
        }
    else:
        what, error = "error", test["mse"]
        baselines = {"the mean image": "mean_image_mse", f"PCA with {numbers}": "pca_mse"}
    known = {words: test[name] for words, name in baselines.items() if name in test}
    best = min(known, key=lambda words: known[words])
    if abs(error - known[best]) <= ALIKE * known[best]:
        return logging.INFO, f"The {what}, {error:.4g}, is that of {best} ({known[best]:.4g})."
    if error < known[best]:
        return logging.INFO, f"The {what}, {error:.4g}, is below that of the best baseline, {best} ({known[best]:.4g})."
    nothing = next(iter(known))  # the baseline that needs no model
    worse_than = nothing if error > known[nothing] else best
    # A variational or quantized code is not meant to hold as much as PCA's.
    is_meant = worse_than != nothing and bool({"elbo_nats", "rate_bits"} & test.keys())
    is_far = error > 2 * known[worse_than] > 0
    relation = f"{error / known[worse_than]:.2g} times" if is_far else "above"
    sentence = f"The {what}, {error:.4g}, is {relation} that of {worse_than} ({known[worse_than]:.4g})."
    return logging.INFO if is_meant else logging.WARNING, sentence


def _with_error(value: float, standard_error: float | None) -> str:
    if standard_error is None or standard_error == 0:
        return f"{value:.5g}"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    return f"{value:.{decimals}f} ± {standard_error:.{decimals}f}"


def _short(unit: str) -> str:
    """The unit without explanations, which follow colons."""
    return "; ".join(part.partition(":")[0].strip() for part in unit.split(";"))


def _report_health(sentences: list[str]) -> None:
    for sentence in sentences[:MOST_SENTENCES]:
        log.info("%s.", sentence[:1].upper() + sentence[1:])
    if len(sentences) > MOST_SENTENCES:
        log.info("summary.json has %d more such findings.", len(sentences) - MOST_SENTENCES)


def command() -> str:
    """How this program was called, without its arguments."""
    called = Path(sys.argv[0])
    return f"python {shlex.quote(shown_path(called))}" if called.suffix == ".py" else called.name


def as_value(text: str) -> str:
    """A path as an override that both Hydra and a shell can read."""
    return text if re.fullmatch(r"[\w./-]+", text) else shlex.quote(f"'{text}'")
