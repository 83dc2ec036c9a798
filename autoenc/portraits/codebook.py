"""How a codebook is used."""

from __future__ import annotations

from autoenc.evaluation.health import codebook_uses
from autoenc.pictures.codebook import Codebook
from autoenc.portraits.subject import Subject


def codebook(subject: Subject) -> Codebook | None:
    """The uses of each code on the test images; None of a bottleneck without a codebook."""
    uses = codebook_uses(subject.model, subject.splits.test.images, device=subject.device)
    return None if uses is None else Codebook(uses=uses.numpy())
