"""The contents of `summary.json`: scores of the three splits, facts of the run, and the unit of each number."""

from __future__ import annotations

from typing import Any

from autoenc.evaluation.metric import SPLITS
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.run_scores import Evaluation
from autoenc.training.state import TrainingState


def summarize(
    prepared: Prepared, state: TrainingState, evaluation: Evaluation, *, seconds: dict[str, float]
) -> dict[str, Any]:
    """The scores of a trained model, and the facts of its training; `seconds` are added to those of the training."""
    splits, position = prepared.splits, state.position
    return {
        **evaluation.summary,
        "parameters": prepared.model.parameter_count,
        "code_size": prepared.config.architecture.code_size,
        "best_epoch": position.best_epoch,
        "epochs": position.epoch,
        "seconds": {"training": position.seconds, **seconds},
        "images_per_second": len(splits.train) * position.epoch / position.seconds,
        "images": {name: len(getattr(splits, name)) for name in SPLITS},
        "device": prepared.device.description,
        "digests": dict(prepared.digests),
        "duplicates": dict(splits.duplicates),
    }
