"""Facts about the files of pictures: the range of their pixels, and their pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

PixelKind = Literal["8 bits", "integers of more than 8 bits", "floating-point numbers"]

SIXTEEN_BIT_WHITE = 65_535
_DARK = 0.5  # of white; files of 15, 14 or 12 bits in 16 are below


class PictureFacts(NamedTuple):
    """What a picture's file holds, in its own numbers, before they are scaled by its white."""

    pixels: PixelKind
    darkest: float
    brightest: float
    pages: int


def white_problems(facts: Counter[PictureFacts], *, white: float | None, key: str) -> Iterator[str]:
    """A line for each kind of pixels whose numbers do not fit between black and white, for a log.

    Images are dark if the brightest pixel of all is below half of white: the files use fewer bits than they have.
    Pixels are clipped if they are outside of 0 to white. `white` is that of `read_picture`, set by `key`.
    """
    for kind in sorted({fact.pixels for fact in facts}):
        of_kind = {fact: count for fact, count in facts.items() if fact.pixels == kind}
        total = sum(of_kind.values())
        pictures = f"{total} {'picture' if total == 1 else 'pictures'} with {kind}"
        darkest, brightest = min(fact.darkest for fact in of_kind), max(fact.brightest for fact in of_kind)
        limit = white if white is not None else 255 if kind == "8 bits" else SIXTEEN_BIT_WHITE
        clipped = sum(count for fact, count in of_kind.items() if fact.darkest < 0 or fact.brightest > limit)
        if clipped:
            yield (
                f"{clipped} of {pictures} have pixels outside of 0 to {limit:g} (from {darkest:g} to {brightest:g}), "
                f"which are clipped; {key} sets white"
            )
        elif 0 < brightest < _DARK * limit:
            enough = brightest if kind == "floating-point numbers" else 2 ** int(brightest).bit_length() - 1
            yield (
                f"dark images: the brightest pixel of {pictures} is {brightest:g}, "
                f"{100 * brightest / limit:.2g} % of white ({limit:g}); {key}={enough} makes them brighter"
            )


def ignored_pages(facts: Counter[PictureFacts]) -> str | None:
    """How many pages are not read, for a log; None if each file has one page."""
    files = sum(count for fact, count in facts.items() if fact.pages > 1)
    pages = sum(count * (fact.pages - 1) for fact, count in facts.items())
    if not files:
        return None
    noun = "1 file has" if files == 1 else f"{files} files have"
    return f"{noun} more than one page; the first page of each is read, and {pages} are ignored"
