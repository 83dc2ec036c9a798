"""The kernels of the encoder's first layer as pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import LEAST_HEIGHT, SIDE, ColorScale, draw_color_bar
from autoenc.pictures.page import INK, MARGIN, MOST_PAGE_WIDTH, Page
from autoenc.pictures.panels import GUTTER, Corner, panel_page
from autoenc.pictures.picture import Panel, Picture, columns_of, evenly_chosen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.models.autoencoder import AutoEncoder
    from autoenc.pictures.subject import Subject

MOST_SHOWN = 64
QUANTILE = 0.995
WINDOW = 4  # a window has a quarter of the kernel's sides, rounded up
GAP = 6  # between kernels
ROOM = MOST_PAGE_WIDTH - 2 * MARGIN - GUTTER - SIDE  # the width of all panels in a row
ROOM_HEIGHT = 1000  # of a single row of panels
LEAST_ROOM_HEIGHT = 500  # of each of several rows, so that 64 kernels of 28 x 28 get two pixels for a weight
MOST_SIDE = 150  # of a kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernels(Picture):
    """Kernels of one layer on a zero-centred scale, the dead ones crossed out."""

    kernels: NDArray[np.float32]
    """Those that are shown, (K, C, H, W), C being 1 or 3."""
    dead: NDArray[np.bool_]
    """Which of them are dead, (K,)."""
    count: int
    """The number of kernels of the layer."""
    dead_count: int
    limit: float
    """The 99.5 % quantile of the absolute value of all weights of the layer."""
    roughness: float
    """See `roughness`; NaN if undefined."""
    note: str
    """A further sentence for the heading, or nothing."""
    locality: float = math.nan
    """The median over the kernels that are not dead; NaN if undefined, or in the numbers of earlier runs."""
    localities: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """See `localities`: of all kernels of the layer, (count,)."""
    learned_roughness: float = math.nan
    """The roughness of what training has added to the initial weights; NaN if undefined, or of earlier runs."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """The kernels of a convolution, or the rows of a weight matrix on the whole image, each in the image's shape.

        The weights that a matrix has for a pixel that is black in every training image count in no number: unless noise
        lights the pixel, their gradient is zero and they stay as initialised. None for an encoder without weights, or
        whose first layer does not read the image itself.
        """
        from torch import nn

        from autoenc.evaluation.health.units import first_layer_dead
        from autoenc.models.layers import weighted_layers

        dead = first_layer_dead(subject.model, (batch.given for batch in subject.test_inputs()))
        weights = None if dead is None else _first_weights(subject.model, subject=subject)
        if dead is None or weights is None:
            return None
        black, note = np.zeros(weights.shape[1:], dtype=np.bool_), ""  # (C, H, W)
        if isinstance(weighted_layers(subject.model.encoder)[0][1], nn.Linear):
            # Every image that may be drawn counts, if they are drawn from probabilities.
            drawn_from = subject.splits.train_probabilities
            black = ((subject.splits.train.images if drawn_from is None else drawn_from).amax(0) == 0).cpu().numpy()
        initial = _first_weights(subject.untrained(), subject=subject)
        assert initial is not None, "the same layers as the trained model"
        if black.any():
            moved = not np.array_equal(weights[:, black], initial[:, black])
            fate = "; they do not count in the numbers" if moved else ": their weights never moved"
            count = int(black.all(0).sum())
            note = f"{count} {'pixel is' if count == 1 else 'pixels are'} black in every training image{fate}"
        return cls.of(weights, initial=initial, dead=dead.numpy(), ignored=black, note=note)

    @classmethod
    def of(
        cls,
        kernels: NDArray[Any],
        *,
        initial: NDArray[Any],
        dead: NDArray[np.bool_],
        ignored: NDArray[np.bool_],
        note: str,
    ) -> Self:
        """The picture of all kernels (N, C, H, W) of a layer, of which 64 are shown, evenly chosen.

        C is 1 or 3. `dead` (N,) marks kernels, `ignored` (C, H, W) weights that count in no number.
        """
        shown = evenly_chosen(len(kernels), most=MOST_SHOWN)
        finite = np.abs(kernels[np.isfinite(kernels)])
        locality = localities(kernels, ignored=ignored)
        return cls(
            kernels=kernels[shown].astype(np.float32),
            dead=dead[shown],
            count=len(kernels),
            dead_count=int(dead.sum()),
            limit=float(np.quantile(finite, QUANTILE)) if finite.size else 0.0,
            roughness=roughness(kernels[~dead], ignored=ignored),
            note=note,
            locality=_median(locality[~dead]),
            localities=locality,
            learned_roughness=roughness((kernels - initial)[~dead], ignored=ignored),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a grid of kernels for each panel, all on one scale."""
        pictures = [panel.picture for panel in panels]
        limit = max(picture.limit for picture in pictures) or 1.0
        columns = columns_of(panels)
        rows = -(-len(panels) // columns)
        height = max(LEAST_ROOM_HEIGHT, ROOM_HEIGHT // rows)
        grids = [_grid(picture.kernels, width=ROOM // columns, height=height) for picture in pictures]
        colored = any(picture.kernels.shape[1] == 3 for picture in pictures)
        page, corners, side = panel_page(
            [panel.heading for panel in panels],
            width=max(grid.width for grid in grids),
            height=max(LEAST_HEIGHT, *(grid.height for grid in grids)),
            columns=columns,
            title=title,
            line=_line(colored=colored),
            side=SIDE,
        )
        colors = "gray" if colored else "RdBu_r"
        scale = ColorScale("weight" + (" of a colour channel" if colored else ""), colors, low=-limit, high=limit)
        for picture, grid, corner in zip(pictures, grids, corners, strict=True):
            _draw(page, picture, grid=grid, corner=corner, scale=scale)
        draw_color_bar(page, scale, left=side.left, top=side.top, height=min(grids[0].height, 500))
        return page.figure

    @property
    def remark(self) -> str:
        """The numbers of this layer in words."""
        counted = f"{self.count} kernel{'' if self.count == 1 else 's'}, {self.dead_count or 'none'} of them dead"
        rough = f"; roughness {self.roughness:.2f}" if np.isfinite(self.roughness) else ""
        rough += f"; locality {self.locality:.2f}" if np.isfinite(self.locality) else ""
        shown = "" if len(self.kernels) == self.count else f"; {len(self.kernels)} are shown, evenly chosen"
        return f"{counted}{rough}{shown}\n{self.note}".strip()


def _first_weights(model: AutoEncoder, *, subject: Subject) -> NDArray[np.float32] | None:
    """The weights of the encoder's first layer, (units, C, height, width), or None if they are not pictures."""
    from torch import nn

    from autoenc.models.layers import weighted_layers

    layer, image_shape = weighted_layers(model.encoder)[0][1], subject.splits.image_shape
    weights = layer.weight.detach().float().cpu()
    if isinstance(layer, nn.Linear) and weights[0].numel() == math.prod(image_shape):
        weights = weights.unflatten(1, image_shape)
    drawable = isinstance(layer, nn.Linear | nn.Conv2d) and weights.ndim == 4 and weights.shape[1] in (1, 3)
    return weights.contiguous().numpy() if drawable else None


def roughness(kernels: NDArray[Any], *, ignored: NDArray[np.bool_]) -> float:
    """How rough kernels (N, C, H, W) look: 1 for white noise, 0 for constants, 2 for a checkerboard.

    For one kernel: the mean squared difference of horizontal and vertical neighbours (both in one mean), divided by
    twice the mean square. Weights that are `ignored`, (C, H, W), and their pairs count in neither mean.

    Returns:
        The median over the kernels that are not zero; NaN if there is none, or no pair of neighbours.
    """
    weights = kernels.astype(np.float64)
    counted = ~ignored
    across, down = counted[..., 1:] & counted[..., :-1], counted[..., 1:, :] & counted[..., :-1, :]
    pairs = int(across.sum() + down.sum())
    if pairs == 0 or len(weights) == 0:
        return float("nan")
    differences = (np.diff(weights, axis=3) ** 2 * across).sum((1, 2, 3))  # (N,)
    differences += (np.diff(weights, axis=2) ** 2 * down).sum((1, 2, 3))
    squares = (weights**2 * counted).sum((1, 2, 3)) / counted.sum()
    with np.errstate(invalid="ignore"):
        return _median(differences / pairs / (2 * squares))


def localities(kernels: NDArray[Any], *, ignored: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How local each of the kernels (N, C, H, W) is, (N,): the energy in its best window, as a share of its energy.

    The energy is the sum of the squared weights. The window has a quarter of the kernel's sides, rounded up: 7 x 7 of
    28 x 28, so a sixteenth of the area. 1 for a kernel within such a window; 0.1 for white noise on 28 x 28 pixels.
    Weights that are `ignored`, (C, H, W), count as 0. NaN for a kernel of zeros.
    """
    energies = (kernels.astype(np.float64) ** 2 * ~ignored).sum(1)  # (N, H, W)
    window = tuple(-(-side // WINDOW) for side in energies.shape[1:])
    inside = sliding_window_view(energies, window, axis=(1, 2)).sum((-2, -1))  # (N, H', W')
    with np.errstate(invalid="ignore"):
        return inside.max((1, 2)) / energies.sum((1, 2))  # type: ignore[no-any-return]


def _median(values: NDArray[np.float64]) -> float:
    """The median of the finite values; NaN if there is none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else math.nan


class _Grid(NamedTuple):
    columns: int
    scale: int
    width: int  # pixels of the page
    height: int


def _grid(kernels: NDArray[np.float32], *, width: int, height: int) -> _Grid:
    """The grid in which kernels are largest; among several one without gaps, then the one most like the room."""
    count, _, kernel_height, kernel_width = kernels.shape

    def with_columns(columns: int) -> _Grid:
        rows = -(-count // columns)
        across = ((width + GAP) // columns - GAP) // kernel_width
        down = ((height + GAP) // rows - GAP) // kernel_height
        scale = max(1, min(across, down, MOST_SIDE // max(kernel_height, kernel_width)))
        inner_width = columns * (scale * kernel_width + GAP) - GAP
        return _Grid(columns, scale, inner_width, rows * (scale * kernel_height + GAP) - GAP)

    def cost(grid: _Grid) -> tuple[int, int, int, float]:
        overflow = max(0, grid.width - width)  # kernels larger than the room, at a pixel for each weight
        unlike = abs(math.log(grid.width / grid.height / (width / height)))
        return -grid.scale, overflow, -count % grid.columns, unlike

    return min((with_columns(columns) for columns in range(1, count + 1)), key=cost)


def _line(*, colored: bool) -> str:
    colors = "middle grey 0, each colour separately" if colored else "blue below 0, white 0, red above"
    return (
        f"Kernels of the encoder's first layer, all on one scale: {colors}; clipped at the 99.5 % quantile of "
        "the absolute weights. Crossed out: dead kernels, whose unit is constant on the test images (with noise if the "
        "run has noise), or varies less than a millionth as much as the median unit. Roughness: 1 for white noise, 0 "
        "for a constant. Locality: the share of a kernel's squared weights in its best window, whose sides are a "
        "quarter of the kernel's. Of both, the median."
    )


def _draw(page: Page, picture: Kernels, *, grid: _Grid, corner: Corner, scale: ColorScale) -> None:
    _, _, height, width = picture.kernels.shape
    step_across, step_down = grid.scale * width + GAP, grid.scale * height + GAP
    for index, (kernel, is_dead) in enumerate(zip(picture.kernels, picture.dead, strict=True)):
        row, column = divmod(index, grid.columns)
        left, top = corner.left + column * step_across, corner.top + row * step_down
        page.image(_pixels(kernel, scale=scale), left=left, top=top, scale=grid.scale)
        if is_dead:
            right, bottom = left + step_across - GAP, top + step_down - GAP
            page.line([(left, top), (right, bottom)], color=INK, width=1.4)
            page.line([(left, bottom), (right, top)], color=INK, width=1.4)
            edge = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            page.line(edge, color=INK, width=2.4)


def _pixels(kernel: NDArray[np.float32], *, scale: ColorScale) -> NDArray[np.uint8]:
    """A kernel (C, H, W) as bytes (H, W, 3): of one channel by the scale, of three as red, green and blue."""
    if scale.colors != "gray":
        return scale.pixels(np.nan_to_num(kernel[0]).clip(scale.low, scale.high))
    share = (np.nan_to_num(kernel) - scale.low) / (scale.high - scale.low)
    pixels = np.rint(255 * share.clip(0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
