"""Test finished runs on a matrix of noises, and write the gains into their folders and a folder for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.comparison.exports import rows_as_csv, write_text
from autoenc.devices import Device
from autoenc.evaluation.denoising_matrix import (
    DenoisingErrors,
    Estimate,
    NoiseLevel,
    UsualSettings,
    denoising_errors,
    gain_db,
    level_of,
    mean_gain_db,
    noise_levels,
)
from autoenc.evaluation.evaluation_settings import Denoising
from autoenc.evaluation.metrics import LEAST_SQUARED_ERROR, METRICS
from autoenc.experiment.announcement import title_of
from autoenc.experiment.rescoring import add_to_summary
from autoenc.pictures.denoising_heat_map import DenoisingHeatMap
from autoenc.runs import RunDirectory, RunRecord, printable
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel, load_run
from autoenc.training.step import NotFiniteError

FILE = "denoising_matrix"
"""The name of the files, without their suffix."""


class DenoisedRuns(NamedTuple):
    """R runs, tested on the same N images under C noises."""

    records: Sequence[RunRecord]
    models: Sequence[TrainedModel]
    levels: Sequence[NoiseLevel]
    listed: NDArray[np.bool_]
    """(C,): whether the settings list it, and not only a run was trained on it. Means are over the listed noises."""
    trained_on: NDArray[np.bool_]
    """(R, C)."""
    errors: DenoisingErrors

    def gains(self, row: int) -> dict[str, Estimate]:
        """The metrics of a run; without those that are the mean of no noise."""
        noise, median, denoising = self.errors.noise, self.errors.median, self.errors.denoising[row]
        unseen = self.listed & ~self.trained_on[row]
        chosen = {
            "denoising_gain_db": (noise, self.listed),
            "denoising_gain_unseen_db": (noise, unseen),
            "denoising_gain_over_median_db": (median, self.listed),
        }
        return {
            name: mean_gain_db(baseline[columns], denoising[columns])
            for name, (baseline, columns) in chosen.items()
            if columns.any()
        }

    def picture(self, rows: Sequence[int]) -> DenoisingHeatMap:
        """The heat maps of some of the runs."""
        denoising = self.errors.denoising[rows]
        return DenoisingHeatMap(
            runs=tuple(self.records[row].label for row in rows),
            kinds=tuple(level.heading for level in self.levels),
            severities=tuple(level.severity for level in self.levels),
            over_nothing=gain_db(self.errors.noise, denoising),
            over_median=gain_db(self.errors.median, denoising),
            trained_on=self.trained_on[rows],
            averaged=self.listed,
            images=denoising.shape[-1],
        )


def denoise_with(
    records: Sequence[RunRecord],
    *,
    settings: Denoising,
    usual_settings: UsualSettings,
    device: Device,
    dataset_path: str | None,
) -> DenoisedRuns:
    """Test finished runs on the noises of the settings, and on those that they were trained on.

    `dataset_path` is where the runs' folder of pictures is now, if it was moved.

    Raises:
        ConfigError: the settings do not fit, or the runs have different test images.
        ValueError: a run cannot be loaded, or its images are not available.
        NotFiniteError: an error is not finite.
    """
    listed = noise_levels(settings.noises, usual_settings=usual_settings)
    models = [load_run(record.path, device=device.torch_device, dataset_path=dataset_path) for record in records]
    images = _shared_images(records, models, limit=settings.limit).to(device.torch_device)
    own = [level_of(model.config.noise, usual_settings=usual_settings) for model in models]
    levels = _in_order([*listed, *(level for level in own if level.noise.corrupts)])
    errors = denoising_errors([model.model for model in models], images, levels=levels, device=device)
    for record, denoising in zip(records, errors.denoising, strict=True):
        if not np.isfinite(denoising).all():
            raise NotFiniteError(f"{record.path}: some of its denoising errors are not finite")
    return DenoisedRuns(
        records=records,
        models=models,
        levels=levels,
        listed=np.array([level in listed for level in levels]),
        trained_on=np.array([[level == each for level in levels] for each in own]),
        errors=errors,
    )


def write_matrices(tested: DenoisedRuns, *, settings: Denoising, device: Device, output: Path | None) -> list[Path]:
    """Write each run's own heat map and metrics, and the table and heat map of all runs into `output`, if given.

    Returns:
        the paths of the heat maps and the table.

    Raises:
        OSError: a file cannot be written.
    """
    paths = []
    for row, (record, model) in enumerate(zip(tested.records, tested.models, strict=True)):
        run_directory = RunDirectory(record.path)
        run_directory.figures.mkdir(exist_ok=True)
        paths.append(tested.picture([row]).draw(run_directory.figures, title=title_of(model.config)))
        add_to_summary(run_directory, _scores(tested, row), by="denoising", settings=settings, device=device)
    if output is not None:
        output.mkdir(exist_ok=True)
        write_text(output / f"{FILE}.csv", rows_as_csv(list(_rows(tested))))
        title = f"Denoising {tested.models[0].config.dataset.name} with {len(tested.models)} models".replace("_", " ")
        paths += [output / f"{FILE}.csv", tested.picture(range(len(tested.models))).draw(output, title=title)]
    return paths


def _scores(tested: DenoisedRuns, row: int) -> dict[str, Any]:
    """Entries of a run's `summary.json`."""
    gains = tested.gains(row)
    severities: dict[str, list[str]] = {}
    for level, listed in zip(tested.levels, tested.listed, strict=True):
        if listed:
            severities.setdefault(level.kind, []).append(level.severity)
    noises = ", ".join(f"{kind} {'/'.join(values)}" for kind, values in severities.items())
    protocol = f"{tested.errors.noise.shape[1]:,} test images with {noises}"
    return {
        "test": {name: gain.value for name, gain in gains.items()},
        "standard_errors": {"test": {name: gain.standard_error for name, gain in gains.items()}},
        "units": {name: f"{METRICS[name].unit} ({protocol})" for name in gains},
    }


