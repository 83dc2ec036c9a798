"""A sweep: many runs from one command line, then their comparison; or a preview of what it would do."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from autoenc.command_line.compose import Composer, plain
from autoenc.command_line.exit_code import in_one_line
from autoenc.command_line.sweep_jobs import SweepPlan
from autoenc.progress import shown_path
from autoenc.runs import RunDirectory, printable, write_atomically
from autoenc.settings import ConfigError
from autoenc.sweeps.attempt import REPLACED
from autoenc.sweeps.driver import SweepDriver
from autoenc.sweeps.launchers import LAUNCHERS
from autoenc.sweeps.plan import Action, Source
from autoenc.sweeps.sweep_display import SweepDisplay

log = logging.getLogger(__name__)

MOST_NAMED = 3
"""Of the jobs that did not finish; the table has all."""

_WORDS: dict[Action, str] = {
    "leave": "kept",
    "go_on": "resumed",
    "again": "restarted",
    "wait": "still running",
    "begin": "new",
}


def sweep(composer: Composer, config: DictConfig, *, shows_table: bool = True) -> int:
    """Run every job that has not finished, and compare all; returns the exit code.

    Raises:
        ConfigError: the sweep or one of its jobs is impossible; nothing has been written.
        SystemExit: it was interrupted, and its jobs have saved their state.
    """
    LAUNCHERS.parse(plain(config.hydra.launcher)).warm_up()
    # The first import of torch, which takes seconds.
    from autoenc.environment import describe_code, describe_installation

    plan, code = SweepPlan(composer, config), describe_code(describe_installation())
    with plan.folder.locked(), SweepDisplay(plan.folder.path) as view:
        if plan.folder.begin_anew(wanted=plan.settings.rerun == "all"):
            log.info("Continuing sweep.rerun=all: it does not train again what it has already trained again.")
        _announce(plan, code=code)
        driver = _begin(plan, code=code, view=view)
        try:
            driver.run()
        except SystemExit:
            view.interrupted()
            log.info("Interrupted. The same command continues the sweep.")
            raise
        if driver.launcher.lost is None:
            plan.folder.end_anew()
        compared = _compare(plan.folder.path, driver.source, shows_table=shows_table)
    log.info("The sweep is in %s", shown_path(plan.folder.path))
    known = [job.folder for job in plan.jobs]  # without some of them, if the launcher has been lost
    folders = list(dict.fromkeys([*driver.source.over_before(), *driver.asked_for, *known]))
    succeeded = _succeeded(folders, driver.source)
    if driver.launcher.lost is not None:
        sys.stderr.write(f"error: {driver.launcher.lost}. The same command continues the sweep.\n")
    return 0 if succeeded and compared and driver.launcher.lost is None else 1


def preview(flags: argparse.Namespace, composer: Composer) -> str:
    """List the jobs of a sweep: what would happen to each, its folder and its overrides. Nothing is written."""
    for flag, value in {"--cfg": flags.cfg, "--package": flags.package, "--resolve": flags.resolve}.items():
        if value and value != "job":
            problem = "of a sweep (--multirun), --cfg job lists the jobs; without --multirun it shows one config"
            raise ConfigError(flag, problem, value=None if value is True else value)
    plan = SweepPlan(composer, composer.compose(multirun=True))
    plan.folder.look()
    plan.folder.begin_anew(wanted=plan.settings.rerun == "all")
    return "\n".join(_listed_jobs(plan) if plan.jobs else _listed_examples(plan)) + "\n"


def _listed_jobs(plan: SweepPlan) -> list[str]:
    actions = [_WORDS[plan.action(job)] for job in plan.jobs]
    width = max(map(len, actions))
    longest = max(len(job.folder.name) for job in plan.jobs)
    lines = [
        f"{action:<{width}}  {job.folder.name:<{longest}}  {' '.join(plan.varying(job.overrides))}".rstrip()
        for job, action in zip(plan.jobs, actions, strict=True)
    ]
    return [f"# {_counted(plan)}.", *lines]


def _listed_examples(plan: SweepPlan) -> list[str]:
    examples = plan.sweeper.examples(plan.overrides)
    headline = f"# A search in {shown_path(plan.folder.path)}, which chooses its jobs as it goes. Examples:"
    return [headline, *dict.fromkeys(" ".join(plan.varying(example)) for example in examples)]


def _counted(plan: SweepPlan) -> str:
    counts = Counter(plan.action(job) for job in plan.jobs)
    parts = ", ".join(f"{counts[action]} {words}" for action, words in _WORDS.items() if action in counts)
    jobs = "1 job" if len(plan.jobs) == 1 else f"{len(plan.jobs)} jobs"
    return f"{jobs} in {shown_path(plan.folder.path)}: {parts}"


def _announce(plan: SweepPlan, *, code: str) -> None:
    if not plan.jobs:
        return
    log.info("%s.", _counted(plan))
    changed = [job for job in plan.jobs if plan.action(job) == "again" and plan.has_other_inputs(job)]
    if changed:
        log.warning(
            "The images or initial weights have changed since %d of them were trained. The sweep trains these again "
            "and keeps their old folders in %s.",
            len(changed),
            shown_path(plan.folder.path / REPLACED),
        )
    kept = [plan.folder.jobs.get(job.folder.name) for job in plan.jobs if plan.action(job) == "leave"]
    older = [job.code for job in kept if job is not None and job.code not in {code, ""}]
    if older:
        log.warning(
            "%d of them finished by other code (%s; this is %s): sweep.rerun=all trains them again.",
            len(older),
            printable(older[0]),
            code,
        )


def _begin(plan: SweepPlan, *, code: str, view: SweepDisplay) -> SweepDriver:
    """Start the launcher and write the sweep's files. The launcher comes first: if it fails, no file is left."""
    with contextlib.ExitStack() as undone:
        launcher = plan.launcher.build(plan.folder.path)
        undone.callback(launcher.close)
        source = plan.source(slots=launcher.slots)
        plan.folder.add(plan.jobs, code=code)
        write_atomically(plan.folder.path / "multirun.yaml", OmegaConf.to_yaml(plan.config).encode())  # as Hydra does
        undone.pop_all()
    for line in source.opening_words():
        log.info("%s", line)
    return SweepDriver(
        source=source,
        launcher=launcher,
        job_of=lambda proposal: plan.job_of(proposal, code=code),
        action=plan.action,
        view=view,
    )


