"""What may be ranked beside what: numbers of one unit, measured on the same images in the same way.

A run that differs in what its metric is of is not worse or better, it is something else: such runs fall into sections,
and each section is ranked by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from autoenc.runs import SPLITS, RunRecord

HIGHER_IS_BETTER = {"psnr", "ssim", "elbo_nats", "images_per_second"}
LOWER_IS_BETTER = {"mse", "mae", "bce", "loss", "reconstruction", "nll_nats", "seconds"}
"""By name without split and without `noisy_`. What is in neither is a fact, and no value of it is the best."""

OF_THE_CLEAN_INPUT = {"mse", "mae", "bce", "psnr", "ssim", "elbo_nats", "nll_nats", "pca_mse"}
"""The noise of a run changes its weights and not what these are: the others are of the noisy input."""

OF_A_LIKELIHOOD = {"elbo_nats", "nll_nats"}
LIKELIHOOD_OF = {"mse": "gaussian", "bce": "bernoulli", "l1": "laplace"}
"""What a variational model takes these losses for; the other losses are likelihoods of their own name."""

OF_TRAINING = {"dataset.shuffle", "dataset.unreadable"}
"""Settings of a dataset that change no image of any split."""


MOST_APART = 50
"""Names that are said of what sets sections apart: strangers' datasets may differ in thousands."""


class Section(NamedTuple):
    """Runs that can be ranked among one another by a metric."""

    records: tuple[RunRecord, ...]
    """Finished, with the metric as a finite number; the best first, or the least where none is the best."""
    apart: Mapping[str, str]
    """By name (`dataset`, `unit`), what sets it apart from the other sections; empty where there is only one. Of the
    folders' own words: not safe on a terminal or in HTML as they are.
    """

    @property
    def name(self) -> str:
        """What it is called above its table: `dataset mnist, noise.std 0.3`."""
        return ", ".join(f"{name} {value}" for name, value in self.apart.items())


class Unranked(NamedTuple):
    """A run that has no place in a ranking."""

    record: RunRecord
    reason: str
    """Of its folder's own words: not safe on a terminal or in HTML as it is."""


def comparable_sections(records: Iterable[RunRecord], metric: str) -> list[Section]:
    """The runs that a metric ranks, by what it was measured on and how; the sections in the order of their first runs.

    Runs that have not finished, or have no such number, are in none: see `unranked`.
    """
    found: dict[str, list[RunRecord]] = {}
    protocols: dict[str, dict[str, Any]] = {}
    for record in records:
        if reason_against(record, metric) is None:
            protocol = measured_how(record, metric)
            key = _as_key(protocol)
            found.setdefault(key, []).append(record)
            protocols[key] = protocol
    names = _differing(list(protocols.values()))[:MOST_APART]
    return [Section(tuple(ranked(section, metric)), _apart(protocols[key], names)) for key, section in found.items()]


