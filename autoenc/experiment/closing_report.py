"""The text at the end of a run: its scores, its health, its folder, and the command to run it again."""

from __future__ import annotations

import logging
import math
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from autoenc.progress import shown_path
from autoenc.runs import RunDirectory

log = logging.getLogger(__name__)

MOST_SENTENCES = 3
"""The most findings on health that are logged; a network may have one for each layer."""


def report(summary: dict[str, Any], run_directory: RunDirectory) -> None:
    """Log how good the model is, where the run's folder is, and how to run it again."""
    seconds, epochs = summary["seconds"]["training"], summary["epochs"]
    log.info("Trained %d epoch(s) in %.1f s, %.0f images/s.", epochs, seconds, summary["images_per_second"])
    best = summary["best_epoch"]
    which = "the last epoch's weights" if best is None else f"the weights of epoch {best}, the best on validation"
    log.info("Test, with %s:", which)
    width = max(len(name) for name in summary["test"])
    for name, value in summary["test"].items():
        log.info("  %-*s %-10.5g %s", width, name, value, summary["units"].get(name, ""))
    if summary["test"].get("pca_mse", math.inf) < summary["test"]["mse"]:
        log.warning("This is worse than PCA with as many components as the code has numbers.")
    _report_health(summary["health"]["words"])
    log.info("Folder:    %s", shown_path(run_directory.path))
    log.info("Run again: %s rerun=%s", command(), as_value(shown_path(run_directory.path)))


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
