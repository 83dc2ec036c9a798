"""Portraits of a trained model: the numbers of every picture that means something for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from autoenc.pictures import Picture
from autoenc.portraits.codebook import codebook
from autoenc.portraits.codes import codes
from autoenc.portraits.codes_over_epochs import codes_over_epochs
from autoenc.portraits.decoder_grid import decoder_grid
from autoenc.portraits.error_by_class import error_by_class
from autoenc.portraits.gradients import gradients
from autoenc.portraits.interpolations import interpolations
from autoenc.portraits.kernels import kernels
from autoenc.portraits.matrix import matrix
from autoenc.portraits.reconstructions import progress, reconstructions
from autoenc.portraits.samples import samples
from autoenc.portraits.sparsity import sparsity
from autoenc.portraits.spectrum import spectrum
from autoenc.portraits.subject import Subject, scattered
from autoenc.portraits.traversals import traversals
from autoenc.portraits.worst import worst
from autoenc.progress import steps

__all__ = ["ALWAYS", "PORTRAITS", "Portrait", "Subject", "draw_portraits", "scattered"]

log = logging.getLogger(__name__)

Portrait = Callable[[Subject], Picture | None]
"""From a subject to a picture; None where it would mean nothing for this model."""

PORTRAITS: dict[str, Portrait] = {
    "reconstructions": reconstructions,
    "progress": progress,
    "worst": worst,
    "error_by_class": error_by_class,
    "codes": codes,
    "codes_over_epochs": codes_over_epochs,
    "decoder_grid": decoder_grid,
    "interpolations": interpolations,
    "traversals": traversals,
    "samples": samples,
    "codebook": codebook,
    "kernels": kernels,
    "matrix": matrix,
    "sparsity": sparsity,
    "gradients": gradients,
    "spectrum": spectrum,
}

ALWAYS = ("reconstructions", "progress")
"""The pictures that every run draws."""


OVER_EPOCHS = ("progress", "codes_over_epochs")
"""The pictures of the training, in whose title no epoch stands."""


def draw_portraits(
    subject: Subject, *, folder: Path, kinds: Sequence[str] | None, title: str, epoch: int | None
) -> list[Path]:
    """Draw the pictures called for into a folder; None calls for all that mean something.

    Args:
        subject: of what.
        folder: made if it is not there.
        kinds: names out of `PORTRAITS`.
        title: over each.
        epoch: whose weights the model has, for the title; None where that is not known.

    Returns:
        what was drawn.

    Raises:
        OSError: one cannot be written.
    """
    folder.mkdir(exist_ok=True)
    drawn = []
    for kind in steps(list(PORTRAITS) if kinds is None else kinds, name="pictures"):
        picture = PORTRAITS[kind](subject)
        if picture is not None:
            of_one_epoch = epoch is not None and kind not in OVER_EPOCHS
            drawn.append(picture.draw(folder, title=f"{title}, epoch {epoch}" if of_one_epoch else title))
        elif kinds is not None:
            log.warning("The picture '%s' means nothing for this model, and is not drawn.", kind)
    return drawn
