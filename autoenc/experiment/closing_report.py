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

from autoenc.evaluation.metrics import DENOISING, find_metric
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
    test = summary["test"]
    baselines = {name: value for name, value in test.items() if _is_baseline(name)}
    _report_table({name: value for name, value in test.items() if name not in baselines}, summary)
    log.info("Baselines:")
    _report_table(baselines, summary)
    if summary["standard_errors"]["test"]:
        log.info("±: the standard error over test images. summary.json has the units in full.")
    level, sentence = verdict(test, code_size=summary["code_size"])
    log.log(level, "%s", sentence)


def verdict(test: Mapping[str, float], *, code_size: int) -> tuple[int, str]:
    """A sentence that compares a model's test error with the baselines for its task, and its log level."""
    what, error = ("denoising error", test["denoising_mse"]) if "denoising_mse" in test else ("error", test["mse"])
    known = _known_baselines(test, numbers=f"{code_size} number{'' if code_size == 1 else 's'}")
    best, nothing = min(known, key=lambda words: known[words]), next(iter(known))
    start = f"The {what}, {error:.4g}, is"
    if abs(error - known[best]) <= ALIKE * known[best]:
        return logging.INFO, f"{start} that of {best} ({known[best]:.4g})."
    if error < known[best]:
        return logging.INFO, f"{start} below that of the best baseline, {best} ({known[best]:.4g})."
    if error > known[nothing]:
        other = "" if best == nothing else f" The best baseline is {best} ({known[best]:.4g})."
        return (
            logging.WARNING,
            f"{start} {_above(error, known[nothing])} that of {nothing} ({known[nothing]:.4g}).{other}",
        )
    # A variational code is not meant to hold as much as PCA's.
    level = logging.INFO if "elbo_nats" in test else logging.WARNING
    return level, f"{start} {_above(error, known[best])} that of {best} ({known[best]:.4g})."


def _known_baselines(test: Mapping[str, float], *, numbers: str) -> dict[str, float]:
    """The baselines for a model's task by their description, the first without any model."""
    mean_image = {"the mean image": "mean_image_mse"}
    if "denoising_mse" in test:
        found = {"doing nothing": "noise_mse", "a 3x3 median filter": "median_mse", **mean_image}
        linear = {
            f"the PCA of clean images with {numbers}": "pca_denoising_mse",
            f"the best linear denoiser with {numbers}": "linear_denoising_mse",
        }
    else:
        found, linear = mean_image, {f"PCA with {numbers}": "pca_mse"}
    if "rate_bits" not in test:  # a quantized code has bits, which are fewer
        found |= linear
    return {words: test[name] for words, name in found.items() if name in test}


def _above(error: float, baseline: float) -> str:
    if not error > 2 * baseline > 0:
        return "above"
    ratio = error / baseline
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:,.0f} times"


def _is_baseline(name: str) -> bool:
    known = find_metric(name)
    return known is not None and bool(known.short_name)


def _report_table(scores: Mapping[str, float], summary: Mapping[str, Any]) -> None:
    """Log a line for each score, with its standard error and its unit."""
    errors, units = summary["standard_errors"]["test"], summary["units"]
    values = {name: _with_error(value, errors.get(name)) for name, value in scores.items()}
    name_width, value_width = max(map(len, values)), max(map(len, values.values()))
    for name, value in values.items():
        log.info("  %-*s  %-*s  %s", name_width, name, value_width, value, _short(units.get(name, ""), name=name))


def _with_error(value: float, standard_error: float | None) -> str:
    if standard_error is None or standard_error == 0:
        return f"{value:.5g}"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    return f"{value:.{decimals}f} ± {standard_error:.{decimals}f}"


def _short(unit: str, *, name: str) -> str:
    """The unit without explanations, which follow colons; of a denoising score, what tells it from the clean one."""
    parts = [part.partition(":")[0].strip() for part in unit.split(";")]
    return parts[-1] if name.startswith(DENOISING) else "; ".join(parts)


def _report_health(sentences: list[str]) -> None:
    for sentence in sentences[:MOST_SENTENCES]:
        log.info("%s.", sentence[:1].upper() + sentence[1:])
    if len(sentences) > MOST_SENTENCES:
        log.info("summary.json has %d more such lines.", len(sentences) - MOST_SENTENCES)


def command() -> str:
    """How the training command is called here, without its arguments: a notebook or a script is no such command."""
    called = Path(sys.argv[0])
    return f"python {shlex.quote(shown_path(called))}" if called.name == "train.py" else "autoenc-train"


def as_value(text: str) -> str:
    """A path as an override that both Hydra and a shell can read."""
    return text if re.fullmatch(r"[\w./-]+", text) else shlex.quote(f"'{text}'")
