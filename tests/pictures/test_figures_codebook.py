"""The picture of a codebook's use."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from autoenc.pictures.codebook import Codebook
from tests.pictures.pages import all_of, check_layout, draw


def used(*uses: int) -> Codebook:
    return Codebook(uses=np.array(uses, dtype=np.int64))


@pytest.mark.parametrize(
    ("uses", "perplexity", "dead"),
    [((7, 0, 0), 1, 2), ((2, 1, 1), 2**1.5, 0)],
)
def test_perplexity_and_dead_codes(uses: tuple[int, ...], perplexity: float, dead: int) -> None:
    shown = used(*uses)
    assert shown.perplexity == pytest.approx(perplexity)
    assert shown.dead == dead
    assert f"{len(uses)} codes, {dead or 'none'} dead; perplexity {perplexity:.1f}" in all_of(draw(shown))


def test_bars_are_sorted_shares() -> None:
    (axes,) = draw(used(1, 6, 0, 3)).axes
    (bars,) = axes.containers
    assert [bar.get_height() for bar in bars] == pytest.approx([60, 30, 10, 0])
    (alike,) = axes.lines
    assert alike.get_ydata()[0] == 25  # type: ignore[index]
    assert axes.get_ylim()[0] == 0


def test_many_codes_are_one_shape() -> None:
    (axes,) = draw(Codebook(uses=np.arange(512))).axes
    (shape,) = axes.findobj(StepPatch)
    assert len(shape.get_data()[0]) == 512
    assert axes.get_xlim() == (0.5, 512.5)


@pytest.mark.parametrize(("size", "panels"), [(1, 1), (65, 4)])
def test_panels_fit_on_one_scale(size: int, panels: int) -> None:
    uses = np.random.default_rng(0).integers(0, 1000, size) + 1
    found = draw(*(Codebook(uses=uses // (index + 1) + 1) for index in range(panels)))
    check_layout(found)
    assert len({axes.get_ylim() for axes in found.axes}) == 1
