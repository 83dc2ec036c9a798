"""Pictures out of pictures, or out of codes: a folder of PNGs, and a page with the first ones."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from autoenc.application.codes import StoredCodes, model_facts
from autoenc.application.counting import counting
from autoenc.application.destinations import OVERVIEW, PictureFolder
from autoenc.application.picture_files import printable
from autoenc.application.source import Batch, Source, check_finite, for_each_batch
from autoenc.experiment.announcement import title_of
from autoenc.pictures.applied_pictures import draw_denoised
from autoenc.pictures.reconstructions import Reconstructions
from autoenc.trained_model import TrainedModel

log = logging.getLogger(__name__)

SHOWN = 12
"""Pictures in the overview."""
LONGEST_CAPTION = 40

Draw = Callable[[Tensor, Tensor, list[str], Path, str], None]


def reconstruct(run: TrainedModel, source: Source, folder: Path, *, batch_size: int) -> None:
    """Write each picture's reconstruction, and `overview.png`: the first ones, what is made of them, and the error."""

    def draw(given: Tensor, made: Tensor, captions: list[str], path: Path, title: str) -> None:
        images = given.numpy()
        picture = Reconstructions(clean=images, given=images, final=made.numpy(), captions=tuple(captions))
        picture.write_figure(path, title=title)

    _write_made(run, source, folder, batch_size=batch_size, doing="reconstructing", draw=draw)


def denoise(run: TrainedModel, source: Source, folder: Path, *, batch_size: int) -> None:
    """The same for pictures that are noisy: `overview.png` shows what was taken from them. No noise is added."""
    noise = run.config.values["noise"]
    if run.config.noise.corrupts:
        settings = ", ".join(f"{key}={value}" for key, value in noise.items() if key != "name")
        log.info("The model was trained to take away %s noise (%s).", noise["name"].replace("_", " "), settings)
    else:
        log.warning("The model was trained without noise: it was never told to take any away.")

    def draw(given: Tensor, made: Tensor, captions: list[str], path: Path, title: str) -> None:
        draw_denoised(given.numpy(), denoised=made.numpy(), captions=captions, path=path, title=title)

    _write_made(run, source, folder, batch_size=batch_size, doing="denoising", draw=draw)


def decode(run: TrainedModel, codes: StoredCodes, folder: Path, *, batch_size: int) -> None:
    """Write the picture of each code."""
    expected, found = model_facts(run)["weights_sha256"], codes.facts.get("weights_sha256")
    if found is not None and found != expected:
        log.warning("These codes are of another model: what this one makes of them need not mean anything.")
    files = PictureFolder(folder, names=codes.names)
    with counting("decoding", total=len(codes.names)) as advance:
        for names, batch in codes.batches(batch_size):
            made = run.decode(batch)
            check_finite(made, names=names)
            files.write(names, made)
            advance(len(names))


def caption(name: str) -> str:
    """A picture's name as it stands in a picture: the end of it says more than the beginning."""
    shown = printable(name)
    return shown if len(shown) <= LONGEST_CAPTION else f"…{shown[1 - LONGEST_CAPTION :]}"


def _write_made(run: TrainedModel, source: Source, folder: Path, *, batch_size: int, doing: str, draw: Draw) -> None:
    source.check()
    files = PictureFolder(folder, names=source.names)
    first: list[tuple[str, Tensor, Tensor]] = []

    def work(batch: Batch) -> None:
        made = run.reconstruct(batch.images)
        check_finite(made, names=batch.names)
        files.write(batch.names, made)
        left = SHOWN - len(first)
        # Copies: a part of a batch would keep the whole of it.
        shown = zip(batch.names[:left], batch.floats[:left].clone(), made[:left].clone(), strict=False)
        first.extend(shown)

    for_each_batch(source, work, size=batch_size, doing=doing)
    names, given, made = zip(*first, strict=True)
    which = "" if len(source.names) <= len(first) else f": the first {len(first)} of {len(source.names):,}"
    title = f"{title_of(run.config)}\n{printable(source.description)}{which}"
    draw(torch.stack(given), torch.stack(made), [caption(name) for name in names], folder / OVERVIEW, title)
