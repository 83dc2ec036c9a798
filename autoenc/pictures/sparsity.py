"""How sparse the activations of each layer are, by two measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.charts import row_axes, row_layout
from autoenc.pictures.page import SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture, columns_of

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.health import Activation
    from autoenc.pictures.subject import Subject

WIDTHS = {1: 1400, 2: 950, 3: 640}  # of a panel, by how many stand side by side
TICKS = [0, 0.25, 0.5, 0.75, 1]
ZEROS, HOYER = "#8fb8de", "#12355b"
THICKNESS = 0.36  # of a bar, in rows

LINE = (
    "Mean over the test images, layer by layer from the image to the code. Light: the share of activations that are "
    "exactly 0. Dark: Hoyer's sparsity of the activations: 0 if all are equally large, 1 if only one is not 0; normal "
    "random numbers have 0.2."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sparsity(Picture):
    """Two numbers from 0 to 1 for each layer."""

    kind: ClassVar[str] = "sparsity"

    layers: tuple[str, ...]
    zeros: NDArray[np.float64]
    """The share of activations that are exactly zero, (L,)."""
    hoyer: NDArray[np.float64]
    """Hoyer's sparsity, (L,); NaN if undefined."""

    @classmethod
    def measure(cls, subject: Subject) -> Self:
        """Measure each nonlinearity of the encoder, and the code, on the clean test images."""
        from autoenc.evaluation.health import observed

        layers: list[_Layer] = []
        for observation in observed(subject.model, subject.test_images, device=subject.device, decoder=False):
            layers = layers or [_Layer(activation) for activation in observation.activations]
            for layer, activation in zip(layers, observation.activations, strict=True):
                layer.add(activation.values)
        return cls(
            layers=tuple(layer.name for layer in layers),
            zeros=np.array([layer.zeros for layer in layers]),
            hoyer=np.array([layer.hoyer for layer in layers]),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw two bars for each layer, each with its number."""
        columns = columns_of(panels)
        width = WIDTHS[columns]
        layout = row_layout(
            [panel.picture.layers for panel in panels],
            width=width,
            most_name=width // 3,
            least_height=2 * line_height(SMALL) + 16,
            columns_width=text_width("Hoyer 0.123", SMALL) + SPACE,
            label="share of zeros, Hoyer's sparsity",
        )
        headings = [panel.label for panel in panels]
        page, corners, _ = panel_page(
            headings, width=width, height=layout.height, columns=columns, title=title, line=LINE
        )
        for index, (panel, corner) in enumerate(zip(panels, corners, strict=True)):
            scale = ValueAxis("linear", 0, 1, TICKS, minor_ticks=[], note="")
            axes = row_axes(page, layout, panel=index, corner=corner, scale=scale)
            _draw(axes, panel.picture)
        return page.figure


class _Layer:
    """A layer's sums over the images."""

    def __init__(self, activation: Activation) -> None:
        self.name = activation.name.removeprefix("encoder ")
        self._zeros = 0
        self._entries = 0
        self._hoyer = 0.0
        self._images = 0

    def add(self, values: Tensor) -> None:
        """Add the values of a batch, (B, units) or (B, units, H, W)."""
        flat = values.flatten(1)
        self._zeros += int((flat == 0).sum())  # synchronises, as do the next lines
        self._entries += flat.numel()
        measured = hoyer(flat)
        measured = measured[measured.isfinite()]
        self._hoyer += float(measured.double().sum())
        self._images += len(measured)

    @property
    def zeros(self) -> float:
        """The share of exact zeros."""
        return self._zeros / self._entries

    @property
    def hoyer(self) -> float:
        """The mean over the images for which it is defined."""
        return self._hoyer / self._images if self._images else math.nan


def hoyer(values: Tensor) -> Tensor:
    """Hoyer's sparsity of each row of (B, n), (B,): 0 if all entries are equally large, 1 if only one is not zero.

    Hoyer 2004, JMLR 5, section 3.1: (sqrt(n) - |x|_1 / |x|_2) / (sqrt(n) - 1). NaN for a row of zeros or of one entry.
    """
    root = math.sqrt(values.shape[1])
    if root == 1:
        return values.new_full((len(values),), math.nan)
    ratio: Tensor = values.abs().sum(1) / values.norm(dim=1)  # 0 / 0 for zeros
    return (root - ratio) / (root - 1)


def _draw(axes: Axes, picture: Sparsity) -> None:
    for name, values, color, offset in (
        ("zeros", picture.zeros, ZEROS, -THICKNESS / 2),
        ("Hoyer", picture.hoyer, HOYER, THICKNESS / 2),
    ):
        places = np.arange(len(picture.layers)) + offset
        axes.barh(places, np.nan_to_num(values), height=THICKNESS, color=color, label=name)
        for place, value in zip(places, values, strict=True):
            written = f"{value:.3f}" if np.isfinite(value) else "undefined"
            axes.annotate(
                f"{name} {written}",
                xy=(value if np.isfinite(value) else 0, place),
                xytext=(6, 0),
                textcoords="offset pixels",
                verticalalignment="center",
                size=SMALL,
                annotation_clip=False,
            )
