"""Why runs have not finished, or are not ranked."""

from __future__ import annotations

from autoenc.runs import RunRecord


def why_unranked(record: RunRecord, metric: str | None) -> str:
    """Why a run cannot be ranked by a metric that it lacks."""
    if not record.finished or metric is None:
        return why_not_finished(record) or "nothing was measured"
    return "; ".join([f"it has no {metric}", *record.problems])


_REASONS = {
    "running": "still running",
    "failed": "failed, and its folder does not say why",
    "diverged": "its loss or gradient was not finite",
    "interrupted": "interrupted; resume= continues it",
    "dead": "its process exited without recording why",
    "waiting": "not started",
    "unreadable": "it cannot be read",
}


def reasons(record: RunRecord) -> list[str]:
    """Why a run has not finished, and which of its files could not be read."""
    kind = None if record.state == "diverged" else record.error_kind  # which the state says
    error = ": ".join(part for part in (kind, record.error_message) if part)
    found = [*([error] if error else []), *record.problems]
    return found if found or record.finished else [_REASONS[record.state]]


def why_not_finished(record: RunRecord) -> str:
    """The same in a line; empty for a run that has finished and can be read."""
    return "; ".join(reasons(record))
