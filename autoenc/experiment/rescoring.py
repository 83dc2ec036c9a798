"""Score finished runs again, without training, and add the scores to their summaries."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.config import parse
from autoenc.devices import Device, plain_device
from autoenc.evaluation.evaluation_settings import Denoising, EvaluationSettings
from autoenc.experiment.evaluation import evaluate
from autoenc.experiment.preparation import Prepared
from autoenc.runs import RunDirectory
from autoenc.trained_model import load_run


def rescore(
    run: Path, *, evaluation: Mapping[str, Any], device: str | None, dataset_path: str | None
) -> dict[str, Any]:
    """Score a finished run as at its end, but by the settings `evaluation`; returns the new content of `summary.json`.

    `device` is a choice of the group with default settings; None: the device of the run's config. `dataset_path` is
    where the run's folder of pictures is now, if it was moved.

    Raises:
        ValueError: the run cannot be loaded, its images or the device are not available, the images are others now, or
            the settings do not fit.
        NotFiniteError: a score is not finite.
    """
    run_directory = RunDirectory(run)
    trained = load_run(run, dataset_path=dataset_path)
    config = parse({**trained.config.values, "evaluation": evaluation})
    used = config.device.build() if device is None else plain_device(device)
    used.set_threads()
    used.place(trained.model)
    splits = config.build_splits(trained_on=trained.digests).to(used.torch_device)
    found = evaluate(Prepared(config, used, splits, trained.model, started=time.perf_counter()))
    run_directory.write_test_errors(found.test_errors, digest=splits.digests["test"])
    return add_to_summary(run_directory, found.summary, settings=config.evaluation, device=used)


def add_to_summary(
    run_directory: RunDirectory, scores: Mapping[str, Any], *, settings: EvaluationSettings | Denoising, device: Device
) -> dict[str, Any]:
    """Replace `summary.json` by one with these scores and the settings they were measured with; returns its content.

    Other scores and facts stay.
    """
    recorded = {"evaluation": {settings.name: {**dataclasses.asdict(settings), "device": device.description}}}
    summary = _merged(run_directory.summary(), {**scores, **recorded})
    run_directory.write_summary(summary)
    return summary


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Tables inside tables are merged, too."""
    both = {
        key: _merged(old[key], value) if isinstance(value, Mapping) and isinstance(old.get(key), Mapping) else value
        for key, value in new.items()
    }
    return {**old, **both}
