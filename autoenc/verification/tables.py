"""Claims, measurements and verdicts as lines and tables: for the terminal, for Markdown and for the page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from autoenc.comparison.columns import Column
from autoenc.comparison.rendering import as_markdown
from autoenc.comparison.tables import Line, Table
from autoenc.verification.claim import Claim
from autoenc.verification.measuring import Measured, by_versions, minutes_together
from autoenc.verification.verdict import MEANINGS, estimated, outcome, verdict

INTRODUCTION = """\
# Claims

What is said about autoencoders, measured with several seeds: as it was said, and in fair designs. One command checks
any claim again:

    python scripts/verify.py            # lists the claims
    python scripts/verify.py A2 D4      # trains what these need, measures it and draws the pictures
    python scripts/verify.py --all
"""
METHOD = """\
## How claims are measured

- **Names.** The letter stands for the source: A is a notebook on Fashion-MNIST, B a lecture on denoising, C a lesson
  with a zoo of architectures, and D a course in four parts. Published results have names in words, and so have our own
  claims, marked (ours). The command fails if one of ours is not confirmed.
- **Tests.** Each is a number and the band in which it lies if the claim is true. The number is the mean over n seeds ±
  half of its 95 % interval (Student's t); runs are paired by seed. A test holds if the whole interval lies in the band,
  fails if it lies outside, and else is undecided.
- **Controls** test the claim in a fair design: at equal code sizes, for example.
- **Bands** follow from the sentence. They were chosen before the runs whose results are shown, some of them after
  trials with one seed, and are not changed to please a result. Comments in a claim's file say why they have these
  numbers.
- **Minutes** are those of two cores with two runs at a time. Benchmarks run alone. Claims share runs, and each counts
  all that it needs.
- **Files.** [claims/](../claims) has a file for each claim, with its formulas, and
  [results.csv](../claims/results.csv) with the value of each seed, the minutes, and the versions that made them.
"""
TUTORIALS, PUBLISHED, OURS = "Statements of tutorials", "Published results", "What this project says"
_LABELS = re.compile(r"^(Source|Verdict|Refuted by|Known confounds|To test it[\w ,]*):", re.MULTILINE)


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
    if measured is None or not measured.minutes:
        return f"about {claim.minutes:g}"
    return _rounded(sum(measured.minutes.values()))


def _rounded(taken: float) -> str:
    return f"{taken:.{0 if taken >= 10 else 1}f}"


def details(name: str, claim: Claim, measured: Measured | None) -> Iterator[Line | Table]:
    """One claim with everything that was measured for it."""
    yield Line(name, kind="heading")  # short, so that links to it remain if the sentence changes
    yield Line(claim.sentence)
    found = verdict(claim, measured)
    why = measured.reason if measured is not None and measured.reason else MEANINGS[found]
    yield Line(f"Verdict: {found}: {why}. Minutes: {minutes(claim, measured)}.")
    if found == "not tested":
        yield Line(f"To test it{_on(claim)}: python scripts/verify.py {name}")
    yield Line(f"Source: {claim.source}")
    yield _tests(claim, measured)
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
        Column("outcome", outcomes, best=_not_holding(outcomes), right=False),
    ]


def _not_holding(outcomes: Sequence[str]) -> frozenset[int]:
    """The rows that are bold."""
    return frozenset(row for row, each in enumerate(outcomes) if each not in ("", "holds"))


def origin(found: Mapping[str, Measured]) -> Iterator[str]:
    """Sentences: which versions made the results, and how long that took together."""
    each = by_versions(found)
    for versions, names in each.items():
        only = f" ({', '.join(names)})" if len(each) > 1 else ""
        yield f"Measured with {versions}{only}."
    if found:
        together = sum(minutes_together(found.values()).values())
        yield f"Together: {_rounded(together)} minutes on two cores, two runs at a time. Shared runs count once."


def document(claims: Mapping[str, Claim], found: Mapping[str, Measured]) -> str:
    """All claims as a page in Markdown."""
    groups = {title: each for title, each in _grouped(claims).items() if each}
    names = {name: claim for each in groups.values() for name, claim in each.items()}
    table = as_markdown(overview(names, found))
    for name in names:
        table = table.replace(f"| {name} |", f"| [{name}](#{name.lower()}) |", 1)  # as GitHub calls its heading
    parts = [INTRODUCTION, as_markdown([_counts(names, found)]), table, METHOD]
    parts += [f"{sentence}\n" for sentence in origin(found)]
    for title, each in groups.items():
        lines = [part for name, claim in each.items() for part in details(name, claim, found.get(name))]
        parts += [f"## {title}\n", _LABELS.sub(r"**\1:**", as_markdown(lines))]
    return "\n".join(parts)


def _grouped(claims: Mapping[str, Claim]) -> dict[str, dict[str, Claim]]:
    """By who says it. Statements of tutorials are named by a letter and a number."""
    found: dict[str, dict[str, Claim]] = {TUTORIALS: {}, PUBLISHED: {}, OURS: {}}
    for name, claim in claims.items():
        said_by = OURS if claim.ours else TUTORIALS if re.fullmatch(r"[A-Z]\d+", name) else PUBLISHED
        found[said_by][name] = claim
    return found


def _counts(claims: Mapping[str, Claim], found: Mapping[str, Measured]) -> Table:
    """The meaning of each verdict, and how many claims have it."""
    counts = Counter(verdict(claim, found.get(name)) for name, claim in claims.items())
    return [
        Column("verdict", list(MEANINGS), right=False),
        Column("meaning", list(MEANINGS.values()), right=False),
        Column("claims", [str(counts[each]) for each in MEANINGS]),
    ]
