"""Settings compared paired by seed: the mean of the differences over the seeds that both have, with its interval.

Runs of one seed share the random numbers of their training, and often its luck. The differences vary less than the
metrics do, so that fewer seeds show a difference (the paired t-test).
"""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.comparison.formatting import listed_in_words
from autoenc.comparison.grouping import SEED, Group, group_names
from autoenc.comparison.ranking import better_direction, in_words
from autoenc.comparison.verdicts import verdict
from autoenc.evaluation.estimates import Estimate, estimate

MOST_PAIRS = 5
"""Lines below a table."""


def paired_difference(one: Group, other: Group, key: str) -> Estimate | None:
    """The mean of a metric's difference, `one` minus `other`, over their shared seeds; None if there are none."""
    differences = paired_values(one, other, key)
    return estimate(differences) if differences else None


def paired_values(one: Group, other: Group, key: str) -> list[float]:
    """A metric's differences, `one` minus `other`, for each seed that both have."""
    values, others = one.by_draw(key), other.by_draw(key)
    return [value - others[draw] for draw, value in values.items() if draw in others]


def paired_lines(groups: Sequence[Group], key: str) -> list[str]:
    """The setting with the best mean against each of the others: a heading, and sentences.

    Empty if there is a single setting, if groups have more than seeds in them, or if no value is better than another.
    """
    means = {number: found.mean for number, group in enumerate(groups) if (found := group.estimate(key)) is not None}
    unit = groups[0].records[0].unit(key)
    better = better_direction(key, unit=unit)
    if len(means) < 2 or better is None or groups[0].varying != (SEED,):
        return []
    best = (max if better == "higher" else min)(means, key=means.__getitem__)
    names = group_names(groups)
    others = [number for number in means if number != best]
    where = f" ({in_words(groups[0].apart)})" if groups[0].apart else ""
    interval = "± half of the 95 % interval of the mean difference over seeds (Student's t)"
    lines = [f"By {key}{where}, paired by seed, {interval}:"]
    differences = {number: paired_difference(groups[best], groups[number], key) for number in others}
    known = {number: each for number, each in differences.items() if each is not None and each.half_width is not None}
    for number, difference in [*known.items()][:MOST_PAIRS]:
        pair = names[best], names[number]
        lines.append(f"{verdict(difference, names=pair, over='seeds', higher_is_better=better == 'higher')}.")
    if len(known) > MOST_PAIRS:
        lines.append(
            f"... and {len(known) - MOST_PAIRS} more. Among many comparisons, about 1 in 20 shows a difference by "
            "chance, and the best of many means is partly luck."
        )
    if without := [names[number] for number in others if number not in known]:
        lines.append(
            f"{names[best]} shares fewer than two seeds with {listed_in_words(without)}, and an interval needs two."
        )
    return lines
