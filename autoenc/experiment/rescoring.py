"""Score finished runs again, without training, and add the scores to their summaries."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

from autoenc.config import parse
from autoenc.devices import Device, plain_device
from autoenc.experiment.run_scores import evaluate
from autoenc.experiment.preparation import Prepared
from autoenc.registry import Choice
from autoenc.runs import RunDirectory
from autoenc.trained_model import load_run


def rescore(
    run: Path, *, evaluation: Mapping[str, Any], changed: Collection[str], device: str | None, dataset_path: str | None
) -> dict[str, Any]:
    """Score a finished run as at its end, and add the scores to its summary, whose new content is returned.

    `evaluation` are the settings. If the run ended with the same choice of them, its own settings count, but for those
    whose names are in `changed`. `device` is a choice of the group with default settings; None: the device of the run's
    config. `dataset_path` is where the run's folder of pictures is now, if it was moved.

    Raises:
        ValueError: the run cannot be loaded, its images or the device are not available, the images are others now, or
            the settings do not fit.
        NotFiniteError: a score is not finite.
    """
    run_directory = RunDirectory(run)
    trained = load_run(run, dataset_path=dataset_path)
    own = trained.config.values["evaluation"]
    kept = {key: value for key, value in own.items() if own["name"] == evaluation["name"] and key not in changed}
    config = parse({**trained.config.values, "evaluation": {**evaluation, **kept}})
    used = config.device.build() if device is None else plain_device(device)
    used.set_threads()
    used.place(trained.model)
    splits = config.build_splits(trained_on=trained.digests).to(used.torch_device)
    found = evaluate(Prepared(config, used, splits, trained.model, started=time.perf_counter()))
    run_directory.write_test_errors(found.test_errors, digest=splits.digests["test"])
    return add_to_summary(run_directory, found.summary, by="scores", settings=config.evaluation, device=used)


def add_to_summary(
    run_directory: RunDirectory, scores: Mapping[str, Any], *, by: str, settings: Choice, device: Device
) -> dict[str, Any]:
    """Replace `summary.json` by one with these scores; returns its content. Other scores and facts stay.

    Its `evaluation` records, under the name `by`, the settings that the scores were measured with, and the device.
    """
    recorded = {"settings": {"name": settings.name, **dataclasses.asdict(cast("Any", settings))}}
    added = {**scores, "evaluation": {by: {**recorded, "device": device.description}}}
    summary = _merged(run_directory.summary(), added)
    run_directory.write_summary(summary)
    return summary


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Tables inside tables are merged, too."""
    both = {
        key: _merged(old[key], value) if isinstance(value, Mapping) and isinstance(old.get(key), Mapping) else value
        for key, value in new.items()
    }
    return {**old, **both}
