"""Draw the pictures of a run: at its end, and again later."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Splits
from autoenc.devices import Device, plain_device
from autoenc.display_names import run_label
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.run_page import write_run_page
from autoenc.experiment.run_scores import units_of
from autoenc.models.autoencoder import AutoEncoder
from autoenc.pictures import PICTURES, draw_pictures
from autoenc.pictures.loss_curves import Loss, draw_loss_curves
from autoenc.pictures.subject import Subject
from autoenc.progress import console
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError, listed, nearest
from autoenc.trained_model import load_run
from autoenc.training.checkpoints import load_last
from autoenc.training.state import Snapshot, TrainingState, stored_snapshots


def draw_finished_run(prepared: Prepared, state: TrainingState, *, run_directory: RunDirectory) -> None:
    """Draw the loss curves and the pictures that the config names, of the trained model."""
    config, position = prepared.config, state.position
    run_directory.figures.mkdir(exist_ok=True)
    with console.status("Drawing pictures: loss_curves"):
        draw_loss_curves(
            run_directory.metrics(),
            path=run_directory.figures / "loss_curves.png",
            loss=Loss(units_of(prepared)["loss"], denoising=config.noise.corrupts),
            best_epoch=position.best_epoch,
            title=run_label(config.values),
        )
    always = [name for name, entry in PICTURES.items() if entry.always]
    names = None if config.figures is None else [*always, *config.figures]
    subject = _subject(prepared.model, config, prepared.splits, device=prepared.device, snapshots=state.snapshots)
    epoch = position.best_epoch or position.epoch
    draw_pictures(subject, folder=run_directory.figures, names=names, title=run_label(config.values), epoch=epoch)


def redraw_run(
    run: Path,
    *,
    names: Sequence[str] | None,
    projection: Literal["pca", "tsne"],
    device: str,
    dataset_path: str | None = None,
) -> list[Path]:
    """Draw pictures of a finished run into its `figures` folder, and write its page again; returns the pictures' paths.

    They are computed on the device `device`. `names` are from `PICTURES`; None draws every picture that applies to the
    model. One that does not apply is left out, with a warning. `projection` is how codes of more than two numbers are
    projected to a plane. `dataset_path` is where the run's folder of pictures is now, if it was moved.

    Raises:
        ValueError: the run or a picture does not exist, its figures are a link, or its images are not available, or are
            others now.
    """
    run_directory = RunDirectory.open(run, key="RUN")
    run_directory.check_figures()
    _check_names(names, projection=projection)
    used = plain_device(device)
    trained = load_run(run, device=used.torch_device, dataset_path=dataset_path)
    config = trained.config
    checkpoint = load_last(run_directory.checkpoints)
    snapshots = {} if checkpoint is None else stored_snapshots(checkpoint)
    epoch = None if checkpoint is None else checkpoint.values["best_epoch"] or checkpoint.values["epoch"]
    splits = config.build_splits(trained_on=trained.digests).to(used.torch_device)
    subject = _subject(trained.model, config, splits, device=used, snapshots=snapshots, projection=projection)
    paths = draw_pictures(
        subject, folder=run_directory.figures, names=names, title=run_label(config.values), epoch=epoch
    )
    write_run_page(run_directory)
    return paths


def _check_names(names: Sequence[str] | None, *, projection: str) -> None:
    if projection == "tsne" and names is not None and "codes" not in names:
        raise ConfigError("--tsne", "it applies to the picture codes, which is not among those named")
    for name in names or ():
        if name not in PICTURES:
            problem = f"there is no such picture{nearest(name, PICTURES)}; there are {listed(PICTURES)}"
            raise ConfigError("PICTURE", problem, value=name)


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
