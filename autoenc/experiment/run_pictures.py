"""Draw the pictures of a run: at its end, and again later."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Splits
from autoenc.devices import Device, plain_device
from autoenc.display_names import run_label
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.run_page import write_run_page
from autoenc.models.autoencoder import AutoEncoder
from autoenc.pictures import PICTURES, FigureFormat, draw_pictures
from autoenc.pictures.loss_charts import Loss
from autoenc.pictures.loss_curves import draw_loss_curves
from autoenc.pictures.subject import Subject
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError, listed, nearest
from autoenc.trained_model import load_run
from autoenc.training.checkpoints import load_last
from autoenc.training.state import Snapshot, TrainingState, stored_snapshots

LOSS_CURVES = "loss_curves"
"""The picture that is drawn from the run's history and not from the model."""


def draw_finished_run(prepared: Prepared, state: TrainingState, *, run_directory: RunDirectory) -> None:
    """Draw the loss curves and the pictures that the config names, of the trained model."""
    config, position = prepared.config, state.position
    always = [LOSS_CURVES, *(name for name, entry in PICTURES.items() if entry.always)]
    _draw(
        _subject(prepared.model, config, prepared.splits, device=prepared.device, snapshots=state.snapshots),
        config,
        run_directory,
        names=None if config.figures is None else [*always, *config.figures],
        unit=prepared.model.bottleneck.objective_unit(prepared.model.loss.unit),
        epochs=(position.best_epoch, position.epoch),
        file_format=config.figure_format,
    )


def redraw_run(
    run: Path,
    *,
    names: Sequence[str] | None,
    projection: Literal["pca", "tsne"],
    device: str,
    dataset_path: str | None = None,
    file_format: FigureFormat | None = None,
) -> list[Path]:
    """Draw pictures of a finished run into its `figures` folder, and write its page again; returns the pictures' paths.

    They are computed on the device `device`. `names` are `loss_curves` and those in `PICTURES`; None draws every
    picture that applies to the model. One that does not apply is left out, with a warning. `projection` is how codes of
    more than two numbers are projected to a plane. `dataset_path` is where the run's folder of pictures is now, if it
    was moved. Without a `file_format`, the pictures have the run's `figure_format`.

    Raises:
        ValueError: the run or a picture does not exist, its figures are a link, or its images are not available, or are
            others now.
    """
    run_directory = RunDirectory.open(run, key="RUN")
    run_directory.check_figures()
    _check_names(names, projection=projection)
    used = plain_device(device)
    used.set_threads()
    trained = load_run(run, device=used.torch_device, dataset_path=dataset_path)
    config = trained.config
    checkpoint = load_last(run_directory.checkpoints)
    position = {} if checkpoint is None else checkpoint.values
    snapshots = {} if checkpoint is None else stored_snapshots(checkpoint)
    splits = config.build_splits(trained_on=trained.digests).to(used.torch_device)
    paths = _draw(
        _subject(trained.model, config, splits, device=used, snapshots=snapshots, projection=projection),
        config,
        run_directory,
        names=names,
        unit=((run_directory.summary() or {}).get("units") or {}).get("loss", "loss"),
        epochs=(position.get("best_epoch"), position.get("epoch")),
        file_format=file_format or config.figure_format,
    )
    write_run_page(run_directory)
    return paths


def _check_names(names: Sequence[str] | None, *, projection: str) -> None:
    if projection == "tsne" and names is not None and "codes" not in names:
        raise ConfigError("--tsne", "it applies to the picture codes, which is not among those named")
    known = [LOSS_CURVES, *PICTURES]
    for name in names or ():
        if name not in known:
            problem = f"there is no such picture{nearest(name, known)}; there are {listed(known)}"
            raise ConfigError("PICTURE", problem, value=name)


def _draw(
    subject: Subject,
    config: ExperimentConfig,
    run_directory: RunDirectory,
    *,
    names: Sequence[str] | None,
    unit: str,
    epochs: tuple[int | None, int | None],
    file_format: FigureFormat,
) -> list[Path]:
    """Draw pictures of a model with the weights of the best epoch, or of the last: `epochs`. `unit` is the loss's."""
    label, best_epoch = run_label(config.values), epochs[0]
    curves = functools.partial(
        draw_loss_curves,
        run_directory.metrics(),
        path=run_directory.figures / f"{LOSS_CURVES}.{file_format}",
        loss=Loss(unit, denoising=config.noise.corrupts),
        best_epoch=best_epoch,
        title=f"Loss by epoch: {label}",
    )
    return draw_pictures(
        subject,
        folder=run_directory.figures,
        names=None if names is None else [name for name in names if name != LOSS_CURVES],
        label=label,
        epoch=best_epoch or epochs[1],
        file_format=file_format,
        others={LOSS_CURVES: curves} if names is None or LOSS_CURVES in names else {},
        processes=torch.get_num_threads(),
    )


def _subject(
    model: AutoEncoder,
    config: ExperimentConfig,
    splits: Splits,
    *,
    device: Device,
    snapshots: Mapping[int, Snapshot],
    projection: Literal["pca", "tsne"] = "pca",
) -> Subject:
    return Subject(
        model=model,
        build_untrained=functools.partial(config.build_model, image_shape=splits.image_shape),
        noise=config.noise,
        has_upsampling=hasattr(config.architecture, "upsampling"),
        splits=splits,
        device=device,
        code_snapshots={epoch: snapshot.codes.cpu() for epoch, snapshot in snapshots.items() if len(snapshot.codes)},
        shown_snapshots={epoch: snapshot.reconstructions.cpu() for epoch, snapshot in snapshots.items()},
        projection=projection,
    )
