"""How odd pictures are to a model: their reconstruction errors compared with those of ordinary pictures."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.codes import model_facts
from autoenc.application.image_batches import Batch, ImageSource, check_finite, counted, read_batches
from autoenc.application.reconstructions import caption
from autoenc.display_names import run_label
from autoenc.evaluation.metrics import LEAST_SQUARED_ERROR
from autoenc.pictures.applied_pictures import ScoredPictures, draw_error_histograms, draw_odd_pictures
from autoenc.runs import printable, write_atomically
from autoenc.trained_model import TrainedModel

log = logging.getLogger(__name__)

SHOWN = 10
"""The number of oddest pictures on the sheet, and of most ordinary ones."""
LOGGED = 5


def score_files(table: Path) -> tuple[Path, Path, Path, Path]:
    """The table, `X.csv`, and next to it the facts `X.json`, the sheet `X.png` and `X_histogram.png`."""
    histogram = table.with_name(f"{table.stem}_histogram.png")
    return table, table.with_suffix(".json"), table.with_suffix(".png"), histogram


def score(run: TrainedModel, source: ImageSource, table: Path, *, baseline: ImageSource, batch_size: int) -> None:
    """Write the pictures' errors, the largest first, with their percentiles among the errors of the ordinary pictures.

    The AUROC of telling the two apart is logged and written, too: of all pairs of a picture and an ordinary picture,
    the share in which the picture has the larger error; ties count half.
    """
    yours = _measured(run, source, batch_size=batch_size, task="scoring")
    ordinary = _measured(run, baseline, batch_size=batch_size, task="scoring ordinary ones")
    shares = shares_below(yours.errors, ordinary.errors)
    auroc = float(shares.mean())
    _hint_at_inversion(yours, ordinary)
    headline = (
        f"AUROC {auroc:.3f}: a random picture of {printable(source.description)} has a larger error than a random one "
        f"of {printable(baseline.description)} in {100 * auroc:.0f} % of all pairs; 50 % is no difference."
    )
    _, facts, sheet, histogram = score_files(table)
    table.parent.mkdir(parents=True, exist_ok=True)
    _draw_sheet(run, yours, path=sheet)
    names = (caption(yours.description), caption(ordinary.description))
    title = run_label(run.config.values)
    draw_error_histograms(
        yours.errors, ordinary=ordinary.errors, names=names, path=histogram, title=title, line=headline
    )
    _write_facts(run, yours, ordinary, auroc=auroc, path=facts)
    _write_table(yours, shares, path=table)
    log.info("%s", headline)
    _log_errors(yours, ordinary)


def shares_below(errors: NDArray[np.float64], ordinary: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each error (N,), the share of the ordinary errors (M,) that are smaller; equal ones count half; (N,).

    The average is the area under the ROC curve (Hanley and McNeil 1982, The Meaning and Use of the Area under a
    Receiver Operating Characteristic Curve).
    """
    ranked = np.sort(ordinary)
    below, up_to = (np.searchsorted(ranked, errors, side=side) for side in ("left", "right"))
    return np.asarray((below + up_to) / (2 * len(ranked)), dtype=np.float64)


class _Picked(NamedTuple):
    name: str
    image: Tensor
    """(C, H, W) in [0, 1] scale."""
    error: float


class _Measured(NamedTuple):
    """The errors of the pictures of one source, and its extremes."""

    description: str
    names: list[str]
    errors: NDArray[np.float64]
    """(N,)."""
    brightness: float
    """Average over pixels and pictures."""
    oddest: list[_Picked]
    """The oddest first."""
    most_ordinary: list[_Picked]
    """The most ordinary first."""


def _measured(run: TrainedModel, source: ImageSource, *, batch_size: int, task: str) -> _Measured:
    names: list[str] = []
    errors: list[NDArray[np.float64]] = []
    brightness = 0.0
    oddest: list[_Picked] = []
    most_ordinary: list[_Picked] = []
    with read_batches(source, size=batch_size, task=task) as batches:
        for batch in batches:
            scores = run.errors(batch.images)
            check_finite(scores.unsqueeze(1), names=batch.names)
            names += batch.names
            errors.append(scores.double().numpy())
            brightness += float(batch.floats.double().mean()) * len(batch.names)
            oddest = _extremes(oddest, batch, scores, largest=True)
            most_ordinary = _extremes(most_ordinary, batch, scores, largest=False)
    brightness /= len(names)
    return _Measured(source.description, names, np.concatenate(errors), brightness, oddest, most_ordinary)


