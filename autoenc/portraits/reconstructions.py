"""The shown test images beside what the model makes of them: at the end, and as training went on."""

from __future__ import annotations

import numpy as np
import torch

from autoenc.pictures import Progress, Reconstructions
from autoenc.portraits.subject import Subject


def reconstructions(subject: Subject) -> Reconstructions:
    """From the clean images, or from noisy ones where the model was trained on noise."""
    clean = subject.shown
    given = subject.corrupted(clean, split="shown")
    subject.model.eval()
    with torch.no_grad(), subject.device.autocast():
        final = subject.model(given).reconstruction.float()
    return Reconstructions(
        clean=clean.cpu().numpy(),
        given=given.cpu().numpy(),
        final=final.cpu().numpy(),
        captions=tuple(subject.shown_names),
    )


def progress(subject: Subject) -> Progress | None:
    """From the same input after each epoch that was kept; None where none was."""
    if not subject.shown_snapshots:
        return None
    epochs = sorted(subject.shown_snapshots)
    return Progress(
        clean=subject.shown.cpu().numpy(),
        epochs=tuple(epochs),
        snapshots=np.stack([subject.shown_snapshots[epoch].numpy() for epoch in epochs]),
        captions=tuple(subject.shown_names),
    )
