"""What the decoder makes of random codes."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.pictures.samples import Samples
from autoenc.portraits.code_space import drawn, finite, stored
from autoenc.portraits.subject import Subject
from autoenc.seeds import derived_seed

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

SAMPLES = 64
MOST_FITTED = 10_000
COMPONENTS = 10
MOST_FULL = 64
"""The longest code whose mixture has full covariances."""

FEWEST = 20
"""Codes for each component; of fewer training codes there are fewer components."""

SEED = derived_seed(0, "samples") % 2**32
LEAST_DEVIATION = 1e-6
"""Of a number that varies, relative to the one that varies most."""

LEAST_VARIANCE = 1e-4
"""Added to each component's variances, relative to a number's own: what is often the same has no density."""


def samples(subject: Subject) -> Samples | None:
    """Codes from N(0, I) and from a mixture of Gaussians fitted to training codes, decoded.

    The mixture is that of P. Ghosh et al., From Variational to Deterministic Autoencoders, ICLR 2020, section 4: 10
    components with full covariances; of codes longer than 64 numbers, with diagonal ones. Log-likelihoods are those of
    the numbers that vary: one that never does has no density.

    Returns:
        None where too few codes are finite to fit anything to, or none varies.
    """
    fitted_on = finite(subject.codes(drawn(subject.splits.train, most=MOST_FITTED)))
    held_out = finite(subject.codes(subject.splits.test))
    if len(fitted_on) < 2 or not len(held_out):
        return None
    deviations = fitted_on.std(dim=0, correction=0)
    varying = deviations > LEAST_DEVIATION * deviations.amax()
    if not varying.any():
        return None
    mixture = _Mixture.fitted(fitted_on, varying=varying)
    generator = torch.Generator().manual_seed(SEED)
    prior = torch.randn(SAMPLES, fitted_on.shape[1], generator=generator)
    return Samples(
        prior_images=stored(subject.decode(prior)),
        mixture_images=stored(subject.decode(mixture.draw(SAMPLES))),
        prior_log_likelihood=_of_normal(held_out[:, varying]),
        mixture_log_likelihood=mixture.log_likelihood(held_out),
        mixture=f"{mixture.description}, fitted to {len(fitted_on):,} training codes",
    )


def _of_normal(codes: Tensor) -> float:
    """The mean log-density of codes (N, D) under N(0, I), in nats per dimension."""
    return float(-0.5 * (codes.double().square().mean() + math.log(2 * math.pi)))


class _Mixture(NamedTuple):
    """A mixture of Gaussians of the numbers that vary, each divided by its standard deviation; the others are fixed."""

    model: GaussianMixture
    mean: Tensor
    """(code_size,), doubles, as are the deviations."""
    deviations: Tensor
    varying: Tensor
    """bool (code_size,)."""

    @classmethod
    def fitted(cls, codes: Tensor, *, varying: Tensor) -> _Mixture:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        size, components = int(varying.sum()), max(1, min(COMPONENTS, len(codes) // FEWEST))
        full = size <= MOST_FULL and len(codes) > 2 * components * size
        model = GaussianMixture(
            components, covariance_type="full" if full else "diag", reg_covar=LEAST_VARIANCE, random_state=SEED
        )
        mean, deviations = codes.double().mean(dim=0), codes.double().std(dim=0, correction=0)
        fitted = cls(model, mean, deviations, varying)
        with warnings.catch_warnings():
            # After a hundred rounds it is near enough to draw from, and the likelihood says how near.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(fitted._standardized(codes))
        return fitted

    @property
    def description(self) -> str:
        components = self.model.n_components
        shape = {"full": "full", "diag": "diagonal"}[self.model.covariance_type]
        if components == 1:
            return f"a Gaussian with {shape} covariance"
        return f"a mixture of {components} Gaussians with {shape} covariances"

    def draw(self, count: int) -> Tensor:
        """Random codes, (count, code_size)."""
        values, _ = self.model.sample(count)  # component after component
        order = np.random.default_rng(SEED).permutation(count)
        codes = self.mean.repeat(count, 1)
        codes[:, self.varying] += torch.from_numpy(values[order]) * self.deviations[self.varying]
        return codes.float()

    def log_likelihood(self, codes: Tensor) -> float:
        """The mean log-density of codes (N, code_size), in nats per dimension that varies."""
        scale = self.deviations[self.varying].log().sum()
        return float((self.model.score(self._standardized(codes)) - scale) / int(self.varying.sum()))

    def _standardized(self, codes: Tensor) -> NDArray[np.float64]:
        scaled = (codes.double() - self.mean)[:, self.varying] / self.deviations[self.varying]
        return scaled.numpy()
