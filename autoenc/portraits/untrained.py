"""The model as it was before training."""

from __future__ import annotations

import torch

from autoenc.models.autoencoder import AutoEncoder
from autoenc.portraits.subject import Subject


def untrained(subject: Subject) -> AutoEncoder:
    """The subject's model with its initial weights, on its device and in eval mode.

    Drawn anew from the run's seed: the same as the run began with, on the same version of torch.
    """
    with torch.random.fork_rng():  # building draws the weights, and the caller's random numbers are the caller's
        model = subject.config.build_model(image_shape=subject.splits.image_shape)
    subject.device.place(model)
    return model.eval()
