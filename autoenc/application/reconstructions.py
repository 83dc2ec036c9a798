"""Pictures that a model makes of pictures or of codes: a folder of PNGs, and an overview of the first ones."""

from __future__ import annotations

import logging
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from autoenc.application.codes import StoredCodes, model_facts
from autoenc.application.image_batches import ImageSource, check_finite, counting_bar, read_batches
from autoenc.data.datasets.picture_search import SUFFIXES
from autoenc.display_names import run_label
from autoenc.pictures.applied_pictures import draw_denoised
from autoenc.pictures.reconstructions import Reconstructions
from autoenc.runs import printable
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel

log = logging.getLogger(__name__)

OVERVIEW = "overview.png"
SHOWN = 12
"""Pictures in the overview."""
LONGEST_CAPTION = 40
THREADS = min(4, os.cpu_count() or 1)


def reconstruct(run: TrainedModel, source: ImageSource, folder: Path, *, batch_size: int) -> None:
    """Write the reconstruction of each picture, and an overview of the first pictures with their errors."""
    names, given, made = _write_reconstructions(run, source, folder, batch_size=batch_size, task="reconstructing")
    picture = Reconstructions(clean=given, given=given, final=made, captions=tuple(names))
    picture.write_figure(folder / OVERVIEW, title=_title(run, source, shown=len(names)))


def denoise(run: TrainedModel, source: ImageSource, folder: Path, *, batch_size: int) -> None:
    """The same for noisy pictures; the overview shows the noise that was removed. No noise is added."""
    noise = run.config.noise
    if noise.corrupts:
        values = run.config.values["noise"]
        settings = ", ".join(f"{key}={value}" for key, value in values.items() if key != "name")
        log.info("The model was trained to remove %s noise (%s).", noise.name.replace("_", " "), settings)
    else:
        log.warning("The model was trained without noise: it has not learned to remove any.")
    names, given, made = _write_reconstructions(run, source, folder, batch_size=batch_size, task="denoising")
    draw_denoised(
        given, denoised=made, captions=names, path=folder / OVERVIEW, title=_title(run, source, shown=len(names))
    )


def decode(run: TrainedModel, codes: StoredCodes, folder: Path, *, batch_size: int) -> None:
    """Write the picture of each code."""
    expected, found = model_facts(run)["weights_sha256"], codes.facts.get("weights_sha256")
    if found is not None and found != expected:
        log.warning("These codes are from another model: the pictures may be meaningless.")
    files = file_names(codes.names)
    with counting_bar("decoding", total=len(codes.names)) as advance:
        for names, batch in codes.batches(batch_size):
            made = run.decode(batch)
            check_finite(made, names=names)
            _write_pictures([folder / files[name] for name in names], made)
            advance(len(names))


def _write_reconstructions(
    run: TrainedModel, source: ImageSource, folder: Path, *, batch_size: int, task: str
) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    source.check(batch_size)
    files = file_names(source.names)
    first: list[tuple[str, Tensor, Tensor]] = []
    with read_batches(source, size=batch_size, task=task) as batches:
        for batch in batches:
            made = run.reconstruct(batch.images)
            check_finite(made, names=batch.names)
            _write_pictures([folder / files[name] for name in batch.names], made)
            left = SHOWN - len(first)
            # Copies: a view would keep the whole batch.
            first.extend(zip(batch.names[:left], batch.floats[:left].clone(), made[:left].clone(), strict=False))
    names, given, reconstructed = zip(*first, strict=True)
    return [caption(name) for name in names], torch.stack(given).numpy(), torch.stack(reconstructed).numpy()


def _title(run: TrainedModel, source: ImageSource, *, shown: int) -> str:
    which = "" if shown == len(source.names) else f": the first {shown} of {len(source.names):,}"
    return f"{run_label(run.config.values)}\n{printable(source.description)}{which}"


def caption(name: str) -> str:
    """A picture's name under the picture; a long one is shortened at its beginning."""
    shown = printable(name)
    return shown if len(shown) <= LONGEST_CAPTION else f"…{shown[1 - LONGEST_CAPTION :]}"


def _write_pictures(paths: Sequence[Path], images: Tensor) -> None:
    """Write images (B, C, H, W) in [0, 1] as PNGs; values outside [0, 1] are clipped."""
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, C)
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="pictures") as threads:
        list(threads.map(_write_picture, paths, pixels))  # `list` for the errors


def file_names(names: Sequence[str]) -> dict[str, str]:
    """The file for each picture, relative to the folder: its own path, with the suffix `.png` instead of its own.

    If that is the name of several files (`a.jpg` and `a.png`, or `A.jpg`, which some systems take for the same), or the
    overview's, the suffix is added instead: `a.jpg.png`.

    Raises:
        ConfigError: a name leads out of the folder (it may come from a stranger's file), or two are equal.
    """
    short = {name: _with_suffix(name) for name in names}
    counts = Counter(file.casefold() for file in [OVERVIEW, *short.values()])
    files = {name: file if counts[file.casefold()] == 1 else f"{name}.png" for name, file in short.items()}
    if len({file.casefold() for file in files.values()}) < len(names):
        raise ConfigError("INPUT", "several of the pictures have the same name")
    return files


def _with_suffix(name: str) -> str:
    path = Path(name)
    if not path.name or path.anchor or ".." in path.parts or "\0" in name:
        raise ConfigError("INPUT", "a picture's name leads out of the folder", value=name)
    return f"{path.with_suffix('') if path.suffix.lower() in SUFFIXES else path}.png"


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an image (H, W, C) as a PNG. It is not flushed to the disk, which would take longer than the rest."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.new")  # short: a name may have the greatest length allowed
    try:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(temporary, format="PNG")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
