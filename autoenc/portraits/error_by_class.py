"""The test error of each class."""

from __future__ import annotations

import torch

from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.portraits.reconstruction_errors import reconstructed
from autoenc.portraits.subject import Subject


def error_by_class(subject: Subject) -> ErrorByClass | None:
    """The squared error of every test image, with its class.

    Returns:
        None where the test images are of fewer than two classes.
    """
    labels = subject.splits.test.labels
    if len(labels.unique()) < 2:
        return None
    return ErrorByClass(
        errors=torch.cat([batch.errors for batch in reconstructed(subject)]).numpy(),
        labels=labels.numpy(),
        class_names=tuple(subject.splits.class_names),
        noisy=subject.config.noise.corrupts,
    )
