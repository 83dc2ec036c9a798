"""Which runs can be ranked together, and in which order.

Two numbers are comparable if they have the same unit and were measured in the same way on the same images. Runs whose
numbers are not comparable fall into sections, and each section is ranked separately.

Images are the same if their digests are, wherever they are stored. Runs of older versions have no digests and are
compared by the settings of their dataset. On a published dataset, they join the runs with digests that have the same
settings, unless these have several digests. Which pictures a folder held then cannot be known: older runs on a folder
are a section of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.keys import differing_keys, differing_settings, value_of
from autoenc.evaluation.metrics import find_metric
from autoenc.runs import SPLITS, RunRecord

T = TypeVar("T")

Protocol = dict[str, Any]

IRRELEVANT_DATASET_SETTINGS = ("dataset.shuffle", "dataset.unreadable")
"""They change no image of any split."""
RELEVANT_DATASET_SETTINGS = ("dataset.validation_fraction", "dataset.binarization")
"""They matter even if the images are the same."""
TRAINED = {"denoising_mse": "to denoise", "elbo_nats": "to raise the ELBO"}
"""Metrics other than mse that runs are trained to improve, and how to say so."""
FOLDER = "dataset.path"
"""The setting of a dataset whose files can change."""
TRAINING_POOL = "training_pool"
"""The digest of the images that training and validation are drawn from."""
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
        """The heading of its table: `dataset mnist, noise.std 0.3`."""
        return ", ".join(f"{name} {value}" for name, value in self.apart.items())


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
        """Only the first runs of each section."""
        sections = tuple(section._replace(records=section.records[:count]) for section in self.sections)
        shown = replace(self, sections=sections, unranked=())
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


def measurement_protocol(record: RunRecord, metric: str, *, by_digest: bool = True) -> Protocol:
    """Everything that must be equal for two numbers of this metric to be comparable, by name.

    - Scores of a split: the unit, the images of the split, and those that training and validation are drawn from.
      Without digests, and if not `by_digest`, each setting of the dataset stands for the images. The test images do not
      depend on `split_seed`, unless it draws their binarization.
    - They also depend on `validation_fraction`: it decides how many images are trained on, and whether the best or the
      last epoch is tested.
    - Scores from a noisy input: the noise.
    - Scores that depend on other settings, as likelihoods on the number of samples: these settings.
    - Likelihoods: what they are of, as the end of the unit says. Densities of the same pixels are comparable whatever
      the loss.
    - Seconds and images per second: the training images, the device, its threads, and on a CPU the machine.
    - Facts, such as the number of parameters: nothing.
    """
    split, known = split_of(metric), find_metric(metric)
    groups = record.settings_of_groups
    if split is None and known is None:
        return {}
    found = _images(record, metric, by_digest=by_digest)
    if split is None:
        found |= {"device": record.device, "threads": record.environment.get("threads")}
        on_cpu = (record.device or "").startswith("cpu")
        return found | ({"host": record.status["host"]} if on_cpu and record.status.get("host") else {})
    unit, further = record.unit(metric), () if known is None else known.depends_on
    if "loss" in further:
        found["likelihood"] = unit.rpartition("; ")[2] or record.settings.get("loss") or ""
    else:
        found["unit"] = unit
    if known is None or known.input == "noisy":
        found |= groups.get("noise", {})
    return found | {key: record.settings.get(key) for key in further if key != "loss"}


def not_comparable_in(one: RunRecord, two: RunRecord, metric: str) -> list[str]:
    """The names of what must be equal for two runs' numbers to be comparable, and is not."""
    known = has_digests(one, metric) + has_digests(two, metric)
    first, second = (measurement_protocol(record, metric, by_digest=known == 2) for record in (one, two))
    names = [name for name in {**first, **second} if as_typed(first.get(name)) != as_typed(second.get(name))]
    return [*digest_names(metric)[:1], *names] if known == 1 and FOLDER in first else names


def has_digests(record: RunRecord, metric: str) -> bool:
    """Whether a run's images are known by content: those that the metric was measured on, and those for training."""
    return {_measured_on(metric), TRAINING_POOL} <= record.digests.keys()


def _images(record: RunRecord, metric: str, *, by_digest: bool) -> Protocol:
    split, settings = _measured_on(metric), record.settings_of_groups.get("dataset", {})
    if by_digest and has_digests(record, metric):
        names = zip(digest_names(metric), (split, TRAINING_POOL), strict=True)
        relevant = {key: settings[key] for key in RELEVANT_DATASET_SETTINGS if key in settings}
        return relevant | {name: record.digests[part] for name, part in names}
    found = {"dataset": "", **settings}
    found = {key: value for key, value in found.items() if key not in IRRELEVANT_DATASET_SETTINGS}
    if split == "test" and settings.get("dataset.binarization", "none") == "none":
        found.pop("dataset.split_seed", None)
    return found


def _measured_on(metric: str) -> str:
    return split_of(metric) or "train"


def digest_names(metric: str) -> tuple[str, str]:
    """What a heading calls the digests of the split and of the training pool."""
    return f"{_measured_on(metric)} images", "images to train on"


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


def why_unranked(record: RunRecord, metric: str | None) -> str:
    """Why a run cannot be ranked by a metric that it lacks."""
    if not record.finished or metric is None:
        return why_not_finished(record) or "nothing was measured"
    return "; ".join([f"it has no {metric}", *record.problems])


_REASONS = {
    "running": "still running",
    "failed": "failed, and its folder does not say why",
    "interrupted": "interrupted; resume= continues it",
    "dead": "its process exited without recording why",
    "waiting": "not started",
    "unreadable": "it cannot be read",
}


def reasons(record: RunRecord) -> list[str]:
    """Why a run has not finished, and what could not be read of it."""
    error = ": ".join(part for part in (record.error_kind, record.error_message) if part)
    found = [*([error] if error else []), *record.problems]
    return found if found or record.finished else [_REASONS[record.state]]


def why_not_finished(record: RunRecord) -> str:
    """The same in a line; empty for a run that has finished and can be read."""
    return "; ".join(reasons(record))


def objective_of(record: RunRecord) -> str:
    """The metric that a run was trained to improve: `denoising_mse`, `elbo_nats` or else `mse`.

    A variational denoiser counts as a denoiser: its ELBO is measured from the clean input, which it never saw.
    """
    measured = {key.partition(".")[2] for key in record.metrics if split_of(key)}
    return next((name for name in TRAINED if name in measured), "mse")


def baseline_of(metric: str, *, measured: Collection[str]) -> str | None:
    """The key of what a metric should be better than, on its own split or else on the test split; None if unknown."""
    known = find_metric(metric)
    keys = [f"{split}.{known.baseline}" for split in (split_of(metric), "test") if known is not None]
    return next((key for key in keys if key in measured), None)


def split_of(metric: str) -> str | None:
    """`test` of `test.mse`; None of a metric without a split."""
    first, _, name = metric.partition(".")
    return first if name and first in SPLITS else None


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
