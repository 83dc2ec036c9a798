"""Score finished runs again, without training, and replace the scores in their summaries."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from autoenc.config import parse
from autoenc.devices import Device, plain_device
from autoenc.evaluation.metric import SPLITS
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.run_page import write_run_page
from autoenc.experiment.run_scores import evaluate
from autoenc.registry import Choice
from autoenc.runs import RunDirectory
from autoenc.trained_model import load_run

GAIN = "denoising_gain_"
"""The prefix of the metrics of `evaluation=denoising`."""


def rescore(
    run: Path, *, evaluation: Mapping[str, Any], changed: Collection[str], device: str | None, dataset_path: str | None
) -> dict[str, Any]:
    """Score a finished run as at its end, and replace the scores in its summary, whose new content is returned.

    `evaluation` are the settings. Those that the run's own evaluation has too, whatever its choice, are the run's, but
    for those whose names are in `changed`. `device` is a choice of the group with default settings; None: the device of
    the run's config. `dataset_path` is where the run's folder of pictures is now, if it was moved.

    Raises:
        ValueError: the run cannot be loaded, its images or the device are not available, the images are others now, or
            the settings do not fit.
        NotFiniteError: a score is not finite.
    """
    run_directory = RunDirectory(run)
    trained = load_run(run, dataset_path=dataset_path)
    own = trained.config.values["evaluation"]
    kept = {key: own[key] for key in evaluation if key in own and key not in {"name", *changed}}
    config = parse({**trained.config.values, "evaluation": {**evaluation, **kept}})
    used = config.device.build() if device is None else plain_device(device)
    used.set_threads()
    used.place(trained.model)
    splits = config.build_splits(trained_on=trained.digests).to(used.torch_device)
    prepared = Prepared(config, used, splits, trained.model, time.perf_counter(), trained.digests)
    found = evaluate(prepared)
    run_directory.write_test_errors(found.test_errors, digest=splits.digests["test"])
    return add_to_summary(run_directory, found.summary, by="scores", settings=config.evaluation, device=used)


def add_to_summary(
    run_directory: RunDirectory,
    scores: Mapping[str, Any],
    *,
    by: Literal["scores", "denoising"],
    settings: Choice,
    device: Device,
) -> dict[str, Any]:
    """Replace `summary.json` by one with these scores, and write the run's page again; returns the new content.

    All that the same kind of evaluation measured before goes: `denoising` measures the gains, and `scores` all other
    metrics. Facts of the training stay. `evaluation` records, under the name `by`, the settings and the device.
    """
    old = run_directory.summary()
    if by == "scores":
        old.pop("details", None)  # a quick evaluation has none
    errors = {split: (old.get("standard_errors") or {}).get(split) for split in SPLITS}
    errors = {split: _replaced(table, scores["standard_errors"].get(split), by=by) for split, table in errors.items()}
    recorded = {"name": settings.name, **dataclasses.asdict(cast("Any", settings))}
    summary = {
        **old,
        **scores,
        **{name: _replaced(old.get(name), scores.get(name), by=by) or None for name in (*SPLITS, "units")},
        "standard_errors": {split: table for split, table in errors.items() if table},
        "evaluation": {**(old.get("evaluation") or {}), by: {"settings": recorded, "device": device.description}},
    }
    run_directory.write_summary(summary)
    write_run_page(run_directory)
    return summary


def _replaced(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, *, by: str) -> dict[str, Any]:
    """A table with the new scores, and the old ones of the other kind of evaluation."""
    kept = {name: value for name, value in (old or {}).items() if name.startswith(GAIN) != (by == "denoising")}
    return {**kept, **(new or {})}
