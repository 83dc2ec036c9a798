"""Checkerboards: the spectrum of a decoder's images, where they show as peaks, their pixels, and their cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.evaluation.power_spectrum import checkerboard, checkerboard_excess, power_spectrum
from autoenc.pictures.axis_ticks import ValueAxis, value_axis
from autoenc.pictures.charts import BASELINE_COLOR, BASELINE_LINE, LEADER, LineLabel, label_lines
from autoenc.pictures.code_axes import Box
from autoenc.pictures.image_pixels import SIDE, ColorScale, as_pixels, draw_color_bar
from autoenc.pictures.kernel_overlap import draw_overlap, overlap_counts, overlap_words
from autoenc.pictures.page import GRID, LABEL, SMALL, Page, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.picture import Panel, Picture
from autoenc.seeds import derived_seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.subject import Subject

LEAST_SIDE = 24  # of an image: in a smaller one, the window's spectrum is wider than the distance to the neighbours

MOST = 2000  # test images
RANDOM_CODES = 500

DECIBELS_SHOWN = 70
CHART = 430  # pixels that the profile is wide
GAP = 64  # between spectra, for the ticks at their ends
SHOWN_SIDE = 200  # pixels that a spectrum is wide, about
NAMES = ("originals", "reconstructions", "untrained decoder")
COLORS = (BASELINE_COLOR, "#12355b", "#d55e00")
DASHES = (BASELINE_LINE, "-", "-.")
LINE = (
    "Mean power of each frequency, relative to the picture's own mean; right: averaged over the other direction. "
    "Checkerboard: how far the power at 1/2 is above that of its neighbours; 0 where the spectrum is smooth."
)
CROP = 16  # pixels each way
CROPS = ("a test image", "reconstruction", "untrained decoder")
PIXELS = (
    f"Second row: the {CROP} x {CROP} pixels in the middle; and how many kernel weights reach each pixel. Uneven "
    "numbers make a pattern, such as a checkerboard."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum(Picture):
    """Three power spectra (F, F), as `power_spectrum` gives them."""

    derived: ClassVar[tuple[str, ...]] = ("originals_excess", "reconstructions_excess", "untrained_excess")
    originals: NDArray[np.float64]
    reconstructions: NDArray[np.float64]
    untrained: NDArray[np.float64]
    """Of random codes, decoded before training."""
    crops: NDArray[np.float16] = field(default_factory=lambda: np.zeros(0, dtype=np.float16))
    """(3, C, 16, 16): of a test image, its reconstruction, and an image of the untrained decoder, stretched to [0, 1].

    Empty in the numbers of earlier runs, like `overlap`.
    """
    overlap: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """See `overlap_counts`."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """The spectra of 2,000 test images, their reconstructions, and 500 codes from N(0, I), decoded before training.

        A trained decoder has learnt to counteract the pattern; an untrained one shows what its layers alone leave.
        None for an architecture without upsampling, or images too small to tell their frequencies apart.
        """
        import torch

        from autoenc.pictures.subject import stored

        if not subject.has_upsampling or min(subject.splits.image_shape[1:]) < LEAST_SIDE:
            return None
        generator = torch.Generator().manual_seed(derived_seed(0, "random codes of the spectrum"))
        codes = torch.randn(RANDOM_CODES, subject.model.bottleneck.code_size, generator=generator)
        with torch.no_grad():
            made = subject.untrained().decode(codes.to(subject.device.torch_device)).float().cpu()
        images = subject.splits.test.images[:MOST]
        shown = subject.splits.test.images[subject.shown_indices[:1]]
        crops = [_crop(part)[0] for part in (shown.cpu() / 255, subject.reconstructions(shown), made[:1])]
        crops[2] = (crops[2] - crops[2].min()) / (crops[2].max() - crops[2].min()).clamp_min(1e-6)
        return cls(
            originals=power_spectrum(images.cpu().numpy() / 255),
            reconstructions=power_spectrum(subject.reconstructions(images).numpy()),
            untrained=power_spectrum(made.numpy()),
            crops=stored(torch.stack(crops)),
            overlap=overlap_counts(subject.model.decoder),
        )

    @property
    def powers(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """In the order of `NAMES`."""
        return self.originals, self.reconstructions, self.untrained

    @property
    def originals_excess(self) -> NDArray[np.float64]:
        """See `checkerboard_excess`; (3,), whose mean is the number in the heading."""
        return checkerboard_excess(self.originals)

    @property
    def reconstructions_excess(self) -> NDArray[np.float64]:
        """The same."""
        return checkerboard_excess(self.reconstructions)

    @property
    def untrained_excess(self) -> NDArray[np.float64]:
        """The same."""
        return checkerboard_excess(self.untrained)

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a row for each panel: the three spectra, and their profiles in a chart; all on one scale."""
        spectra = [[_decibels(power, mean=power.mean()) for power in panel.picture.powers] for panel in panels]
        scale = _color_scale(np.concatenate(spectra, axis=None))
        layout = _layout(panels[0].picture, with_pixels=any(len(panel.picture.crops) for panel in panels))
        profiles = [[_profile(power) for power in panel.picture.powers] for panel in panels]
        values = value_axis(np.concatenate(profiles, axis=None), unit="decibels")
        page, corners, side = panel_page(
            [": ".join(filter(None, [panel.label, panel.picture.remark])) for panel in panels],
            width=layout.width,
            height=layout.height,
            title=title,
            line=f"{LINE} {PIXELS}" if layout.below else LINE,
            side=SIDE,
        )
        for corner, decibels, lines in zip(corners, spectra, profiles, strict=True):
            for index, (name, power) in enumerate(zip(NAMES, decibels, strict=True)):
                left = corner.left + layout.lefts[index]
                _draw_spectrum(page, power, name=name, corner=Corner(left, corner.top), layout=layout, scale=scale)
            _draw_profiles(page, lines, corner=corner, layout=layout, values=values)
        for panel, corner in zip(panels, corners, strict=True):
            if len(panel.picture.crops):
                _draw_pixels(page, panel.picture, corner=Corner(corner.left, corner.top + layout.below), layout=layout)
        draw_color_bar(page, scale, left=side.left, top=corners[0].top + layout.head, height=layout.side)
        return page.figure

    @property
    def remark(self) -> str:
        """The numbers in words."""
        written = [f"{name} {_signed(checkerboard(power))} dB" for name, power in zip(NAMES, self.powers, strict=True)]
        return "checkerboard " + ", ".join([written[1], written[0], written[2]])


