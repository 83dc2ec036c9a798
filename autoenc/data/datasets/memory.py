"""Whether a set fits into memory, asked before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autoenc.data.datasets.errors import DatasetError

# The rest is for the model, and for what is read and not yet put in its place.
USABLE = 0.9


def require_memory(needed: int, *, dataset: str, advice: str = "free some, or take a smaller dataset") -> None:
    """See that so many bytes can be had.

    Raises:
        DatasetError: they cannot; the message says how many are needed, how many there are, and the `advice`.
    """
    usable = int(available_memory() * USABLE)
    if needed > usable:
        problem = f"its images need {_readable(needed)} of memory, and {_readable(usable)} can be had; {advice}"
        raise DatasetError(dataset, problem)


def available_memory(*, groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that this process may still take: what the machine has left, or what is left to a container, if less."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_to_groups(groups=groups, own=own)])


class _Layout(NamedTuple):
    """The names of a group's files: its limit, what it uses, and the line that says how much of that is mere cache."""

    mount: str
    limit: str
    usage: str
    cache: str


_SECOND = _Layout("", "memory.max", "memory.current", "inactive_file")
_FIRST = _Layout("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _left_to_groups(*, groups: Path, own: Path) -> Iterator[int]:
    """What Linux leaves to each control group that this process is in, of either version (cgroups(7))."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # another system, or none of its business
    for line in lines:
        _, controllers, path = line.split(":", 2)
        layout = _SECOND if not controllers else _FIRST if controllers == "memory" else None
        if layout is not None:
            # A container often sees its own group as the topmost, under a path that only its host knows.
            for group in (PurePosixPath(path), *PurePosixPath(path).parents):
                yield from _left_to(groups / layout.mount / str(group).lstrip("/"), layout=layout)


def _left_to(group: Path, *, layout: _Layout) -> Iterator[int]:
    try:
        limit = (group / layout.limit).read_text(encoding="utf-8").strip()
        if limit == "max":
            return
        usage = int((group / layout.usage).read_text(encoding="utf-8"))
        statistics = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
        yield int(limit) - usage + int(statistics.get(layout.cache, 0))
    except (OSError, ValueError):
        return  # no such group here


def _readable(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
