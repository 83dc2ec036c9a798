"""Pictures of layers: sparsity, gradients, the matrix of a convolution, and the use of a codebook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.image import FigureImage
from matplotlib.patches import StepPatch

from autoenc.pictures.codebook import Codebook
from autoenc.pictures.gradients import Gradients
from autoenc.pictures.matrix import Matrix
from autoenc.pictures.picture import Panel, Picture
from autoenc.pictures.sparsity import Sparsity, _sums
from tests.meta_device import META, meta_device
from tests.pictures.pages import all_of, check_layout, draw, written

ARROW = "\N{NO-BREAK SPACE}\N{RIGHTWARDS ARROW}\N{NO-BREAK SPACE}"


def sparsity(count: int = 3) -> Sparsity:
    layers = (*(f"layer {number} (Sigmoid)" for number in range(1, count)), "code")
    return Sparsity(layers=layers, zeros=np.linspace(0, 1, count), hoyer=np.linspace(0.9, 0.1, count))


def gradients(count: int = 4) -> Gradients:
    layers = tuple(f"encoder {number}: 100{ARROW}{number}, 3 by 3 transposed" for number in range(count))
    return Gradients(layers=layers, before=np.logspace(0, 1 - count, count), after=np.full(count, 0.02), images=1024)


def test_a_collapsed_code_is_called_so_and_the_numbers_of_an_earlier_run_say_nothing() -> None:
    collapsed = replace(sparsity(), code_size=2, alive=0, codes=10, zero_codes=10)
    assert "b the code has collapsed" in all_of(draw(Panel("a", sparsity()), Panel("b", collapsed)))
    assert "entries of the code are alive" not in all_of(draw(sparsity()))


def test_bars_are_as_long_as_the_numbers_and_carry_them() -> None:
    shown = Sparsity(layers=("layer 1 (ReLU)", "code"), zeros=np.array([0.5, 0.0]), hoyer=np.array([0.25, 1.0]))
    found = draw(shown)
    (axes,) = found.axes
    zeros, hoyer = axes.containers
    assert [bar.get_width() for bar in zeros] == [0.5, 0.0]
    assert [bar.get_width() for bar in hoyer] == [0.25, 1.0]
    assert {"zeros 0.500", "Hoyer 0.250", "zeros 0.000", "Hoyer 1.000", "layer 1 (ReLU)", "code"} <= set(written(found))
    assert axes.get_xlim() == (0, 1)
    tops = [axes.transData.transform((0, bar.get_y()))[1] for bar in zeros]
    assert tops[0] > tops[1]  # the image's side first


def test_what_is_not_defined_is_said() -> None:
    shown = Sparsity(layers=("code",), zeros=np.array([0.0]), hoyer=np.array([np.nan]))
    assert "Hoyer undefined" in written(draw(shown))


def test_norms_are_drawn_before_and_after_on_one_logarithmic_axis() -> None:
    first = Gradients(layers=("a", "b"), before=np.array([1e-6, 1e-3]), after=np.array([0.1, 0.2]), images=1024)
    second = Gradients(layers=("a",), before=np.array([30.0]), after=np.array([10.0]), images=1024)
    found = draw(first, second)
    one, other = found.axes
    assert one.get_xscale() == "log"
    assert one.get_xlim() == other.get_xlim()
    before, after = (line.get_xydata().tolist() for line in one.lines)  # type: ignore[union-attr]
    assert before == [[1e-6, 0], [1e-3, 1]]
    assert after == [[0.1, 0], [0.2, 1]]
    assert one.get_ylim()[0] > one.get_ylim()[1]
    minus = "\N{MINUS SIGN}"
    norms = {f"1.0e{minus}6", f"1.0e{minus}3", f"1.0e{minus}1", f"2.0e{minus}1", "3.0e1", "1.0e1"}
    assert norms <= set(written(found))  # all in one notation
    shown = Gradients(layers=("a", "b"), before=np.array([0.0029, 0.014]), after=np.array([0.1, 2.0]), images=1)
    assert {"0.0029", "0.014", "0.1", "2"} <= set(written(draw(shown)))
    assert "mean over 1,024 training images" in all_of(found)


def test_norms_that_have_no_place_on_the_axis_are_written() -> None:
    shown = Gradients(layers=("a", "b", "c"), before=np.array([0, np.nan, np.inf]), after=np.ones(3), images=1)
    found = draw(shown)
    assert {"0", "NaN", "\N{INFINITY}"} <= set(written(found))
    assert np.isnan(found.axes[0].lines[0].get_xdata()).all()
    check_layout(found)
    check_layout(draw(Gradients(layers=("a",), before=np.zeros(1), after=np.zeros(1), images=1)))


def matrix(outputs: int = 16, *, kernel: int = 3, off: float = 0.0) -> Matrix:
    values = np.random.default_rng(0).normal(size=(outputs, 64))
    other = values.T.copy()
    other[3, 0] += off
    weights = np.linspace(-4, 4, kernel * kernel).reshape(kernel, kernel)
    return Matrix(kernel=weights, convolution=values, transposed=other, side=8, stride=2, padding=1)


def test_the_largest_deviation_is_stated() -> None:
    assert matrix().deviation == 0
    assert "deviation" not in all_of(draw(matrix()))
    assert matrix(off=-0.25).deviation == pytest.approx(0.25)
    assert "transpose: 2.5e-01" in all_of(draw(matrix(off=-0.25)))


def test_both_matrices_and_the_kernel_are_drawn_pixel_by_pixel() -> None:
    shown = matrix(off=2.0)
    convolution, kernel, transposed = (np.asarray(image.get_array()) for image in draw(shown).findobj(FigureImage))
    scale = convolution.shape[1] // 64
    assert convolution.shape == (16 * scale, 64 * scale, 3)
    assert transposed.shape == (64 * scale, 16 * scale, 3)
    assert kernel.shape[0] == kernel.shape[1]
    differs = (convolution[::scale, ::scale].transpose(1, 0, 2) != transposed[::scale, ::scale]).any(axis=2)
    assert np.argwhere(differs).tolist() == [[3, 0]]


def used(*uses: int) -> Codebook:
    return Codebook(uses=np.array(uses, dtype=np.int64))


@pytest.mark.parametrize(("uses", "perplexity", "unused"), [((7, 0, 0), 1, 2), ((2, 1, 1), 2**1.5, 0)])
def test_perplexity_and_unused_entries(uses: tuple[int, ...], perplexity: float, unused: int) -> None:
    shown = used(*uses)
    assert shown.perplexity == pytest.approx(perplexity)
    assert shown.unused == unused
    assert f"{len(uses)} entries, {unused or 'none'} unused; perplexity {perplexity:.1f}" in all_of(draw(shown))


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


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("picture", [sparsity(12), gradients(14), matrix(64, kernel=7), used(*range(1, 66))])
def test_panels_fit_on_the_page(picture: Picture, count: int) -> None:
    found = draw(*[picture] * count)
    check_layout(found)
    assert found.bbox.width <= 1860
    assert found.bbox.height <= 2300


def test_panels_of_codebooks_have_one_scale() -> None:
    assert len({axes.get_ylim() for axes in draw(used(1, 2, 3), used(9, 1)).axes}) == 1


def test_sparsities_are_summed_on_the_cpu() -> None:
    """In float64, which Apple's GPUs do not have, and without those that are not finite."""
    with meta_device(torch.ones) as transfers:
        assert _sums(torch.ones(4, 3, device=META)) == (1.0, 12, 4.0, 4)
    assert transfers.doubles == []
    assert transfers.unmarked_reads == set()
