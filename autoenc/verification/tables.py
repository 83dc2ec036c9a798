"""Claims, measurements and verdicts as lines and tables: for the terminal, for Markdown and for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoenc.comparison.columns import Column
from autoenc.comparison.rendering import as_markdown
from autoenc.comparison.tables import Line, Table
from autoenc.verification.claim import Claim
from autoenc.verification.measuring import Measured, Results
from autoenc.verification.verdict import MEANINGS, estimated, outcome, verdict

PAIRS = 2
"""Runs that train at the same time, in the times that are stated."""
INTRODUCTION = """\
# Claims

What is often said about autoencoders, measured. Each claim has the sentence, and for each test a number, the mean over
seeds with its 95 % interval (Student's t), and the band in which it lies if the claim is true. The bands were set
before the runs; where trials with one seed came first, the known confounds say so. Controls test a claim in a fair
design: at equal code sizes, for example.

    python scripts/verify.py            # lists the claims
    python scripts/verify.py A2 D4      # trains what these need, measures it and draws the pictures
    python scripts/verify.py --all

`claims/` has a file for each claim, and `results.csv` with the value of each seed.
"""


def overview(claims: Mapping[str, Claim], found: Mapping[str, Measured]) -> list[Line | Table]:
    """A row for each claim."""
    verdicts = [verdict(claim, found.get(name)) for name, claim in claims.items()]
    return [
        [
            Column("claim", list(claims), right=False),
            Column("sentence", [_sentence(claim) for claim in claims.values()], right=False),
            Column("verdict", verdicts, right=False),
            Column("minutes", [minutes(claim, found.get(name)) for name, claim in claims.items()]),
        ]
    ]


def _sentence(claim: Claim) -> str:
    return f"{claim.sentence} (ours)" if claim.ours else claim.sentence


def minutes(claim: Claim, measured: Measured | None) -> str:
    """What its runs took, two at a time; for a claim that was not tested, what they are expected to take."""
    if measured is None or not measured.seconds:
        return f"about {claim.minutes:g}"
    taken = sum(measured.seconds.values()) / 60 / PAIRS
    return f"{taken:.{0 if taken >= 10 else 1}f}"


def details(name: str, claim: Claim, measured: Measured | None) -> Iterator[Line | Table]:
    """One claim with everything that was measured for it."""
    yield Line(f"{name}: {claim.sentence}", kind="heading")
    yield Line(f"Source: {claim.source}")
    yield _tests(claim, measured)
    found = verdict(claim, measured)
    why = measured.reason if measured is not None and measured.reason else MEANINGS[found]
    yield Line(f"Verdict: {found}: {why}. Minutes: {minutes(claim, measured)}.")
    if found == "not tested":
        yield Line(f"To test it{_on(claim)}: python scripts/verify.py {name}")
    yield Line(f"Refuted by: {claim.refuted_by}")
    if claim.confounds:
        yield Line(f"Known confounds: {' '.join(claim.confounds)}")


def _on(claim: Claim) -> str:
    return "" if claim.needs is None else f", on a machine with {claim.needs}"


def _tests(claim: Claim, measured: Measured | None) -> Table:
    found = [None if measured is None else estimated(test, measured) for test in claim.tests]
    outcomes = ["" if each is None else outcome(test, each) for test, each in zip(claim.tests, found, strict=True)]
    means = [f"control: {test.means}" if test.control else test.means for test in claim.tests]
    return [
        Column("test", means, right=False),
        Column("measured", ["" if each is None else each.rounded for each in found]),
        Column("n", ["" if each is None else str(each.count) for each in found]),
        Column("band", [test.band_in_words for test in claim.tests], right=False),
        Column("outcome", outcomes, right=False),
    ]


def document(claims: Mapping[str, Claim], results: Results) -> str:
    """All claims as a page in Markdown."""
    parts: list[Line | Table] = []
    for name, claim in claims.items():
        parts += details(name, claim, results.measured.get(name))
    measured = f"{results.machine}\n\n" if results.machine else ""
    return f"{INTRODUCTION}\n{measured}{as_markdown(overview(claims, results.measured))}\n{as_markdown(parts)}"
