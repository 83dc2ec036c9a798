"""Which runs can be ranked together, and in which order.

Two numbers are comparable if they have the same unit and were measured in the same way on the same images. Runs whose
numbers are not comparable fall into sections, and each section is ranked separately.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

from autoenc.comparison.comparability import (
    FOLDER,
    IRRELEVANT_DATASET_SETTINGS,
    Protocol,
    digest_names,
    has_digests,
    measurement_protocol,
)
from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.keys import differing_keys, differing_settings, split_of, value_of
from autoenc.display_names import value_label
from autoenc.evaluation.metrics import find_metric
from autoenc.runs import RunRecord

T = TypeVar("T")

TRAINED = {"denoising_mse": "to denoise", "elbo_nats": "to raise the ELBO"}
"""Metrics other than mse that runs are trained to improve, and how to say so."""
LOSS_METRICS = {"mse": "mse", "l1": "mae", "bce": "bce"}
"""The metrics that equal a loss."""
DIGEST_CHARACTERS = 8
"""In headings."""


class SortOrder(NamedTuple):
    """The order that `--sort` asks for."""

    key: str
    descending: bool


class Section(NamedTuple):
    """Runs that a metric can rank together."""

    records: tuple[RunRecord, ...]
    """Finished runs that have the metric, the best first; ascending if neither direction is better."""
    apart: Mapping[str, str]
    """By name (`dataset`, `unit`), what distinguishes it from other sections; empty if it is the only one."""

    @property
    def name(self) -> str:
        """The heading of its table."""
        return in_words(self.apart)


def in_words(apart: Mapping[str, str]) -> str:
    """What distinguishes a section: `dataset MNIST, Gaussian noise, noise.std 0.3`."""
    labels = {key: value_label(key, text) for key, text in apart.items()}
    return ", ".join(label if key in label else f"{key} {label}" for key, label in labels.items())


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Runs in sections, each of comparable numbers."""

    records: tuple[RunRecord, ...]
    """All of them, in the order in which they were read."""
    metric: str | None
    """None if nothing was measured."""
    order: SortOrder | None
    """None: the best first."""
    sections: tuple[Section, ...]
    unranked: tuple[RunRecord, ...]

    @property
    def rows(self) -> list[RunRecord]:
        """All runs in the order in which they are shown: section by section, then those that are not ranked."""
        return [*(record for section in self.sections for record in section.records), *self.unranked]

    @cached_property
    def differing(self) -> list[str]:
        """The keys of the settings that differ between the runs."""
        return differing_settings(self.records)

    @property
    def unit(self) -> str:
        """The metric's unit in the first section."""
        return self.sections[0].records[0].unit(self.metric) if self.sections and self.metric else ""

    def first(self, count: int) -> Ranking:
        """Only the first runs, in the order of the sections."""
        sections = []
        for section in self.sections:
            if count > 0:
                sections.append(section._replace(records=section.records[:count]))
                count -= len(section.records)
        shown = replace(self, sections=tuple(sections), unranked=())
        return replace(shown, records=tuple(shown.rows))


def rank(records: Sequence[RunRecord], *, metric: str | None, order: SortOrder | None = None) -> Ranking:
    """Rank runs by a metric in comparable sections, or sort each section by another key."""
    sections = [] if metric is None else comparable_sections(records, metric)
    if order is not None:
        key, descending = order
        for number, section in enumerate(sections):
            ordered = sorted_by(section.records, lambda record: value_of(record, key), descending=descending)
            sections[number] = section._replace(records=tuple(ordered))
    unranked = tuple(record for record in records if not record.finished or metric not in record.metrics)
    return Ranking(records=tuple(records), metric=metric, order=order, sections=tuple(sections), unranked=unranked)


def comparable_sections(records: Iterable[RunRecord], metric: str) -> list[Section]:
    """The runs that a metric ranks, by measurement protocol; the sections are in the order of their first runs."""
    ranked = [record for record in records if record.finished and metric in record.metrics]
    protocols: dict[_Key, Protocol] = {}
    found: dict[_Key, list[RunRecord]] = {}
    for record, protocol in zip(ranked, _protocols(ranked, metric), strict=True):
        key = _key(protocol)
        protocols[key] = protocol
        found.setdefault(key, []).append(record)
    apart = _apart(list(protocols.values()), list(found.values()), metric)
    return [Section(tuple(best_first(runs, metric)), names) for runs, names in zip(found.values(), apart, strict=True)]


_Key = frozenset[tuple[str, str]]


def _key(protocol: Protocol) -> _Key:
    return frozenset((name, as_typed(value)) for name, value in protocol.items())


def _protocols(records: Sequence[RunRecord], metric: str) -> list[Protocol]:
    """The protocol of each run. On a published dataset, a run without digests has that of the runs with the same
    settings, if it is unique.
    """
    protocols = [measurement_protocol(record, metric) for record in records]
    with_digests = [has_digests(record, metric) for record in records]
    if all(with_digests) or not any(with_digests):
        return protocols
    by_settings: dict[_Key, dict[_Key, Protocol]] = {}
    for record, known, protocol in zip(records, with_digests, protocols, strict=True):
        if known:
            settings = _key(measurement_protocol(record, metric, by_digest=False))
            by_settings.setdefault(settings, {})[_key(protocol)] = protocol
    for number, (known, protocol) in enumerate(zip(with_digests, protocols, strict=True)):
        same = {} if known or FOLDER in protocol else by_settings.get(_key(protocol), {})
        if len(same) == 1:
            protocols[number] = next(iter(same.values()))
    return protocols


