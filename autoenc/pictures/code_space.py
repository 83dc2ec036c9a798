"""The space of codes: its plane of largest variance, the range of each number, and a subset of the images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.pictures.subject import finite
from autoenc.seeds import derived_seed


class PlacedCodes(NamedTuple):
    """Codes as points of a plane or a line."""

    points: NDArray[np.float32]  # (..., N, 1) or (..., N, 2)
    axis_labels: tuple[str, ...]
    notes: tuple[str, ...] = ()  # a sentence on the projection, if there is one


class Plane(NamedTuple):
    """The first two principal components of a cloud of codes."""

    mean: NDArray[np.float64]
    """(code_size,)."""
    directions: NDArray[np.float64]
    """(code_size, 2), orthonormal. The largest entry of each is positive, so that no picture is mirrored by chance."""
    shares: tuple[float, float]
    """The share of the variance along each direction."""

    def project(self, codes: Tensor) -> NDArray[np.float32]:
        """Project codes (..., N, code_size) to (..., N, 2); codes that are not finite stay so."""
        # In torch, because numpy warns of numbers that are not finite.
        centred = codes.double() - torch.from_numpy(self.mean)
        projected: NDArray[np.float32] = (centred @ torch.from_numpy(self.directions.copy())).float().numpy()
        return projected

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """The names of the axes."""
        return tuple(
            f"principal component {number}, {100 * share:.3g} % of variance"
            for number, share in enumerate(self.shares, start=1)
        )


def principal_plane(codes: Tensor) -> Plane:
    """The plane in which the finite ones of codes (N, code_size), of two numbers or more, vary most."""
    values = finite(codes).double().numpy()
    mean = values.mean(axis=0) if len(values) else np.zeros(codes.shape[1])
    centred = values - mean
    variances, directions = np.linalg.eigh(centred.T @ centred)  # ascending
    directions = directions[:, [-1, -2]]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, [0, 1]] < 0, -1, 1)
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    first, second = (max(float(variances[index]), 0.0) / total for index in (-1, -2))
    return Plane(mean, directions, (first, second))


def place(codes: Tensor, *, plane_of: Tensor) -> PlacedCodes:
    """Codes (..., N, code_size) of one or two numbers as they are, longer ones on the plane of some (M, code_size)."""
    size = codes.shape[-1]
    if size <= 2:
        return PlacedCodes(codes.numpy(), tuple(f"code {number}" for number in range(1, size + 1)))
    plane = principal_plane(plane_of)
    return PlacedCodes(plane.project(codes), plane.axis_labels, (f"Codes of {size} numbers are projected.",))


def central_range(codes: Tensor) -> Tensor:
    """The 2.5 % and the 97.5 % quantile of each number of finite codes (N, code_size): (2, code_size)."""
    # Not torch's quantile, which refuses more than 16 million numbers.
    return torch.from_numpy(np.quantile(codes.float().numpy(), (0.025, 0.975), axis=0)).float()


def random_indices(count: int, *, most: int) -> Tensor:
    """At most `most` of the indices below `count`, drawn at random, the same every time, in rising order."""
    if count <= most:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(derived_seed(0, "images for a picture"))
    return torch.randperm(count, generator=generator)[:most].sort().values
