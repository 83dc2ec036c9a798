"""The pictures of a finished run, drawn anew or for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from autoenc.devices import plain_device
from autoenc.experiment.announcement import title_of
from autoenc.portraits import PORTRAITS, Subject, draw_portraits
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError, listed, nearest
from autoenc.trained_model import load_run
from autoenc.training.checkpoints import load_last
from autoenc.training.state import stored_snapshots


def draw_gallery(
    run: Path, *, kinds: Sequence[str] | None, projection: Literal["pca", "tsne"], device: str
) -> list[Path]:
    """Draw pictures of a run into its `figures` folder; with `kinds=None` all that mean something.

    Args:
        run: the folder of a run that has a checkpoint.
        kinds: names out of `PORTRAITS`.
        projection: how codes of more than two numbers come to a plane: `pca` or `tsne`.
        device: where to compute: a choice of the group `device`.

    Returns:
        the pictures' paths; of a picture that means nothing for this model there is none, and a warning.

    Raises:
        ValueError: there is no such run or picture, or the run's data cannot be had.
    """
    RunDirectory.open(run, key="RUN")
    if projection == "tsne" and kinds is not None and "codes" not in kinds:
        raise ConfigError("--tsne", "it is for the picture codes, which is not among those named")
    unknown = [kind for kind in kinds or () if kind not in PORTRAITS]
    if unknown:
        problem = f"there is no such picture{nearest(unknown[0], PORTRAITS)}; there are {listed(PORTRAITS)}"
        raise ConfigError("PICTURE", problem, value=unknown[0])
    there = plain_device(device)
    trained = load_run(run, device=there.torch_device)
    checkpoint = load_last(RunDirectory(run).checkpoints)
    snapshots = {} if checkpoint is None else stored_snapshots(checkpoint)
    epoch = None if checkpoint is None else checkpoint.values["best_epoch"] or checkpoint.values["epoch"]
    subject = Subject(
        model=trained.model,
        config=trained.config,
        splits=trained.config.dataset.build(data_dir=trained.config.data_dir),
        device=there,
        code_snapshots={epoch: snapshot.codes for epoch, snapshot in snapshots.items() if len(snapshot.codes)},
        shown_snapshots={epoch: snapshot.reconstructions for epoch, snapshot in snapshots.items()},
        projection=projection,
    )
    return draw_portraits(subject, folder=run / "figures", kinds=kinds, title=title_of(trained.config), epoch=epoch)
