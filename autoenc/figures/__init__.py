"""Pictures of a run, fit for a lecture: the only importer of matplotlib.

Every function takes plain values (arrays or CPU tensors, numbers, a path) and writes one picture, whole or not at all,
or makes a figure of it. They share no state with pyplot and leave the caller's rcParams and backend alone.
"""

from autoenc.figures.codebook import Codebook
from autoenc.figures.codes import Codes
from autoenc.figures.codes_over_epochs import CodesOverEpochs
from autoenc.figures.decoder_grid import DecoderGrid
from autoenc.figures.error_against import error_against
from autoenc.figures.error_by_class import ErrorByClass
from autoenc.figures.final_losses import final_losses
from autoenc.figures.gradients import Gradients
from autoenc.figures.interpolations import Interpolations
from autoenc.figures.kernels import Kernels
from autoenc.figures.loss_curves import draw_loss_curves
from autoenc.figures.loss_curves_beside import loss_curves_beside
from autoenc.figures.matrix import Matrix
from autoenc.figures.page import house_style
from autoenc.figures.picture import Panel, Picture
from autoenc.figures.reconstructions import draw_progress, draw_reconstructions
from autoenc.figures.reconstructions_beside import Progress, Reconstructions
from autoenc.figures.samples import Samples
from autoenc.figures.search_history import draw_search
from autoenc.figures.sparsity import Sparsity
from autoenc.figures.spectrum import Spectrum
from autoenc.figures.stacked import save_stacked
from autoenc.figures.traversals import Traversals
from autoenc.figures.worst import Worst

__all__ = [
    "PICTURES",
    "Codebook",
    "Codes",
    "CodesOverEpochs",
    "DecoderGrid",
    "ErrorByClass",
    "Gradients",
    "Interpolations",
    "Kernels",
    "Matrix",
    "Panel",
    "Picture",
    "Progress",
    "Reconstructions",
    "Samples",
    "Sparsity",
    "Spectrum",
    "Traversals",
    "Worst",
    "draw_loss_curves",
    "draw_progress",
    "draw_reconstructions",
    "draw_search",
    "error_against",
    "final_losses",
    "house_style",
    "loss_curves_beside",
    "save_stacked",
]

PICTURES: dict[str, type[Picture]] = {
    picture.kind: picture
    for picture in (
        Codebook,
        Codes,
        CodesOverEpochs,
        DecoderGrid,
        ErrorByClass,
        Gradients,
        Interpolations,
        Kernels,
        Matrix,
        Samples,
        Sparsity,
        Spectrum,
        Traversals,
        Worst,
        Progress,
        Reconstructions,
    )
}
"""Every kind of picture whose numbers are kept beside it, by its name."""
