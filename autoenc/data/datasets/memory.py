"""Whether a dataset fits into memory, checked before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import torch

from autoenc.data.datasets.published_sets import DatasetError

if TYPE_CHECKING:
    from autoenc.data.datasets.splits import Dataset

USABLE = 0.9  # the rest is for the model, and for files that are being read


def require_memory(needed: int, *, dataset: str, advice: str = "free some, or choose a smaller dataset") -> None:
    """Check that `needed` bytes of memory are available.

    Raises:
        DatasetError: they are not; the message has the bytes needed and available, and the `advice`.
    """
    usable = usable_memory()
    if needed > usable:
        problem = f"its images need {byte_count(needed)} of memory, and {byte_count(usable)} are available; {advice}"
        raise DatasetError(dataset, problem)


def copies_held(settings: Dataset) -> int:
    """How many copies of a set are in memory, at most, during `make_splits`."""
    return 1 + (settings.validation_fraction > 0) + (settings.binarization != "none")


def images_held(*, train: int, test: int, settings: Dataset) -> int:
    """How many images are in memory, at most, while pools of these sizes are read and split."""
    splitting = 0
    for count, limit in ((train, settings.limit), (test, settings.test_limit)):
        used = count if limit is None else min(count, limit)
        whole = count if used < count else 0  # stays in memory during `make_splits`
        splitting += whole + used * copies_held(settings)
    reading = 2 * (train + test)  # the file's content, and its tensor
    return max(reading, splitting)


def usable_memory() -> int:
    """The bytes of memory that images may take."""
    return int(available_memory() * USABLE)


def fits_onto(device: torch.device, size: int) -> bool:
    """Whether images of `size` bytes fit into the memory of a device, next to a model."""
    if device.type == "cpu":
        return True  # where they are
    free = torch.cuda.mem_get_info(device)[0] * USABLE if device.type == "cuda" else usable_memory()
    return size <= free


def available_memory(*, groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that this process may still allocate: on the machine, or in its container if that has less left."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_groups(groups=groups, own=own)])


# The files of a Linux control group by the name of its controller, "" in version 2 (cgroups(7)): its limit, its usage,
# and the line of `memory.stat` with the part of the usage that is cache.
_GROUP_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _left_in_groups(*, groups: Path, own: Path) -> Iterator[int]:
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # no Linux, or no control groups
    for line in lines:
        _, controller, path = line.split(":", 2)
        if controller in _GROUP_FILES:
            # A container often sees its own group at the root, under a path that only its host knows.
            for group in (PurePosixPath(path), *PurePosixPath(path).parents):
                yield from _left_in(groups / controller / str(group).lstrip("/"), *_GROUP_FILES[controller])


def _left_in(group: Path, limit_file: str, usage_file: str, cache_line: str) -> Iterator[int]:
    try:
        limit = (group / limit_file).read_text(encoding="utf-8").strip()
        if limit == "max":
            return
        usage = int((group / usage_file).read_text(encoding="utf-8"))
        statistics = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
        yield int(limit) - usage + int(statistics.get(cache_line, 0))
    except (OSError, ValueError):
        return  # there is no such group


def byte_count(count: int) -> str:
    """A number of bytes, as a text."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
