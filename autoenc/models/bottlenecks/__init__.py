"""Bottlenecks: what happens between the encoder's features and the code that is decoded."""

from __future__ import annotations

from autoenc.models.bottlenecks.bottleneck import (
    Bottleneck,
    BottleneckOutput,
    BottleneckSettings,
    Passage,
    Plain,
    PlainSettings,
)
from autoenc.models.bottlenecks.contractive import Contractive, ContractiveSettings
from autoenc.models.bottlenecks.gaussian import Gaussian, GaussianSettings
from autoenc.models.bottlenecks.importance_weighted import ImportanceWeighted, ImportanceWeightedSettings
from autoenc.models.bottlenecks.regularized import Regularized, RegularizedSettings
from autoenc.models.bottlenecks.sparse import Sparse, SparseSettings
from autoenc.models.bottlenecks.top_k import TopK, TopKSettings
from autoenc.models.bottlenecks.vector_quantized import VectorQuantized, VectorQuantizedSettings
from autoenc.models.bottlenecks.wasserstein import Wasserstein, WassersteinSettings
from autoenc.registry import Registry

__all__ = [
    "BOTTLENECKS",
    "Bottleneck",
    "BottleneckOutput",
    "BottleneckSettings",
    "Contractive",
    "Gaussian",
    "ImportanceWeighted",
    "Passage",
    "Plain",
    "Regularized",
    "Sparse",
    "TopK",
    "VectorQuantized",
    "Wasserstein",
]

BOTTLENECKS: Registry[BottleneckSettings] = Registry(
    "bottleneck",
    {
        "plain": PlainSettings,
        "sparse": SparseSettings,
        "top_k": TopKSettings,
        "gaussian": GaussianSettings,
        "importance_weighted": ImportanceWeightedSettings,
        "contractive": ContractiveSettings,
        "regularized": RegularizedSettings,
        "vector_quantized": VectorQuantizedSettings,
        "wasserstein": WassersteinSettings,
    },
)
