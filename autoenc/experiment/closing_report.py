"""The text at the end of a run: its main scores, its findings, the page to open, and the commands to go on with."""

from __future__ import annotations

import logging
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.experiment.findings import Importance, findings
from autoenc.experiment.score_rows import ScoreRow, score_rows
from autoenc.experiment.verdict import verdict
from autoenc.progress import shown_path
from autoenc.runs import RunRecord

log = logging.getLogger(__name__)

MAIN_SCORES = ("denoising_mse", "mse", "elbo_nats", "linear_probe_accuracy")
"""The scores at the end of a run; the page has all of them."""

MOST_FINDINGS = 3


def report(record: RunRecord) -> None:
    """Log how good the model is, which page to open, and how to compare the run and to run it again."""
    summary = record.summary
    epochs, best = summary["epochs"], summary["best_epoch"]
    which = "the last epoch's weights" if best is None else f"the weights of epoch {best}, the best on validation"
    log.info(
        "Trained %d epoch%s in %.1f s. Tested: %s.", epochs, "s"[: epochs != 1], summary["seconds"]["training"], which
    )
    _report_rows([row for row in score_rows(summary) if row.name in MAIN_SCORES])
    _report_verdict(summary)
    for finding in findings(record)[:MOST_FINDINGS]:
        level = logging.WARNING if finding.importance == Importance.REASON else logging.INFO
        log.log(level, "%s %s", finding.sentence, finding.explanation)
    log.info("Open: %s", shown_path(record.path / "index.html"))
    log.info("Compare: %s", compare_command(record.path))
    log.info("Run again: %s", rerun_command(record.path))


def report_scores(summary: Mapping[str, Any]) -> None:
    """Log all test scores with their baselines and units, and the verdict."""
    _report_rows(score_rows(summary), units=True)
    _report_verdict(summary)


def _report_rows(rows: list[ScoreRow], *, units: bool = False) -> None:
    """Log a line for each score: the value, its baselines and perhaps its unit."""
    log.info("Test scores (± standard error over images), with baselines in brackets:")
    cells = [
        (row.name, row.value, f"({', '.join(map(' '.join, row.baselines))})" if row.baselines else "", row.unit)
        for row in rows
    ]
    widths = [max(map(len, column), default=0) for column in zip(*cells, strict=True)]
    for line in cells:
        shown = [f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)]
        log.info("  %s", "  ".join(shown if units else shown[:-1]).rstrip())


def _report_verdict(summary: Mapping[str, Any]) -> None:
    found = verdict(summary)
    if found is not None:
        log.log(found.level, "%s", found.sentence)


def compare_command(run: Path) -> str:
    """The command that compares a run with those next to it: for `outputs/<date>/<time>`, all below `outputs`."""
    shown = Path(shown_path(run))
    folder = run.parent if shown.is_absolute() or len(shown.parts) == 1 else Path.cwd() / shown.parts[0]
    return f"{command('compare')} {shlex.quote(shown_path(folder))}"


def rerun_command(run: Path) -> str:
    """The command that starts a new run with the settings of a run."""
    return f"{command()} rerun={as_value(shown_path(run))}"


def command(name: str = "train") -> str:
    """How one of our programs is called, without its arguments: as the running one was, if that is ours."""
    called = Path(sys.argv[0])
    ours = re.fullmatch(r"(autoenc-|)(?:train|figures|evaluate)(\.py|)", called.name)
    called = called.with_name(f"{ours[1]}{name}{ours[2]}") if ours else Path("scripts") / f"{name}.py"
    return f"python {shlex.quote(shown_path(called))}" if called.suffix == ".py" else called.name


def as_value(text: str) -> str:
    """A path as an override that both Hydra and a shell can read."""
    return text if re.fullmatch(r"[\w./-]+", text) else shlex.quote(f"'{text}'")
