"""Straight lines in code space between test images."""

from __future__ import annotations

import torch

from autoenc.pictures.interpolations import Interpolations
from autoenc.portraits.code_space import shown_codes, stored
from autoenc.portraits.subject import Subject

ROWS, STEPS = 5, 9


def interpolations(subject: Subject) -> Interpolations | None:
    """From the first of the shown images to the second, from the third to the fourth, and so on: 9 steps each.

    Returns:
        None where there are no two images.
    """
    images, names = subject.shown, subject.shown_names
    starts = list(range(0, len(images) - 1, 2))[:ROWS]
    if not starts:
        return None
    coded = shown_codes(subject)  # (K, code_size)
    first, last = coded[starts], coded[[start + 1 for start in starts]]
    shares = torch.linspace(0, 1, STEPS)[:, None]  # (S, 1)
    path = torch.lerp(first[:, None], last[:, None], shares)  # (R, S, code_size)
    made = subject.decode(path.flatten(0, 1))
    return Interpolations(
        starts=stored(images[starts]),
        images=stored(made).reshape(*path.shape[:2], *made.shape[1:]),
        ends=stored(images[[start + 1 for start in starts]]),
        start_names=tuple(names[start] for start in starts),
        end_names=tuple(names[start + 1] for start in starts),
    )
