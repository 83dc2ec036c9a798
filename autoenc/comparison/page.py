"""The one page that a comparison ends with: its pictures under one another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc import pictures
from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.labels import setting
from autoenc.comparison.settings import ComparisonSettings
from autoenc.pictures import PICTURES, Panel, Picture, Progress
from autoenc.runs import SPLITS, RunRecord
from autoenc.settings import ConfigError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


def draw_comparison(records: Sequence[RunRecord], *, settings: ComparisonSettings, title: str, path: Path) -> bool:
    """Write the page of finished runs, with their whole histories; returns whether there was anything to draw.

    Raises:
        ConfigError: `against` names no numeric setting of these runs, or `metric` nothing that was measured.
        OSError: it cannot be written.
    """
    for record in records:
        if "error_against" in settings.pictures:
            check_comparison(record.config, settings=settings)
        if f"test.{settings.metric}" not in record.metrics:
            measured = [name.removeprefix("test.") for name in record.metrics if name.startswith("test.")]
            problem = f"{record.path} did not measure it; it has {', '.join(measured)}"
            raise ConfigError("comparison.metric", problem, value=settings.metric)
    with pictures.house_style():
        drawn = [_figure_or_reason(kind, records, settings=settings) for kind in settings.pictures]
        pages = [figure for figure in drawn if figure is not None]
        if pages:
            pictures.save_stacked(pages, path, title=title)
    return bool(pages)


def check_comparison(config: Mapping[str, Any], *, settings: ComparisonSettings) -> None:
    """Refuse what a run of this config could not be compared by, before it is trained.

    Raises:
        ConfigError: `against` names no numeric setting of it.
    """
    if settings.against is None:
        if "error_against" in settings.pictures:
            problem = "error_against needs the key of a numeric setting, as architecture.code_size"
            raise ConfigError("comparison.against", problem, value=None)
        return
    value = setting(config, settings.against)
    if value is None:
        hint = nearest(settings.against, _numbers(config))
        raise ConfigError("comparison.against", f"a run has no number of this key{hint}", value=settings.against)
    if not is_number(value):
        problem = f"it must be the key of a number, and of a run it is {as_typed(value)}"
        raise ConfigError("comparison.against", problem, value=settings.against)


def _numbers(config: Mapping[str, Any], *, below: str = "") -> list[str]:
    """The dotted keys of all numbers in a config."""
    found: list[str] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            found += _numbers(value, below=f"{below}{key}.")
        elif is_number(value):
            found.append(f"{below}{key}")
    return found


def _figure_or_reason(kind: str, records: Sequence[RunRecord], *, settings: ComparisonSettings) -> Figure | None:
    """The picture; None, with a word in the log, where these runs cannot stand beside one another in it."""
    try:
        return _figure(kind, records, settings=settings)
    except ValueError as error:
        log.warning("The picture '%s' is left out: %s", kind, error)
        return None


def _figure(kind: str, records: Sequence[RunRecord], *, settings: ComparisonSettings) -> Figure | None:
    if kind in _CHARTS:
        return _CHARTS[kind](records, settings)
    files: list[tuple[str, Path]] = []
    for record in records:
        folder = record.path / "figures"
        path = folder / f"{kind}.npz"
        if path.exists() and not folder.is_symlink():
            files.append((record.label, path))
        else:
            log.info("%s has no numbers of the picture '%s'.", record.label, kind)
    return _figure_of_files(kind, files, epochs=settings.epochs) if files else None


def _figure_of_files(kind: str, files: Sequence[tuple[str, Path]], *, epochs: Sequence[int] | None) -> Figure:
    """The picture of numbers that anyone may have written: well-formed files, with arrays of any shape, size and type.

    What an array of no rows or of seven dimensions leads numpy and matplotlib to is an error of whatever kind, and of
    some of them only when it is drawn. None is a reason for a sweep to be without its page.

    Raises:
        ValueError: it cannot be drawn.
    """
    try:
        panels = [Panel(label, _at(PICTURES[kind].load(path), epochs)) for label, path in files]
        figure = PICTURES[kind].figure(panels, title=_TITLES[kind])
        figure.draw_without_rendering()
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"its numbers cannot be drawn: {type(error).__name__}: {error}") from error
    return figure


def _at(picture: Picture, epochs: Sequence[int] | None) -> Picture:
    return picture if epochs is None or not isinstance(picture, Progress) else picture.only(epochs)


def _loss_curves(records: Sequence[RunRecord], settings: ComparisonSettings) -> Figure:  # noqa: ARG001
    histories = [(record.label, record.history) for record in records]
    labels = [record.unit("test.loss") or "loss" for record in records]
    return pictures.loss_curves_beside(histories, loss_label=labels, title="Loss by epoch")


def _final_losses(records: Sequence[RunRecord], settings: ComparisonSettings) -> Figure:
    rows = [(record.label, _scores(record, settings.metric)) for record in records]
    return pictures.final_losses(rows, metric_label=_metric_label(records, settings.metric), title="Final errors")


def _metric_label(records: Sequence[RunRecord], metric: str) -> str:
    """What stands along an axis: the name and the first words of the unit."""
    unit = records[0].unit(f"test.{metric}") or metric
    return f"{metric}: {unit.partition(',')[0]}"


def _scores(record: RunRecord, metric: str) -> dict[str, float]:
    found = {split: record.metrics.get(f"{split}.{metric}") for split in reversed(SPLITS)}
    return {split: value for split, value in found.items() if value is not None}


def _error_against(records: Sequence[RunRecord], settings: ComparisonSettings) -> Figure:
    key, metric = settings.against or "", settings.metric
    places = [float(setting(record.config, key)) for record in records]
    points = [
        (_series(record, key=key), place, record.metrics.get(f"test.{metric}"), record.metrics.get(f"train.{metric}"))
        for record, place in zip(records, places, strict=True)
    ]
    baseline = None
    if metric == "mse" and key == "architecture.code_size":
        found = {place: record.metrics.get("test.pca_mse") for record, place in zip(records, places, strict=True)}
        baseline = [(size, error) for size, error in sorted(found.items()) if error is not None]
    return pictures.error_against(
        points,
        x_label=key,
        metric_label=_metric_label(records, metric),
        baseline=baseline,
        baseline_label="PCA, test",
        title=f"Error against {key}",
    )


def _series(record: RunRecord, *, key: str) -> str:
    """What a run is called without its place on the axis: the parts of its label that do not tell the number."""
    name = f"{key.rpartition('.')[2].replace('_', ' ')} "
    rest = [part for part in record.label.split(", ") if not part.startswith(name)]
    return ", ".join(rest) or "the runs"


_CHARTS: dict[str, Callable[[Sequence[RunRecord], ComparisonSettings], Figure | None]] = {
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
