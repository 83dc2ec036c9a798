"""Images beside what the autoencoder makes of them: at the end, and through training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_grid import ColumnTexts, ImageRow, image_grid
from autoenc.pictures.image_pixels import ColorScale, as_pixels, error_text, remark
from autoenc.pictures.page import house_style, save

if TYPE_CHECKING:
    import torch

    Images: TypeAlias = NDArray[Any] | torch.Tensor

MAX_EPOCHS_SHOWN = 8
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
NO_TEXTS = ColumnTexts("", ())


def draw_reconstructions(
    originals: Images,
    *,
    noisy: Images | None = None,
    reconstructions: Images,
    path: Path,
    title: str,
    captions: Sequence[str] | None,
) -> None:
    """Rows: the originals, their noisy versions if there are any, the reconstructions, the error; a column an image.

    Images are (N, C, H, W) floats on the [0, 1] scale, C being 1 or 3. What leaves [0, 1] is clipped to be shown, and
    the row's label says so; the errors are those of the values as they are. Under each column stands its mean squared
    error over pixels and channels.

    Raises:
        ValueError: the images are not such, their shapes differ, or there are not N captions.
        OSError: the picture cannot be written; an old one is kept.
    """
    clean = _checked(originals, name="originals")
    made = _checked(reconstructions, name="reconstructions", like=clean)
    rows = [_image_row("original", clean)]
    if noisy is not None:
        rows.append(_image_row("noisy input", _checked(noisy, name="noisy", like=clean)))
    # Absolute error on one hue from light to dark, not signed error on a diverging map: the two ends of a diverging map
    # are equally dark, so that in grey print too bright and too dark look alike while seeming to differ.
    error = np.abs(made - clean).mean(axis=1)  # (N, H, W)
    scale = ColorScale(
        "absolute error of a pixel, |reconstruction \N{MINUS SIGN} original|" + _over_channels(clean),
        "Reds",
        low=0,
        high=_error_limit(error),
    )
    rows += [_image_row("reconstruction", made), ImageRow("error", scale.pixels(np.nan_to_num(error, nan=np.inf)))]
    squared = ((made - clean) ** 2).mean(axis=(1, 2, 3))  # (N,)
    notes = ColumnTexts("MSE", tuple(error_text(value) for value in squared))
    with house_style():
        grid = image_grid(rows, title=title, captions=_captions(captions, clean), notes=notes, color_scale=scale)
        save(grid, path)


def draw_progress(
    originals: Images,
    *,
    snapshots: Sequence[tuple[int, Images]],
    path: Path,
    title: str,
    captions: Sequence[str] | None,
) -> None:
    """Rows: the originals, then their reconstructions after each snapshot's epoch; a column an image.

    Of many snapshots eight are shown, evenly chosen, the first and the last among them, and the title says so. Epoch 0
    is the untrained model. Images are as in `draw_reconstructions`.

    Raises:
        ValueError: as in `draw_reconstructions`, or there are no snapshots, or their epochs do not rise.
        OSError: the picture cannot be written; an old one is kept.
    """
    clean = _checked(originals, name="originals")
    epochs = [epoch for epoch, _ in snapshots]
    if not epochs or any(later <= earlier for earlier, later in itertools.pairwise(epochs)):
        raise ValueError(
            f"snapshots: expected at least one, in the order of their epochs, not those of epochs {epochs}"
        )
    rows = [_image_row("original", clean)]
    shown = [snapshots[index] for index in evenly_chosen(len(snapshots), most=MAX_EPOCHS_SHOWN)]
    for epoch, images in shown:
        made = _checked(images, name=f"snapshot of epoch {epoch}", like=clean)
        rows.append(_image_row(f"epoch {epoch}" if epoch else "before training", made))
    if len(shown) < len(snapshots):
        left_out = f"({len(shown)} of {len(snapshots)} snapshots)"
        title = f"{title} {left_out.replace(' ', NO_BREAK_SPACE)}"
    with house_style():
        grid = image_grid(rows, title=title, captions=_captions(captions, clean), notes=NO_TEXTS, color_scale=None)
        save(grid, path)


def evenly_chosen(count: int, *, most: int) -> list[int]:
    """At most `most` (two or more) of the indices below `count`, evenly spread, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})


def _checked(images: Images, *, name: str, like: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or array.size == 0:
        expected = "images of shape (N, C, H, W), with at least one image and one or three channels"
        raise ValueError(f"{name}: expected {expected}, not {array.shape}")
    if like is not None and array.shape != like.shape:
        raise ValueError(f"{name}: expected the shape of the originals, {like.shape}, not {array.shape}")
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name}: expected floats on the [0, 1] scale, not {array.dtype}")
    return array.astype(np.float64)


def _image_row(label: str, images: NDArray[np.float64]) -> ImageRow:
    """The images as they are shown, with a word in the label when that is not as they are."""
    return ImageRow(f"{label}\n{remark(images)}".strip(), as_pixels(images))


def _captions(captions: Sequence[str] | None, images: NDArray[np.float64]) -> ColumnTexts:
    if captions is None:
        return NO_TEXTS
    if len(captions) != len(images):
        raise ValueError(f"captions: expected one for each of {len(images)} images, not {len(captions)}")
    return ColumnTexts("", tuple(str(caption) for caption in captions))


def _over_channels(images: NDArray[np.float64]) -> str:
    return ", mean over channels" if images.shape[1] > 1 else ""


def _error_limit(error: NDArray[np.float64]) -> float:
    """The end of the error's scale: the largest error, rounded up to a number that reads well."""
    largest = max(float(error[np.isfinite(error)].max(initial=0)), 1 / 255)  # less than a grey level is no error
    power = 10 ** np.floor(np.log10(largest))
    return float(next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= largest * (1 - 1e-9)))
