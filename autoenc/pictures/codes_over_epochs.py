"""Where the codes of the test images move during training: an animation, or a strip of stills."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from autoenc.pictures.code_axes import Cloud, Window, window
from autoenc.pictures.code_panels import CodeAxes, code_axes, shared_names
from autoenc.pictures.codes import code_page
from autoenc.pictures.page import Page, house_style
from autoenc.pictures.panels import Corner, PanelPage
from autoenc.pictures.picture import Panel, Picture, evenly_chosen
from autoenc.runs import write_atomically

if TYPE_CHECKING:
    from autoenc.pictures.subject import Subject

MOST_FRAMES = 30
FRAME, LAST_FRAME = 400, 3000  # milliseconds that a frame stays
MOST_STILLS, MOST_STILLS_BESIDE = 8, 5  # of a single panel, and of each of several
MOST_COLUMNS = 5
FRAME_HEIGHT, STILL_HEIGHT = 720, 300  # of the axes


@dataclass(frozen=True, kw_only=True, eq=False)
class CodesOverEpochs(Picture):
    """The codes of the same images at several epochs, all projected in the same way."""

    kind: ClassVar[str] = "codes_over_epochs"

    epochs: tuple[int, ...]
    """Rising; 0 is before training."""
    points: NDArray[Any]
    """(E, N, 1) or (E, N, 2)."""
    labels: NDArray[Any]
    """(N,), indices into `class_names`."""
    class_names: tuple[str, ...]
    axis_labels: tuple[str, ...]
    """One or two."""
    notes: tuple[str, ...]
    """Sentences: which images these are, and how their codes were projected."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Place the codes of each snapshot, those of more than two numbers on the last epoch's principal components.

        Returns:
            None with fewer than two snapshots.
        """
        import torch

        from autoenc.pictures.code_space import principal_plane, unprojected

        epochs = sorted(subject.code_snapshots)
        if len(epochs) < 2:
            return None
        codes = torch.stack([subject.code_snapshots[epoch].float().cpu() for epoch in epochs])  # (E, M, code_size)
        count, size = codes.shape[1:]
        notes = [f"The first {count:,} test images."]
        if size <= 2:
            points, axis_labels, _ = unprojected(codes)
        else:
            plane = principal_plane(codes[-1])
            points, axis_labels = np.stack([plane.project(part) for part in codes]), plane.axis_labels
            notes.append(f"Codes of {size} numbers are projected on the principal components of the last epoch's.")
        return cls(
            epochs=tuple(epochs),
            points=points,
            labels=subject.splits.test.labels[:count].numpy(),
            class_names=tuple(subject.splits.class_names),
            axis_labels=axis_labels,
            notes=tuple(notes),
        )

    def draw(self, folder: Path, *, title: str) -> Path:
        """Write `codes_over_epochs.gif`, at most 30 frames of which the last stays longer, and the `.npz`."""
        with house_style():
            frames = [_as_image(frame) for frame in self.frames(title=title)]
        path = folder / f"{self.kind}.gif"
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
        rows = sum(-(-len(indices) // columns) for indices in chosen)
        layout = _layout(pictures, height=STILL_HEIGHT, rows=rows)
        stills: list[_Still | None] = []
        for panel, seen, indices in zip(panels, layout.windows, chosen, strict=True):
            stills += [_Still(panel.label, panel.picture, index, seen) for index in indices]
            stills += [None] * (-len(indices) % columns)
        headings = [still.heading if still else "" for still in stills]
        page = _page(layout, pictures, headings=headings, columns=columns, title=title)
        for still, corner in zip(stills, page.corners, strict=True):
            if still:
                still.draw(page.page, layout=layout, corner=corner)
        return page.page.figure

    def frames(self, *, title: str) -> Iterator[Figure]:
        """Draw the frames of the animation, all of one size, inside `house_style`."""
        layout = _layout([self], height=FRAME_HEIGHT, rows=1)
        for index in evenly_chosen(len(self.epochs), most=MOST_FRAMES):
            still = _Still("", self, index, layout.windows[0])
            page = _page(layout, [self], headings=[still.heading], columns=1, title=title)
            still.draw(page.page, layout=layout, corner=page.corners[0])
            yield page.page.figure

    @property
    def finite_points(self) -> NDArray[np.float64]:
        """The finite codes of all epochs, (M, D)."""
        points = self.points.reshape(-1, self.points.shape[-1]).astype(np.float64)
        return points[np.isfinite(points).all(axis=1)]


class _Still(NamedTuple):
    """One epoch of a panel."""

    label: str
    picture: CodesOverEpochs
    number: int
    seen: Window

    @property
    def heading(self) -> str:
        epoch = self.picture.epochs[self.number]
        return "\n".join(filter(None, (self.label, f"epoch {epoch}" if epoch else "before training")))

    def draw(self, page: Page, *, layout: CodeAxes, corner: Corner) -> None:
        cloud = Cloud.of(self.picture.points[self.number], self.picture.labels)
        layout.draw(page, cloud, seen=self.seen, corner=corner, axis_labels=self.picture.axis_labels)


def _layout(pictures: Sequence[CodesOverEpochs], *, height: int, rows: int) -> CodeAxes:
    return code_axes(
        [window(picture.finite_points) for picture in pictures],
        names=shared_names([picture.class_names for picture in pictures]),
        axis_labels=[picture.axis_labels for picture in pictures],
        height=height,
        aspect=1.0,
        rows=rows,
    )


def _page(
    layout: CodeAxes, pictures: Sequence[CodesOverEpochs], *, headings: Sequence[str], columns: int, title: str
) -> PanelPage:
    return code_page(
        layout,
        [picture.finite_points for picture in pictures],
        total=sum(picture.points[..., 0].size for picture in pictures),
        headings=headings,
        columns=columns,
        title=title,
        notes=[
            *(["Each row has axes of its own."] if len(pictures) > 1 else []),
            *dict.fromkeys(note for picture in pictures for note in picture.notes),
        ],
    )


def _as_image(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return Image.fromarray(pixels).convert("RGB")


def _as_gif(frames: Sequence[Image.Image]) -> bytes:
    """The frames with the last one's palette: a palette for each frame would make the colours flicker."""
    palette = frames[-1].quantize(256)
    indexed = [_indexed(frame, palette=palette) for frame in frames]
    content = io.BytesIO()
    indexed[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[FRAME] * (len(frames) - 1) + [LAST_FRAME],
        loop=0,
    )
    return content.getvalue()


def _indexed(frame: Image.Image, *, palette: Image.Image) -> Image.Image:
    """A frame in the palette's colours, with an exact white.

    Pillow looks colours up by their first six bits, which would turn white into a light grey.
    """
    found = np.array(frame.quantize(palette=palette, dither=Image.Dither.NONE))  # (H, W)
    colors = np.array(palette.getpalette(), dtype=np.int64).reshape(-1, 3)
    found[(np.asarray(frame) == 255).all(axis=-1)] = colors.sum(axis=1).argmax()
    colors[colors.sum(axis=1).argmax()] = 255
    image = Image.fromarray(found)
    image.putpalette(colors.astype(np.uint8).tobytes())
    return image
