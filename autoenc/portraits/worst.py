"""The test images that were reconstructed worst."""

from __future__ import annotations

import torch
from torch import Tensor

from autoenc.pictures.worst import Worst
from autoenc.portraits.code_space import stored
from autoenc.portraits.reconstruction_errors import Reconstructed, reconstructed
from autoenc.portraits.subject import Subject

COUNT = 20


def worst(subject: Subject) -> Worst | None:
    """The 20 largest errors, the largest first; an error that is not finite is the largest of all.

    Returns:
        None where there are no test images.
    """
    test = subject.splits.test
    if not len(test):
        return None
    parts, indices, seen = [], [], 0
    for batch in reconstructed(subject):
        largest = _largest(batch.errors)
        parts.append(Reconstructed(*(part[largest] for part in batch)))
        indices.append(seen + largest)
        seen += len(batch.errors)
    of_all = Reconstructed(*(torch.cat(column) for column in zip(*parts, strict=True)))
    chosen = _largest(of_all.errors)
    labels = test.labels[torch.cat(indices)[chosen]]
    return Worst(
        clean=stored(of_all.clean[chosen]),
        given=stored(of_all.given[chosen]),
        reconstructions=stored(of_all.made[chosen]),
        errors=of_all.errors[chosen].numpy(),
        names=tuple(subject.splits.class_names[label] for label in labels.tolist()),
        noisy=subject.config.noise.corrupts,
        count=len(test),
    )


def _largest(errors: Tensor) -> Tensor:
    """The places of the largest errors (N,), the largest first: (min(N, 20),)."""
    return errors.nan_to_num(nan=torch.inf).argsort(descending=True, stable=True)[:COUNT]
