"""Pictures of a run, fit for a lecture: the only importer of matplotlib.

Every function takes plain values (arrays or CPU tensors, numbers, a path) and writes one picture, whole or not at all,
or makes a figure of it. They share no state with pyplot and leave the caller's rcParams and backend alone.
"""

from autoenc.pictures.codebook import Codebook
from autoenc.pictures.codes import Codes
from autoenc.pictures.codes_over_epochs import CodesOverEpochs
from autoenc.pictures.decoder_grid import DecoderGrid
from autoenc.pictures.error_against import error_against
from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.pictures.final_losses import final_losses
from autoenc.pictures.gradients import Gradients
from autoenc.pictures.interpolations import Interpolations
from autoenc.pictures.kernels import Kernels
from autoenc.pictures.loss_curves import draw_loss_curves
from autoenc.pictures.loss_curves_beside import loss_curves_beside
from autoenc.pictures.matrix import Matrix
from autoenc.pictures.page import house_style
from autoenc.pictures.picture import Panel, Picture
from autoenc.pictures.reconstructions import draw_progress, draw_reconstructions
from autoenc.pictures.reconstructions_beside import Progress, Reconstructions
from autoenc.pictures.samples import Samples
from autoenc.pictures.search_history import draw_search
from autoenc.pictures.sparsity import Sparsity
from autoenc.pictures.spectrum import Spectrum
from autoenc.pictures.stacked import save_stacked
from autoenc.pictures.traversals import Traversals
from autoenc.pictures.worst import Worst

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
