"""Where the codes of training images lie: sampled codes, and a Gaussian or a mixture that is fitted to codes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from autoenc.devices import Device
from autoenc.evaluation.batches import batches
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.evaluation.gaussian_mixture import GaussianMixture, fit_mixture
from autoenc.models.autoencoder import AutoEncoder
from autoenc.seeds import derived_seed

COMPONENTS = 10
FEWEST = 20
"""Codes for each component: of fewer codes there are fewer components."""
MOST_FULL = 64
"""Numbers in the longest code whose Gaussians have full covariances."""
LEAST_DEVIATION = 1e-6
"""Of a number that varies, relative to the one that varies most."""
SEED = derived_seed(0, "samples") % 2**32


def sampled_codes(model: AutoEncoder, images: Tensor, *, split: str, device: Device) -> Tensor:
    """The codes (N, code_size) of uint8 images (N, C, H, W), on the CPU; of a variational model, a draw for each.

    Such draws, not their means, are distributed like N(0, I) if the aggregate posterior is the prior. `split` freezes
    the draws.
    """
    generator = frozen_generator(device, split=f"{split}, sampled codes")

    def codes(batch: Tensor) -> Tensor:
        if not model.bottleneck.variational:
            return model.encode(batch)
        draws = model.draw(batch, generator=generator, samples=1)
        drawn: Tensor = model.bottleneck(model.features(batch), draws=draws).samples[0]
        return drawn

    with model.evaluating(), device.autocast():
        return torch.cat([codes(batch).float().cpu() for batch in batches(images, device=device)])  # synchronizes


class FittedCodes(NamedTuple):
    """A distribution of codes of D numbers, of which K vary."""

    mean: Tensor
    """(D,). Numbers that do not vary have this value."""
    deviations: Tensor
    """Of the varying numbers, (K,)."""
    varying: Tensor
    """Bool, (D,)."""
    mixture: GaussianMixture
    """Of the varying numbers, standardized; of one Gaussian or several."""

    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Random codes, (count, D), float32."""
        codes = self.mean.expand(count, -1).clone()
        codes[:, self.varying] += self.mixture.sample(count, generator=generator) * self.deviations
        return codes.float()

    def log_density(self, codes: Tensor) -> Tensor:
        """Of the varying numbers of codes (N, D), in nats, (N,)."""
        standardized = (codes.double() - self.mean)[:, self.varying] / self.deviations
        return self.mixture.log_density(standardized) - self.deviations.log().sum()

    @property
    def description(self) -> str:
        """For a person: "a mixture of 10 Gaussians with full covariances"."""
        components, shape = len(self.mixture.weights), "full" if self.mixture.factors.ndim == 3 else "diagonal"
        if components == 1:
            return f"a Gaussian with {shape} covariance"
        return f"a mixture of {components} Gaussians with {shape} covariances"


def fit_codes(codes: Tensor, *, components: int = COMPONENTS, without: Tensor | None = None) -> FittedCodes | None:
    """A mixture of Gaussians fitted to finite codes (N, D) on the CPU; None if there are fewer than two, or all equal.

    As in P. Ghosh et al., From Variational to Deterministic Autoencoders, ICLR 2020, section 4: 10 components with full
    covariances, or with diagonal ones for codes longer than 64 numbers. Fewer for few codes. The entries `without`,
    bool (D,), count as if they did not vary, unless no other varies.
    """
    if len(codes) < 2:
        return None
    codes = codes.double()
    mean, deviations = codes.mean(dim=0), codes.std(dim=0, correction=0)
    varying = deviations > LEAST_DEVIATION * deviations.amax()
    if without is not None and (varying & ~without).any():
        varying &= ~without
    if not varying.any():
        return None
    standardized = ((codes - mean) / deviations)[:, varying]
    count, size = standardized.shape
    components = max(1, min(components, count // FEWEST))
    full = size <= MOST_FULL and count > 2 * components * size
    mixture = fit_mixture(standardized, components=components, full=full, seed=SEED)
    return FittedCodes(mean, deviations[varying], varying, mixture)
