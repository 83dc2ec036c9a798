"""What a person should know of a finished run besides its scores, the most important first."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from autoenc.comparison.formatting import is_number
from autoenc.display_names import choice_label
from autoenc.experiment.reasons import reasons
from autoenc.experiment.verdict import verdict
from autoenc.runs import RunRecord


class Importance(IntEnum):
    """How much a finding matters."""

    COMMON = 0
    """Most runs have it."""
    NOTE = 1
    REASON = 2
    """Why the model is worse than a baseline."""


class Finding(NamedTuple):
    """A fact about a run."""

    importance: Importance
    sentence: str
    explanation: str
    """What it means, and what to do."""


def findings(record: RunRecord) -> list[Finding]:
    """The findings of a finished run, sorted by importance."""
    found = verdict(record)
    importance = Importance.REASON if found and found.level == logging.WARNING else Importance.NOTE
    why = [Finding(importance, *reason) for reason in reasons(record, loses=found is not None and found.loses)]
    return sorted([*why, *_health(record)], key=lambda finding: -finding.importance)


class _Unhealthy(NamedTuple):
    """Units, kernels or entries that do nothing: a sentence of `autoenc.evaluation.health` in its parts."""

    number: int
    total: int
    subject: str
    """`units of encoder layer 1 (ReLU)`, `first-layer kernels`, ..."""
    state: str
    """`dead`, `saturated`, `collapsed`, `repeated` or `unused`."""
    why: str
    activation: str
    """Of a hidden layer, such as `ReLU`; else empty."""

    @property
    def sentence(self) -> str:
        verb = "is" if self.number == 1 else "are"
        return f"{self.number:,} of {self.total:,} {self.subject} {verb} {self.state}: {self.why}."


_SENTENCE = re.compile(r"(\d+) of (\d+) (.+) (?:is|are) (dead|saturated|collapsed|repeated|unused): (.+)")


def _health(record: RunRecord) -> Iterator[Finding]:
    """The health of the trained model; the hidden layers of one activation are counted together."""
    health = record.summary.get("health")
    words = health.get("words") if isinstance(health, dict) else None
    parts = (_SENTENCE.fullmatch(text) for text in words if isinstance(text, str)) if isinstance(words, list) else ()
    groups: dict[tuple[str, str], list[_Unhealthy]] = {}
    for part in parts:
        if part is not None:
            number, total, subject, state, why = part.groups()
            layer = re.fullmatch(r"units of (?:en|de)coder layer \d+ \((\w+)\)", subject)
            found = _Unhealthy(int(number), int(total), subject, state, why, layer[1] if layer else "")
            groups.setdefault((found.activation or found.subject, found.state), []).append(found)
    for group in groups.values():
        yield _finding(_merged(group), record)


def _merged(group: list[_Unhealthy]) -> _Unhealthy:
    first, *others = group
    if not others:
        return first
    number, total = (sum(numbers) for numbers in zip(*((each.number, each.total) for each in group), strict=True))
    subject = f"{first.activation} units in {len(group)} hidden layers"
    return first._replace(number=number, total=total, subject=subject)


def _finding(found: _Unhealthy, record: RunRecord) -> Finding:
    if found.state == "collapsed" and found.subject == "code units":
        return _collapse(found, record)
    usual, explanation = True, _EXPLANATIONS[found.state]
    if found.state == "dead":
        usual = found.activation == "ReLU"
        if usual:
            rate = record.settings.get("optimizer.learning_rate")
            at = f" at a learning rate of {rate:g}" if is_number(rate) else ""
            explanation = f"This is common with ReLU{at}. It costs capacity, not correctness."
    mostly = 2 * found.number > found.total
    return Finding(Importance.COMMON if usual and not mostly else Importance.NOTE, found.sentence, explanation)


_EXPLANATIONS = {
    "dead": "They carry no information.",
    "saturated": "Their gradient is almost 0, so they hardly learn. This is common with sigmoid and tanh.",
    "collapsed": "They pass almost nothing on. This costs capacity, not correctness.",
    "repeated": "They detect the same pattern. This costs capacity, not correctness.",
    "unused": "The code carries fewer bits than it could. Try a smaller bottleneck.codebook_size.",
}


def _collapse(found: _Unhealthy, record: RunRecord) -> Finding:
    """Code units of a variational model that carry no information."""
    name = choice_label("bottleneck", str(record.settings.get("bottleneck")))
    if found.number < found.total:
        explanation = (
            f"This is common: a {name} switches off the units whose information costs more nats than it saves. The "
            f"remaining {found.total - found.number} hold the code."
        )
        return Finding(Importance.COMMON, found.sentence, explanation)
    ways = {"beta": "a lower bottleneck.beta", "warmup_epochs": "bottleneck.warmup_epochs", "free_bits": "free_bits"}
    known = [words for key, words in ways.items() if f"bottleneck.{key}" in record.settings]
    advice = f" Try {', '.join(known)} or longer training." if known else " Try longer training."
    return Finding(
        Importance.REASON,
        f"The {name} has collapsed: none of the {found.total} units of its code depends on the image.",
        f"The decoder ignores the code, so all reconstructions are alike.{advice}",
    )
