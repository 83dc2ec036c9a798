"""What a person should know of a finished run besides its scores, the most important first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from autoenc.comparison.formatting import is_number
from autoenc.display_names import choice_label
from autoenc.evaluation.health.unhealthy import Unhealthy
from autoenc.evaluation.score_rows import alike
from autoenc.experiment.baseline_verdict import verdict
from autoenc.experiment.why_worse import reasons
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
    return sorted([*why, *_changed_clean_images(record), *_health(record)], key=lambda finding: -finding.importance)


def _changed_clean_images(record: RunRecord) -> Iterator[Finding]:
    """A denoiser that is worse without noise."""
    clean, noisy = (record.scores.get(name) for name in ("mse", "denoising_mse"))
    if clean is not None and noisy is not None and clean > noisy and not alike(clean, noisy):
        yield Finding(
            Importance.NOTE,
            f"The model changes clean images more than it should: its error is {clean:.4g} on clean images, and only "
            f"{noisy:.4g} on noisy ones.",
            "It was trained on noisy images only. If clean images matter too, noise that weakens during training may "
            "help, such as training.severity_end=0.1.",
        )


def _health(record: RunRecord) -> Iterator[Finding]:
    """The health of the trained model; the hidden layers of one activation are counted together."""
    stored = (record.summary.get("health") or {}).get("findings") or []
    found = [Unhealthy(**{name: each.get(name) for name in Unhealthy._fields}) for each in stored]
    groups: dict[tuple[str, str], list[Unhealthy]] = {}
    for each in found:
        if None not in each and each.state in _EXPLANATIONS:  # in a stranger's run, anything may be missing
            groups.setdefault((each.activation or each.subject, each.state), []).append(each)
    for group in groups.values():
        yield _finding(_merged(group), record)


def _merged(group: list[Unhealthy]) -> Unhealthy:
    first, *others = group
    if not others:
        return first
    number, total = (sum(numbers) for numbers in zip(*((each.number, each.total) for each in group), strict=True))
    subject = f"{first.activation} units in {len(group)} hidden layers"
    return first._replace(number=number, total=total, subject=subject)


def _finding(found: Unhealthy, record: RunRecord) -> Finding:
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
    return Finding(Importance.COMMON if usual and not mostly else Importance.NOTE, f"{found.words}.", explanation)


_EXPLANATIONS = {
    "dead": "Such units carry no information.",
    "saturated": "The gradient there is almost 0, so such units hardly learn. This is common with sigmoid and tanh.",
    "collapsed": "Such kernels pass almost nothing on. This costs capacity, not correctness.",
    "repeated": "Such kernels detect the same pattern as others. This costs capacity, not correctness.",
    "unused": "The code carries fewer bits than it could. Try a smaller bottleneck.codebook_size.",
}


def _collapse(found: Unhealthy, record: RunRecord) -> Finding:
    """Code units of a variational model that carry no information."""
    name = choice_label("bottleneck", str(record.settings.get("bottleneck")))
    if found.number < found.total:
        explanation = (
            f"This is common: a {name} switches off the units whose information costs more nats than it saves. The "
            f"remaining {found.total - found.number} hold the code."
        )
        return Finding(Importance.COMMON, f"{found.words}.", explanation)
    ways = {"beta": "a lower bottleneck.beta", "warmup_epochs": "bottleneck.warmup_epochs", "free_bits": "free_bits"}
    known = [words for key, words in ways.items() if f"bottleneck.{key}" in record.settings]
    advice = f" Try {', '.join(known)} or longer training." if known else " Try longer training."
    return Finding(
        Importance.REASON,
        f"The {name} has collapsed: none of the {found.total} units of its code depends on the image.",
        f"The decoder ignores the code, so all reconstructions are alike.{advice}",
    )