def _extremes(held: list[_Picked], batch: Batch, scores: Tensor, *, largest: bool) -> list[_Picked]:
    indices = scores.topk(min(SHOWN, len(scores)), largest=largest).indices.tolist()
    floats = batch.floats
    found = held + [_Picked(batch.names[index], floats[index].clone(), float(scores[index])) for index in indices]
    return sorted(found, key=lambda picked: picked.error, reverse=largest)[:SHOWN]


def _hint_at_inversion(yours: _Measured, ordinary: _Measured) -> None:
    as_it_is = abs(yours.brightness - ordinary.brightness)
    inverted = abs(1 - yours.brightness - ordinary.brightness)
    if inverted < as_it_is / 2:
        log.warning(
            "The average brightness is %.2f, that of ordinary pictures %.2f. If one of them is dark on light and the"
            " other light on dark, add --invert, or leave it out.",
            yours.brightness,
            ordinary.brightness,
        )


def _log_errors(yours: _Measured, ordinary: _Measured) -> None:
    means = [f"{one.errors.mean():.4g} (mean of {len(one.errors):,})" for one in (yours, ordinary)]
    log.info("Mean squared error: %s.", " against ".join(means))
    count = len(ordinary.errors)
    for at in _order(yours)[:LOGGED]:
        smaller = int((ordinary.errors < yours.errors[at]).sum())
        compared = f"all {count:,}" if smaller == count else f"{smaller:,} of {count:,}"
        name = printable(yours.names[at])
        log.info("Oddest: %s, error %.4g, larger than %s ordinary errors.", name, yours.errors[at], compared)


def _order(measured: _Measured) -> list[int]:
    indices: list[int] = np.argsort(-measured.errors, kind="stable").tolist()
    return indices


def _draw_sheet(run: TrainedModel, yours: _Measured, *, path: Path) -> None:
    count = len(yours.names)
    few = count <= SHOWN
    each = count if few else min(SHOWN, count // 2)  # so that no picture is on both sides
    draw_odd_pictures(
        _scored(run, yours.oddest[:each]),
        ordinary=None if few else _scored(run, yours.most_ordinary[:each]),
        path=path,
        title=f"{run_label(run.config.values)}\n{printable(yours.description)}, {counted(count)}, the oddest first",
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
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["rank", "name", "mse", "psnr_db", "percentile"])
    for rank, index in enumerate(_order(yours), start=1):
        error = yours.errors[index]
        psnr = -10 * np.log10(max(error, LEAST_SQUARED_ERROR))
        rows.writerow([rank, yours.names[index], f"{error:.7g}", f"{psnr:.3f}", f"{100 * shares[index]:.3f}"])
    # A file's name may have bytes that are not text: they are written as they are.
    write_atomically(path, text.getvalue().encode(errors="surrogateescape"))


def _write_facts(run: TrainedModel, yours: _Measured, ordinary: _Measured, *, auroc: float, path: Path) -> None:
    facts = {
        "auroc": auroc,
        "pictures": _described(yours),
        "ordinary": _described(ordinary),
        "model": model_facts(run),
        "units": {
            "auroc": "share of all pairs in which the picture has a larger error than the ordinary one, ties half",
            "mse": "mean over pixels of the squared error, pixels in [0, 1]",
            "percentile": "of 100 ordinary ones, how many have a smaller error, ties half",
        },
    }
    write_atomically(path, json.dumps(facts, indent=2, allow_nan=False).encode() + b"\n")


def _described(measured: _Measured) -> dict[str, Any]:
    return {
        "description": printable(measured.description),
        "count": len(measured.names),
        "mean_mse": float(measured.errors.mean()),
        "median_mse": float(np.median(measured.errors)),
        "mean_brightness": measured.brightness,
    }
