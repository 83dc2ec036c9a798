"""Pictures of a run, fit for a lecture: the only importer of matplotlib.

Every function takes plain values (arrays or CPU tensors, numbers, a path) and writes one PNG, whole or not at all. They
share no state with pyplot and leave the caller's rcParams and backend alone.
"""

from autoenc.figures.loss_curves import draw_loss_curves
from autoenc.figures.page import house_style
from autoenc.figures.picture import Panel, Picture
from autoenc.figures.reconstructions import draw_progress, draw_reconstructions

__all__ = [
    "PICTURES",
    "Panel",
    "Picture",
    "draw_loss_curves",
    "draw_progress",
    "draw_reconstructions",
    "house_style",
]

PICTURES: dict[str, type[Picture]] = {}
"""Every kind of picture whose numbers are kept beside it, by its name."""
