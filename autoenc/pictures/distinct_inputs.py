"""Which of several runs were given the same images, and what to call what they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEPARATOR = ", "  # between the parts of a run's label


class Given(NamedTuple):
    """What a run was given."""

    label: str
    """Of the run: parts such as `seed 1`, with commas between them."""
    images: NDArray[Any]


class Group(NamedTuple):
    """Runs that were given the same images."""

    members: list[int]
    labels: list[str]


def grouped(runs: Sequence[Given]) -> list[Group]:
    """The runs by what they were given, bit for bit; groups and members in the order given."""
    found: list[Group] = []
    for index, run in enumerate(runs):
        for group in found:
            if np.array_equal(runs[group.members[0]].images, run.images, equal_nan=True):
                group.members.append(index)
                group.labels.append(run.label)
                break
        else:
            found.append(Group([index], [run.label]))
    return found


def input_label(group: Group, groups: Sequence[Group]) -> str:
    """`noisy input`, and where there are several inputs, which.

    That is what the group's labels have in common and not all labels have; where that is nothing, or belongs to another
    group too, the first label and how many more there are.
    """
    if len(groups) == 1:
        return "noisy input"
    everywhere = _shared([label for other in groups for label in other.labels])
    others = [_shared(other.labels) for other in groups if other is not group]
    own = [part for part in _shared(group.labels) if part not in everywhere]
    if not own or any(set(own) <= set(other) for other in others):
        more = len(group.labels) - 1
        own = [group.labels[0] + (f" and {more} more" if more else "")]
    return f"noisy input \N{MIDDLE DOT} {SEPARATOR.join(own)}"


def _shared(labels: Sequence[str]) -> list[str]:
    """The parts that are in every label."""
    parts = [label.split(SEPARATOR) for label in labels]
    return [part for part in parts[0] if all(part in other for other in parts)]
