"""How much of the shapes (long wavelengths) and of the detail (short wavelengths) of images a model loses."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

from autoenc.evaluation.metric import Metric, full_metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from autoenc.evaluation.scored_split import ScoredSplit

Part = Literal["shape", "detail"]

LONG, SHORT = 8, 4  # pixels: the shortest wavelength of shapes, and the longest of detail


def lost_share(errors: NDArray[np.float64], images: NDArray[np.float64], *, part: Part) -> float | None:
    """The power of the errors at some wavelengths over that of the images, from their spectra (F, F).

    The wavelength is the inverse of the length of the frequency (vertical, horizontal). None without power there.
    """
    import numpy as np  # the names and units of metrics are read without it

    frequencies = np.fft.fftfreq(len(images))
    lengths = np.hypot(*np.meshgrid(frequencies, frequencies))  # cycles a pixel, (F, F)
    chosen = lengths <= 1 / LONG if part == "shape" else lengths > 1 / SHORT
    power = float(images[chosen].sum())
    return float(errors[chosen].sum()) / power if power else None


def spectral_error(scored: ScoredSplit, *, part: Part) -> float | None:
    """The `lost_share` of the reconstructions of clean images."""
    found = scored.spectra
    return lost_share(found.errors, found.images, part=part)


def _metric(part: Part, *, wavelengths: str) -> Metric:
    return full_metric(
        name=f"{part}_error",
        unit=f"share of the images' power that the error has at wavelengths {wavelengths}: of at most 2,000 images, "
        "each without its mean, in a Hann window",
        better="lower",
        per_split=functools.partial(spectral_error, part=part),
        scale="log",
    )


SPECTRAL_METRICS: tuple[Metric, ...] = (
    _metric("shape", wavelengths=f"of {LONG} pixels or more"),
    _metric("detail", wavelengths=f"below {SHORT} pixels"),
)
