"""How odd pictures are to a model: their reconstruction errors, beside those of ordinary ones."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.codes import model_facts
from autoenc.application.destinations import written_whole
from autoenc.application.picture_files import printable
from autoenc.application.pictures_made import caption
from autoenc.application.source import Batch, Source, check_finite, counted, for_each_batch
from autoenc.evaluation.metrics import LEAST_SQUARED_ERROR
from autoenc.experiment.announcement import title_of
from autoenc.pictures.applied_pictures import ScoredPictures, draw_error_histograms, draw_odd_pictures
from autoenc.runs import write_atomically
from autoenc.trained_model import TrainedModel

log = logging.getLogger(__name__)

SHOWN = 10
"""Of the oddest pictures, and as many of the most ordinary ones."""
TOLD = 5


class ScoreFiles(NamedTuple):
    """What scoring writes."""

    table: Path
    facts: Path
    sheet: Path
    histogram: Path


def score_files(table: Path) -> ScoreFiles:
    """The table, `X.csv`, and beside it `X.json`, `X.png` and `X_histogram.png`."""
    return ScoreFiles(
        table,
        table.with_suffix(".json"),
        table.with_suffix(".png"),
        table.with_name(f"{table.stem}_histogram.png"),
    )


def score(run: TrainedModel, source: Source, table: Path, *, baseline: Source, batch_size: int) -> float:
    """Write the pictures' errors, the odd ones first, and where each stands among those of the ordinary ones.

    Returns:
        the AUROC: the share of all pairs of a picture and an ordinary one in which the picture has the larger error,
        ties counting half.
    """
    yours = _measured(run, source, batch_size=batch_size, doing="scoring")
    ordinary = _measured(run, baseline, batch_size=batch_size, doing="scoring ordinary ones")
    shares = shares_below(yours.errors, ordinary.errors)
    auroc = float(shares.mean())
    _hint_at_inversion(yours, ordinary)
    said = [
        f"AUROC {auroc:.3f}: a random picture of {printable(source.description)} has a larger error than a random one "
        f"of {printable(baseline.description)} in {100 * auroc:.0f} % of all pairs; 50 % is no difference.",
        f"Mean squared error: {yours.errors.mean():.4g} (mean of {len(yours.errors):,}) against "
        f"{ordinary.errors.mean():.4g} (mean of {len(ordinary.errors):,}).",
    ]
    files = score_files(table)
    table.parent.mkdir(parents=True, exist_ok=True)
    _draw(run, yours, ordinary, files=files, line=said[0])
    _write_facts(run, yours, ordinary, auroc=auroc, path=files.facts)
    _write_table(yours, shares, path=files.table)
    for line in said:
        log.info("%s", line)
    _tell_oddest(yours, shares)
    return auroc


def shares_below(errors: NDArray[np.float64], ordinary: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each error (N,), the share of ordinary ones (M,) that are smaller, equal ones counting half; (N,).

    Their mean is the area under the ROC curve (Hanley and McNeil 1982, The Meaning and Use of the Area under a Receiver
    Operating Characteristic Curve).
    """
    ranked = np.sort(ordinary)
    below, up_to = (np.searchsorted(ranked, errors, side=side) for side in ("left", "right"))
    return np.asarray((below + up_to) / (2 * len(ranked)), dtype=np.float64)


class _Picked(NamedTuple):
    name: str
    image: Tensor
    """(C, H, W) in [0, 1] scale."""
    error: float


@dataclass(eq=False)
class _Measured:
    """What there is to say of the pictures of one source."""

    description: str
    names: list[str]
    errors: NDArray[np.float64]
    """(N,)."""
    brightness: float
    """The mean over pixels and pictures."""
    oddest: list[_Picked]
    """The oddest first."""
    most_ordinary: list[_Picked]
    """The most ordinary first."""


def _measured(run: TrainedModel, source: Source, *, batch_size: int, doing: str) -> _Measured:
    found = _Measured(source.description, [], np.empty(0), 0.0, [], [])
    errors: list[NDArray[np.float64]] = []
    brightness = 0.0

    def work(batch: Batch) -> None:
        nonlocal brightness
        scores = run.errors(batch.images)
        check_finite(scores.unsqueeze(1), names=batch.names)
        errors.append(scores.double().numpy())
        found.names += batch.names
        brightness += float(batch.floats.double().mean()) * len(batch.names)
        found.oddest = _extremes(found.oddest, batch, scores, largest=True)
        found.most_ordinary = _extremes(found.most_ordinary, batch, scores, largest=False)

    for_each_batch(source, work, size=batch_size, doing=doing)
    found.errors = np.concatenate(errors)
    found.brightness = brightness / len(found.names)
    return found


