"""The picture of a codebook's use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from autoenc.pictures.codebook import Codebook
from autoenc.pictures.picture import Panel
from tests.pictures.pages import all_of, check_layout, drawn


def figure(*pictures: Codebook) -> Figure:
    labels = [""] if len(pictures) == 1 else [f"run {index}" for index in range(len(pictures))]
    panels = [Panel(label, shown) for label, shown in zip(labels, pictures, strict=True)]
    return drawn(lambda: Codebook.figure(panels, title="a title"))


def used(*uses: int) -> Codebook:
    return Codebook(uses=np.array(uses, dtype=np.int64))


@pytest.mark.parametrize(
    ("uses", "perplexity", "dead"),
    [((5, 5, 5, 5), 4, 0), ((7, 0, 0), 1, 2), ((1, 1, 0), 2, 1), ((2, 1, 1), 2**1.5, 0)],
)
def test_perplexity_and_dead_codes(uses: tuple[int, ...], perplexity: float, dead: int) -> None:
    shown = used(*uses)
    assert shown.perplexity == pytest.approx(perplexity)
    assert shown.dead == dead
    assert f"{len(uses)} codes, {dead or 'none'} dead; perplexity {perplexity:.1f}" in all_of(figure(shown))


def test_bars_are_sorted_shares() -> None:
    (axes,) = figure(used(1, 6, 0, 3)).axes
    (bars,) = axes.containers
    assert [bar.get_height() for bar in bars] == pytest.approx([60, 30, 10, 0])
    (alike,) = axes.lines
    assert alike.get_ydata()[0] == 25  # type: ignore[index]
    assert axes.get_ylim()[0] == 0


def test_many_codes_are_one_shape() -> None:
    (axes,) = figure(Codebook(uses=np.arange(512))).axes
    (shape,) = axes.findobj(StepPatch)
    assert len(shape.get_data()[0]) == 512
    assert axes.get_xlim() == (0.5, 512.5)


@pytest.mark.parametrize("size", [1, 2, 64, 65, 4096])
@pytest.mark.parametrize("panels", [1, 2, 3, 4])
def test_panels_fit_on_one_scale(size: int, panels: int) -> None:
    uses = np.random.default_rng(0).integers(0, 1000, size) + 1
    found = figure(*(Codebook(uses=uses // (index + 1) + 1) for index in range(panels)))
    check_layout(found)
    assert len({axes.get_ylim() for axes in found.axes}) == 1


def test_saved_and_loaded(tmp_path: Path) -> None:
    used(3, 1, 0).draw(tmp_path, title="t")
    assert Codebook.load(tmp_path / "codebook.npz").uses.tolist() == [3, 1, 0]


@pytest.mark.parametrize("uses", [np.zeros(3), np.zeros((2, 2)), np.array([2, -1]), np.zeros(0)])
def test_what_is_no_count_of_uses_is_refused(uses: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uses: expected a count for each code"):
        Codebook(uses=uses)
