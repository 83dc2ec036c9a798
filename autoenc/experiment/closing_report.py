"""The text at the end of a run: its main scores, its findings, the page to open, and the commands to go on with."""

from __future__ import annotations

import logging
import re
import shlex
import sys
from pathlib import Path

from autoenc.evaluation.metric import DENOISING, FROM_NOISY_TO_CLEAN
from autoenc.evaluation.score_rows import MAIN_SCORES, ScoreRow, score_rows
from autoenc.experiment.baseline_verdict import verdict
from autoenc.experiment.findings import Importance, findings
from autoenc.overrides import as_value
from autoenc.progress import shown_path
from autoenc.runs import SWEEP_FILE, RunRecord

log = logging.getLogger(__name__)

MOST_FINDINGS = 3


def report(record: RunRecord, *, more_epochs: int | None = None) -> None:
    """Log how good the model is, which page to open, and how to compare the run and to run it again.

    `more_epochs`: for how many epochs to train it, if more are likely to help and possible.
    """
    summary = record.summary
    epochs, best = summary["epochs"], summary["best_epoch"]
    which = "the last epoch's weights" if best is None else f"the weights of epoch {best}, the best on validation"
    log.info(
        "Trained %d epoch%s in %.1f s. Tested: %s.", epochs, "s"[: epochs != 1], summary["seconds"]["training"], which
    )
    _report_rows([row for row in score_rows(record) if row.name in MAIN_SCORES])
    _report_verdict(record)
    for finding in findings(record)[:MOST_FINDINGS]:
        level = logging.WARNING if finding.importance == Importance.REASON else logging.INFO
        log.log(level, "%s %s", finding.sentence, finding.explanation)
    if more_epochs is not None:
        command_line = f"{command()} resume={as_value(shown_path(record.path))} training.epochs={more_epochs}"
        log.info("The loss was still falling. Train longer: %s", command_line)
    log.info("Open: %s", shown_path(record.path / "index.html"))
    log.info("Compare: %s", compare_command(record.path))
    log.info("Run again: %s", rerun_command(record.path))


def report_scores(record: RunRecord) -> None:
    """Log all test scores with their baselines and units, and the verdict."""
    _report_rows(score_rows(record), units=True)
    _report_verdict(record)


def _report_rows(rows: list[ScoreRow], *, units: bool = False) -> None:
    """Log a line for each score: the value and the two best baselines; with `units`, all of them and the unit."""
    log.info("Test scores (± standard error over images), with baselines in brackets:")
    cells = []
    for row in rows:
        baselines = ", ".join(map(" ".join, row.baselines if units else row.baselines[:2]))
        unit = FROM_NOISY_TO_CLEAN if row.name.startswith(DENOISING) else row.unit
        cells.append([row.name, row.value, *([unit] if units else []), f"({baselines})" if baselines else ""])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        log.info("  %s", "  ".join(padded).rstrip())


def _report_verdict(record: RunRecord) -> None:
    found = verdict(record)
    if found is not None:
        log.log(found.level, "%s", found.sentence)


def compare_command(run: Path) -> str:
    """The command that compares a run with those next to it: for `outputs/<date>/<time>`, all below `outputs`.

    For a job of a sweep, those of the sweep.
    """
    shown = Path(shown_path(run))
    next_to_it = shown.is_absolute() or len(shown.parts) == 1 or (run.parent / SWEEP_FILE).is_file()
    folder = run.parent if next_to_it else Path.cwd() / shown.parts[0]
    return f"{command('compare')} {shlex.quote('.' if folder == Path.cwd() else shown_path(folder))}"


def rerun_command(run: Path) -> str:
    """The command that starts a new run with the settings of a run."""
    return f"{command()} rerun={as_value(shown_path(run))}"


def command(name: str = "train") -> str:
    """How one of our programs is called, without its arguments: as the running one was, if that is ours."""
    called = Path(sys.argv[0])
    ours = re.fullmatch(r"(autoenc-|)(?:train|figures|evaluate|track)(\.py|)", called.name)
    if ours is None:  # a notebook, or a program of someone else
        return f"autoenc-{name}"
    called = called.with_name(f"{ours[1]}{name}{ours[2]}")
    return f"python {shlex.quote(shown_path(called))}" if called.suffix == ".py" else called.name
