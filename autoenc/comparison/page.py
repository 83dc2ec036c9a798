"""The one page that a comparison ends with: its pictures under one another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc import figures
from autoenc.comparison.jobs import Job, setting
from autoenc.comparison.settings import ComparisonSettings
from autoenc.figures import PICTURES, Panel, Picture, Progress
from autoenc.settings import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


def draw_comparison(jobs: Sequence[Job], *, settings: ComparisonSettings, title: str, path: Path) -> bool:
    """Write the page; returns whether there was anything to draw.

    Raises:
        ConfigError: `against` names no numeric setting of these runs, or `metric` nothing that was measured.
        OSError: it cannot be written.
    """
    for job in jobs:
        check_comparison(job.config, settings=settings)
        if job.score("test", settings.metric) is None:
            problem = f"{job.path} did not measure it; it has {', '.join(job.metrics)}"
            raise ConfigError("comparison.metric", problem, value=settings.metric)
    with figures.house_style():
        drawn = [_figure_or_reason(kind, jobs, settings=settings) for kind in settings.pictures]
        pages = [figure for figure in drawn if figure is not None]
        if pages:
            figures.save_stacked(pages, path, title=title)
    return bool(pages)


def check_comparison(config: Mapping[str, Any], *, settings: ComparisonSettings) -> None:
    """Refuse what a run of this config could not be compared by, before it is trained.

    Raises:
        ConfigError: `against` names no numeric setting of it.
    """
    if "error_against" not in settings.pictures:
        return
    if settings.against is None:
        raise ConfigError(
            "comparison.against",
            "error_against needs the key of a numeric setting, as architecture.code_size",
            value=None,
        )
    value = setting(config, settings.against)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        problem = f"it must be the key of a number, and of a run it is {value!r}"
        raise ConfigError("comparison.against", problem, value=settings.against)


def _figure_or_reason(kind: str, jobs: Sequence[Job], *, settings: ComparisonSettings) -> Figure | None:
    """The picture; None, with a word in the log, where these runs cannot stand beside one another in it."""
    try:
        return _figure(kind, jobs, settings=settings)
    except ValueError as error:
        log.warning("The picture '%s' is left out: %s", kind, error)
        return None


def _figure(kind: str, jobs: Sequence[Job], *, settings: ComparisonSettings) -> Figure | None:
    if kind in _CHARTS:
        return _CHARTS[kind](jobs, settings)
    panels: list[Panel[Picture]] = []
    for job in jobs:
        path = job.path / "figures" / f"{kind}.npz"
        if path.exists():
            panels.append(Panel(job.label, PICTURES[kind].load(path)))
        else:
            log.info("%s has no numbers of the picture '%s'.", job.label, kind)
    if not panels:
        return None
    if settings.epochs is not None:
        panels = [Panel(label, _at(picture, settings.epochs)) for label, picture in panels]
    return PICTURES[kind].figure(panels, title=_TITLES[kind])


def _at(picture: Picture, epochs: Sequence[int]) -> Picture:
    return picture.only(epochs) if isinstance(picture, Progress) else picture


def _loss_curves(jobs: Sequence[Job], settings: ComparisonSettings) -> Figure:  # noqa: ARG001
    histories = [(job.label, job.history) for job in jobs]
    return figures.loss_curves_beside(histories, loss_label=[job.unit("loss") for job in jobs], title="Loss by epoch")


def _final_losses(jobs: Sequence[Job], settings: ComparisonSettings) -> Figure:
    rows = [(job.label, _scores(job, settings.metric)) for job in jobs]
    return figures.final_losses(rows, metric_label=_metric_label(jobs, settings.metric), title="Final errors")


def _metric_label(jobs: Sequence[Job], metric: str) -> str:
    """What stands along an axis: the name and the first words of the unit."""
    return f"{metric}: {jobs[0].unit(metric).partition(',')[0]}"


def _scores(job: Job, metric: str) -> dict[str, float]:
    scores = {split: job.score(split, metric) for split in ("train", "validation", "test")}
    return {split: value for split, value in scores.items() if value is not None}


def _error_against(jobs: Sequence[Job], settings: ComparisonSettings) -> Figure:
    key, metric = settings.against or "", settings.metric
    points = [
        (_series(job, key=key), float(job.setting(key)), job.score("test", metric), job.score("train", metric))
        for job in jobs
    ]
    baseline = None
    if metric == "mse" and key == "architecture.code_size":
        found = {float(job.setting(key)): job.score("test", "pca_mse") for job in jobs}
        baseline = [(size, error) for size, error in sorted(found.items()) if error is not None]
    return figures.error_against(
        points,
        x_label=key,
        metric_label=_metric_label(jobs, metric),
        baseline=baseline,
        baseline_label="PCA, test",
        title=f"Error against {key}",
    )


def _series(job: Job, *, key: str) -> str:
    """What a run is called without its place on the axis: the parts of its label that do not tell the number."""
    name = f"{key.rpartition('.')[2].replace('_', ' ')} "
    rest = [part for part in job.label.split(", ") if not part.startswith(name)]
    return ", ".join(rest) or "the runs"


_CHARTS: dict[str, Callable[[Sequence[Job], ComparisonSettings], Figure | None]] = {
    "loss_curves": _loss_curves,
    "final_losses": _final_losses,
    "error_against": _error_against,
}

_TITLES = {
    "reconstructions": "The same test images, reconstructed",
    "progress": "Reconstructions as training went on",
    "codes": "Codes of the test images",
    "decoder_grid": "The decoder over its plane of codes",
    "error_by_class": "Test error by class",
    "gradients": "Gradient by layer",
    "kernels": "Kernels of the first layer",
    "matrix": "A convolution as a matrix",
    "samples": "Samples",
    "sparsity": "How sparse the activations are",
    "spectrum": "Spectrum of the reconstructions",
    "codebook": "Use of the codebook",
}
