"""What a sweep would do, for `--multirun --cfg job`: nothing is made."""

from __future__ import annotations

import argparse

from autoenc.command_line.composition import Composer
from autoenc.command_line.jobs import varied
from autoenc.command_line.wanted import Wanted, what_is_wanted
from autoenc.comparison.labels import key_of
from autoenc.experiment.closing_report import shown
from autoenc.settings import ConfigError
from autoenc.sweeps.plan import Action


def preview(options: argparse.Namespace) -> str:
    """The jobs of a sweep: what is to be done about each, its folder, and what it overrides.

    Raises:
        ConfigError: the sweep would be refused, or more is asked for than its jobs.
    """
    for flag, value in {"--cfg": options.cfg, "--package": options.package, "--resolve": options.resolve}.items():
        if value and value != "job":
            problem = "of a sweep (--multirun), --cfg job lists the jobs; without --multirun it shows one config"
            raise ConfigError(flag, problem, value=None if value is True else value)
    wanted = what_is_wanted(Composer(options))
    wanted.folder.look()
    wanted.folder.begin_anew(wanted=wanted.settings.rerun == "all")
    return "\n".join(_of_a_grid(wanted) if wanted.jobs else _of_a_search(wanted)) + "\n"


def _of_a_grid(wanted: Wanted) -> list[str]:
    found = wanted.actions()
    width = max(len(_WORDS[what]) for what in found)
    longest = max(len(job.folder.name) for job in wanted.jobs)
    return [
        f"# {wanted.counted(found)}.",
        *(
            f"{_WORDS[what]:<{width}}  {job.folder.name:<{longest}}  {_varying(wanted, job.overrides)}".rstrip()
            for job, what in zip(wanted.jobs, found, strict=True)
        ),
    ]


def _of_a_search(wanted: Wanted) -> list[str]:
    examples = wanted.sweeper.examples(wanted.overrides)
    return [
        f"# A search in {shown(wanted.folder.path)}, which chooses its jobs as it goes, between these and the like:",
        *dict.fromkeys(_varying(wanted, example) for example in examples),
    ]


def _varying(wanted: Wanted, overrides: tuple[str, ...]) -> str:
    keys = varied(wanted.overrides)
    return " ".join(text for text in overrides if key_of(text) in keys)


_WORDS: dict[Action, str] = {
    "leave": "left as it is",
    "go_on": "goes on",
    "again": "begins anew",
    "wait": "still running",
    "begin": "new",
}
