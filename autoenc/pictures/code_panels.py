"""How large axes with codes on them are, and what stands around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from autoenc.pictures.class_colors import Legend, legend
from autoenc.pictures.code_axes import Box, Cloud, Window, histograms, scatter, tick_width
from autoenc.pictures.page import LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner

MOST_ROW, LEAST_ROW = 80, line_height(SMALL) + 4  # of a class in a histogram
MOST_COVERED = 0.15  # of the axes, by names


@dataclass(frozen=True)
class CodeAxes:
    """Axes of one size in all panels, with a window each; `left` and `foot` are for their ticks and names."""

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
        """What the legend needs at the right of the panels."""
        return self.legend.width if self.legend else 0

    @property
    def named(self) -> bool:
        """Whether there are names to be written among the points, and room for them."""
        area = sum((text_width(name, SMALL) + 8) * line_height(SMALL) for name in self.names)
        return len(self.names) > 1 and area <= MOST_COVERED * self.axes_width * self.axes_height

    @property
    def scattered(self) -> bool:
        """Whether there is a scatter, rather than histograms only."""
        return any(seen.dimensions == 2 for seen in self.windows)

    def draw(self, page: Page, cloud: Cloud, *, seen: Window, corner: Corner, axis_labels: Sequence[str]) -> None:
        """The axes of the panel whose content begins at the corner, with a cloud of points on them."""
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
    """Axes about `height` pixels high, and `aspect` times as wide; to be asked inside `house_style`.

    The legend may be as high as so many rows of axes.
    """
    scattered = any(seen.dimensions == 2 for seen in windows)
    width = round(height * aspect)
    if not scattered:
        height = len(names) * max(LEAST_ROW, min(MOST_ROW, height // len(names)))
    shaped = [seen.shaped(width / height) for seen in windows]
    wide = [tick_width(seen, names=names, height=height) for seen in shaped]
    across = [wrapped(labels[0], width=width, size=LABEL) for labels in axis_labels]
    up = [wrapped(labels[1], width=height, size=LABEL) for labels in axis_labels if len(labels) == 2]
    ups = max((block_height(label, LABEL) for label in up), default=0)
    return CodeAxes(
        names=names,
        windows=shaped,
        axes_width=width,
        axes_height=height,
        left=max(wide) + SPACE + (ups + SPACE if ups else 0),
        foot=line_height(SMALL) + SPACE + max(block_height(label, LABEL) for label in across) + SPACE,
        legend=legend(names, height=rows * height) if scattered and len(names) > 1 else None,
    )


def check_codes(
    points: NDArray[Any], labels: NDArray[Any], *, class_names: Sequence[str], axis_labels: Sequence[str]
) -> None:
    """Refuse points (..., N, D) and labels (N,) that do not fit one another, or the names."""
    if points.ndim < 2 or points.shape[-1] not in (1, 2) or len(axis_labels) != points.shape[-1]:
        raise ValueError(f"points: expected one or two numbers each, and an axis label for each, not {points.shape}")
    if labels.shape != points.shape[-2:-1]:
        raise ValueError(f"labels: expected one for each of {points.shape[-2]} points, not {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(class_names):
        raise ValueError(f"labels: expected indices into {len(class_names)} class names, not up to {labels.max()}")


def shared_names(names: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The class names that all panels have; ValueError if they have not the same."""
    if len(set(names)) > 1:
        raise ValueError("the panels show images of different classes")
    return names[0]


def explanation(layout: CodeAxes) -> str:
    """What is seen, in words."""
    classes = len(layout.names) > 1
    if layout.scattered:
        text = "A point is the code of a test image" + (", its colour the class" if classes else "")
        text += "; a class's name stands at the median of its codes" if layout.named else ""
    else:
        text = "Codes of the test images" + (" by class" if classes else "")
        text += "; heights are shares of a class's images, on one scale"
    return text + "."


def left_out(*, odd: int, beyond: int, of: int) -> str:
    """Sentences on how many codes are not finite, or lie beyond the axes; empty where there are none."""
    text = ""
    if beyond:
        text += f" {_are(beyond, of=of)} beyond the axes, drawn on their border."
    if odd:
        text += f" {_are(odd, of=of)} not finite, and left out."
    return text


def _are(count: int, *, of: int) -> str:
    return f"{count:,} of {of:,} codes {'is' if count == 1 else 'are'}"
