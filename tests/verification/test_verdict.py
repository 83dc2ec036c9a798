"""From the values of several seeds to a verdict."""

from __future__ import annotations

from typing import Any

import pytest

from autoenc.evaluation.estimates import estimate
from autoenc.verification.claim import Claim, Prediction
from autoenc.verification.measuring import Measured
from autoenc.verification.verdict import failing, outcome, verdict

INSIDE, OUTSIDE, OVER_THE_EDGE = [1.0, 1.01, 0.99], [3.0, 3.01, 2.99], [1.99, 2.01, 2.0]


def claim(*tests: Prediction, **changes: Any) -> Claim:
    given: dict[str, Any] = {"sentence": "S.", "source": "us", "seeds": 3, "minutes": 1.0, "refuted_by": "R."}
    return Claim(runs={"run": {"experiment": "x"}}, tests=tests, **(given | changes))


def prediction(name: str, *, control: bool = False) -> Prediction:
    return Prediction(quantity=f"run.{name}", means=name, band=(0.5, 2.0), control=control)


def measured(**values: list[float]) -> Measured:
    by_seed = {f"run.{name}": dict(enumerate(each)) for name, each in values.items()}
    return Measured(values=by_seed)


@pytest.mark.parametrize(
    ("values", "band", "found"),
    [
        (INSIDE, (0.5, 2.0), "holds"),
        (INSIDE, (None, 2.0), "holds"),
        (INSIDE, (0.5, None), "holds"),
        (OUTSIDE, (0.5, 2.0), "fails"),
        (OUTSIDE, (None, 2.0), "fails"),
        (INSIDE, (2.0, None), "fails"),
        (OVER_THE_EDGE, (0.5, 2.0), "undecided"),
        ([1.0], (0.5, 2.0), "undecided"),
        ([1.0, 1.0], (1.0, 1.0), "holds"),
    ],
)
def test_the_whole_interval_counts(values: list[float], band: tuple[float | None, float | None], found: str) -> None:
    assert outcome(Prediction(quantity="run.a", means="a", band=band), estimate(values)) == found


def test_the_interval_is_student_s() -> None:
    # Mean 2, standard deviation 1, half width 4.3027 / sqrt(3) = 2.4841.
    for high, found in ((4.485, "holds"), (4.483, "undecided")):
        assert outcome(Prediction(quantity="run.a", means="a", band=(None, high)), estimate([1.0, 2.0, 3.0])) == found


@pytest.mark.parametrize(
    ("as_made", "fair", "found"),
    [
        (INSIDE, INSIDE, "confirmed"),
        (INSIDE, OUTSIDE, "confounded"),
        (INSIDE, OVER_THE_EDGE, "undecided"),
        (OUTSIDE, INSIDE, "refuted"),
        (OUTSIDE, OUTSIDE, "refuted"),
        (OVER_THE_EDGE, OUTSIDE, "undecided"),
    ],
)
def test_what_the_tests_say_together(as_made: list[float], fair: list[float], found: str) -> None:
    both = claim(prediction("made"), prediction("fair", control=True))
    assert verdict(both, measured(made=as_made, fair=fair)) == found


def test_a_claim_without_all_its_values_is_not_tested() -> None:
    both = claim(prediction("a"), prediction("b"))
    assert verdict(both, measured(a=INSIDE)) == verdict(both, None) == "not tested"


def test_only_a_claim_of_ours_that_was_tested_can_fail() -> None:
    ours, theirs = claim(prediction("a"), ours=True), claim(prediction("a"))
    claims = {"confirmed": ours, "refuted": ours, "undecided": ours, "not_tested": ours, "theirs": theirs}
    found = {
        "confirmed": measured(a=INSIDE),
        "refuted": measured(a=OUTSIDE),
        "undecided": measured(a=OVER_THE_EDGE),
        "theirs": measured(a=OUTSIDE),
    }
    assert failing(claims, found) == ["refuted", "undecided"]
