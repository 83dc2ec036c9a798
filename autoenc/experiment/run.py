"""The whole story of a run, for a single run and for a job of a sweep alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from autoenc.data.datasets import shown_indices
from autoenc.data.datasets.binarization import draw as draw_binary
from autoenc.environment import describe_environment
from autoenc.evaluation.batches import as_floats
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.experiment.announcement import announce
from autoenc.experiment.closing_report import report
from autoenc.experiment.longer_training import more_epochs
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.run_page import write_run_page
from autoenc.experiment.run_pictures import draw_finished_run
from autoenc.experiment.run_scores import evaluate, units_of
from autoenc.experiment.status import recorded
from autoenc.experiment.summary import summarize
from autoenc.experiment.tracking import build_tracker
from autoenc.pictures.subject import followed_images
from autoenc.runs import RunDirectory, read_run
from autoenc.seeds import derived_seed
from autoenc.trackers import Tracker
from autoenc.training.interruption import Interruption
from autoenc.training.loop import Trainer
from autoenc.training.state import SnapshotImages, TrainingState
from autoenc.training.step import TrainingStep, as_stored


def run_experiment(run_directory: RunDirectory, *, prepare: Callable[[], Prepared]) -> dict[str, Any]:
    """Train, evaluate, draw and report in the folder of a run, continuing from its checkpoint if it has one.

    `prepare` is called when errors are recorded in the folder already. A command that prepared the run before it made
    the folder returns what it has.

    Returns:
        the contents of `summary.json`.

    Raises:
        ValueError: the run cannot begin.
        NotFiniteError: it diverged.
        SystemExit: a signal interrupted it; everything is saved.
    """
    with recorded(run_directory) as (interruption, tracking):
        prepared = prepare()
        run_directory.write_environment(describe_environment(prepared.device))
        model = prepared.model
        units = units_of(prepared.config, loss=model.loss, bottleneck=model.bottleneck)
        tracker = tracking.tracker = build_tracker(prepared.config, run_directory, units=units)
        trainer = _build_trainer(prepared, run_directory, tracker=tracker, interruption=interruption)
        announce(prepared)
        seconds_before = trainer.state.restore().position.seconds
        tracker.begin(run_directory.metrics())
        run_directory.set_state("running", phase="training")
        trainer.train()
        run_directory.set_state("running", phase="evaluating")
        trainer.state.use_best()
        begun = time.perf_counter()
        evaluation = evaluate(prepared)
        now = time.perf_counter()
        seconds = {"evaluation": now - begun, "total": seconds_before + now - prepared.started}
        summary = summarize(prepared, trainer.state, evaluation, seconds=seconds)
        run_directory.write_test_errors(evaluation.test_errors, digest=prepared.splits.digests["test"])
        run_directory.write_summary(summary)
        run_directory.set_state("running", phase="drawing")
        draw_finished_run(prepared, trainer.state, run_directory=run_directory)
        write_run_page(run_directory)
    record = read_run(run_directory.path)
    report(record, more_epochs=more_epochs(record, prepared.config, steps_per_epoch=trainer.state.steps_per_epoch))
    return summary


def _build_trainer(
    prepared: Prepared, run_directory: RunDirectory, *, tracker: Tracker, interruption: Interruption
) -> Trainer:
    config, splits = prepared.config, prepared.splits
    stored = splits.train.images if splits.train_probabilities is None else splits.train_probabilities
    step = _build_step(prepared)
    state = TrainingState(
        step=step,
        snapshot_images=_snapshot_images(prepared),
        image_count=len(splits.train),
        batch_size=config.training.batch_size,
        seed=config.seed,
        run=run_directory,
        digests=prepared.digests,
        white=splits.white,
    )
    return Trainer(
        step=step,
        train_images=stored,
        validation_images=splits.validation.images,
        state=state,
        learning_rate=lambda at, total: config.optimizer.learning_rate * config.schedule.factor(at, total_steps=total),
        settings=config.training,
        shuffle=config.dataset.shuffle,
        tracker=tracker,
        interruption=interruption,
    )


def _build_step(prepared: Prepared) -> TrainingStep:
    config, device, splits, model, *_ = prepared
    torch.manual_seed(derived_seed(config.seed, "layers"))
    return TrainingStep(
        model,
        noise=config.noise,
        optimizer=config.optimizer.build(model.parameters()),
        device=device,
        generator=torch.Generator(device.torch_device).manual_seed(derived_seed(config.seed, "noise")),
        gradient_clip=config.training.gradient_clip,
        targets=as_stored if splits.train_probabilities is None else draw_binary,
        severity=config.training.severity,
    )


def _snapshot_images(prepared: Prepared) -> SnapshotImages:
    """The pictures' test images, with frozen noise if the run has noise, and the images whose codes are followed."""
    config, device, test = prepared.config, prepared.device, prepared.splits.test
    clean = as_floats(test.images[shown_indices(test.labels)], device=device)
    shown = config.noise(clean, generator=frozen_generator(device, split="shown")).images
    return SnapshotImages(shown, followed_images(test.images, figures=config.figures))
