"""A step and the validation stay on their device: nothing is mixed, read or sent, whatever is chosen."""

from __future__ import annotations

import pytest

from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from tests.meta_device import META, meta_device
from tests.test_family import Settings
from tests.training.step_cases import CASES, prepared, step_and_images


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_a_step_and_the_validation_stay_on_the_device(settings: Settings) -> None:
    with meta_device() as transfers:
        run = prepared(settings, device=META)
        step, images = step_and_images(run)
        transfers.writes.clear()
        for size in (5, 1):  # an epoch may end with a single image
            step.begin(epoch=0.5)
            step.train_step(images[:size])
        noise, metrics = run.config.noise, list(METRICS.values())
        measured = measure(
            run.model, run.splits.validation.images, device=run.device, noise=noise, split="validation", metrics=metrics
        )
    assert transfers.writes == []
    assert "mse" in measured.averages
    assert {value.device for value in [*step.sums.values(), *measured.averages.values()]} == {META}