def _rows(tested: DenoisedRuns) -> Iterator[list[Any]]:
    """A head, and a row for each run and noise."""
    measured = ["noise_mse", "median_mse", "denoising_mse", "denoising_psnr", "gain_db", "gain_over_median_db"]
    yield ["run", "folder", "noise", "severity", "trained_on", "images", *measured]
    for row, record in enumerate(tested.records):
        noise, median, denoising = tested.errors.noise, tested.errors.median, tested.errors.denoising[row]
        psnr = -10 * np.log10(np.maximum(denoising, LEAST_SQUARED_ERROR)).mean(-1)
        means = [part.mean(-1, dtype=np.float64) for part in (noise, median, denoising)]
        numbers = np.stack([*means, psnr, gain_db(noise, denoising), gain_db(median, denoising)], axis=1)  # (C, 6)
        for level, trained_on, values in zip(tested.levels, tested.trained_on[row], numbers, strict=True):
            named = [record.name, printable(str(record.path)), level.kind, level.severity, bool(trained_on)]
            yield [*named, noise.shape[1], *values.tolist()]


def _in_order(levels: Sequence[NoiseLevel]) -> list[NoiseLevel]:
    """Each level once, by kind in the order of the first of each, and by severity."""
    kinds = list(dict.fromkeys(level.kind for level in levels))
    once = [level for number, level in enumerate(levels) if level not in levels[:number]]
    return sorted(once, key=lambda level: (kinds.index(level.kind), float(level.severity or 0)))


def _shared_images(records: Sequence[RunRecord], models: Sequence[TrainedModel], *, limit: int | None) -> Tensor:
    """The test images of all runs, uint8 (N, C, H, W), which have to be the same."""
    found: dict[str, Tensor] = {}  # by all that chooses the images
    for record, model in zip(records, models, strict=True):
        values = model.config.values
        key = json.dumps([values["dataset"], values["data_dir"], dict(model.digests)], sort_keys=True)
        if key not in found:
            splits = model.config.build_splits(trained_on=model.digests)
            found[key] = splits.test.images[:limit].clone()  # a view would keep all images in memory
            if not torch.equal(found[key], next(iter(found.values()))):
                problem = f"its test images are not those of {records[0].label}; evaluate these runs separately"
                raise ConfigError("FOLDER", problem, value=str(record.path))
    return next(iter(found.values()))
