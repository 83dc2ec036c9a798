"""The course of a run: train, evaluate, draw."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from autoenc.data.datasets import shown_indices
from autoenc.data.datasets.binarization import draw as draw_binary
from autoenc.environment import describe_environment
from autoenc.evaluation.batches import as_floats, frozen_generator
from autoenc.experiment.drawing import draw_finished_run
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.recording import Supervision
from autoenc.experiment.scores import further_test_scores, health_of, score, summarise, units_of
from autoenc.experiment.wording import announce, title_of
from autoenc.pictures.subject import followed_images
from autoenc.runs import RunDirectory
from autoenc.seeds import derived_seed
from autoenc.trackers import TrackedRun, Tracker
from autoenc.training.interruption import Interruption
from autoenc.training.loop import Trainer, TrainingImages
from autoenc.training.step import TrainingStep, as_stored


def run(prepared: Prepared, run_directory: RunDirectory, *, supervision: Supervision) -> dict[str, Any]:
    """Train, evaluate and draw, in the run's folder; returns the summary. A checkpoint there is gone on from."""
    run_directory.write_environment(describe_environment(prepared.device))
    tracker = supervision.tracking.tracker = _build_tracker(prepared, run_directory=run_directory)
    trainer = _build_trainer(
        prepared, run_directory=run_directory, tracker=tracker, interruption=supervision.interruption
    )
    announce(prepared, trainer)
    seconds_before = trainer.restore().position.seconds
    tracker.begin(run_directory.metrics())
    trainer.train()
    trainer.use_best()
    scores = {split: score(prepared, trainer.step, split=split) for split in ("test", "validation", "train")}
    scores["test"] = {**(scores["test"] or {}), **further_test_scores(prepared, trainer.model)}
    health = health_of(prepared, trainer.model)
    total_seconds = seconds_before + time.perf_counter() - prepared.started
    summary = summarise(prepared, trainer, scores=scores, health=health, total_seconds=total_seconds)
    run_directory.write_summary(summary)
    draw_finished_run(prepared, trainer, run_directory=run_directory)
    return summary


def _shown_inputs(prepared: Prepared) -> Tensor:
    """What the model is given of the test images in the pictures, (K, C, H, W): with frozen noise, if there is any."""
    config, device, splits, _, _ = prepared
    clean = as_floats(splits.test.images[shown_indices(splits.test.labels)].to(device.torch_device), device=device)
    return config.noise(clean, generator=frozen_generator(device, split="shown")).images


def _build_tracker(prepared: Prepared, *, run_directory: RunDirectory) -> Tracker:
    config = prepared.config
    tracked = TrackedRun(run_directory, title_of(config), values=config.values, units=units_of(prepared))
    return config.tracker.build(tracked)


def _build_trainer(
    prepared: Prepared, *, run_directory: RunDirectory, tracker: Tracker, interruption: Interruption
) -> Trainer:
    config, device, splits, model, _ = prepared
    torch.manual_seed(derived_seed(config.seed, "layers"))
    step = TrainingStep(
        model,
        noise=config.noise,
        optimizer=config.optimizer.build(model.parameters()),
        device=device,
        generator=torch.Generator(device.torch_device).manual_seed(derived_seed(config.seed, "noise")),
        gradient_clip=config.training.gradient_clip,
        targets=as_stored if splits.train_probabilities is None else draw_binary,
        severity=config.training.severity,
    )
    stored = splits.train.images if splits.train_probabilities is None else splits.train_probabilities
    images = TrainingImages(
        train=stored.to(device.torch_device),
        validation=splits.validation.images.to(device.torch_device),
        shown=_shown_inputs(prepared),
        scattered=followed_images(splits.test.images, figures=config.figures).to(device.torch_device),
    )
    return Trainer(
        step,
        images,
        learning_rate=lambda at, total: config.optimizer.learning_rate * config.schedule.factor(at, total_steps=total),
        settings=config.training,
        shuffle=config.dataset.shuffle,
        seed=config.seed,
        run=run_directory,
        tracker=tracker,
        interruption=interruption,
    )
