"""Bottlenecks: what turns the encoder's features into the code that is decoded."""

from __future__ import annotations

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings, PlainSettings
from autoenc.models.bottlenecks.contractive import ContractiveSettings
from autoenc.models.bottlenecks.regularized import RegularizedSettings
from autoenc.models.bottlenecks.sparse import SparseSettings, TopKSettings
from autoenc.models.bottlenecks.variational import GaussianSettings, ImportanceWeightedSettings
from autoenc.models.bottlenecks.vector_quantized import VectorQuantizedSettings
from autoenc.models.bottlenecks.wasserstein import WassersteinSettings
from autoenc.registry import Registry

__all__ = ["BOTTLENECKS", "Bottleneck", "BottleneckOutput", "BottleneckSettings"]

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