def _apart(protocols: Sequence[Protocol], members: Sequence[Sequence[RunRecord]], metric: str) -> list[dict[str, str]]:
    """What distinguishes each section, by name: its settings, and digests only where these do not explain it."""
    digests = digest_names(metric)
    if any(name in digests for name in differing_keys(protocols)):
        unknown = dict.fromkeys(digests, "")
        shared = _dataset_settings(members)
        protocols = [{**settings, **unknown, **own} for settings, own in zip(shared, protocols, strict=True)]
    names = differing_keys(protocols)
    for name in reversed(digests):
        others = [each for each in names if each != name]
        if len({tuple(as_typed(own.get(each)) for each in others) for own in protocols}) == len(protocols):
            names = others
    return [_heading(own, names, digests=digests) for own in protocols]


def _dataset_settings(members: Sequence[Sequence[RunRecord]]) -> list[Protocol]:
    """The settings of each section's dataset, without those that differ between the runs of some section."""
    tables = [[record.settings_of_groups.get("dataset", {}) for record in runs] for runs in members]
    varying = {key for each in tables for key in differing_keys(each)} | set(IRRELEVANT_DATASET_SETTINGS)
    return [{key: value for key, value in each[0].items() if key not in varying} for each in tables]


def _heading(protocol: Protocol, names: Sequence[str], *, digests: Sequence[str]) -> dict[str, str]:
    """The protocol's values of some names; a name that it lacks only if no choice among the names explains that."""
    return {
        name: _shown(protocol.get(name, "not set"), most=DIGEST_CHARACTERS if name in digests else None)
        for name in names
        if name in protocol or name.partition(".")[0] not in names
    }


def _shown(value: object, *, most: int | None) -> str:
    if value == "":
        return "unknown"
    text = as_typed(value)[:most]
    return f"'{text}'" if ", " in text and isinstance(value, str) else text


def objective_of(record: RunRecord) -> str:
    """The metric that a run was trained to improve: `denoising_mse`, `elbo_nats` or else `mse`.

    A variational denoiser counts as a denoiser: its ELBO is measured from the clean input, which it never saw.
    """
    measured = {key.partition(".")[2] for key in record.metrics if split_of(key)}
    return next((name for name in TRAINED if name in measured), "mse")


def loss_metric_of(record: RunRecord) -> str | None:
    """The metric that equals the loss of a run: `mae` of `loss=l1`, `denoising_mae` of a denoiser.

    None for other losses, and for a variational model, whose loss has a second term.
    """
    objective, name = objective_of(record), LOSS_METRICS.get(as_typed(record.settings.get("loss")))
    return None if name is None or not objective.endswith("mse") else objective.removesuffix("mse") + name


def baseline_of(metric: str, *, measured: Collection[str]) -> str | None:
    """The key of what a metric should be better than, on its own split or else on the test split; None if unknown."""
    known = find_metric(metric)
    last = () if known is None else known.baselines[-1:]
    keys = [f"{split}.{name}" for split in (split_of(metric), "test") for name in last]
    return next((key for key in keys if key in measured), None)


def is_baseline(key: str) -> bool:
    """Whether a metric depends on no trained model, and so on no seed of the training."""
    known = find_metric(key)
    return known is not None and known.short_name != ""


def baseline_name(key: str) -> str:
    """What charts call a baseline: `PCA` for `test.pca_mse`."""
    known = find_metric(key)
    return known.short_name if known is not None and known.short_name else key.rpartition(".")[2]


def better_direction(metric: str, *, unit: str = "") -> Literal["higher", "lower"] | None:
    """Which values of a metric are better; None if neither.

    A metric that this version does not know may say "higher is better" or "lower is better" in its unit.
    """
    known = find_metric(metric)
    if known is not None:
        return known.better
    return "higher" if "higher is better" in unit else "lower" if "lower is better" in unit else None


def best_first(records: Iterable[RunRecord], metric: str) -> list[RunRecord]:
    """Runs that all have a metric, the best first; ties stay in their order."""
    found = list(records)
    descending = bool(found) and better_direction(metric, unit=found[0].unit(metric)) == "higher"
    return sorted(found, key=lambda record: record.metrics[metric], reverse=descending)


def sorted_by(items: Iterable[T], value: Callable[[T], Any], *, descending: bool) -> list[T]:
    """Items sorted by a value: numbers before texts, missing ones last either way.

    Numbers in texts count as numbers: `job 9` before `job 10`.
    """
    found = [(value(item), item) for item in items]
    known = [pair for pair in found if pair[0] is not None]
    ordered = sorted(known, key=lambda pair: _sort_key(pair[0]), reverse=descending)
    return [item for _, item in ordered] + [item for given, item in found if given is None]


def _sort_key(value: Any) -> tuple[int, float, list[tuple[int, int, str]]]:
    if is_number(value):
        return 0, value, []
    parts = re.split(r"([0-9]{1,18})", as_typed(value))
    return 1, 0.0, [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
