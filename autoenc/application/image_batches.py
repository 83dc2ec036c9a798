"""Batches of images in the shape of a model's, whatever they are read from."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from autoenc import progress
from autoenc.data.datasets.image_files import MAX_PIXELS, ReadPicture, Resize, read_picture
from autoenc.data.datasets.image_shapes import shaped
from autoenc.data.datasets.picture_facts import resizing
from autoenc.runs import printable
from autoenc.trained_model import PixelLimits

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Some images and their names."""

    names: Sequence[str]
    images: Tensor
    """(B, C, H, W): uint8 from 0 to 255, or floats in [0, 1]."""

    @property
    def floats(self) -> Tensor:
        """The images in [0, 1], float32."""
        return self.images.float() / 255 if self.images.dtype == torch.uint8 else self.images.float()


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Images that can be read in batches."""

    description: str
    """Where they are from, in a few words."""
    names: Sequence[str]
    """Their unique names; some images may turn out to be unreadable."""
    batches: Callable[[int], Generator[Batch, None, None]]
    """The images in order, at most so many at a time. Raises ConfigError if an image is invalid or cannot be read."""
    check: Callable[[int], None] = lambda size: None  # noqa: ARG005
    """Checks that all batches of at most so many are valid and can be read, unless unreadable images may be skipped.
    Raises ConfigError if some are not."""
    facts: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Facts about the images of a dataset: `split`, its name; `labels` and `indices`, one for each image."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How images are brought to the shape of a model's images, (C, H, W).

    `autoenc.data.datasets.image_files.read_picture` explains `resize`, `white` and `max_pixels`. `invert` makes black
    white and white black. `pixel_limits` are the shares of an array's pixels that may be outside of [0, 1]: see
    `scale_problem`.
    """

    image_shape: tuple[int, int, int]
    resize: Resize
    invert: bool
    white: float | None = None
    max_pixels: int = MAX_PIXELS
    pixel_limits: PixelLimits = field(default_factory=PixelLimits)

    def read(self, path: Path) -> ReadPicture:
        """The picture in a file. Raises UnreadablePicture if there is none in it."""
        channels, height, width = self.image_shape
        size = (height, width)
        read = read_picture(
            path, channels=channels, size=size, resize=self.resize, white=self.white, max_pixels=self.max_pixels
        )
        return read._replace(image=255 - read.image) if self.invert else read

    def log_resizing(self, sizes: Counter[tuple[int, int]], *, description: str) -> None:
        """Log how many pictures, counted by (width, height), are cropped, padded or stretched."""
        if line := resizing(sizes, size=self.image_shape[1:], resize=self.resize, option="--resize "):
            log.info("%s: %s", printable(description), line)

    def fit(self, images: Tensor) -> Tensor:
        """Images (B, 1 or 3, H', W'), uint8 or floats in [0, 1], as (B, C, H, W) of the same type."""
        if self.invert:
            images = 255 - images if images.dtype == torch.uint8 else 1 - images
        return shaped(images, image_shape=self.image_shape, resize=self.resize)


@contextmanager
def read_batches(source: ImageSource, *, size: int, task: str) -> Iterator[Iterator[Batch]]:
    """The batches of a source; a bar shows the progress of the task."""
    with counting_bar(task, total=len(source.names)) as advance, closing(source.batches(size)) as batches:

        def counted_batches() -> Iterator[Batch]:
            for batch in batches:
                yield batch
                advance(len(batch.names))

        yield counted_batches()


@contextmanager
def counting_bar(task: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; call the result with the number of pictures that were added."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn())
    left = (TimeRemainingColumn(), TextColumn("left"))
    hidden = not progress.console.is_terminal
    with Progress(*columns, *left, console=progress.console, transient=True, disable=hidden, expand=True) as bar:
        task_id = bar.add_task(task, total=total)
        yield lambda count: bar.advance(task_id, count)


def numbered(positions: Sequence[int]) -> list[str]:
    """Names for images or codes that have none: their positions, as numbers of equal length."""
    digits = len(str(max(positions)))
    return [f"{number:0{digits}d}" for number in positions]


def counted(count: int) -> str:
    """A number of pictures, in words."""
    return f"{count:,} picture" if count == 1 else f"{count:,} pictures"


def check_finite(values: Tensor, *, names: Sequence[str]) -> None:
    """Raise ValueError if a value that a model computed, (B, ...), for the inputs of these names is not finite."""
    finite = values.flatten(1).isfinite().all(1)
    if not finite.all():
        raise ValueError(f"the model's output for {names[int(finite.int().argmin())]} is not finite")
