"""The style of all pictures, a page measured in pixels, text widths, and the way to disk.

Functions that draw import matplotlib, so that measuring a picture does not.
"""

from __future__ import annotations

import bisect
import functools
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoenc.runs import write_atomically

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

# A power of two, so that whole pixels are exact in matplotlib's inches.
DPI = 128

# Points. No text is smaller than SMALL: long text is wrapped, or the page grows.
TITLE, LABEL, SMALL = 17, 14, 12

MOST_PAGE_WIDTH = 1860
"""Pixels: shown 1,400 pixels wide, such a page has text of at least 16 pixels."""

INK, FRAME, GRID = "#1a1a1a", "#8c8c8c", "#d9d9d9"
MARGIN = 24  # pixels around everything
PNG_LEVEL = 3  # of zlib: against its default, 6, two thirds of the time for 4 % larger files
BASELINE = 0.76  # the share of a line's height above the baseline

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: pictures are the same on every machine
    "font.size": LABEL,
    "axes.labelsize": LABEL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "svg.hashsalt": "autoenc",  # instead of a random one
    "pdf.fonttype": 42,  # text stays text, for search and for later edits
    "text.parse_math": False,  # a title or a class name may contain a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FRAME,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FRAME,
    "ytick.color": FRAME,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save in our own style; the caller's rcParams are restored afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        # As `mpl.rcdefaults` does, without reading every style file of matplotlib for a tenth of a second.
        defaults = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith("backend")}
        mpl.rcParams.update(defaults)
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        # The font may lack the script of a class name. The picture shows empty boxes; a warning for each letter would
        # add nothing, and under `-W error` it would stop a finished run.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def save(figure: Figure, path: Path, *, part: Bbox | None = None) -> None:
    """Write the figure as `.png`, `.svg` or `.pdf`, whole or not at all; OSError leaves an older file as it was.

    `part` is for `.svg` and `.pdf`: a rectangle in inches, which may be larger than the figure; None for the figure.
    """
    if path.suffix == ".png":
        write_png(pixels_of(figure), path)
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    content = io.BytesIO()
    FigureCanvasAgg(figure)
    kind = path.suffix.removeprefix(".")
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # the same figure is the same file
    figure.savefig(content, format=kind, dpi=DPI, metadata=undated[kind], bbox_inches=part)
    write_atomically(path, content.getvalue())


def pixels_of(figure: Figure) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return drawn_pixels(canvas)


def drawn_pixels(canvas: FigureCanvasAgg) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) that are drawn on a canvas so far."""
    drawn = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return drawn[..., :3].copy()


def write_png(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write pixels (H, W, 3), completely or not at all; OSError leaves an older file as it was."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="png", dpi=(DPI, DPI), compress_level=PNG_LEVEL)
    write_atomically(path, content.getvalue())


class Page:
    """A white figure whose coordinates are pixels from its top left corner."""

    def __init__(self, *, width: int, height: int) -> None:
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D

        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        # Through inches: vector formats have 72 dots in one, whatever the figure has.
        self._pixels = Affine2D().scale(1 / DPI, -1 / DPI).translate(0, height / DPI) + self.figure.dpi_scale_trans

    def text(
        self, text: str, *, x: float, y: float, size: float, horizontal: str = "left", vertical: str = "top"
    ) -> None:
        """Write one or more lines of text with their `vertical` part (top, center or bottom) at y."""
        above = {"top": 0.0, "center": 0.5, "bottom": 1.0}[vertical] * block_height(text, size)
        # Each line has its own baseline. Matplotlib places the box around the ink, so of two texts side by side the one
        # with a g or p in it would stand higher.
        for number, line in enumerate(text.splitlines()):
            baseline = y - above + (number + BASELINE) * line_height(size)
            self.figure.text(x, baseline, line, transform=self._pixels, fontsize=size, ha=horizontal, va="baseline")

    def line(self, points: Sequence[tuple[float, float]], *, color: str, width: float, marker: str = "") -> None:
        """Draw a line through points (x, y) over images; of one point its marker. The width is in points."""
        from matplotlib.lines import Line2D

        xs, ys = zip(*points, strict=True)
        line = Line2D(xs, ys, color=color, linewidth=width, marker=marker, markersize=width)
        line.set_transform(self._pixels)
        self.figure.add_artist(line)

    def image(self, pixels: NDArray[np.uint8], *, left: int, top: int, scale: int) -> None:
        """Draw an image (H, W, 3) with each pixel as a sharp block of scale x scale.

        An image in axes would be resampled, which blurs or widens single rows of pixels.
        """
        from matplotlib.patches import Rectangle

        from autoenc.pictures.artists import Blocks

        blocks = pixels.repeat(scale, axis=0).repeat(scale, axis=1)  # (scale H, scale W, 3)
        height, width = blocks.shape[:2]
        image = Blocks(self.figure, offsetx=left, offsety=self.height - top - height, origin="upper")
        image.set_data(blocks)
        self.figure.images.append(image)
        # One pixel wide and just outside the image: white images have an edge, and no pixel is covered.
        # Snapping would move these lines half a pixel into the image.
        style: dict[str, Any] = {"fill": False, "linewidth": 72 / DPI, "edgecolor": FRAME, "snap": False}
        frame = Rectangle((left - 0.5, top - 0.5), width + 1, height + 1, transform=self._pixels, **style)
        self.figure.add_artist(frame)

    def rectangle(self, *, left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
        """The place of axes as matplotlib expects it: left, bottom, width and height as shares of the figure."""
        bottom = self.height - top - height
        return (left / self.width, bottom / self.height, width / self.width, height / self.height)


def line_height(size: float) -> int:
    """Pixels from one line of text to the next."""
    return round(1.25 * size * DPI / 72)


def block_height(text: str, size: float) -> int:
    """The height of a text in pixels; 0 for an empty text."""
    return line_height(size) * len(text.splitlines())


def text_width(text: str, size: float) -> int:
    """The width of a text's longest line in pixels; call it inside `house_style`."""
    return max((_line_width(line, size) for line in text.splitlines()), default=0)


def wrapped(text: str, *, width: float, size: float) -> str:
    """Break the text into lines of at most `width` pixels: between words, after / - _, or inside long words."""
    return "\n".join(_filled(line, width=width, size=size) for line in text.splitlines())


def pieces(text: str) -> list[str]:
    """The parts between which a text may be broken into lines."""
    return [piece for piece in re.split(r"(?<=[ /_-])", text) if piece]


def _filled(line: str, *, width: float, size: float) -> str:
    def too_wide(parts: Sequence[str]) -> bool:
        return text_width("".join(parts).strip(), size) > width

    whole = text_width(line.strip(), size)
    if whole <= width:
        return line.strip()
    parts = [part for piece in pieces(line) for part in (piece if too_wide(piece) else [piece])]
    filled = []
    while parts:
        # Measuring is slow, so the search for the number of parts that fit begins where it will probably end.
        count = max(1, bisect.bisect(list(accumulate(map(len, parts))), len(line) * width / whole))
        while count > 1 and too_wide(parts[:count]):
            count -= 1
        while count < len(parts) and not too_wide(parts[: count + 1]):
            count += 1
        filled.append("".join(parts[:count]).strip())
        parts = parts[count:]
    return "\n".join(filled)


@functools.lru_cache(maxsize=4096)  # the frames of an animation repeat the same texts
def _line_width(line: str, size: float) -> int:
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=size)
    width, _, _ = _ruler().get_text_width_height_descent(line, font, False)  # type: ignore[no-untyped-call]
    return round(float(width))


@functools.cache
def _ruler() -> RendererAgg:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]
