"""The table of pictures, and the loop that draws them.

One file a picture, of the picture's name, measures its numbers and draws them. To add a picture, write its file and add
it to `PICTURES`. The table itself imports neither torch nor matplotlib, so that the command line can read it.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from autoenc.pictures.drawing import Drawing
    from autoenc.pictures.picture import Picture
    from autoenc.pictures.subject import Subject

__all__ = ["PICTURES", "FigureFormat", "PictureEntry", "draw_pictures", "picture_class"]

log = logging.getLogger(__name__)


FigureFormat = Literal["png", "svg", "pdf"]
"""Of the files that pictures are drawn to."""


class PictureEntry(NamedTuple):
    """What is known of a picture without importing it."""

    class_name: str
    title: str
    """What it shows: its heading where several runs are compared, and the beginning of a single run's title."""
    look_for: str
    """The caption that says what to look for, in one or two sentences."""
    always: bool = False
    """Every run draws it, whatever its `figures` are."""
    over_epochs: bool = False
    """It shows the whole training, so that its title names no epoch."""
    compared: bool = True
    """`comparison.pictures` may name it."""


PICTURES = {
    "reconstructions": PictureEntry(
        "Reconstructions",
        "Test images and their reconstructions",
        "Compare each image with its reconstruction: what a small code cannot hold is blurred or missing. The darker "
        "the red, the larger the error of a pixel.",
        always=True,
    ),
    "progress": PictureEntry(
        "Progress",
        "Reconstructions during training",
        "The model usually learns an average image first, then the shapes, then the details. Rows that no longer "
        "change show that training has settled.",
        always=True,
        over_epochs=True,
    ),
    "worst": PictureEntry(
        "Worst",
        "Test images with the largest errors",
        "What do these images have in common? Often they are unusual, wrongly labelled, or replaced by a more common "
        "shape.",
        compared=False,
    ),
    "error_by_class": PictureEntry(
        "ErrorByClass",
        "Test error by class",
        "Which classes are hardest? A class with a wide box has easy and hard images.",
    ),
    "codes": PictureEntry(
        "Codes",
        "Codes of the test images",
        "Classes that form separate groups can be told apart by their codes, although the model never saw a label. "
        "Classes that overlap look alike to it, or the projection hides what separates them.",
    ),
    "codes_over_epochs": PictureEntry(
        "CodesOverEpochs",
        "Codes during training",
        "Before training, the codes are usually crowded together. Watch the classes move apart, and see whether they "
        "still move at the end.",
        over_epochs=True,
        compared=False,
    ),
    "decoder_grid": PictureEntry(
        "DecoderGrid",
        "The decoder over its plane of codes",
        "Each image is decoded from the code at its place. Find the regions of the classes, and how one shape turns "
        "into another between them.",
    ),
    "interpolations": PictureEntry(
        "Interpolations",
        "Interpolations between test images",
        "Do the images in the middle look real? In a smooth space of codes, one shape changes into the other. "
        "Elsewhere, two images fade into each other or become blobs.",
        compared=False,
    ),
    "traversals": PictureEntry(
        "Traversals",
        "Each number of a code, varied",
        "What does each number of the code control: slant, thickness, class? If a row hardly changes, the decoder "
        "makes little use of that number for this image, however much the number varies.",
        compared=False,
    ),
    "samples": PictureEntry(
        "Samples",
        "Images decoded from random codes",
        "Do images from N(0, I) look real, and do they vary? Only some models, such as VAEs, are trained for this "
        "prior. The mixture that is fitted to the training codes shows what the decoder can draw.",
    ),
    "codebook": PictureEntry(
        "Codebook",
        "Use of the codebook",
        "An even use means that the code carries as many bits as it can. Entries without a use are wasted.",
    ),
    "kernels": PictureEntry(
        "Kernels",
        "Kernels of the first layer",
        "A kernel is a pattern that the first layer looks for. Strokes are smooth and local; salt and pepper has a "
        "roughness near 1 and a locality near 0.1, but may work as well: judge by the error. Dead kernels are crossed "
        "out.",
    ),
    "matrix": PictureEntry(
        "Matrix",
        "A convolution as a matrix",
        "The same few weights repeat along the diagonals, and all other entries are 0: a convolution is a linear layer "
        "with shared weights.",
        compared=False,
    ),
    "sparsity": PictureEntry(
        "Sparsity",
        "How sparse the activations are",
        "Long light bars mean that many units are off for a given image, as is usual with ReLU. Long dark bars mean "
        "that few units carry most of the signal.",
    ),
    "gradients": PictureEntry(
        "Gradients",
        "Gradient by layer",
        "If the norms shrink by orders of magnitude towards the image, the first layers hardly learn: the gradients "
        "vanish.",
    ),
    "spectrum": PictureEntry(
        "Spectrum",
        "Checkerboards, in the spectrum and in the pixels",
        "Peaks that the originals do not have are artifacts: checkerboards at 1/2. They come from kernels that overlap "
        "unevenly, and training evens them out. Where reconstructions lie below the originals, detail is lost.",
    ),
}
"""Every picture whose numbers are stored next to it, by name, in the order in which they are drawn."""

LOOK_FOR_IN_CURVES = (
    "Both losses should fall and level off. If they still fall at the end, train longer. If the validation loss rises "
    "while the training loss falls, the model overfits."
)
"""The caption of a run's `loss_curves`, which are drawn from its history."""

LOOK_FOR_IN_HEAT_MAP = (
    "Positive gains mean that the model removes noise, also of kinds that it was not trained on. Negative gains mean "
    "that it does more harm than good."
)
"""The caption of `denoising_heat_map`, which `evaluation=denoising` draws."""


def picture_class(name: str) -> type[Picture]:
    """Import the class of a picture in the table."""
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("type[Picture]", getattr(module, PICTURES[name].class_name))


def draw_pictures(
    subject: Subject,
    *,
    folder: Path,
    names: Sequence[str] | None,
    label: str,
    epoch: int | None,
    file_format: FigureFormat = "png",
    others: Mapping[str, Drawing] | None = None,
    processes: int = 1,
) -> list[Path]:
    """Measure and draw pictures into a folder, which is made if it does not exist, and return their paths.

    `names` are from `PICTURES`; None draws every picture. One that does not apply to the model is left out, with a
    warning if it was named. A title has what the picture shows, the run's `label`, and after how many epochs of
    training, if that is known. `others` are drawn first. At most so many `processes` draw.

    Raises:
        OSError: a picture cannot be written.
    """
    from autoenc.pictures.drawing import draw_all
    from autoenc.progress import steps

    folder.mkdir(exist_ok=True)
    drawings = dict(others or {})
    for name in steps(list(PICTURES if names is None else names), name="Measuring for pictures", item_name=str):
        picture = picture_class(name).measure(subject)
        if picture is not None:
            title, over_epochs = PICTURES[name].title, PICTURES[name].over_epochs
            when = "" if epoch is None or over_epochs else f", after {epoch} epoch{'' if epoch == 1 else 's'}"
            title = f"{title}: {label}{when}"
            drawings[name] = functools.partial(picture.draw, folder, title=title, file_format=file_format)
        elif names is not None:
            log.warning("The picture '%s' does not apply to this model and is not drawn.", name)
    return draw_all(drawings, processes=processes)