def _apart(protocol: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """What of the names this protocol says; of one that it lacks, only where no choice that is named explains it."""
    choices = set(names)
    explained = {name for name in names if name not in protocol and name.partition(".")[0] in choices}
    return {name: _said(protocol[name]) if name in protocol else "not set" for name in names if name not in explained}


def unranked(records: Iterable[RunRecord], metric: str) -> list[Unranked]:
    """The runs that are in no section, in their order, and why."""
    reasons = [(record, reason_against(record, metric)) for record in records]
    return [Unranked(record, reason) for record, reason in reasons if reason is not None]


def reason_against(record: RunRecord, metric: str) -> str | None:
    """Why a run cannot be ranked by a metric; None where it can."""
    if record.state != "finished":
        return why_not_finished(record)
    if metric in record.metrics:
        return None if math.isfinite(record.metrics[metric]) else f"its {metric} is {record.metrics[metric]}"
    return "; ".join([f"it has no {metric}", *record.problems])


def why_not_finished(record: RunRecord) -> str:
    """What is known of the end of a run that has not finished; its state where nothing more is known."""
    error = ": ".join(part for part in (record.error_kind, record.error_message) if part)
    return "; ".join([*([error] if error else []), *record.problems]) or _STATES[record.state]


_STATES = {
    "finished": "",
    "running": "still running",
    "failed": "failed, and its folder does not say why",
    "interrupted": "interrupted; resume= goes on with it",
    "dead": "its process ended without a word",
    "waiting": "not begun",
    "unreadable": "it cannot be read",
}


def ranked(records: Iterable[RunRecord], metric: str) -> list[RunRecord]:
    """The runs by a metric that all of them have, the best first; equal ones in their order."""
    found = list(records)
    higher = bool(found) and is_higher_better(metric, unit=found[0].unit(metric)) is True
    return sorted(found, key=lambda record: record.metrics[metric], reverse=higher)


def is_higher_better(metric: str, *, unit: str = "") -> bool | None:
    """Whether more of a metric is better; None where neither more nor less is."""
    name = bare_name(metric)
    if name in HIGHER_IS_BETTER or "higher is better" in unit:
        return True
    return False if name in LOWER_IS_BETTER or "lower is better" in unit else None


def bare_name(metric: str) -> str:
    """`mse` of `test.noisy_mse`, `seconds` of `seconds.training`."""
    first, _, rest = metric.partition(".")
    return rest.removeprefix("noisy_") if rest and first in SPLITS else first


def split_of(metric: str) -> str | None:
    """`test` of `test.mse`; None of what is measured on no split."""
    first = metric.partition(".")[0]
    return first if first in SPLITS else None


def measured_how(record: RunRecord, metric: str) -> dict[str, Any]:
    """Everything that has to be the same for two numbers of this name to be of the same thing, by name.

    - Of a split: the unit, and each setting of the dataset that its images depend on. The test images are the same for
      every `split_seed`, unless it draws them black and white; `validation_fraction` counts for them too, since it
      decides on how many images was trained and whether the best epoch was tested or the last.
    - From a noisy input: the noise.
    - A likelihood: which one, and by how many samples it was estimated.
    - Seconds and images a second: the device, its threads, and for a CPU the machine.
    - Facts, such as the number of parameters: nothing.
    """
    settings, split, name = record.settings, split_of(metric), bare_name(metric)
    found: dict[str, Any] = {}
    if split is None and name not in {"seconds", "images_per_second"}:
        return found
    found |= {key: value for key, value in settings.items() if key == "dataset" or key.startswith("dataset.")}
    for key in OF_TRAINING:
        found.pop(key, None)
    found.setdefault("dataset", "")
    if split is None:
        return found | _machine(record)
    if split == "test" and settings.get("dataset.binarization", "none") == "none" and name != "pca_mse":
        found.pop("dataset.split_seed", None)
    found["unit"] = record.unit(metric)
    if "noisy_" in metric or name not in OF_THE_CLEAN_INPUT:
        found |= {key: value for key, value in settings.items() if key == "noise" or key.startswith("noise.")}
    if name in OF_A_LIKELIHOOD:
        loss = settings.get("loss")
        found["likelihood"] = LIKELIHOOD_OF.get(str(loss), loss or "")
    if name == "nll_nats":
        found["evaluation.nll_samples"] = settings.get("evaluation.nll_samples")
    return found


def _machine(record: RunRecord) -> dict[str, Any]:
    host = record.status.get("host") if (record.device or "").startswith("cpu") else None
    return {"device": record.device, "threads": record.environment.get("threads"), **({"host": host} if host else {})}


def _differing(protocols: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of what differs, without what one choice of a group alone has and has but one value of: `noise.std`."""
    values: dict[str, list[str]] = {}
    for protocol in protocols:
        for name, value in protocol.items():
            values.setdefault(name, []).append(_as_key(value))
    several = {name for name, found in values.items() if len(set(found)) > 1}
    partly = {name for name, found in values.items() if len(found) < len(protocols)}
    return [name for name in values if name in several or (name in partly and name.partition(".")[0] not in several)]


def _as_key(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _said(value: object) -> str:
    if value == "":
        return "unknown"
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return f"'{text}'" if ", " in text and isinstance(value, str) else text
