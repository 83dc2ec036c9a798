"""Panels with axes of codes: their size, their texts, and their legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoenc.pictures.class_colors import Legend, legend
from autoenc.pictures.code_axes import Box, Cloud, Window, histograms, scatter, ticks
from autoenc.pictures.page import LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner

MOST_ROW, LEAST_ROW = 80, line_height(SMALL) + 4  # the height of a class in a histogram
MOST_COVERED = 0.15  # the share of the axes that names may cover


@dataclass(frozen=True)
class CodeAxes:
    """Axes of one size in all panels, each with its window; `left` and `foot` have room for ticks and labels."""

    names: tuple[str, ...]
    windows: list[Window]
    axes_width: int
    axes_height: int
    left: int
    foot: int
    legend: Legend | None

    @property
    def width(self) -> int:
        """Of a panel."""
        return self.left + self.axes_width

    @property
    def height(self) -> int:
        """Of a panel."""
        return self.axes_height + self.foot

    @property
    def side(self) -> int:
        """The width of the legend to the right of the panels."""
        return self.legend.width if self.legend else 0

    @property
    def named(self) -> bool:
        """Whether the classes' names are written among the points: there are several, and they have room."""
        area = sum((text_width(name, SMALL) + 8) * line_height(SMALL) for name in self.names)
        return len(self.names) > 1 and area <= MOST_COVERED * self.axes_width * self.axes_height

    @property
    def scattered(self) -> bool:
        """Whether there is a scatter, not only histograms."""
        return any(seen.dimensions == 2 for seen in self.windows)

    def draw(self, page: Page, cloud: Cloud, *, seen: Window, corner: Corner, axis_labels: Sequence[str]) -> None:
        """Draw the points of the panel that begins at the corner."""
        box = Box(corner.left + self.left, corner.top, self.axes_width, self.axes_height)
        names = self.names if self.named or seen.dimensions == 1 else ()
        draw = scatter if seen.dimensions == 2 else histograms
        draw(page, cloud, names=names, seen=seen, box=box, axis_labels=axis_labels)


def code_axes(
    windows: Sequence[Window],
    *,
    names: tuple[str, ...],
    axis_labels: Sequence[Sequence[str]],
    height: int,
    aspect: float,
    rows: int = 1,
) -> CodeAxes:
    """Axes about `height` pixels high and `aspect` times as wide, with a legend as high as `rows` rows of them.

    Call it inside `house_style`.
    """
    scattered = any(seen.dimensions == 2 for seen in windows)
    width = round(height * aspect)
    if not scattered:
        height = len(names) * max(LEAST_ROW, min(MOST_ROW, height // len(names)))
    shaped = [seen.shaped(width / height) for seen in windows]
    numbers = [ticks(seen.low[1], seen.high[1], pixels=height)[1] if seen.dimensions == 2 else names for seen in shaped]
    wide = [text_width(text, SMALL) for texts in numbers for text in texts]
    across = [wrapped(labels[0], width=width, size=LABEL) for labels in axis_labels]
    up = [wrapped(labels[1], width=height, size=LABEL) for labels in axis_labels if len(labels) == 2]
    ups = max((block_height(label, LABEL) for label in up), default=0)
    return CodeAxes(
        names=names,
        windows=shaped,
        axes_width=width,
        axes_height=height,
        left=max(wide, default=0) + SPACE + (ups + SPACE if ups else 0),
        foot=line_height(SMALL) + SPACE + max(block_height(label, LABEL) for label in across) + SPACE,
        legend=legend(names, height=rows * height) if scattered and len(names) > 1 else None,
    )


def shared_names(names: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The class names of all panels; ValueError if they differ."""
    if len(set(names)) > 1:
        raise ValueError("the panels show images of different classes")
    return names[0]


def explanation(layout: CodeAxes) -> str:
    """What the picture shows, in words."""
    classes = len(layout.names) > 1
    if layout.scattered:
        text = "A point is the code of a test image" + (", its colour the class" if classes else "")
        text += "; a class's name stands at the median of its codes" if layout.named else ""
    else:
        text = "Codes of the test images" + (" by class" if classes else "")
        text += "; heights are shares of a class's images, on one scale"
    return text + "."


def left_out(*, odd: int, beyond: int, of: int) -> str:
    """Sentences on how many codes lie beyond the axes or are not finite; empty if there are none."""
    text = ""
    for count, fate in ((beyond, "beyond the axes, drawn on their border"), (odd, "not finite, and left out")):
        if count:
            text += f" {count:,} of {of:,} codes {'is' if count == 1 else 'are'} {fate}."
    return text
