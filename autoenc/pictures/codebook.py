"""How often each entry of a codebook is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, integer_ticks, value_axis
from autoenc.pictures.charts import BASELINE_COLOR, BASELINE_LINE, chart_axes
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture, chart_width, columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from autoenc.pictures.subject import Subject

BAR = "#12355b"
FEW = 64  # entries: up to so many, bars have gaps between them
LINE = (
    "How much each entry of the codebook is used by all test images together (with noise if the run has noise), the "
    "most used first. Dotted: if all were used equally. Perplexity: the number of equally used entries with the same "
    "entropy. Unused: by no test image."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Codebook(Picture):
    """The number of uses of each entry by all test images; with noise, by the noisy ones."""

    uses: NDArray[np.int64]
    """(K,), in the codebook's order."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Count the uses; None for a bottleneck without a codebook."""
        import torch

        from autoenc.models.bottlenecks.vector_quantized import VectorQuantized

        bottleneck = subject.model.bottleneck
        if not isinstance(bottleneck, VectorQuantized):
            return None
        indices = torch.cat([output.indices for output in subject.test_outputs() if output.indices is not None])
        return cls(uses=bottleneck.uses(indices).long().cpu().numpy())

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of uses, (K,), the largest first."""
        return np.asarray(np.sort(self.uses)[::-1] / self.uses.sum(), dtype=np.float64)

    @property
    def perplexity(self) -> float:
        """The exponential of the entropy of the shares, from 1 to K."""
        used = self.shares[self.shares > 0]
        return float(np.exp(-(used * np.log(used)).sum()))

    @property
    def unused(self) -> int:
        """How many entries no test image uses."""
        return int((self.uses == 0).sum())

    @property
    def remark(self) -> str:
        """The numbers in words."""
        return f"{len(self.uses)} entries, {self.unused or 'none'} unused; perplexity {self.perplexity:.1f}"

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a bar for each entry, by share of uses, on one vertical scale."""
        columns = columns_of(panels)
        width, height = chart_width(columns), 620 if len(panels) == 1 else 420
        percents = [100 * panel.picture.shares for panel in panels]
        highest = max(float(shares.max()) for shares in percents)
        scale = replace(value_axis(np.array([0, highest]), unit="", scale="linear"), low=0)
        headings = [panel.heading for panel in panels]
        page, corners, _ = panel_page(headings, width=width, height=height, columns=columns, title=title, line=LINE)
        for shares, corner in zip(percents, corners, strict=True):
            ticks: list[float] = [*integer_ticks(1, len(shares), most=7)]
            ranks = ValueAxis("linear", 0.5, len(shares) + 0.5, ticks, minor_ticks=[], note="")
            labels, inner = ("share of uses (%)", "entry, by rank"), width - SPACE
            axes = chart_axes(page, corner, width=inner, height=height, upright=scale, across=ranks, labels=labels)
            _draw(axes, shares)
        return page.figure


def _draw(axes: Axes, shares: NDArray[np.float64]) -> None:
    """Bars in per cent, and a line at the height that all would have if they were equal."""
    places = np.arange(1, len(shares) + 1)
    if len(shares) <= FEW:
        axes.bar(places, shares, width=0.8, color=BAR)
    else:
        axes.stairs(shares, np.append(places, len(shares) + 1) - 0.5, fill=True, color=BAR)
    axes.axhline(100 / len(shares), color=BASELINE_COLOR, linestyle=BASELINE_LINE, linewidth=2.2)
