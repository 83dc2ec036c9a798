"""Whether the process that a run's folder speaks of is still there."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any

SAME_START_SECONDS = 10.0
"""A process's start is computed from the machine's, which shifts when its clock is set; and no process number comes
around again so soon."""
LARGEST_PROCESS_NUMBER = 2**31


def process_lives(status: Mapping[str, Any]) -> bool | None:
    """Whether the process that a `status.json` names is there; None where nobody here can tell.

    A number alone would not do: a later process may have got it, which then began at another time.
    """
    number, began = status.get("pid"), moment(status.get("process_started_at"))
    if status.get("host") != socket.gethostname() or began is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < LARGEST_PROCESS_NUMBER:
        return None
    return is_there(number, began=began.timestamp())


def is_there(number: int | None, *, began: float) -> bool | None:
    """Whether the process of this number that began then, in seconds since 1970, is there; None if nobody can tell."""
    import psutil

    try:
        process = psutil.Process(number)
        same = abs(process.create_time() - began) <= SAME_START_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return None


def moment(text: object) -> datetime | None:
    """A time as the files have it, with its time zone; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None and found.timestamp() >= 0 else None
    except (ValueError, OverflowError):
        return None
