"""Whether the process of a run is still alive."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any

SAME_START_SECONDS = 10.0
"""Start times shift when the machine's clock is set; no process number is reused within this time."""


def process_lives(status: Mapping[str, Any]) -> bool | None:
    """Whether the process named in a `status.json` is alive; None if it ran on another host or is not fully named.

    The start time is compared as well, because a later process may have the same number.
    """
    started = moment(status.get("process_started_at"))
    number = status.get("pid")
    if status.get("host") != socket.gethostname() or started is None or not number or not 0 < number < 2**31:
        return None
    return is_there(number, began=started.timestamp())


def is_there(number: int | None, *, began: float) -> bool | None:
    """Whether the process with this number and start (seconds since 1970) is alive; None if that cannot be found out.

    Without a number, the current process is meant.
    """
    import psutil

    try:
        process = psutil.Process(number)
        same = abs(process.create_time() - began) <= SAME_START_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return None


def moment(text: str | None) -> datetime | None:
    """A time in ISO format with a time zone; None for any other text."""
    try:
        found = datetime.fromisoformat(text or "")
        return found if found.tzinfo is not None and found.timestamp() >= 0 else None
    except (ValueError, OverflowError):
        return None
