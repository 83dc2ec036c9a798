"""A trained model on a person's own pictures, of which there may be more than the memory holds.

Pictures come as a `Source`, in batches; what is made of them is written batch by batch, and nothing is kept of them but
their names and their scores.
"""

from autoenc.application.dataset_images import Datasets
from autoenc.application.encoding import encode
from autoenc.application.fitting import Fitting
from autoenc.application.opening import open_source
from autoenc.application.pictures_made import decode, denoise, reconstruct
from autoenc.application.request import Request, apply
from autoenc.application.scoring import score
from autoenc.application.source import Batch, Source

__all__ = [
    "Batch",
    "Datasets",
    "Fitting",
    "Request",
    "Source",
    "apply",
    "decode",
    "denoise",
    "encode",
    "open_source",
    "reconstruct",
    "score",
]
