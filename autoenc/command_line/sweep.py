"""Many runs from one command line, and what they end with."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from autoenc.command_line.composition import Composer
from autoenc.command_line.ending import in_one_line
from autoenc.command_line.report import shown
from autoenc.command_line.wanted import Wanted, what_is_wanted
from autoenc.runs import RunDirectory, printable, write_atomically
from autoenc.sweeps.driver import Course, View
from autoenc.sweeps.source import Source
from autoenc.sweeps.view import SweepView

log = logging.getLogger(__name__)

MOST_NAMED = 3
"""Of the jobs that did not finish; the table has all."""


def sweep(composer: Composer) -> int:
    """Run every job that the command line asks for and that has not finished, and compare all; returns the exit code.

    Raises:
        ConfigError: one of the jobs would be refused, or the sweep itself; nothing has been made then.
        SystemExit: it was interrupted, and its jobs have saved.
    """
    from autoenc.environment import describe_code

    wanted, code = what_is_wanted(composer), describe_code()
    with wanted.folder.locked(), SweepView(wanted.folder.path) as view:
        if wanted.folder.begin_anew(wanted=wanted.settings.rerun == "all"):
            log.info("Going on with sweep.rerun=all: what has been trained anew already is not trained once more.")
        _announce(wanted, code=code)
        course = _begin(wanted, code=code, view=view)
        try:
            course.run()
        except SystemExit:
            view.interrupted()
            log.info("Interrupted. The same command goes on.")
            raise
        wanted.folder.end_anew()
        compared = _compare(wanted.folder.path, course.source)
    log.info("The sweep is in %s", shown(wanted.folder.path))
    return _exit_code(list(dict.fromkeys([*course.source.over_before(), *course.asked_for])), compared=compared)


def _begin(wanted: Wanted, *, code: str, view: View) -> Course:
    """The sweep, ready to run. What may refuse it comes first: then there is nothing in its folder."""
    with contextlib.ExitStack() as undone:
        launcher = wanted.launcher.build()
        undone.callback(launcher.close)
        source = wanted.source()
        wanted.folder.add(wanted.jobs, code=code)
        write_atomically(wanted.folder.path / "multirun.yaml", wanted.as_yaml.encode())  # as Hydra's own sweeps have it
        undone.pop_all()
    for line in source.opening_words():
        log.info("%s", line)
    return Course(
        source=source,
        launcher=launcher,
        job_of=lambda proposal: wanted.job_of(proposal, code=code),
        action=wanted.action,
        view=view,
    )


def _announce(wanted: Wanted, *, code: str) -> None:
    """What is there already, and what is to be done."""
    found = wanted.actions()
    if wanted.jobs:
        log.info("%s.", wanted.counted(found))
    before = wanted.folder.jobs
    left = [job.folder.name for job, what in zip(wanted.jobs, found, strict=True) if what == "leave"]
    older = [name for name in left if name in before and before[name].code not in {code, ""}]
    if older:
        log.warning(
            "%d of them finished by other code (%s; this is %s): sweep.rerun=all trains them anew.",
            len(older),
            printable(before[older[0]].code),
            code,
        )


def _compare(folder: Path, source: Source) -> bool:
    """What the sweep came to, as a table, pictures and a report; whether that could be done. What is wrong loses no
    run.
    """
    from autoenc.comparison.sweep_results import REPORT, compare_sweep

    try:
        page = compare_sweep(folder)
        lines = source.closing_words()
    except (ValueError, OSError) as error:
        log.error("The runs are whole, but cannot be compared: %s", in_one_line(error))  # noqa: TRY400
        return False
    for line in lines:
        log.info("%s", line)
    if page is not None:
        log.info("Side by side: %s, and for a browser: %s", shown(page), shown(folder / REPORT))
    return True


def _exit_code(folders: Sequence[Path], *, compared: bool) -> int:
    """1 when a job did not finish: the folders tell, whatever ran the jobs."""
    failed = [folder for folder in folders if RunDirectory(folder).status().get("state") != "finished"]
    if failed:
        names = ", ".join(shown(folder) for folder in failed[:MOST_NAMED])
        more = ", ..." if len(failed) > MOST_NAMED else ""
        sys.stderr.write(f"error: {len(failed)} of {len(folders)} jobs did not finish: {names}{more}\n")
    return 1 if failed or not compared else 0
