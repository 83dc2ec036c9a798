"""How well a model's errors tell images of another data set from those of a split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.evaluation.scored_split import ScoredSplit


def auroc(scored: ScoredSplit, errors: Callable[[ScoredSplit], Tensor]) -> float | None:
    """The area under the ROC curve, from 0 to 1; 0.5 is chance. None without another data set.

    It is the share of pairs of an image of each set in which the other set's has the larger error; ties count half.
    `errors` maps a split to (N,).
    """
    from sklearn.metrics import roc_auc_score

    if scored.trained.other is None:
        return None
    splits = (scored, replace(scored, split=scored.trained.other))
    own, others = (errors(each).cpu().double() for each in splits)  # synchronizes
    is_other = torch.cat([torch.zeros(len(own)), torch.ones(len(others))])
    return float(roc_auc_score(is_other.numpy(), torch.cat([own, others]).numpy()))


def squared_errors(scored: ScoredSplit) -> Tensor:
    """The mean over pixels of the squared error of each reconstruction, from the clean image, (N,)."""
    model = scored.trained.model
    with model.evaluating(), scored.trained.device.autocast():
        return scored.errors(lambda clean: model(clean).reconstruction, noisy=False)


def negative_elbos(scored: ScoredSplit) -> Tensor:
    """The negative evidence lower bound of each clean image in nats, (N,), of a variational model: one code each."""
    model, device = scored.trained.model, scored.trained.device
    generator = frozen_generator(device, split="any, outliers")
    found = []
    with model.evaluating(), device.autocast():
        for clean in scored.batches():
            draws = model.draw(clean, generator=generator, samples=1)
            found.append(-model.elbo(model(clean, draws=draws), target=clean))
    return torch.cat(found)
