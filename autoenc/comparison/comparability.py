"""When two numbers of a metric are comparable: the unit, the images and the way of measuring are the same.

Images are the same if their digests are, wherever they are stored. Runs of older versions have no digests and are
compared by the settings of their dataset. On a published dataset, they join the runs with digests that have the same
settings, unless these have several digests. Which pictures a folder held then cannot be known: older runs on a folder
are a section of their own.
"""

from __future__ import annotations

import re
from typing import Any

from autoenc.comparison.formatting import as_typed
from autoenc.comparison.keys import split_of
from autoenc.evaluation.metrics import find_metric
from autoenc.runs import RunRecord

Protocol = dict[str, Any]

IRRELEVANT_DATASET_SETTINGS = ("dataset.shuffle", "dataset.unreadable", "dataset.max_pixels", "dataset.cache")
"""They change no image of any split."""
RELEVANT_DATASET_SETTINGS = ("dataset.validation_fraction", "dataset.binarization")
"""They matter even if the images are the same."""
FOLDER = "dataset.path"
"""The setting of a dataset whose files can change."""
PIXELS = re.compile("; of (stat|dynam)ically binarized pixels$")
"""The end of a unit that repeats `dataset.binarization`; the units of earlier runs do not have it."""
TRAINING_POOL = "training_pool"
"""The digest of the images that training and validation are drawn from."""


def measurement_protocol(record: RunRecord, metric: str, *, by_digest: bool = True) -> Protocol:
    """Everything that must be equal for two numbers of this metric to be comparable, by name.

    - Scores of a split: the unit, the images of the split, and those that training and validation are drawn from.
      Without digests, and if not `by_digest`, each setting of the dataset stands for the images. The test images do not
      depend on `split_seed`, unless it draws their binarization.
    - They also depend on `validation_fraction`: it decides how many images are trained on, and whether the best or the
      last epoch is tested.
    - Scores from a noisy input: the noise.
    - Scores that depend on other settings, as likelihoods on the number of samples: these settings.
    - Likelihoods: the kind of density or probability, which is the last part of the unit. Densities of the same pixels
      are comparable whatever the loss.
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
        found["unit"] = PIXELS.sub("", unit)
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
