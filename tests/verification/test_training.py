"""The command lines that claims need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoenc.verification.claim import Claim, Prediction
from autoenc.verification.measuring import Measured
from autoenc.verification.training import expected_minutes, seeds_of_trainings


def claim(*experiments: str, **given: Any) -> Claim:
    test = Prediction(quantity="run_0.test.mse", means="m", band=(None, 1.0))
    runs = {f"run_{number}": {"experiment": name} for number, name in enumerate(experiments)}
    return Claim(sentence="S.", source="us", runs=runs, tests=(test,), refuted_by="R.", **given)


def test_claims_share_their_trainings() -> None:
    claims = [
        claim("a", "b", seeds=2, minutes=10.0),
        claim("b", seeds=5, minutes=4.0),
        claim("c", seeds=1, minutes=7.0),
    ]
    for ordered in (claims, claims[::-1]):
        assert seeds_of_trainings(ordered) == {"experiment=a": 2, "experiment=b": 5, "experiment=c": 1}
        minutes = {"experiment=a": 5, "experiment=b": 4, "experiment=c": 7}
        assert expected_minutes(ordered, []) == pytest.approx(minutes)


def test_what_a_seed_took_before_tells_what_more_seeds_will_take() -> None:
    two_seeds = Measured(values={"run.test.mse": {0: 1.0, 1: 1.0}}, minutes={"experiment=b": 6.0})
    claims = [claim("a", "b", seeds=2, minutes=10.0), claim("b", seeds=5, minutes=4.0)]
    for ordered in (claims, claims[::-1]):
        assert expected_minutes(ordered, [two_seeds]) == pytest.approx({"experiment=a": 5, "experiment=b": 15})


def test_benchmarks_take_time() -> None:
    timed = claim("a", seeds=2, minutes=10.0)
    timed = replace(timed, runs={**timed.runs, "row": {"benchmark": "noise"}})
    assert expected_minutes([timed], []) == pytest.approx({"experiment=a": 5, "noise": 5})
