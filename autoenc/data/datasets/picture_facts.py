"""Facts about the files of pictures: the range of their pixels, their pages and sizes. Lines about them for a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

PixelKind = Literal["8 bits", "integers of more than 8 bits", "floating-point numbers"]

SIXTEEN_BIT_WHITE = 65_535
_NOTICEABLE = 0.01
"""The smallest share of a picture that is worth a line: sizes are whole pixels, so shapes are seldom equal."""
_DARK = 0.5  # of white; files of 15, 14 or 12 bits in 16 are below


class PictureFacts(NamedTuple):
    """What a picture's file holds, in its own numbers, before they are scaled by its white."""

    pixels: PixelKind
    darkest: float
    brightest: float
    pages: int
    size: tuple[int, int]
    """Width and height, upright."""


def sizes_of(facts: Counter[PictureFacts]) -> Counter[tuple[int, int]]:
    """The number of pictures of each (width, height)."""
    sizes: Counter[tuple[int, int]] = Counter()
    for fact, count in facts.items():
        sizes[fact.size] += count
    return sizes


def resizing(
    sizes: Counter[tuple[int, int]], *, size: tuple[int, int], resize: Literal["stretch", "crop", "pad"], option: str
) -> str | None:
    """How many pictures of these (width, height) are cropped, padded or stretched, and how much, for a log.

    `size` is the (height, width) of the images, and `option` the start of the setting: `dataset.resize=`. None if no
    picture changes noticeably.
    """
    target = size[1] / size[0]
    # The shorter of the two shapes, as a share of the longer: what a crop keeps, and what a picture with bars covers.
    kept = {one: min(one[0] / one[1], target) / max(one[0] / one[1], target) for one in sizes}
    changed = {one: 1 - share for one, share in kept.items() if 1 - share >= _NOTICEABLE}
    count = sum(sizes[one] for one in changed)
    if not count:
        return None
    most = max(changed.values())
    average = sum(sizes[one] * lost for one, lost in changed.items()) / count
    pictures = f"all {count:,} pictures" if count == sizes.total() else f"{count:,} of {sizes.total():,} pictures"
    if resize == "stretch":
        return f"{option}stretch changes the proportions of {pictures} (by a factor of {1 / (1 - most):.3g} at most)"
    share = f"{100 * average:.0f} % of the area" + (
        "" if len(changed) == 1 else f" on average, {100 * most:.0f} % at most"
    )
    if resize == "crop":
        return f"{option}crop cuts off a part of {pictures} ({share}); {option}pad keeps all of it"
    return f"{option}pad adds black bars to {pictures} ({share}); {option}crop adds none"


def unnecessary_changes(
    sizes: Counter[tuple[int, int]], *, grey: bool, channels: int, size: tuple[int, int]
) -> str | None:
    """A hint if all pictures are grey and are read as colours, or are all smaller than `size`; None otherwise.

    `sizes` counts the pictures by (width, height); `size` is the (height, width) of the images.
    """
    found, overrides = [], []
    if grey and channels > 1:
        found.append("grey")
        overrides.append("dataset.channels=1")
    (width, height), *others = sizes
    if not others and (height, width) != size and height <= size[0] and width <= size[1]:
        found.append(f"{width}x{height} pixels")
        overrides.append(f'"dataset.size=[{height},{width}]"')
    if not found:
        return None
    return f"all {sizes.total():,} pictures are {' and '.join(found)}; {' '.join(overrides)} keeps them so"


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
