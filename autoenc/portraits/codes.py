"""Where the codes of the test images lie."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autoenc.pictures.codes import Codes
from autoenc.portraits.code_space import drawn, finite, plain_labels, principal_plane
from autoenc.portraits.subject import Subject

MOST, MOST_EMBEDDED = 10_000, 2000
"""How many test images' codes are drawn, and how many by t-SNE, whose time grows faster than their number."""

FEWEST_EMBEDDED = 10
"""t-SNE looks at the neighbours of a code; among fewer codes there are none to speak of."""

PERPLEXITY = 30.0


def codes(subject: Subject) -> Codes | None:
    """One number or two as they are; more of them on their first two principal components, or by t-SNE where asked for.

    t-SNE (L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9, 2008) keeps neighbours together; how
    far apart it puts what is not, means nothing.

    Returns:
        None of fewer than two test images.
    """
    test = subject.splits.test
    embedded = subject.projection == "tsne"
    chosen = drawn(test, most=MOST_EMBEDDED if embedded else MOST)
    if len(chosen) < 2:
        return None
    coded = subject.codes(chosen)
    placed = _embedded(coded) if embedded and coded.shape[1] > 2 else _projected(coded)
    which = f"{len(chosen):,} of {len(test):,}" if len(chosen) < len(test) else f"All {len(test):,}"
    return Codes(
        points=placed.points,
        labels=chosen.labels.numpy(),
        class_names=tuple(subject.splits.class_names),
        axis_labels=placed.axis_labels,
        notes=(f"{which} test images.", *placed.notes),
    )


class _Placed(NamedTuple):
    """Codes where they are drawn."""

    points: NDArray[np.float32]
    """(N, 1) or (N, 2)."""
    axis_labels: tuple[str, ...]
    notes: tuple[str, ...]


def _projected(coded: Tensor) -> _Placed:
    if coded.shape[1] <= 2:
        return _Placed(coded.numpy(), plain_labels(coded.shape[1]), ())
    plane = principal_plane(coded)
    return _Placed(plane.project(coded), plane.axis_labels, (f"Codes of {coded.shape[1]} numbers are projected.",))


def _embedded(coded: Tensor) -> _Placed:
    """By t-SNE, with a random state that is always the same; a code that is not finite stays so."""
    kept = coded.isfinite().all(dim=1)
    if int(kept.sum()) < FEWEST_EMBEDDED:
        return _projected(coded)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (int(kept.sum()) - 1) / 3)
    points = np.full((len(coded), 2), np.nan, dtype=np.float32)
    points[kept.numpy()] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(finite(coded).numpy())
    how = f"By t-SNE from {coded.shape[1]} numbers (perplexity {perplexity:.3g}): distances mean little."
    return _Placed(points, ("t-SNE 1", "t-SNE 2"), (how,))
