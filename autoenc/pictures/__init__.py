"""Pictures of a run, fit for a lecture: the only importer of matplotlib.

Every function takes plain values (arrays or CPU tensors, numbers, a path) and writes one picture, whole or not at all,
or makes a figure of it. They share no state with pyplot and leave the caller's rcParams and backend alone.
"""

from autoenc.pictures.codebook import Codebook
from autoenc.pictures.codes import Codes
from autoenc.pictures.codes_over_epochs import CodesOverEpochs
from autoenc.pictures.decoder_grid import DecoderGrid
from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.pictures.error_by_setting import error_by_setting
from autoenc.pictures.gradients import Gradients
from autoenc.pictures.interpolations import Interpolations
from autoenc.pictures.kernels import Kernels
from autoenc.pictures.loss_curves import draw_loss_curves, loss_curves_by_run
from autoenc.pictures.matrix import Matrix
from autoenc.pictures.page import house_style
from autoenc.pictures.panels import save_stacked
from autoenc.pictures.picture import Panel, Picture
from autoenc.pictures.reconstructions import draw_progress, draw_reconstructions
from autoenc.pictures.reconstructions_beside import Progress, Reconstructions
from autoenc.pictures.samples import Samples
from autoenc.pictures.scores_by_run import scores_by_run
from autoenc.pictures.search_history import draw_search
from autoenc.pictures.sparsity import Sparsity
from autoenc.pictures.spectrum import Spectrum
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
    "error_by_setting",
    "house_style",
    "loss_curves_by_run",
    "save_stacked",
    "scores_by_run",
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
