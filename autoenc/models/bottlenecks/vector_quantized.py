"""`bottleneck=vector_quantized`: codes made of vectors from a learned codebook."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from autoenc.models.architectures import Architecture
from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings
from autoenc.models.layers import at_least_float32
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt, ProperFraction

SMOOTHING = 1e-5
"""Laplace smoothing of the counts."""


class VectorQuantized(Bottleneck):
    """Cuts the features into vectors and replaces each by the nearest of `codebook_size` entries of one codebook.

    Van den Oord et al. 2017, NeurIPS; here the vectors are parts of the code, not places of a map. The gradient passes
    to the features unchanged (section 3.2). The penalty is `commitment` times the squared distance of features from
    entries, averaged over the code's numbers (the third term of equation 3).

    The codebook learns in training mode when draws are given, by exponential moving averages (appendix A.1) of the
    number and the sum of the vectors nearest to an entry. An entry is their quotient, with counts smoothed as
    (n + s) / (N + K s) * N. The codebook starts as vectors of the first batch. An entry whose count falls below
    `restart_below` times the average becomes a vector of the batch, with the average count. Checkpoints save all this.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "perplexity": "entries: the number of equally used entries with the same entropy",
        "unused_entries": "number of the codebook's entries that no image uses",
        "rate_bits": "bits an image by the entropy of the codebook's use: the vectors of a code, times that entropy",
        "fixed_rate_bits": "bits an image at equal code lengths: the vectors of a code, times log2 of the entries",
        "quantization_error": "squared distance of features from codebook entries, mean over the code's numbers",
    }

    learned_buffers = ("codebook",)

    settings: VectorQuantizedSettings
    codebook: Tensor
    counts: Tensor
    sums: Tensor
    begun: Tensor

    def __init__(self, settings: VectorQuantizedSettings, *, code_size: int) -> None:
        super().__init__(settings, code_size=code_size)
        self.codebook_size = settings.codebook_size
        # Not from torch's global generator, so that the layers' weights are those of other bottlenecks.
        generator = torch.Generator().manual_seed(derived_seed(0, "codebook"))
        codebook = torch.randn(self.codebook_size, settings.vector_size, generator=generator)
        self.register_buffer("codebook", codebook)  # (K, D)
        self.register_buffer("counts", torch.ones(self.codebook_size))  # (K,)
        self.register_buffer("sums", self.codebook.clone())  # (K, D)
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    @property
    def penalty_unit(self) -> str:
        """With its weight."""
        return f"{self.settings.commitment:g} times the squared distance to the codebook, mean over the code's numbers"

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:  # noqa: ARG002
        """The indices of the batch's vectors that may become entries, (codebook_size,), repeated as little as possible.

        None in eval mode, where nothing is random.
        """
        if not self.training:
            return None
        vectors = len(features) * self.code_size // self.settings.vector_size
        orders = [
            torch.randperm(vectors, generator=generator, device=features.device)
            for _ in range(-(-self.codebook_size // vectors))
        ]
        return torch.cat(orders)[: self.codebook_size]

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """(B, code_size) to codes made of codebook entries. With `draws` in training mode, the codebook learns."""
        features = at_least_float32(features)
        vectors = features.detach().reshape(-1, self.settings.vector_size)  # (N, D), N = B * groups
        learns = self.training and draws is not None
        if learns:
            self._begin(vectors[draws], count=len(vectors))
        nearest = self._nearest(vectors)  # (N,)
        entries = self.codebook[nearest].view_as(features)
        if learns:
            # One-hot rows, (N, K). Not by `F.one_hot`, which synchronizes with the device to check its input.
            chosen = self.codebook.new_zeros(len(nearest), self.codebook_size).scatter(1, nearest.unsqueeze(1), 1.0)
            self._learn(vectors, chosen=chosen, restarts=vectors[draws])
        distances = (features - entries).square().mean(1)  # (B,)
        code = entries + (features - features.detach())  # exactly the entries, with the gradient of the features
        return BottleneckOutput(
            code,
            code.unsqueeze(0),
            penalty=self.settings.commitment * distances,
            diagnostics={"quantization_error": distances.detach().mean()},
            indices=nearest.view(features.shape[0], -1),  # `len` would fix the batch size in torch.export
        )

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """The use of the codebook."""
        assert indices is not None
        uses = self.uses(indices)
        entropy = torch.special.entr(uses / uses.sum()).sum()  # nats
        vectors, bits = indices.shape[1], math.log(2)
        return {
            "perplexity": torch.exp(entropy),
            "unused_entries": (uses == 0).sum(),
            "rate_bits": vectors * entropy / bits,
            "fixed_rate_bits": torch.full_like(entropy, vectors * math.log2(self.codebook_size)),
        }

    def uses(self, indices: Tensor) -> Tensor:
        """How often each entry is used by codes with `indices` (N, vectors), whole numbers as floats, (K,)."""
        ones = torch.ones_like(indices, dtype=self.codebook.dtype).flatten()
        return self.codebook.new_zeros(self.codebook_size).scatter_add(0, indices.flatten(), ones)

    def indices(self, features: Tensor) -> Tensor:
        """The indices of the entries that replace features (B, code_size), (B, code_size / vector_size)."""
        vectors = at_least_float32(features.detach()).reshape(-1, self.settings.vector_size)
        return self._nearest(vectors).view(len(features), -1)

    @torch.no_grad()
    def _nearest(self, vectors: Tensor) -> Tensor:
        """The index of the nearest entry for vectors (N, D), (N,)."""
        with torch.autocast(vectors.device.type, enabled=False):  # bfloat16 is too coarse for distances
            # Squared distances without the vectors' own squares, which are the same for all entries.
            distances = self.codebook.square().sum(1) - 2 * vectors @ self.codebook.T  # (N, K)
        return distances.argmin(1)

    @torch.no_grad()
    def _begin(self, first: Tensor, *, count: int) -> None:
        """Start the codebook as vectors (K, D) of a batch of `count`, unless it has started to learn."""
        used = count / self.codebook_size
        self.codebook.copy_(torch.where(self.begun, self.codebook, first))
        self.sums.copy_(torch.where(self.begun, self.sums, first * used))
        self.counts.copy_(torch.where(self.begun, self.counts, used))
        self.begun.fill_(True)

    @torch.no_grad()
    def _learn(self, vectors: Tensor, *, chosen: Tensor, restarts: Tensor) -> None:
        """Update the codebook with vectors (N, D) and their entries (N, K). Dead entries become `restarts` (K, D)."""
        with torch.autocast(vectors.device.type, enabled=False):
            self.counts.lerp_(chosen.sum(0), 1 - self.settings.decay)
            self.sums.lerp_(chosen.T @ vectors, 1 - self.settings.decay)
        mean = self.counts.mean()
        dead = self.counts < self.settings.restart_below * mean  # (K,)
        self.counts.copy_(torch.where(dead, mean, self.counts))
        self.sums.copy_(torch.where(dead.unsqueeze(1), restarts * mean, self.sums))
        total = self.counts.sum()
        smoothed = (self.counts + SMOOTHING) / (total + self.codebook_size * SMOOTHING) * total
        self.codebook.copy_(self.sums / smoothed.unsqueeze(1))


@dataclass(frozen=True, kw_only=True)
class VectorQuantizedSettings(BottleneckSettings):
    """`bottleneck=vector_quantized`."""

    module = VectorQuantized

    vector_size: PositiveInt
    """Numbers of the code that are replaced together."""
    codebook_size: Annotated[int, Ge(2)]
    """Entries of the codebook."""
    commitment: NonNegativeFloat
    """The weight of the features' squared distance from the codebook."""
    decay: ProperFraction
    """The decay of the moving averages in a step."""
    restart_below: ProperFraction
    """The share of the average use below which an entry counts as dead; 0 for no restarts."""

    def check(self, architecture: Architecture) -> None:
        """The code has to be a whole number of vectors."""
        if architecture.code_size % self.vector_size != 0:
            problem = f"architecture.code_size={architecture.code_size} is not a multiple of it; change either"
            raise ConfigError("bottleneck.vector_size", problem, value=self.vector_size)
