"""What pictures come out of: batch after batch, in the model's shape."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from autoenc.application.counting import counting


class Batch(NamedTuple):
    """Some pictures."""

    names: Sequence[str]
    images: Tensor
    """(B, C, H, W): uint8 from 0 to 255, or floats in [0, 1] scale."""

    @property
    def floats(self) -> Tensor:
        """The images in [0, 1] scale, float32."""
        return self.images.float() / 255 if self.images.dtype == torch.uint8 else self.images.float()


class Source(Protocol):
    """Pictures."""

    @property
    def description(self) -> str:
        """Where they are from, in a few words."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """What they are called, no two alike; some may turn out not to be readable."""
        ...

    def check(self) -> None:
        """See that all can be read, where going without some is not allowed.

        Raises:
            ConfigError: some cannot.
        """
        ...

    def batches(self, size: int) -> Generator[Batch, None, None]:
        """The pictures in their order, at most `size` at a time.

        Raises:
            ConfigError: some could not be read, after all others; or one makes no sense.
        """
        ...


def for_each_batch(source: Source, work: Callable[[Batch], None], *, size: int, doing: str) -> None:
    """Do the work on one batch after another; a bar says how far it is with what it is `doing`."""
    with counting(doing, total=len(source.names)) as advance, closing(source.batches(size)) as batches:
        for batch in batches:
            work(batch)
            advance(len(batch.names))


def numbered(count: int) -> list[str]:
    """Names for what has none: numbers of equal length, the first 0."""
    digits = len(str(count - 1))
    return [f"{number:0{digits}d}" for number in range(count)]


def counted(count: int) -> str:
    """So many pictures, in words."""
    return f"{count:,} picture" if count == 1 else f"{count:,} pictures"


def check_finite(values: Tensor, *, names: Sequence[str]) -> None:
    """See that a model made numbers (B, ...) of all these.

    Raises:
        ValueError: it did not.
    """
    finite = values.flatten(1).isfinite().all(1)
    if not finite.all():
        odd = names[int((~finite).nonzero()[0])]
        raise ValueError(f"what the model makes of {odd} is not finite")
