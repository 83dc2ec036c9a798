"""What a sweep's own file says of its jobs."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from autoenc.runs.reading.files import content
from autoenc.runs.reading.json_text import parse_json
from autoenc.runs.reading.plain import UnreadableError

FILE = "sweep.json"
LARGEST = 16 * 1024 * 1024
MOST_VALUES = 500_000
MOST_JOBS = 20_000
LONGEST_LABEL = 200


class SweepJobs(NamedTuple):
    """The jobs of a sweep."""

    labels: dict[str, str]
    """What each job is called, by its folder's path; in the sweep's order."""
    problem: str | None
    """Why they, or some of them, are not known: a sentence."""


def sweep_jobs(folder: str) -> SweepJobs:
    """What `sweep.json` in a folder says; no more than a problem where it cannot be read.

    Its `jobs` have by the name of each folder a label, or a table with a `label`.
    """
    try:
        jobs = _jobs(f"{folder}/{FILE}")
    except UnreadableError as error:
        return SweepJobs({}, f"{FILE} {error}, so that its jobs have no labels.")
    inside = {name: job for name, job in jobs.items() if _is_inside(name)}
    outside = len(jobs) - len(inside)
    problem = f"{FILE} names {outside} folder(s) that are not below it, which are left out." if outside else None
    return SweepJobs({os.path.normpath(f"{folder}/{name}"): _label(job, name) for name, job in inside.items()}, problem)


def _jobs(path: str) -> dict[str, Any]:
    values = parse_json(content(path, most=LARGEST), most=MOST_VALUES).value
    jobs = values.get("jobs") if isinstance(values, dict) else None
    if not isinstance(jobs, dict):
        raise UnreadableError("does not say what its jobs are")
    if len(jobs) > MOST_JOBS:
        raise UnreadableError(f"has more than {MOST_JOBS} jobs")
    return jobs


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path != PurePosixPath() and len(name) < 1000


def _label(job: Any, name: str) -> str:
    label = job.get("label") if isinstance(job, dict) else job
    text = label if isinstance(label, str) and label.strip() else name
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
