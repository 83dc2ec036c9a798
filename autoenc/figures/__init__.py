"""Pictures of a run, fit for a lecture: the only importer of matplotlib.

Every function takes plain values (arrays or CPU tensors, numbers, a path) and writes one PNG, whole or not at all. They
share no state with pyplot and leave the caller's rcParams and backend alone.
"""

from autoenc.figures.loss_curves import draw_loss_curves
from autoenc.figures.reconstructions import draw_progress, draw_reconstructions

__all__ = ["draw_loss_curves", "draw_progress", "draw_reconstructions"]
