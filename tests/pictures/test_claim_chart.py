"""The chart of a claim: values, intervals and bands."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from autoenc.pictures.claim_chart import CONTROL, HOLDS, NAMES, WIDTH, Band, claim_chart
from autoenc.pictures.page import MARGIN, house_style


@pytest.mark.parametrize(
    ("band", "shaded"), [((0.5, 2.5), (0.5, 2.5)), ((None, 2.5), ("left", 2.5)), ((0.5, None), (0.5, "right"))]
)
def test_the_band_is_shaded_to_its_edges(
    band: tuple[float | None, float | None], shaded: tuple[float | str, float | str]
) -> None:
    with house_style():
        (axes,) = claim_chart([Band("a", control=False, values=[1.0, 2.0, 3.0], band=band)], title="Claim").axes
    (span,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    ends = dict(zip(("left", "right"), axes.get_xlim(), strict=True))
    expected = [ends[edge] if isinstance(edge, str) else edge for edge in shaded]
    assert [span.get_x(), span.get_x() + span.get_width()] == pytest.approx(expected)


def test_the_bar_is_the_interval_and_everything_fits() -> None:
    bands = [
        Band("a", control=False, values=[1.0, 2.0, 3.0], band=(None, 100.0)),
        Band("b", control=True, values=[4.0], band=(4.0, None)),
    ]
    with house_style():
        first, second = claim_chart(bands, title="Claim").axes
    bar, seeds, mean = (np.asarray(line.get_xdata()) for line in first.lines)
    assert list(bar) == pytest.approx([2 - 2.4841, 2 + 2.4841], abs=1e-4)  # Student's t: 4.3027 / sqrt(3)
    assert list(seeds) == [1.0, 2.0, 3.0]
    assert list(mean) == [2.0]
    assert first.get_xlim()[0] < bar[0]
    assert first.get_xlim()[1] > 100
    assert list(np.asarray(second.lines[0].get_xdata())) == [4.0, 4.0]  # no interval
    colors = [axes.patches[0].get_facecolor()[:3] for axes in (first, second)]
    assert colors == [pytest.approx([int(c[n : n + 2], 16) / 255 for n in (1, 3, 5)]) for c in (HOLDS, CONTROL)]


@pytest.mark.parametrize(("edges", "tick"), [((10120.0, 11120.0), "10000"), ((9880.0, 10880.0), "11000")])
def test_a_number_below_the_end_of_an_axis_touches_no_words_and_is_on_the_page(
    edges: tuple[float, float], tick: str
) -> None:
    band = Band("a", control=False, values=[10400.0, 10500.0, 10600.0], band=edges)
    with house_style():
        figure = claim_chart([band], title="Claim")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        (label,) = [each for each in figure.axes[0].get_xticklabels() if each.get_text() == tick]
        place = label.get_window_extent()
    assert place.x0 > MARGIN + NAMES
    assert place.x1 < WIDTH
