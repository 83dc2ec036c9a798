"""The same test images down, the runs across: one matrix for each set of test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autoenc.comparison.report import sprites, texts
from autoenc.comparison.report.reconstructions import Reconstructions, file_of
from autoenc.runs import ArrayError, RunRecord, printable

MOST_CHARACTERS = 2_400_000  # of all images together, as they stand in the page
MOST_IMAGES, FEWEST_IMAGES = 12, 3  # of a run
MOST_MATRICES = 12
CHARACTERS_A_NUMBER = 0.8  # of a pixel's channel, about: PNG saves what base64 adds


class Matrices(NamedTuple):
    """What the page is given, and what has been left out of it or could not be read."""

    document: list[dict[str, Any]]
    notes: list[str]


def matrices(records: Sequence[RunRecord]) -> Matrices:
    """The images of all runs that kept some, as far as there is room; one run's are in memory at a time."""
    having = [index for index, record in enumerate(records) if file_of(record).is_file()]
    found = _Matrices(room=MOST_CHARACTERS, share=MOST_CHARACTERS // max(1, len(having)))
    notes = []
    for index in having:
        try:
            found.add(index, Reconstructions.read(records[index]))
        except ArrayError as fault:
            notes.append(printable(f"{records[index].name}: reconstructions.npz {fault}.", most=texts.MOST_SENTENCE))
    return Matrices([matrix.document() for matrix in found.by_images.values()], [*notes, *found.notes])


@dataclass
class _Matrices:
    """Those begun so far, by their test images."""

    room: int
    """Characters that are left."""
    share: int
    """Characters that a run may have."""
    by_images: dict[str, _Matrix] = field(default_factory=dict)
    shortened: int = 0
    left_out: int = 0

    def add(self, index: int, images: Reconstructions) -> None:
        if self.room <= 0 or (images.of not in self.by_images and len(self.by_images) == MOST_MATRICES):
            self.left_out += 1
            return
        count = self._count(images)
        self.shortened += count < len(images.clean)
        shown = images.first(count)
        if images.of not in self.by_images:
            self.by_images[images.of] = _Matrix(first=shown, clean=sprites.column(sprites.as_bytes(shown.clean)))
        self.room -= self.by_images[images.of].add(index, shown)

    def _count(self, images: Reconstructions) -> int:
        """How many images of a run: the same for all that have the same test images."""
        sprites_of_run = 2 if images.noisy else 1
        possible = int(self.share / (images.clean[0].size * CHARACTERS_A_NUMBER * sprites_of_run))
        if images.of in self.by_images:
            return len(self.by_images[images.of].first.captions)
        return max(FEWEST_IMAGES, min(MOST_IMAGES, possible))

    @property
    def notes(self) -> list[str]:
        found = []
        if self.shortened:
            found.append(
                f"Of the test images that {self.shortened} runs kept, the first are shown: the page stays small."
            )
        if self.left_out:
            found.append(f"The reconstructions of {self.left_out} runs are left out: the page stays small.")
        return found


@dataclass
class _Matrix:
    """Runs that reconstructed the same images; sprites are columns of images."""

    first: Reconstructions
    """Of the first run."""
    clean: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    noisy: dict[str, int] = field(default_factory=dict)
    """The sprites of different noisy inputs, numbered."""
    highest: float = 0.0

    def add(self, index: int, shown: Reconstructions) -> int:
        """Take a run in; returns how many characters that took."""
        before, noisy = len(self.noisy), -1
        taken = [sprites.column(sprites.as_bytes(shown.final))]
        if shown.noisy:
            given = sprites.column(sprites.as_bytes(shown.given))
            noisy = self.noisy.setdefault(given, before)
            taken += [given] if len(self.noisy) > before else []
        self.highest = max(self.highest, shown.largest_error)
        self.runs.append(
            {
                "run": index,
                "final": taken[0],
                "noisy": noisy,
                "mse": [texts.number(float(error), digits=4) for error in shown.errors],
                "remark": sprites.remark(shown.final),
            }
        )
        return sum(len(sprite) for sprite in taken)

    def document(self) -> dict[str, Any]:
        channels, height, width = self.first.clean.shape[1:]
        return {
            "channels": channels,
            "height": height,
            "width": width,
            "captions": list(self.first.captions),
            "clean": self.clean,
            "noisy": list(self.noisy),
            "highestError": texts.number(self.highest, digits=3),
            "runs": self.runs,
        }
