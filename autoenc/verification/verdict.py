"""From the values of several seeds to a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from autoenc.evaluation.estimates import Estimate, estimate
from autoenc.verification.claim import Claim, Prediction
from autoenc.verification.measuring import Measured

Outcome = Literal["holds", "fails", "undecided"]
Verdict = Literal["confirmed", "refuted", "confounded", "undecided", "not tested"]
MEANINGS: dict[Verdict, str] = {
    "confirmed": "all its intervals lie in their bands",
    "refuted": "an interval lies outside its band",
    "confounded": "it holds as it was made, but fails in a fair design",
    "undecided": "an interval reaches over the edge of its band: it needs more seeds",
    "not tested": "runs are missing, or this machine lacks the device",
}


def estimated(test: Prediction, measured: Measured) -> Estimate | None:
    """The mean over seeds with its 95 % interval by Student's t; None if the claim was not tested."""
    values = measured.values.get(test.quantity)
    return estimate(list(values.values())) if values else None


def outcome(test: Prediction, found: Estimate) -> Outcome:
    """Whether the interval lies in the band of the test, outside, or over its edge. A single seed decides nothing."""
    if found.half_width is None:
        return "undecided"
    low = -math.inf if test.band[0] is None else test.band[0]
    high = math.inf if test.band[1] is None else test.band[1]
    lowest, highest = found.mean - found.half_width, found.mean + found.half_width
    if low <= lowest and highest <= high:
        return "holds"
    return "fails" if highest < low or high < lowest else "undecided"


def verdict(claim: Claim, measured: Measured | None) -> Verdict:
    """What the tests of a claim say together."""
    estimates = {test: None if measured is None else estimated(test, measured) for test in claim.tests}
    if None in estimates.values():
        return "not tested"
    outcomes = {test: outcome(test, found) for test, found in estimates.items() if found is not None}
    if any(found == "fails" and not test.control for test, found in outcomes.items()):
        return "refuted"
    if any(found == "undecided" and not test.control for test, found in outcomes.items()):
        return "undecided"
    if "fails" in outcomes.values():
        return "confounded"
    return "undecided" if "undecided" in outcomes.values() else "confirmed"


def failing(claims: Mapping[str, Claim], found: Mapping[str, Measured]) -> list[str]:
    """The claims of this project that were tested and are not confirmed."""
    verdicts = {name: verdict(claim, found.get(name)) for name, claim in claims.items() if claim.ours}
    return [name for name, each in verdicts.items() if each not in ("confirmed", "not tested")]