class _Layout(NamedTuple):
    """Within a panel; lengths in pixels of the page."""

    scale: int
    side: int  # of a spectrum
    lefts: list[int]  # of the spectra, and of the chart
    head: int
    below: int  # where the second row begins; 0 without one
    width: int
    height: int


def _layout(picture: Spectrum, *, with_pixels: bool) -> _Layout:
    points = len(picture.originals) + 1  # both ends of the axis, which are one frequency
    scale = max(1, SHOWN_SIDE // points)
    side = scale * points
    ticks = text_width("\N{MINUS SIGN}1/2", SMALL) + line_height(SMALL) + SPACE
    lefts = [ticks + index * (side + GAP) for index in range(3)]
    chart_left = lefts[-1] + side + GAP + line_height(LABEL) + text_width("\N{MINUS SIGN}60", SMALL)
    names = LEADER + max(text_width(name, SMALL) for name in NAMES)
    head = line_height(SMALL) + SPACE // 2
    height = head + side + line_height(SMALL) + line_height(LABEL) + SPACE
    below = height + SPACE if with_pixels else 0
    return _Layout(
        scale=scale,
        side=side,
        lefts=[*lefts, chart_left],
        head=head,
        below=below,
        width=chart_left + CHART + names,
        height=below + head + side if with_pixels else height,
    )


def _decibels(power: NDArray[np.float64], *, mean: float) -> NDArray[np.float64]:
    """Decibels relative to the mean power; not finite without power."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(power / mean), dtype=np.float64)


def _profile(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power by frequency from 0 to 1/2, (F / 2 + 1,), in decibels: the mean of both directions."""
    both = (power.mean(0) + power.mean(1)) / 2
    return _decibels(both[: len(both) // 2 + 1], mean=power.mean())


def _color_scale(spectra: NDArray[np.float64]) -> ColorScale:
    finite = spectra[np.isfinite(spectra)]
    high = float(finite.max(initial=0))
    low = max(float(finite.min(initial=high - 1)), high - DECIBELS_SHOWN)
    return ColorScale("power, dB above its mean", "viridis", low=low, high=high)


def _draw_spectrum(
    page: Page, power: NDArray[np.float64], *, name: str, corner: Corner, layout: _Layout, scale: ColorScale
) -> None:
    """With zero in the middle, and both ends of each axis."""
    half = len(power) // 2
    order = np.arange(-half, half + 1) % len(power)
    top = corner.top + layout.head
    pixels = scale.pixels(np.nan_to_num(power[np.ix_(order[::-1], order)], nan=scale.low, neginf=scale.low))
    page.text(name, x=corner.left + layout.side / 2, y=corner.top, size=SMALL, horizontal="center")
    page.image(pixels, left=corner.left, top=top, scale=layout.scale)
    axes = Box(corner.left, top, layout.side, layout.side).axes(page)
    axes.patch.set_visible(False)
    axes.spines[:].set_visible(False)
    edge = 0.5 + 0.5 / len(power)  # the frequencies are in the middle of their blocks
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    labels = ["\N{MINUS SIGN}1/2", "0", "1/2"]
    axes.set_xticks([-0.5, 0, 0.5], labels)
    axes.set_yticks([-0.5, 0, 0.5], labels if name == NAMES[0] else [])
    axes.set_xlabel("horizontal, 1/pixel", size=SMALL)
    if name == NAMES[0]:
        axes.set_ylabel("vertical, 1/pixel", size=SMALL, labelpad=0)


def _draw_profiles(
    page: Page, profiles: Sequence[NDArray[np.float64]], *, corner: Corner, layout: _Layout, values: ValueAxis
) -> None:
    axes = Box(corner.left + layout.lefts[-1], corner.top + layout.head, CHART, layout.side).axes(page)
    values.put_on(axes)
    axes.set_ylabel("power, dB")
    axes.set_xlim(0, 0.5)
    axes.set_xticks([0, 0.125, 0.25, 0.375, 0.5], ["0", "1/8", "1/4", "3/8", "1/2"])
    axes.set_xlabel("frequency, 1/pixel")
    for frequency in (0.25, 0.5):
        axes.axvline(frequency, color=GRID, linewidth=3, zorder=0)
    labels = []
    for name, profile, color, dashes in zip(NAMES, profiles, COLORS, DASHES, strict=True):
        frequencies = np.arange(len(profile)) / (2 * (len(profile) - 1))
        axes.plot(frequencies, profile, color=color, linestyle=dashes, linewidth=2.2, label=name, clip_on=False)
        labels.append(LineLabel(name, float(profile[-1]), color))
    label_lines(axes, [label for label in labels if np.isfinite(label.value)], scale=values)


def _draw_pixels(page: Page, picture: Spectrum, *, corner: Corner, layout: _Layout) -> None:
    """The second row of a panel: three crops and, of a decoder with convolutions, the overlap of the kernels."""
    scale = layout.side // CROP
    for name, crop, left in zip(CROPS, as_pixels(picture.crops), layout.lefts, strict=False):
        place = corner.left + left
        page.text(name, x=place + layout.side / 2, y=corner.top, size=SMALL, horizontal="center")
        page.image(crop, left=place + (layout.side - scale * CROP) // 2, top=corner.top + layout.head, scale=scale)
    if not picture.overlap.size:
        return
    left = corner.left + layout.lefts[-1]
    page.text(f"weights that reach a pixel: {overlap_words(picture.overlap)}", x=left, y=corner.top, size=SMALL)
    draw_overlap(page, picture.overlap, box=Box(left, corner.top + layout.head, layout.side, layout.side))


def _crop(images: Tensor) -> Tensor:
    """The middle of images (N, C, H, W), (N, C, 16, 16)."""
    top, left = ((size - CROP) // 2 for size in images.shape[2:])
    return images[:, :, top : top + CROP, left : left + CROP]


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-", "\N{MINUS SIGN}") if np.isfinite(number) else "undefined"