def _compare(folder: Path, source: Source, *, shows_table: bool) -> bool:
    """Write the table, the pictures and the report; returns whether that worked. A failure here loses no run."""
    from autoenc.comparison.sweep_results import REPORT, SLIDES, compare_sweep

    try:
        page = compare_sweep(folder, shows_table=shows_table)
        lines = source.closing_words()
    except (ValueError, OSError) as error:
        log.error("The runs are complete, but cannot be compared: %s", in_one_line(error))  # noqa: TRY400
        return False
    for line in lines:
        log.info("%s", line)
    if page is not None and shows_table:
        log.info("Side by side: %s, and for a browser: %s", shown_path(page), shown_path(folder / REPORT))
        log.info("Slides: %s", shown_path(folder / SLIDES))
    return True


def _succeeded(folders: Sequence[Path], source: Source) -> bool:
    """Whether all jobs have finished, or, in a search, some and the others diverged. If not, say so in a line."""
    unfinished = [folder for folder in folders if RunDirectory(folder).state != "finished"]
    diverged = [folder for folder in unfinished if RunDirectory(folder).diverged]
    failed = [folder for folder in unfinished if not (source.may_diverge and folder in diverged)]
    if failed:
        names = ", ".join(shown_path(folder) for folder in failed[:MOST_NAMED])
        more = ", ..." if len(failed) > MOST_NAMED else ""
        how = f" ({len(diverged)} diverged)" if diverged and not source.may_diverge else ""
        sys.stderr.write(f"error: {len(failed)} of {len(folders)} jobs did not finish{how}: {names}{more}\n")
    elif folders and len(diverged) == len(folders):
        reason = RunDirectory(diverged[0]).status()["error"]["message"]
        sys.stderr.write(f"error: all {len(folders)} trials diverged; the first: {in_one_line(ValueError(reason))}\n")
        return False
    return not failed
