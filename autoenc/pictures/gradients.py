"""The gradient's norm in each layer, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import plain, value_axis
from autoenc.pictures.charts import row_axes, row_layout, write_column
from autoenc.pictures.page import SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.picture import Panel, Picture, chart_width, columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.models.autoencoder import AutoEncoder
    from autoenc.models.layers import WeightedLayer
    from autoenc.pictures.subject import Subject

BATCH, BATCHES = 256, 4
ARROW = "\N{NO-BREAK SPACE}\N{RIGHTWARDS ARROW}\N{NO-BREAK SPACE}"
TIMES = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
BEFORE, AFTER = "#d55e00", "#12355b"
LINE = (
    "L2 norm of the training objective's gradient with respect to each layer's weights, mean over {images:,} training "
    "images, without dropout and with the same noise before and after. Squares: before training. Dots: after it. Norms "
    "that shrink towards the image are vanishing gradients."
)
HEADS = ("\N{WHITE SQUARE} before", "\N{BLACK CIRCLE} after")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gradients(Picture):
    """The L2 norm of the objective's gradient with respect to each layer's weights."""

    layers: tuple[str, ...]
    """The encoder's, then the decoder's, in the order of the forward pass."""
    before: NDArray[np.float64]
    """Of the untrained model, (L,)."""
    after: NDArray[np.float64]
    """Of the trained model, (L,)."""
    images: int
    """The number of training images that the gradient is averaged over."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """The norm of the objective's mean gradient on 1,024 training images, in eval mode; None without weights.

        Noise and sampled codes are the same in every run. The gradient of parametrized weights is with respect to the
        weights as they are used. Tied weights are listed once, with the sum over both uses.
        """
        from autoenc.evaluation.batches import as_floats

        layers = _layers(subject.model)
        if not layers:
            return None
        images = as_floats(subject.splits.train.images[: BATCH * BATCHES], device=subject.device)  # (N, C, H, W)
        return cls(
            layers=tuple(layers),
            before=_norms(subject.untrained(), images, subject=subject),
            after=_norms(subject.model, images, subject=subject),
            images=len(images),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a row for each layer, with two dots on an axis that all panels share."""
        norms = np.concatenate([norms for _, picture in panels for norms in (picture.before, picture.after)])
        scale = value_axis(norms[norms > 0], unit="a share")
        powers = any(not 1e-4 <= norm < 99.5 for norm in norms[np.isfinite(norms) & (norms > 0)])
        columns = columns_of(panels)
        width, column, head = chart_width(columns), text_width(HEADS[0], SMALL) + SPACE, line_height(SMALL)
        layout = row_layout(
            [panel.picture.layers for panel in panels],
            width=width,
            most_name=width // 3,
            least_height=head + 18,
            columns_width=2 * column,
            label=scale.labelled("norm of the gradient"),
        )
        page, corners, _ = panel_page(
            [panel.label for panel in panels],
            width=width,
            height=head + layout.height,
            columns=columns,
            title=title,
            line=LINE.format(images=panels[0].picture.images),
        )
        for index, (panel, (left, top)) in enumerate(zip(panels, corners, strict=True)):
            axes = row_axes(page, layout, panel=index, corner=Corner(left, top + head), scale=scale)
            _draw(axes, panel.picture)
            columns_of_numbers = (panel.picture.before, panel.picture.after)
            for name, values, right in zip(HEADS, columns_of_numbers, (width - column, width), strict=True):
                texts = [_written(float(value), powers=powers) for value in values]
                write_column(page, layout, name, texts, right=left + right, top=top + head)
        return page.figure


def _layers(model: AutoEncoder) -> dict[str, WeightedLayer]:
    from autoenc.models.layers import TiedLinear, weighted_layers

    tied = {id(layer.source) for layer in model.modules() if isinstance(layer, TiedLinear)}
    return {
        f"{part} {number}: {_described(layer)}" + (" (tied)" if id(layer) in tied else ""): layer
        for part, module in (("encoder", model.encoder), ("decoder", model.decoder))
        for number, (_, layer) in enumerate(weighted_layers(module), start=1)
        if not isinstance(layer, TiedLinear)
    }


def _described(layer: WeightedLayer) -> str:
    """`784 -> 128`, or `1 -> 16, 3 x 3`, with spaces that do not break a line in the wrong place."""
    from torch import nn

    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        height, width = layer.kernel_size
        kind = " transposed" if layer.transposed else ""
        return f"{layer.in_channels}{ARROW}{layer.out_channels}, {height}{TIMES}{width}{kind}"
    return f"{layer.in_features}{ARROW}{layer.out_features}"


def _norms(model: AutoEncoder, images: Tensor, *, subject: Subject) -> NDArray[np.float64]:
    """The norm of the gradient with respect to each layer's weights, (L,)."""
    import torch
    from torch.nn.utils import parametrize

    from autoenc.evaluation.frozen_noise import frozen_generator

    noise = frozen_generator(subject.device, split="gradients")
    codes = frozen_generator(subject.device, split="gradients, codes")
    layers = _layers(model).values()
    totals: list[Tensor] = []
    for clean in images.split(BATCH):
        given, corrupted = subject.noise(clean, generator=noise)
        draws = model.draw(given, generator=codes)
        with torch.enable_grad(), parametrize.cached():  # so that these weights are those of the forward pass
            weights = [layer.weight for layer in layers]
            output = model(given, draws=draws)
            objective = model.objective(output, target=clean, given=given, corrupted=corrupted, generator=codes)
            found = torch.autograd.grad(objective.loss, weights, allow_unused=True, materialize_grads=True)
        shares = [gradient * (len(clean) / len(images)) for gradient in found]
        totals = [total + share for total, share in zip(totals, shares, strict=True)] if totals else shares
    return np.array([float(total.float().norm()) for total in totals])  # synchronises


def _draw(axes: Axes, picture: Gradients) -> None:
    places = np.arange(len(picture.layers))
    style: dict[str, Any] = {"markersize": 8, "linewidth": 1.4, "markeredgewidth": 2, "clip_on": False}
    for values, shape, color, filling in ((picture.before, "s:", BEFORE, "white"), (picture.after, "o-", AFTER, AFTER)):
        drawn = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        axes.plot(drawn, places, shape, color=color, markerfacecolor=filling, **style)


def _written(value: float, *, powers: bool) -> str:
    """Two digits, with or without a power of ten: `1.5e-3` or `0.0015`."""
    if not np.isfinite(value):
        return "\N{INFINITY}" if np.isinf(value) else "NaN"
    return plain(f"{value:.1e}") if powers and value > 0 else f"{value:.2g}"
