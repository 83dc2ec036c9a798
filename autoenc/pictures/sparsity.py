"""How sparse the activations of each layer are, by two measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.charts import row_axes, row_layout
from autoenc.pictures.page import DPI, SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture, chart_width, columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.subject import Subject

ZEROS, HOYER = "#8fb8de", "#12355b"
THICKNESS = 0.36  # of a bar, in rows

LINE = (
    "Mean over the clean test images, layer by layer from the image to the code. Light: the share of activations that "
    "are exactly 0. Dark: Hoyer's sparsity of the activations: 0 if all are equally large, 1 if only one is not 0; "
    "normal random numbers have 0.2. An entry of the code is dead if it is the same for all images, or nearly so."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sparsity(Picture):
    """Two numbers from 0 to 1 for each layer."""

    layers: tuple[str, ...]
    zeros: NDArray[np.float64]
    """The share of activations that are exactly zero, (L,)."""
    hoyer: NDArray[np.float64]
    """Hoyer's sparsity, (L,); NaN if undefined."""
    code_size: int = 0
    """0 in the numbers of earlier runs, like the following."""
    alive: int = 0
    """How many entries of the code vary over the test images and, of a variational model, have not collapsed."""
    codes: int = 0
    """The number of test images."""
    zero_codes: int = 0
    """How many of them have a code of zeros only."""
    code_zeros: float = math.nan
    """The last of `zeros`; NaN in the numbers of earlier runs, like the following."""
    code_hoyer: float = math.nan
    """The last of `hoyer`."""
    alive_zeros: float = math.nan
    """The share of zeros among the entries of the code that are alive; 0 if none is."""
    alive_hoyer: float = math.nan
    """Hoyer's sparsity of the entries of the code that are alive; 0 if fewer than two are: one is as large as all."""

    @classmethod
    def measure(cls, subject: Subject) -> Self:
        """Measure each nonlinearity of the encoder, and the code, on the clean test images."""
        from autoenc.evaluation.batches import batches
        from autoenc.evaluation.health.activations import observed
        from autoenc.pictures.subject import finite

        layers: tuple[str, ...] = ()
        totals: NDArray[np.float64] = np.zeros(4)
        images = batches(subject.splits.test.images, device=subject.device)
        for observation in observed(subject.model, images, decoder=False):
            layers = tuple(activation.name.removeprefix("encoder ") for activation in observation.activations)
            totals = totals + np.array([_sums(activation.values.flatten(1)) for activation in observation.activations])
        zeros, entries, sparsities, defined = totals.T
        codes = subject.codes(subject.splits.test.images)  # (N, code_size)
        alive = ~_dead(finite(codes)) & ~subject.collapsed_entries
        alive_zeros, alive_entries, alive_sparsities, alive_defined = _sums(codes[:, alive])
        with np.errstate(invalid="ignore"):
            zeros, hoyers = zeros / entries, sparsities / defined
            return cls(
                layers=layers,
                zeros=zeros,
                hoyer=hoyers,
                code_size=codes.shape[1],
                alive=int(alive.sum()),
                codes=len(codes),
                zero_codes=int((codes == 0).all(1).sum()),
                code_zeros=float(zeros[-1]),
                code_hoyer=float(hoyers[-1]),
                alive_zeros=alive_zeros / max(1, alive_entries),
                alive_hoyer=alive_sparsities / max(1, alive_defined),
            )

    @property
    def remark(self) -> str:
        """How much of the code is alive, in words."""
        if not self.code_size:
            return ""
        if not self.alive:
            return "the code has collapsed: none of its entries depends on the image"
        entries = f"{self.alive} of {self.code_size} entries of the code are alive"
        if 0 < self.alive < self.code_size and math.isfinite(self.alive_zeros):
            entries += f", and {100 * self.alive_zeros:.0f} % of their values are 0"
        zeros = f"{self.zero_codes:,}" if self.zero_codes else "none"
        return f"{entries}; {zeros} of {self.codes:,} codes {'is' if self.zero_codes == 1 else 'are'} 0"

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw two bars for each layer, each with its number."""
        columns = columns_of(panels)
        width = chart_width(columns)
        layout = row_layout(
            [panel.picture.layers for panel in panels],
            width=width,
            most_name=width // 3,
            least_height=2 * line_height(SMALL) + 16,
            columns_width=text_width("Hoyer 0.123", SMALL) + SPACE,
            label="share of zeros, Hoyer's sparsity",
        )
        names = [panel.heading for panel in panels]
        page, corners, _ = panel_page(names, width=width, height=layout.height, columns=columns, title=title, line=LINE)
        scale = ValueAxis("linear", 0, 1, [0, 0.25, 0.5, 0.75, 1], minor_ticks=[], note="")
        for index, (panel, corner) in enumerate(zip(panels, corners, strict=True)):
            _draw(row_axes(page, layout, panel=index, corner=corner, scale=scale), panel.picture)
        return page.figure


def _dead(codes: Tensor) -> Tensor:
    """Which entries of the codes (N, code_size) are dead, as the health report counts them, bool (code_size,)."""
    from autoenc.evaluation.health.units import UnitStatistics, dead

    codes = codes.double()
    variances, squares = codes.var(0, correction=0), codes.square().mean(0)
    units = UnitStatistics(name="code", variances=variances, mean_squares=squares, saturation=None)
    return dead(units) | ~variances.isfinite()  # without finite codes


def _sums(values: Tensor) -> tuple[float, float, float, float]:
    """Of a batch of activations (B, n): the zeros, the entries, the sum of Hoyer's sparsities, and how many exist."""
    zeros, sparsities = float((values == 0).sum()), hoyer(values).cpu()  # synchronizes
    sparsities = sparsities[sparsities.isfinite()]
    return zeros, values.numel(), float(sparsities.double().sum()), len(sparsities)


def hoyer(values: Tensor) -> Tensor:
    """Hoyer's sparsity of each row of (B, n), (B,): 0 if all entries are equally large, 1 if only one is not zero.

    Hoyer 2004, JMLR 5, section 3.1: (sqrt(n) - |x|_1 / |x|_2) / (sqrt(n) - 1). NaN for a row of zeros, of one entry or
    of none.
    """
    root = math.sqrt(values.shape[1])
    if root <= 1:
        return values.new_full((len(values),), math.nan)
    ratio: Tensor = values.abs().sum(1) / values.norm(dim=1)  # 0 / 0 for zeros
    return (root - ratio) / (root - 1)


def _draw(axes: Axes, picture: Sparsity) -> None:
    for name, values, color, offset in (
        ("zeros", picture.zeros, ZEROS, -THICKNESS / 2),
        ("Hoyer", picture.hoyer, HOYER, THICKNESS / 2),
    ):
        places = np.arange(len(picture.layers)) + offset
        bars = axes.barh(places, np.nan_to_num(values), height=THICKNESS, color=color, label=name)
        texts = [f"{name} {value:.3f}" if np.isfinite(value) else f"{name} undefined" for value in values]
        axes.bar_label(bars, texts, padding=6 * 72 / DPI, size=SMALL)
