"""Test finished runs on a matrix of noises, and write the gains into their folders and a folder for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.comparison.exports import rows_as_csv, write_text
from autoenc.devices import Device
from autoenc.display_names import choice_label, run_label
from autoenc.evaluation.denoising_matrix import (
    DenoisingErrors,
    MeanGain,
    NoiseLevel,
    UsualSettings,
    denoising_errors,
    gain_db,
    level_of,
    mean_gains,
    noise_levels,
)
from autoenc.evaluation.evaluation_settings import Denoising
from autoenc.evaluation.metrics import LEAST_SQUARED_ERROR, METRICS
from autoenc.experiment.rescoring import add_to_summary
from autoenc.pictures.denoising_heat_map import DenoisingHeatMap
from autoenc.runs import RunDirectory, RunRecord, printable
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel, load_run
from autoenc.training.step import NotFiniteError

TABLE = "denoising_matrix.csv"


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
    means: Sequence[Mapping[str, MeanGain]]
    """The metrics of each run."""

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
            mean_over_nothing=np.array([self.means[row]["denoising_gain_db"].value for row in rows]),
            mean_over_median=np.array([self.means[row]["denoising_gain_over_median_db"].value for row in rows]),
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
        ConfigError: the settings do not fit, the runs have different test images, or the figures of one are a link.
        ValueError: a run cannot be loaded, or its images are not available.
        NotFiniteError: an error is not finite.
    """
    for record in records:
        RunDirectory(record.path).check_figures()
    device.set_threads()
    chosen = noise_levels(settings.noises, usual_settings=usual_settings)
    models = [load_run(record.path, device=device.torch_device, dataset_path=dataset_path) for record in records]
    images = _shared_images(records, models, limit=settings.limit)
    own = [level_of(model.config.noise, usual_settings=usual_settings) for model in models]
    levels = _in_order([*chosen, *(level for level in own if level.noise.corrupts)])
    errors = denoising_errors([model.model for model in models], images, levels=levels, device=device)
    for record, denoising in zip(records, errors.denoising, strict=True):
        if not np.isfinite(denoising).all():
            raise NotFiniteError(f"{record.path}: some of its denoising errors are not finite")
    listed = np.array([level in chosen for level in levels])
    trained_on = np.array([[level == each for level in levels] for each in own])
    return DenoisedRuns(
        records=records,
        models=models,
        levels=levels,
        listed=listed,
        trained_on=trained_on,
        errors=errors,
        means=mean_gains(errors, listed=listed, trained_on=trained_on),
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
        title, file_format = f"Denoising gains: {run_label(model.config.values)}", model.config.figure_format
        paths.append(tested.picture([row]).draw(run_directory.figures, title=title, file_format=file_format))
        add_to_summary(run_directory, _scores(tested, row), by="denoising", settings=settings, device=device)
    if output is not None:
        output.mkdir(exist_ok=True)
        write_text(output / TABLE, rows_as_csv(list(_rows(tested))))
        dataset = choice_label("dataset", tested.models[0].config.dataset.name)
        title = f"Denoising gains of {len(tested.models)} models on {dataset}"
        paths += [output / TABLE, tested.picture(range(len(tested.models))).draw(output, title=title)]
    return paths


def _scores(tested: DenoisedRuns, row: int) -> dict[str, Any]:
    """Entries of a run's `summary.json`."""
    means = tested.means[row]
    errors = {name: mean.standard_error for name, mean in means.items() if mean.standard_error is not None}
    return {
        "test": {name: mean.value for name, mean in means.items()},
        "standard_errors": {"test": errors},
        "units": {name: f"{METRICS[name].unit} ({_protocol(tested, mean)})" for name, mean in means.items()},
    }


def _protocol(tested: DenoisedRuns, mean: MeanGain) -> str:
    """The images and noises of a mean: `10,000 test images with gaussian 0.1/0.3, masking 0.5`."""
    severities: dict[str, list[str]] = {}
    for column in mean.averaged:
        level = tested.levels[column]
        severities.setdefault(level.kind, []).append(level.severity)
    noises = ", ".join(f"{kind} {'/'.join(values)}" for kind, values in severities.items())
    return f"{tested.errors.noise.shape[1]:,} test images with {noises}"


HEAD = (
    *("run", "folder", "noise", "severity", "trained_on", "images"),
    *("noise_mse", "median_mse", "denoising_mse", "denoising_psnr", "gain_db", "gain_over_median_db"),
)
"""Of the table."""


def _rows(tested: DenoisedRuns) -> Iterator[Sequence[Any]]:
    """The head, and a row for each run and noise."""
    yield HEAD
    for row, record in enumerate(tested.records):
        folder = printable(str(record.path))
        for column, level in enumerate(tested.levels):
            trained_on = bool(tested.trained_on[row, column])
            noise, median = tested.errors.noise[column], tested.errors.median[column]  # (N,)
            numbers = _numbers(noise, median, tested.errors.denoising[row, column])
            yield [record.name, folder, level.kind, level.severity, trained_on, len(noise), *numbers]


def _numbers(noise: NDArray[Any], median: NDArray[Any], denoising: NDArray[Any]) -> list[float]:
    """The numbers of a row, from the errors of each image, (N,)."""
    psnr = -10 * np.log10(np.maximum(denoising, LEAST_SQUARED_ERROR)).mean()
    errors = [each.mean(dtype=np.float64) for each in (noise, median, denoising)]
    return [float(number) for number in (*errors, psnr, gain_db(noise, denoising), gain_db(median, denoising))]


def _in_order(levels: Sequence[NoiseLevel]) -> list[NoiseLevel]:
    """Each level once, by kind in the order of the first of each, and by severity."""
    kinds = list(dict.fromkeys(level.kind for level in levels))
    once = [level for number, level in enumerate(levels) if level not in levels[:number]]
    return sorted(once, key=lambda level: (kinds.index(level.kind), float(level.severity or 0)))


def _shared_images(records: Sequence[RunRecord], models: Sequence[TrainedModel], *, limit: int | None) -> Tensor:
    """The test images of all runs, uint8 (N, C, H, W), which have to be the same.

    Images of one digest are loaded once. Others are compared: early runs have no digest, and the first `limit` images
    may be the same.
    """
    shared: Tensor | None = None
    known: list[str] = []
    for record, model in zip(records, models, strict=True):
        if model.digests.get("test") in known:
            continue
        splits = model.config.build_splits(trained_on=model.digests)
        images = splits.test.images
        if limit is not None:
            images = images[:limit].clone()  # a view would keep all images in memory
        known.append(splits.digests["test"])
        shared = images if shared is None else shared
        if not torch.equal(images, shared):
            problem = f"its test images are not those of {records[0].label}; evaluate these runs separately"
            raise ConfigError("FOLDER", problem, value=str(record.path))
    assert shared is not None
    return shared
