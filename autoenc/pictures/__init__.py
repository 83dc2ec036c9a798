"""The table of pictures, and the loop that draws them.

One file a picture, of the picture's name, measures its numbers and draws them. To add a picture, write its file and add
it to `PICTURES`. The table itself imports neither torch nor matplotlib, so that the command line can read it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from autoenc.pictures.picture import Picture
    from autoenc.pictures.subject import Subject

__all__ = ["PICTURES", "PictureEntry", "draw_pictures", "picture_class"]

log = logging.getLogger(__name__)


class PictureEntry(NamedTuple):
    """What is known of a picture without importing it."""

    class_name: str
    title: str
    """Its heading where several runs are compared."""
    always: bool = False
    """Every run draws it, whatever its `figures` are."""
    over_epochs: bool = False
    """It shows the whole training, so that its title names no epoch."""
    compared: bool = True
    """`comparison.pictures` may name it."""


PICTURES = {
    "reconstructions": PictureEntry("Reconstructions", "The same test images, reconstructed", always=True),
    "progress": PictureEntry("Progress", "Reconstructions as training went on", always=True, over_epochs=True),
    "worst": PictureEntry("Worst", "The largest errors", compared=False),
    "error_by_class": PictureEntry("ErrorByClass", "Test error by class"),
    "codes": PictureEntry("Codes", "Codes of the test images"),
    "codes_over_epochs": PictureEntry("CodesOverEpochs", "Codes as training went on", over_epochs=True, compared=False),
    "decoder_grid": PictureEntry("DecoderGrid", "The decoder over its plane of codes"),
    "interpolations": PictureEntry("Interpolations", "Interpolations between test images", compared=False),
    "traversals": PictureEntry("Traversals", "Each number of a code, varied", compared=False),
    "samples": PictureEntry("Samples", "Samples"),
    "codebook": PictureEntry("Codebook", "Use of the codebook"),
    "kernels": PictureEntry("Kernels", "Kernels of the first layer"),
    "matrix": PictureEntry("Matrix", "A convolution as a matrix", compared=False),
    "sparsity": PictureEntry("Sparsity", "How sparse the activations are"),
    "gradients": PictureEntry("Gradients", "Gradient by layer"),
    "spectrum": PictureEntry("Spectrum", "Spectrum of the reconstructions"),
}
"""Every picture whose numbers are stored next to it, by name, in the order in which they are drawn."""


def picture_class(name: str) -> type[Picture]:
    """Import the class of a picture in the table."""
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("type[Picture]", getattr(module, PICTURES[name].class_name))


def draw_pictures(
    subject: Subject, *, folder: Path, names: Sequence[str] | None, title: str, epoch: int | None
) -> list[Path]:
    """Measure and draw pictures into a folder, which is made if it does not exist, and return their paths.

    `names` are from `PICTURES`; None draws every picture. One that does not apply to the model is left out, with a
    warning if it was named. The heading is the title and the epoch whose weights the model has, if that is known.

    Raises:
        OSError: a picture cannot be written.
    """
    from autoenc.progress import steps

    folder.mkdir(exist_ok=True)
    paths = []
    for name in steps(list(PICTURES) if names is None else names, name="pictures"):
        picture = picture_class(name).measure(subject)
        if picture is not None:
            of_one_epoch = epoch is not None and not PICTURES[name].over_epochs
            paths.append(picture.draw(folder, title=f"{title}, epoch {epoch}" if of_one_epoch else title))
        elif names is not None:
            log.warning("The picture '%s' does not apply to this model and is not drawn.", name)
    return paths
