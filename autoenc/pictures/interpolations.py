"""Straight lines in code space from one test image to another, decoded on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import as_pixels, check_images, remark
from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.page import LABEL, wrapped
from autoenc.pictures.picture import Panel, Picture

MOST_COLUMNS = 2
MAX_NAME = 160  # pixels of a class's name, then it is wrapped


@dataclass(frozen=True, kw_only=True, eq=False)
class Interpolations(Picture):
    """Real images and, between two of them, what the decoder makes of the codes on the line from one to the other."""

    kind: ClassVar[str] = "interpolations"

    starts: NDArray[Any]
    """(R, C, H, W) in [0, 1]: the test images that the lines begin at."""
    images: NDArray[Any]
    """(R, S, C, H, W) in [0, 1] scale: decoded at even steps, the codes of the two ends among them."""
    ends: NDArray[Any]
    """(R, C, H, W) in [0, 1]."""
    start_names: tuple[str, ...]
    """Their classes, (R,)."""
    end_names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_images(self.starts, name="starts", dimensions=4)
        check_images(self.images, name="images", dimensions=5)
        rows = {len(part) for part in (self.starts, self.images, self.ends, self.start_names, self.end_names)}
        if self.ends.shape != self.starts.shape or len(rows) > 1:
            raise ValueError(f"ends: expected as many as starts and names, not {self.ends.shape}")

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """A row for each line, the real images at its ends, with their classes' names."""
        said = remark(*(panel.picture.images for panel in panels))
        line = (
            "At both ends test images; between them, decoded, the codes at even steps on the straight line from the "
            f"first one's code to the last one's. {said}"
        )
        return image_strips(
            [_block(panel) for panel in panels],
            columns=MOST_COLUMNS,
            title=title,
            line=line.strip(),
        )


def _block(panel: Panel[Any]) -> Block:
    picture: Interpolations = panel.picture
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
    shares = [""] * steps
    for index in {0, steps // 2, steps - 1}:
        shares[index] = f"{100 * index / max(steps - 1, 1):.3g} %"
    return Block(panel.label, strips, captions=(("image",), tuple(shares), ("image",)))
