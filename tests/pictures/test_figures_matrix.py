"""The picture of a convolution's matrix."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import FigureImage

from autoenc.pictures.matrix import Matrix
from tests.pictures.pages import all_of, check_layout, draw


def matrix(outputs: int = 16, *, kernel: int = 3, off: float = 0.0) -> Matrix:
    values = np.random.default_rng(0).normal(size=(outputs, 64))
    other = values.T.copy()
    other[3, 0] += off
    weights = np.linspace(-4, 4, kernel * kernel).reshape(kernel, kernel)
    return Matrix(kernel=weights, convolution=values, transposed=other, side=8, stride=2, padding=1)


def test_the_largest_deviation_is_stated() -> None:
    assert matrix().deviation == 0
    assert "largest deviation from the other's transpose: 0" in all_of(draw(matrix()))
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


@pytest.mark.parametrize(("outputs", "kernel", "panels"), [(1, 7, 1), (64, 3, 4)])
def test_panels_fit(outputs: int, kernel: int, panels: int) -> None:
    found = draw(*(matrix(outputs, kernel=kernel) for _ in range(panels)))
    check_layout(found)
    assert found.bbox.width <= 2300
    assert found.bbox.height <= 2300
