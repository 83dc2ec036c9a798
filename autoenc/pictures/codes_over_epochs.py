"""Where the codes of the test images move during training: an animation, or a strip of stills."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.code_axes import Window, window
from autoenc.pictures.code_panels import CodePanel, PlacedCodesPicture, code_page, left_out, shared_names
from autoenc.pictures.page import drawn_pixels, house_style
from autoenc.pictures.picture import Panel, evenly_chosen, noted
from autoenc.runs import write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from autoenc.pictures import FigureFormat
    from autoenc.pictures.subject import Subject

MOST_FRAMES = 30
FRAME, LAST_FRAME = 400, 3000  # milliseconds that a frame stays
MOST_STILLS, MOST_STILLS_BESIDE = 8, 5  # of a single panel, and of each of several
MOST_COLUMNS = 5
FRAME_SIDE, STILL_SIDE = 720, 300  # of the axes


@dataclass(frozen=True, kw_only=True, eq=False)
class CodesOverEpochs(PlacedCodesPicture):
    """The codes of the same images at several epochs, all projected in the same way: points (E, N, 1) or (E, N, 2)."""

    epochs: tuple[int, ...]
    """Rising; 0 is before training."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Place the codes of each snapshot, those of more than two numbers on the last epoch's principal components.

        None with fewer than two snapshots.
        """
        import torch

        from autoenc.pictures.code_space import place

        epochs = sorted(subject.code_snapshots)
        if len(epochs) < 2:
            return None
        codes = torch.stack([subject.code_snapshots[epoch].float().cpu() for epoch in epochs])  # (E, M, code_size)
        placed, count = place(codes, plane_of=codes[-1]), codes.shape[1]
        notes = tuple(
            f"{note[:-1]} on the principal components of the codes of the last epoch." for note in placed.notes
        )
        return cls(
            epochs=tuple(epochs),
            points=placed.points,
            labels=subject.splits.test.labels[:count].numpy(),
            class_names=tuple(subject.splits.class_names),
            axis_labels=placed.axis_labels,
            notes=(f"The first {count:,} test images.", *notes, *subject.code_notes),
        )

    def draw(self, folder: Path, *, title: str, file_format: FigureFormat = "png") -> Path:  # noqa: ARG002
        """Write `codes_over_epochs.gif`, at most 30 frames of which the last stays longer, and the `.npz`.

        It is animated, so no other format is possible.
        """
        path = folder / f"{self.kind}.gif"
        with house_style():
            frames = [Image.fromarray(pixels) for pixels in self._pixels(list(self.frames(title=title)))]
        write_atomically(path, _as_gif(frames))
        self.save(path.with_suffix(".npz"))
        return path

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a few epochs of each panel, evenly chosen, on the same axes, one panel below another."""
        pictures = [panel.picture for panel in panels]
        most = MOST_STILLS if len(panels) == 1 else MOST_STILLS_BESIDE
        chosen = [evenly_chosen(len(picture.epochs), most=most) for picture in pictures]
        columns = max(len(indices) for indices in chosen)
        columns = -(-columns // -(-columns // MOST_COLUMNS))  # as many in each row
        stills: list[CodePanel | None] = []
        for (label, picture), indices in zip(panels, chosen, strict=True):
            stills += [picture.still(index, label=label) for index in indices]
            stills += [None] * (-len(indices) % columns)
        return _page(stills, pictures, side=STILL_SIDE, columns=columns, title=title)

    def frames(self, *, title: str) -> Iterator[Figure]:
        """Draw the frames of the animation, all of one size, inside `house_style`."""
        for index in evenly_chosen(len(self.epochs), most=MOST_FRAMES):
            yield _page([self.still(index, label="")], [self], side=FRAME_SIDE, columns=1, title=title)

    def _pixels(self, frames: Sequence[Figure]) -> Iterator[NDArray[np.uint8]]:
        """The pixels (H, W, 3) of the frames. What they share, such as the ticks and most texts, is drawn once."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(frames[0])
        for artist in self._moving(frames[0]):
            artist.set_animated(True)  # is not drawn with the rest
        canvas.draw()  # type: ignore[no-untyped-call]
        shared = canvas.copy_from_bbox(frames[0].bbox)  # type: ignore[no-untyped-call]
        for frame in frames:
            canvas.restore_region(shared)  # type: ignore[no-untyped-call]
            for artist in sorted(self._moving(frame), key=lambda artist: artist.get_zorder()):
                artist.draw(canvas.renderer)
            yield drawn_pixels(canvas)

    def _moving(self, frame: Figure) -> list[Artist]:
        """What differs between the frames or stands above it: the epoch, and all in the axes but ticks and grid."""
        (axes,) = frame.axes
        headings = [_heading(epoch) for epoch in self.epochs]
        below = (axes.patch, axes.xaxis, axes.yaxis)
        return [
            *(text for text in frame.texts if text.get_text() in headings),
            *(artist for artist in axes.get_children() if artist not in below),
        ]

    def still(self, index: int, *, label: str) -> CodePanel:
        """One epoch's codes on the axes of all epochs."""
        heading = "\n".join(filter(None, (label, _heading(self.epochs[index]))))
        return CodePanel(heading, self.points[index], self.labels, self.axis_labels, self.seen)

    @property
    def all_points(self) -> NDArray[Any]:
        """The codes of all epochs, (E * N, D)."""
        return self.points.reshape(-1, self.points.shape[-1])

    @cached_property
    def seen(self) -> Window:
        """The part of the plane or the line that has the codes of all epochs."""
        return window(self.all_points).shaped(1.0)


def _heading(epoch: int) -> str:
    return f"epoch {epoch}" if epoch else "before training"


def _page(
    stills: Sequence[CodePanel | None], pictures: Sequence[CodesOverEpochs], *, side: int, columns: int, title: str
) -> Figure:
    own = ["Each row has axes of its own."] if len(pictures) > 1 else []
    counted = left_out([picture.all_points for picture in pictures], [picture.seen for picture in pictures])
    names = shared_names([picture.class_names for picture in pictures])
    return code_page(
        stills,
        names=names,
        width=side,
        height=side,
        columns=columns,
        title=title,
        notes=[*own, *noted(pictures), *counted],
    )


def _as_gif(frames: Sequence[Image.Image]) -> bytes:
    """The frames with the last one's palette: a palette for each frame would make the colours flicker."""
    palette = frames[-1].quantize(256)
    first, *others = [_indexed(frame, palette=palette) for frame in frames]
    durations = [FRAME] * len(others) + [LAST_FRAME]
    content = io.BytesIO()
    first.save(content, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return content.getvalue()


def _indexed(frame: Image.Image, *, palette: Image.Image) -> Image.Image:
    """A frame in the palette's colours, with an exact white.

    Pillow looks colours up by their first six bits, which would turn white into a light grey.
    """
    found = np.array(frame.quantize(palette=palette, dither=Image.Dither.NONE))  # (H, W)
    colors = np.array(palette.getpalette(), dtype=np.int64).reshape(-1, 3)
    red, green, blue = np.asarray(frame).transpose(2, 0, 1)
    found[red & green & blue == 255] = colors.sum(axis=1).argmax()
    colors[colors.sum(axis=1).argmax()] = 255
    image = Image.fromarray(found)
    image.putpalette(colors.astype(np.uint8).tobytes())
    return image
