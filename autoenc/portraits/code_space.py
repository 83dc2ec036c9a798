"""The space of the codes as pictures need it: its main directions, the range of each number, a sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.data.datasets import Split, shown_indices
from autoenc.portraits.subject import Subject
from autoenc.seeds import derived_seed

CENTRAL = (0.025, 0.975)
"""The quantiles between which the central 95 % lie."""


class Plane(NamedTuple):
    """The first two principal components of a cloud of codes."""

    mean: NDArray[np.float64]
    """(code_size,)."""
    directions: NDArray[np.float64]
    """(code_size, 2), orthonormal; the largest entry of each is positive, so that no picture is mirrored by chance."""
    shares: tuple[float, float]
    """Of the codes' variance, by direction."""

    def project(self, codes: Tensor) -> NDArray[np.float32]:
        """Codes (N, code_size) as (N, 2); what is not finite stays so."""
        # In torch, because numpy warns of what is not finite.
        centred = codes.double() - torch.from_numpy(self.mean)
        projected: NDArray[np.float32] = (centred @ torch.from_numpy(self.directions.copy())).float().numpy()
        return projected

    @property
    def axis_labels(self) -> tuple[str, str]:
        """What stands along the axes."""
        first, second = (
            f"principal component {number}, {100 * share:.3g} % of variance"
            for number, share in enumerate(self.shares, start=1)
        )
        return first, second


def principal_plane(codes: Tensor) -> Plane:
    """The plane in which codes (N, code_size) of two numbers or more vary most; only finite ones count."""
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


def plain_labels(size: int) -> tuple[str, ...]:
    """What stands along the axes where the codes' numbers are drawn as they are."""
    return tuple(f"code {number}" for number in range(1, size + 1))


def drawn(split: Split, *, most: int) -> Split:
    """At most so many images of a split, drawn at random, the same every time, in their order."""
    if len(split) <= most:
        return split
    generator = torch.Generator().manual_seed(derived_seed(0, "images for a picture"))
    return split.take(torch.randperm(len(split), generator=generator)[:most].sort().values)


def shown_codes(subject: Subject) -> Tensor:
    """The codes of the shown images, (K, code_size), on the CPU."""
    test = subject.splits.test
    return subject.codes(test.take(shown_indices(test.labels)))


def finite(codes: Tensor) -> Tensor:
    """Those of the codes (N, code_size) that are finite throughout."""
    return codes[codes.isfinite().all(dim=1)]


def central_range(codes: Tensor) -> Tensor:
    """The 2.5 % and the 97.5 % quantile of each number of the finite codes (N, code_size): (2, code_size)."""
    # Not torch's quantile, which refuses more than 16 million numbers.
    return torch.from_numpy(np.quantile(finite(codes).float().numpy(), CENTRAL, axis=0)).float()


def stored(images: Tensor) -> NDArray[np.float16]:
    """Images as a picture keeps them: in half precision, from which every one of 256 grey levels comes back."""
    kept: NDArray[np.float16] = images.detach().cpu().half().numpy()
    return kept
