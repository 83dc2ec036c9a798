"""What each number of a code does to an image."""

from __future__ import annotations

import torch

from autoenc.pictures.traversals import Traversals
from autoenc.portraits.code_space import central_range, finite, shown_codes, stored
from autoenc.portraits.subject import Subject

ROWS, STEPS = 16, 11


def traversals(subject: Subject) -> Traversals | None:
    """Each number of the first shown image's code from its 2.5 % to its 97.5 % quantile over the test images.

    Of more than 16 numbers those of the largest variance, the largest first.

    Returns:
        None where no code is finite.
    """
    coded = finite(subject.codes(subject.splits.test))
    code = shown_codes(subject)[0]  # (code_size,)
    if len(coded) < 2 or not code.isfinite().all():
        return None
    deviations = coded.std(dim=0, correction=0)
    dimensions = deviations.argsort(descending=True, stable=True)[:ROWS]
    low, high = central_range(coded)[:, dimensions]  # (D,) each
    values = torch.lerp(low[:, None], high[:, None], torch.linspace(0, 1, STEPS))  # (D, S)
    varied = code.repeat(len(dimensions), STEPS, 1)  # (D, S, code_size)
    varied.scatter_(2, dimensions[:, None, None].expand(-1, STEPS, 1), values[..., None])
    made = subject.decode(torch.cat([code[None], varied.flatten(0, 1)]))
    return Traversals(
        images=stored(made[1:]).reshape(len(dimensions), STEPS, *made.shape[1:]),
        code_values=values.numpy(),
        dimensions=tuple(dimensions.tolist()),
        standard_deviations=tuple(deviations[dimensions].tolist()),
        code_size=len(code),
        original=stored(subject.shown[0]),
        reconstruction=stored(made[0]),
        name=subject.shown_names[0],
    )
