"""Whether a decoder leaves checkerboards."""

from __future__ import annotations

import torch
from torch import Tensor

from autoenc.models.autoencoder import AutoEncoder
from autoenc.pictures.power_spectra import LEAST_SIDE, power_spectrum
from autoenc.pictures.spectrum import Spectrum
from autoenc.portraits.subject import Subject
from autoenc.portraits.untrained import untrained
from autoenc.seeds import derived_seed

MOST = 2000
"""How many test images are transformed."""

RANDOM_CODES = 500


def spectrum(subject: Subject) -> Spectrum | None:
    """The spectra of the first 2,000 test images, of their reconstructions, and of 500 images by the untrained decoder.

    The reconstructions themselves and not their errors: in the errors, the detail that is lost covers what was added.
    A trained decoder has learnt to work against the pattern on what it was trained on; the untrained one, decoding
    random codes from N(0, I), shows what its layers leave by themselves.

    Returns:
        None of an architecture without upsampling, or of images too small for their frequencies to be told apart.
    """
    if not hasattr(subject.config.architecture, "upsampling") or min(subject.splits.image_shape[1:]) < LEAST_SIDE:
        return None
    test = subject.splits.test
    shown = test.take(torch.arange(min(MOST, len(test))))
    return Spectrum(
        originals=power_spectrum(shown.images.numpy() / 255),
        reconstructions=power_spectrum(subject.reconstructions(shown).numpy()),
        untrained=power_spectrum(_response(untrained(subject), subject=subject).numpy()),
    )


def _response(model: AutoEncoder, *, subject: Subject) -> Tensor:
    """What a decoder makes of random codes, (N, C, H, W), on the CPU."""
    generator = torch.Generator().manual_seed(derived_seed(0, "random codes of the spectrum"))
    codes = torch.randn(RANDOM_CODES, subject.config.architecture.code_size, generator=generator)
    with torch.no_grad():
        return model.decode(codes.to(subject.device.torch_device)).float().cpu()
