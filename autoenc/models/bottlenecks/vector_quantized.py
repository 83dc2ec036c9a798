"""`bottleneck=vector_quantized`: codes made of vectors out of a learnt codebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput
from autoenc.models.bottlenecks.precision import at_least_float32
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt, ProperFraction

CodebookSize = Annotated[int, Ge(2)]

SMOOTHING = 1e-5
"""Laplace smoothing of the counts."""


class VectorQuantized(Bottleneck):
    """The features, cut into vectors, each replaced by the nearest of `codebook_size` entries of one codebook.

    Van den Oord et al. 2017, NeurIPS. Where the authors have a vector for each place of a map, the code of code_size
    numbers is cut into code_size / vector_size of them, so that it can take codebook_size ** (code_size / vector_size)
    values. The gradient passes to the features as if they had not been replaced (section 3.2). The penalty is
    `commitment` times the squared distance of features from entries, meaned over the code's numbers (the third term of
    equation 3).

    The codebook learns in training mode and where draws are given, by exponential moving averages (appendix A.1): of
    the number of vectors that were nearest to an entry, and of their sum; the entry is their quotient, counts smoothed
    as (n + s) / (N + K s) * N. It begins with vectors of the first batch. An entry whose count falls below
    `restart_below` times the mean count becomes a vector of the batch, with the mean count. All of that is held in
    buffers, which checkpoints have. A step that is skipped because it is not finite has reached them nevertheless; the
    run ends without saving it.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "perplexity": "entries: as many, used alike, would have the entropy that a batch's use has; its exponential",
        "unused_entries": "share of the codebook that no image of a batch uses",
        "quantization_error": "squared distance of features from codebook entries, mean over the code's numbers",
    }

    codebook: Tensor
    counts: Tensor
    sums: Tensor
    begun: Tensor

    def __init__(
        self,
        *,
        code_size: int,
        vector_size: int,
        codebook_size: int,
        commitment: float,
        decay: float,
        restart_below: float,
    ) -> None:
        super().__init__(code_size=code_size)
        self.vector_size = vector_size
        self.codebook_size = codebook_size
        self.commitment = commitment
        self.decay = decay
        self.restart_below = restart_below
        self.penalty_unit = f"{commitment:g} times the squared distance to the codebook, mean over the code's numbers"
        # Not from torch's own generator, which draws the layers' weights next: they are to be those of other models.
        anything = torch.Generator().manual_seed(derived_seed(0, "codebook"))
        self.register_buffer("codebook", torch.randn(codebook_size, vector_size, generator=anything))  # (K, D)
        self.register_buffer("counts", torch.ones(codebook_size))  # (K,)
        self.register_buffer("sums", self.codebook.clone())  # (K, D)
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:  # noqa: ARG002
        """Which vectors of the batch may become entries, (codebook_size,), each as seldom twice as can be.

        None in eval mode, where nothing is random.
        """
        if not self.training:
            return None
        vectors = len(features) * self.code_size // self.vector_size
        orders = [
            torch.randperm(vectors, generator=generator, device=features.device)
            for _ in range(-(-self.codebook_size // vectors))
        ]
        return torch.cat(orders)[: self.codebook_size]

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """(B, code_size) to the same made of codebook entries; with `draws` in training mode, the codebook learns."""
        features = at_least_float32(features)
        vectors = self._vectors(features.detach())  # (N, D), N = B * groups
        learns = self.training and draws is not None
        if learns:
            self._begin(vectors[draws], count=len(vectors))
        nearest = self._nearest(vectors)  # (N,)
        entries = self.codebook[nearest].view_as(features)
        chosen = _one_hot(nearest, like=self.codebook)  # (N, K)
        if learns:
            self._learn(vectors, chosen=chosen, restarts=vectors[draws])
        distances = (features - entries).square().mean(1)  # (B,)
        code = entries + (features - features.detach())  # the entries to the last digit, the gradient of the features
        return BottleneckOutput(
            code,
            code.unsqueeze(0),
            penalty=self.commitment * distances,
            diagnostics={**_use(chosen.mean(0)), "quantization_error": distances.detach().mean()},
        )

    def indices(self, features: Tensor) -> Tensor:
        """Which entries replace features (B, code_size): whole numbers (B, code_size / vector_size)."""
        features = at_least_float32(features.detach())
        return self._nearest(self._vectors(features)).view(len(features), -1)

    def _vectors(self, features: Tensor) -> Tensor:
        return features.reshape(-1, self.vector_size)

    @torch.no_grad()
    def _nearest(self, vectors: Tensor) -> Tensor:
        """The entry that is nearest to each vector (N, D), (N,)."""
        with torch.autocast(vectors.device.type, enabled=False):  # products of bfloat16 are no distances
            # The squared distances, but for the vectors' own squares, which are the same for all entries.
            distances = self.codebook.square().sum(1) - 2 * vectors @ self.codebook.T  # (N, K)
        return distances.argmin(1)

    @torch.no_grad()
    def _begin(self, first: Tensor, *, count: int) -> None:
        """Make vectors (K, D) of a batch of `count` the codebook, unless it has begun to learn."""
        used = count / self.codebook_size
        self.codebook.copy_(torch.where(self.begun, self.codebook, first))
        self.sums.copy_(torch.where(self.begun, self.sums, first * used))
        self.counts.copy_(torch.where(self.begun, self.counts, used))
        self.begun.fill_(True)

    @torch.no_grad()
    def _learn(self, vectors: Tensor, *, chosen: Tensor, restarts: Tensor) -> None:
        """Move the codebook by vectors (N, D) and their entries (N, K); dead ones become `restarts` (K, D)."""
        with torch.autocast(vectors.device.type, enabled=False):
            self.counts.lerp_(chosen.sum(0), 1 - self.decay)
            self.sums.lerp_(chosen.T @ vectors, 1 - self.decay)
        mean = self.counts.mean()
        dead = self.counts < self.restart_below * mean  # (K,)
        self.counts.copy_(torch.where(dead, mean, self.counts))
        self.sums.copy_(torch.where(dead.unsqueeze(1), restarts * mean, self.sums))
        total = self.counts.sum()
        smoothed = (self.counts + SMOOTHING) / (total + self.codebook_size * SMOOTHING) * total
        self.codebook.copy_(self.sums / smoothed.unsqueeze(1))


def _one_hot(indices: Tensor, *, like: Tensor) -> Tensor:
    """A one at each of indices (N,) and zeros elsewhere, (N, K), K as many as `like` is long."""
    return like.new_zeros(len(indices), len(like)).scatter(1, indices.unsqueeze(1), 1.0)


def _use(shares: Tensor) -> dict[str, Tensor]:
    """Of the entries' shares in a batch, (K,)."""
    return {
        "perplexity": torch.exp(torch.special.entr(shares).sum()),
        "unused_entries": (shares == 0).float().mean(),
    }


@dataclass(frozen=True, kw_only=True)
class VectorQuantizedSettings:
    """`bottleneck=vector_quantized`."""

    vector_size: PositiveInt
    """How many numbers of the code are replaced together."""
    codebook_size: CodebookSize
    """How many vectors there are to choose from."""
    commitment: NonNegativeFloat
    """What the squared distance of features from the codebook is multiplied by."""
    decay: ProperFraction
    """How much of the moving averages a step leaves."""
    restart_below: ProperFraction
    """The share of the mean use under which an entry counts as dead; 0 for no restarts."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """The code must be cut without a rest."""
        if code_size % self.vector_size != 0:
            problem = f"architecture.code_size={code_size} cannot be cut into vectors of that size; change either"
            raise ConfigError("bottleneck.vector_size", problem, value=self.vector_size)

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return VectorQuantized(
            code_size=code_size,
            vector_size=self.vector_size,
            codebook_size=self.codebook_size,
            commitment=self.commitment,
            decay=self.decay,
            restart_below=self.restart_below,
        )
