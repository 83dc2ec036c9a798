"""Axes with the codes of images: a scatter of two numbers, or a histogram of one number for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.class_colors import look
from autoenc.pictures.page import DPI, INK, LABEL, SMALL, Page, line_height, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TAIL = 0.5  # per cent of the codes on each side that may lie outside of the window
ROOM = 0.06  # of the window, around the codes
BINS = 100
LARGE = 700  # axes so high have names in larger letters
LAYERS = 20  # in which points of several markers are drawn, so that no class hides the others


class Box(NamedTuple):
    """The place of axes, in pixels of the page."""

    left: int
    top: int
    width: int
    height: int

    def axes(self, page: Page) -> Axes:
        """Empty axes at this place."""
        return page.figure.add_axes(page.rectangle(left=self.left, top=self.top, width=self.width, height=self.height))


class Window(NamedTuple):
    """The part of the plane or the line that is drawn: (D,) each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def dimensions(self) -> int:
        """1 or 2."""
        return len(self.low)

    @property
    def aspect(self) -> float:
        """Width by height; 1 of a line."""
        size = self.high - self.low
        return float(size[0] / size[-1])

    def shaped(self, aspect: float) -> Window:
        """The window enlarged around its middle to that aspect; a line stays as it is."""
        if self.dimensions == 1:
            return self
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        width = max(half[0], half[1] * aspect)
        half = np.array([width, width / aspect])
        return Window(middle - half, middle + half)


def window(points: NDArray[Any]) -> Window:
    """A window for the finite ones of points (N, D): their central 99 %, or all of them if that is little more."""
    points = points[np.isfinite(points).all(axis=1)].astype(np.float64)
    if not len(points):
        return Window(-np.ones(points.shape[1]), np.ones(points.shape[1]))
    low, high = np.percentile(points, [TAIL, 100 - TAIL], axis=0)
    least = 1e-6 * np.maximum(np.abs(low), np.abs(high)) + 1e-12  # for codes that are all the same
    reach = np.maximum(0.25 * (high - low), least)
    low, high = np.maximum(points.min(axis=0), low - reach), np.minimum(points.max(axis=0), high + reach)
    room = ROOM * np.maximum(high - low, 2 * least)
    room = np.where(high - low < least, 0.5 * np.maximum(np.abs(high), 1), room)
    return Window(low - room, high + room)


def scatter(
    axes: Axes, points: NDArray[np.float64], labels: NDArray[Any], *, names: Sequence[str], seen: Window, box: Box
) -> None:
    """Draw finite points (N, 2) in the colours of their classes (N,), and the classes' names, if any, at their medians.

    Points outside the window are drawn on its border. The window has the aspect of the box (`Window.shaped`), so both
    axes have the same unit length.
    """
    axes.set_ylim(seen.low[1], seen.high[1])
    axes.set_yticks(*ticks(seen.low[1], seen.high[1], pixels=box.height))
    axes.grid()
    points = np.clip(points, seen.low, seen.high)
    _draw_points(axes, points, labels, box=box)
    if names and len(points):
        _write_names(axes, points, labels, names=names, seen=seen, box=box)


def histograms(
    axes: Axes, values: NDArray[np.float64], labels: NDArray[Any], *, names: Sequence[str], seen: Window
) -> None:
    """Draw a histogram of finite values (N,) for each class, one above the other; heights are shares of the class."""
    edges = np.linspace(seen.low[0], seen.high[0], BINS + 1)
    values = np.clip(values, edges[0], edges[-1])
    counts = np.array([np.histogram(values[labels == index], edges)[0] for index in range(len(names))])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares *= 0.92 / max(shares.max(), 1e-12)
    for index, share in enumerate(shares):
        base = len(names) - 1 - index
        axes.stairs(base + share, edges, baseline=base, fill=True, color=look(index).color)
        axes.stairs(base + share, edges, baseline=base, color=INK, linewidth=0.6)
    axes.set_ylim(0, len(names))
    axes.set_yticks(np.arange(len(names)) + 0.25, list(reversed(names)) if len(names) > 1 else [""])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def ticks(low: float, high: float, *, pixels: int) -> tuple[list[float], list[str]]:
    """Round numbers from low to high, and their texts."""
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(nbins=max(2, min(9, pixels // 110)), steps=[1, 2, 5, 10])
    ticks = [float(tick) for tick in locator.tick_values(float(low), float(high)) if low <= tick <= high]
    return ticks, [f"{tick:.6g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]


def _draw_points(axes: Axes, points: NDArray[np.float64], labels: NDArray[Any], *, box: Box) -> None:
    """In a fixed random order: in the order of the classes, the last would hide the others."""
    from autoenc.pictures.artists import Cloud

    order = np.random.default_rng(0).permutation(len(points))
    layers = [
        (points[layer[labels[layer] == label]], look(int(label)))
        for layer in np.array_split(order, LAYERS)
        for label in np.unique(labels[layer])
    ]
    # The markers share a third of the axes' area, so that the cloud is neither thin nor a blot.
    area = float(np.clip(0.35 * box.width * box.height / max(len(points), 1), 5, 90))
    axes.add_artist(Cloud(layers, diameter=area**0.5 * 72 / DPI))


def _write_names(
    axes: Axes, points: NDArray[np.float64], labels: NDArray[Any], *, names: Sequence[str], seen: Window, box: Box
) -> None:
    """Each class's name at the median of its codes; if another name is there, next to it, with a line to the median."""
    from matplotlib.patheffects import withStroke

    present = np.unique(labels).tolist()
    size = LABEL if box.height >= LARGE else SMALL
    medians = np.array([np.median(points[labels == index], axis=0) for index in present])
    pixels = np.array([box.width, box.height])
    scale = pixels / (seen.high - seen.low)
    sizes = np.array([[text_width(names[index], size) + 8, line_height(size)] for index in present], dtype=np.float64)
    places = apart((medians - seen.low) * scale, sizes=sizes, page=pixels)
    for index, median, place, room in zip(present, medians, places, sizes, strict=True):
        at = seen.low + place / scale
        if (np.abs((at - median) * scale) > room / 2).any():
            axes.plot([at[0], median[0]], [at[1], median[1]], color=INK, linewidth=0.8, marker="o", markevery=[1])
        halo = withStroke(linewidth=4, foreground="white")
        axes.text(at[0], at[1], names[index], size=size, weight="bold", ha="center", va="center", path_effects=[halo])


def apart(
    places: NDArray[np.float64], *, sizes: NDArray[np.float64], page: NDArray[Any], rounds: int = 300
) -> NDArray[np.float64]:
    """The centres (K, 2) of boxes of these sizes (K, 2), pushed until no two overlap, as far as the page allows."""
    places = np.clip(places, sizes / 2, page - sizes / 2)
    places += 1e-3 * np.random.default_rng(0).standard_normal(places.shape)  # boxes at one place need a direction
    for _ in range(rounds):
        offset = places[:, None] - places[None]  # (K, K, 2)
        overlap = (sizes[:, None] + sizes[None]) / 2 - np.abs(offset)
        touching = (overlap > 0).all(axis=-1) & ~np.eye(len(places), dtype=np.bool_)
        if not touching.any():
            break
        nearest = np.argmin(overlap, axis=-1)  # the shorter way out, across or up
        push = np.take_along_axis(overlap * np.sign(offset), nearest[..., None], axis=-1)[..., 0] * touching
        for axis in (0, 1):
            places[:, axis] += 0.3 * np.where(nearest == axis, push, 0).sum(axis=1)
        places = np.clip(places, sizes / 2, page - sizes / 2)
    return places
