"""Straight lines in code space from one test image to another, decoded on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from autoenc.pictures.image_pixels import as_pixels, remark
from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.page import LABEL, wrapped
from autoenc.pictures.picture import Panel, Picture, noted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.subject import Subject

ROWS, STEPS = 5, 9
MOST_COLUMNS = 2
MAX_NAME = 160  # pixels of a class's name, then it is wrapped


@dataclass(frozen=True, kw_only=True, eq=False)
class Interpolations(Picture):
    """Test images and, between two of them, decoded codes on the line from one code to the other."""

    starts: NDArray[Any]
    """(R, C, H, W) in [0, 1]: the test images that the lines begin at."""
    images: NDArray[Any]
    """(R, S, C, H, W) in [0, 1] scale: decoded at even steps, including the codes of both ends."""
    ends: NDArray[Any]
    """(R, C, H, W) in [0, 1]."""
    start_names: tuple[str, ...]
    """Their classes, (R,)."""
    end_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Sentences on the codes."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Go from the first of the shown images to the second, from the third to the fourth, and so on, in 9 steps.

        None with fewer than two images.
        """
        import torch

        from autoenc.pictures.subject import stored

        images, names = subject.shown, subject.shown_names
        starts = slice(0, min(2 * ROWS, len(images) // 2 * 2), 2)
        ends = slice(1, starts.stop, 2)
        if not starts.stop:
            return None
        codes = subject.shown_codes  # (K, code_size)
        shares = torch.linspace(0, 1, STEPS)[:, None]  # (S, 1)
        path = torch.lerp(codes[starts, None], codes[ends, None], shares)  # (R, S, code_size)
        made = subject.decode(path.flatten(0, 1))
        return cls(
            starts=stored(images[starts]),
            images=stored(made).reshape(*path.shape[:2], *made.shape[1:]),
            ends=stored(images[ends]),
            start_names=names[starts],
            end_names=names[ends],
            notes=subject.code_notes,
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a row for each line, with the test images and their classes at its ends."""
        said = remark(*(panel.picture.images for panel in panels))
        line = (
            "At both ends, test images. Between them, decoded codes at even steps on the straight line from one "
            "image's code to the other's."
        )
        line = " ".join([line, *noted(picture for _, picture in panels), said])
        blocks = [_block(label, picture) for label, picture in panels]
        return image_strips(blocks, columns=MOST_COLUMNS, title=title, line=line.strip())


def _block(label: str, picture: Interpolations) -> Block:
    starts, images, ends = (as_pixels(part) for part in (picture.starts, picture.images, picture.ends))
    strips = tuple(
        Strip(
            (starts[row : row + 1], images[row], ends[row : row + 1]),
            label=wrapped(picture.start_names[row], width=MAX_NAME, size=LABEL),
            end_label=wrapped(picture.end_names[row], width=MAX_NAME, size=LABEL),
        )
        for row in range(len(images))
    )
    steps = images.shape[1]
    written = {index: f"{100 * index / max(steps - 1, 1):.3g} %" for index in (0, steps // 2, steps - 1)}
    shares = [written.get(index, "") for index in range(steps)]
    return Block(label, strips, captions=(("image",), tuple(shares), ("image",)))
