"""Where the codes of test images went as training went on."""

from __future__ import annotations

import numpy as np
import torch

from autoenc.pictures.codes_over_epochs import CodesOverEpochs
from autoenc.portraits.code_space import plain_labels, principal_plane
from autoenc.portraits.subject import Subject


def codes_over_epochs(subject: Subject) -> CodesOverEpochs | None:
    """The codes that were kept at each snapshot; of more than two numbers, on the last epoch's principal components.

    Returns:
        None where there are fewer than two snapshots.
    """
    epochs = sorted(subject.code_snapshots)
    if len(epochs) < 2:
        return None
    coded = torch.stack([subject.code_snapshots[epoch].float().cpu() for epoch in epochs])  # (E, M, code_size)
    count, size = coded.shape[1:]
    points, axis_labels = coded.numpy(), plain_labels(size)
    notes = [f"The first {count:,} test images."]
    if size > 2:
        plane = principal_plane(coded[-1])
        points = np.stack([plane.project(codes) for codes in coded])
        axis_labels = plane.axis_labels
        notes.append(f"Codes of {size} numbers are projected on the principal components of the last epoch's.")
    return CodesOverEpochs(
        epochs=tuple(epochs),
        points=points,
        labels=subject.splits.test.labels[:count].numpy(),
        class_names=tuple(subject.splits.class_names),
        axis_labels=axis_labels,
        notes=tuple(notes),
    )