def _extremes(held: list[_Picked], batch: Batch, scores: Tensor, *, largest: bool) -> list[_Picked]:
    """The most extreme pictures of those that are held and those of a batch; nothing else of it is kept."""
    indices = scores.topk(min(SHOWN, len(scores)), largest=largest).indices.tolist()
    floats = batch.floats
    found = held + [_Picked(batch.names[index], floats[index].clone(), float(scores[index])) for index in indices]
    return sorted(found, key=lambda picked: picked.error, reverse=largest)[:SHOWN]


def _hint_at_inversion(yours: _Measured, ordinary: _Measured) -> None:
    as_it_is = abs(yours.brightness - ordinary.brightness)
    inverted = abs(1 - yours.brightness - ordinary.brightness)
    if inverted < as_it_is / 2:
        log.warning(
            "The pictures' mean brightness is %.2f, that of ordinary ones %.2f; if theirs is the light on a dark ground"
            " and yours the dark on a light one, or the other way round, add --invert, or leave it out.",
            yours.brightness,
            ordinary.brightness,
        )


def _draw(run: TrainedModel, yours: _Measured, ordinary: _Measured, *, files: ScoreFiles, line: str) -> None:
    count = len(yours.names)
    few = count <= SHOWN
    each = count if few else min(SHOWN, count // 2)  # none is both
    title = f"{title_of(run.config)}\n{printable(yours.description)}, {counted(count)}, the oddest first"
    draw_odd_pictures(
        _scored(run, yours.oddest[:each]),
        ordinary=None if few else _scored(run, yours.most_ordinary[:each]),
        path=files.sheet,
        title=title,
    )
    draw_error_histograms(
        yours.errors,
        ordinary=ordinary.errors,
        names=(caption(yours.description), caption(ordinary.description)),
        path=files.histogram,
        title=title_of(run.config),
        line=line,
    )


def _scored(run: TrainedModel, picked: Sequence[_Picked]) -> ScoredPictures:
    images = torch.stack([one.image for one in picked])
    return ScoredPictures(
        names=[caption(one.name) for one in picked],
        images=images.numpy(),
        reconstructions=run.reconstruct(images).numpy(),
        errors=[one.error for one in picked],
    )


def _write_table(yours: _Measured, shares: NDArray[np.float64], *, path: Path) -> None:
    with written_whole(path) as file:
        # A file's name may have bytes in it that are no characters: they are written as they are.
        text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
        rows = csv.writer(text)
        rows.writerow(["rank", "name", "mse", "psnr_db", "percentile"])
        for rank, index in enumerate(np.argsort(-yours.errors, kind="stable").tolist(), start=1):
            error = yours.errors[index]
            psnr = -10 * np.log10(max(error, LEAST_SQUARED_ERROR))
            rows.writerow([rank, yours.names[index], f"{error:.7g}", f"{psnr:.3f}", f"{100 * shares[index]:.3f}"])
        text.flush()
        text.detach()


def _write_facts(run: TrainedModel, yours: _Measured, ordinary: _Measured, *, auroc: float, path: Path) -> None:
    described = {
        key: {
            "description": printable(found.description),
            "count": len(found.names),
            "mean_mse": float(found.errors.mean()),
            "median_mse": float(np.median(found.errors)),
            "mean_brightness": found.brightness,
        }
        for key, found in (("pictures", yours), ("ordinary", ordinary))
    }
    facts = {
        "auroc": auroc,
        **described,
        "model": model_facts(run),
        "units": {
            "auroc": "share of all pairs in which the picture has a larger error than the ordinary one, ties half",
            "mse": "mean over pixels of the squared error, pixels in [0, 1]",
            "percentile": "of 100 ordinary ones, how many have a smaller error, ties half",
        },
    }
    write_atomically(path, json.dumps(facts, indent=2, allow_nan=False).encode() + b"\n")


def _tell_oddest(yours: _Measured, shares: NDArray[np.float64]) -> None:
    order = np.argsort(-yours.errors, kind="stable")[:TOLD].tolist()
    told = [f"{printable(yours.names[at])} ({yours.errors[at]:.4g}, above {100 * shares[at]:.1f} %)" for at in order]
    log.info("Oddest, with their errors and above how many of the ordinary ones' these are: %s.", ", ".join(told))
