"""One experiment, top to bottom."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoenc.autoencoder import AutoEncoder
from autoenc.config import ExperimentConfig
from autoenc.datasets import Splits, shown_indices
from autoenc.datasets.binarization import draw as draw_binary
from autoenc.devices import Device
from autoenc.environment import describe_environment
from autoenc.evaluation import (
    METRICS,
    UNITS,
    as_floats,
    fetch,
    frozen_generator,
    measure,
    negative_log_likelihood,
    pca_error,
)
from autoenc.figures import draw_loss_curves
from autoenc.health import examine
from autoenc.interruption import Interruption
from autoenc.portraits import ALWAYS, Subject, draw_portraits, scattered
from autoenc.run_directory import ErrorKind, RunDirectory
from autoenc.seeds import derived_seed
from autoenc.trackers import TrackedRun, Tracker, Tracking, tracked
from autoenc.training import NotFiniteError, Trainer, TrainingImages, TrainingStep, as_stored

log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """What a run needs before it may make a folder: checked, loaded and built, so that what cannot be has said so."""

    config: ExperimentConfig
    device: Device
    splits: Splits
    model: AutoEncoder
    """Untrained, and on the device."""
    started: float
    """`time.perf_counter()` when the preparations began."""


def prepare(config: ExperimentConfig, *, threads: int | None = None) -> Prepared:
    """Find the device and what the tracker needs, load the images, build the model.

    Nothing is written, but for data that has to be downloaded.

    Where the config leaves it open, `threads` says how many CPU threads there are to be; None: as torch would have it.

    Raises:
        ValueError: one of them is not there; the message is one line.
    """
    started = time.perf_counter()
    device = config.device.build()
    device.set_threads(threads)
    config.tracker.require()
    splits = config.dataset.build(data_dir=config.data_dir)
    model = config.build_model(image_shape=splits.image_shape)
    device.place(model)
    return Prepared(config, device, splits, model, started)


def run(prepared: Prepared, run_directory: RunDirectory, *, supervision: Supervision) -> dict[str, Any]:
    """Train, evaluate and draw, in the run's folder; returns the summary. A checkpoint there is gone on from."""
    run_directory.write_environment(describe_environment(prepared.device))
    tracker = supervision.tracking.tracker = _build_tracker(prepared, run_directory=run_directory)
    trainer = _build_trainer(
        prepared, run_directory=run_directory, tracker=tracker, interruption=supervision.interruption
    )
    _announce(prepared, trainer)
    seconds_before = trainer.restore().position.seconds
    tracker.begin(run_directory.metrics())
    trainer.train()
    trainer.use_best()
    scores = {split: _score(prepared, trainer.step, split=split) for split in ("test", "validation", "train")}
    scores["test"] = {**(scores["test"] or {}), **_further_test_scores(prepared, trainer.model)}
    health = _examine(prepared, trainer.model)
    total_seconds = seconds_before + time.perf_counter() - prepared.started
    summary = _summarise(prepared, trainer, scores=scores, health=health, total_seconds=total_seconds)
    run_directory.write_summary(summary)
    _draw(prepared, trainer, run_directory=run_directory)
    return summary


class Supervision(NamedTuple):
    """What `recorded` lends the run inside it."""

    interruption: Interruption
    tracking: Tracking


@contextlib.contextmanager
def recorded(run_directory: RunDirectory) -> Iterator[Supervision]:
    """Watch for signals, keep other processes out, and have `status.json` say how the run stands, however it ends.

    Last, when that is written, a tracker is told and waited for: it cannot cost the run its state.

    Raises:
        ConfigError: another process trains in this folder.
    """
    interruption = Interruption()
    with interruption.watched(), run_directory.locked(), tracked() as tracking:
        try:
            run_directory.set_state("running")
            yield Supervision(interruption, tracking)
        except (KeyboardInterrupt, SystemExit):
            run_directory.set_state("interrupted")
            raise
        except Exception as error:
            log.debug("The run failed.", exc_info=True)
            _record_failure(run_directory, error)
            raise
        with interruption.deferred():  # a signal that comes now comes too late
            run_directory.set_state("finished")


_UNITS_OF_ALL = {**UNITS, **{f"noisy_{name}": f"{UNITS[name]}; from the noisy input" for name in METRICS}}


def _shown_inputs(prepared: Prepared) -> Tensor:
    """What the model is given of the test images in the pictures, (K, C, H, W): with frozen noise, if there is any."""
    config, device, splits, _, _ = prepared
    clean = as_floats(splits.test.images[shown_indices(splits.test.labels)].to(device.torch_device), device=device)
    return config.noise(clean, generator=frozen_generator(device, split="shown")).images


def _build_tracker(prepared: Prepared, *, run_directory: RunDirectory) -> Tracker:
    config = prepared.config
    units = {**_units(prepared), "seconds": _SECONDS, "images_per_second": _IMAGES_PER_SECOND}
    return config.tracker.build(TrackedRun(run_directory, title_of(config), values=config.values, units=units))


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
        scattered=scattered(splits, figures=config.figures).images.to(device.torch_device),
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


def _score(prepared: Prepared, step: TrainingStep, *, split: str) -> dict[str, float] | None:
    """Every metric on a split; None for a split without images."""
    images = getattr(prepared.splits, split).images.to(prepared.device.torch_device)
    scalars = measure(
        step.model,
        images,
        device=prepared.device,
        noise=step.noise,
        split=split,
        metrics=list(METRICS),
    )
    values = fetch(scalars)
    _refuse_not_finite(values, split=split)
    return values or None


def _refuse_not_finite(values: Mapping[str, float], *, split: str) -> None:
    odd = [name for name, value in values.items() if not math.isfinite(value)]
    if odd:
        raise NotFiniteError(f"on the {split} split {' and '.join(odd)} is not finite")


def _further_test_scores(prepared: Prepared, model: AutoEncoder) -> dict[str, float]:
    """What is measured once, at the end, of the test split alone."""
    config, device, splits, _, _ = prepared
    train, test = (split.images.to(device.torch_device) for split in (splits.train, splits.test))
    baseline = pca_error(train, test, components=config.architecture.code_size, device=device)
    scores = {} if baseline is None else {"pca_mse": baseline}
    if baseline is None:
        log.info("Images of so many pixels are too large for PCA: there is no pca_mse.")
    samples = config.evaluation.nll_samples
    if samples:
        log.info("Estimating the likelihood of the test images from %d samples each.", samples)
        scores["nll_nats"] = negative_log_likelihood(model, test, device=device, samples=samples)
    _refuse_not_finite(scores, split="test")
    return scores


def _examine(prepared: Prepared, model: AutoEncoder) -> dict[str, Any]:
    device = prepared.device
    return examine(model, prepared.splits.test.images.to(device.torch_device), device=device)


def _draw(prepared: Prepared, trainer: Trainer, *, run_directory: RunDirectory) -> None:
    config, position = prepared.config, trainer.position
    # From here on the device is waited for: training is over.
    run_directory.figures.mkdir(exist_ok=True)
    draw_loss_curves(
        run_directory.metrics(),
        path=run_directory.figures / "loss_curves.png",
        loss_label=_units(prepared)["loss"],
        best_epoch=position.best_epoch,
        title=title_of(config),
    )
    snapshots = sorted(trainer.snapshots.items())
    subject = Subject(
        model=trainer.model,
        config=config,
        splits=prepared.splits,
        device=prepared.device,
        code_snapshots={epoch: snapshot.codes.cpu() for epoch, snapshot in snapshots if len(snapshot.codes)},
        shown_snapshots={epoch: snapshot.reconstructions.cpu() for epoch, snapshot in snapshots},
    )
    kinds = None if config.figures is None else [*ALWAYS, *config.figures]
    epoch = position.best_epoch or position.epoch
    draw_portraits(subject, folder=run_directory.figures, kinds=kinds, title=title_of(config), epoch=epoch)


def title_of(config: ExperimentConfig) -> str:
    """What stands over the pictures of a run."""
    groups = ("architecture", "bottleneck", "dataset", "noise")
    names = {group: config.values[group]["name"].replace("_", " ") for group in groups}
    bottleneck = "" if names["bottleneck"] == "plain" else f", {names['bottleneck']} bottleneck,"
    noise = "" if names["noise"] == "none" else f", {names['noise']} noise"
    code_size = config.architecture.code_size
    return f"{names['architecture']} autoencoder{bottleneck} on {names['dataset']}{noise}, code size {code_size}"


def _summarise(
    prepared: Prepared,
    trainer: Trainer,
    *,
    scores: dict[str, dict[str, float] | None],
    health: dict[str, Any],
    total_seconds: float,
) -> dict[str, Any]:
    position, units = trainer.position, _units(prepared)
    images = len(prepared.splits.train.images) * position.epoch
    return {
        **scores,
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "code_size": prepared.config.architecture.code_size,
        "best_epoch": position.best_epoch,
        "epochs": position.epoch,
        "seconds": {"total": total_seconds, "training": position.seconds},
        "images_per_second": images / position.seconds,
        "device": prepared.device.description,
        "health": health,
        "units": {
            **{name: units[name] for name in scores["test"] or {} if name in units},
            "seconds": _SECONDS,
            "images_per_second": _IMAGES_PER_SECOND,
        },
    }


_SECONDS = "seconds"
_IMAGES_PER_SECOND = "training images a second, validation and checkpoints included in the time"


def _units(prepared: Prepared) -> dict[str, str]:
    """The unit of each number that may be measured."""
    model, bottleneck = prepared.model, prepared.model.bottleneck
    pixels = {"none": "grey", "static": "statically binarised", "dynamic": "dynamically binarised"}
    likelihood = f"; {model.loss.unit}; pixels {pixels[prepared.config.dataset.binarization]}"
    return {
        **_UNITS_OF_ALL,
        **{name: UNITS[name] + likelihood for name in ("elbo_nats", "nll_nats")},
        **bottleneck.diagnostic_units,
        **model.loss.diagnostic_units,
        "loss": bottleneck.objective_unit(model.loss.unit),
        "reconstruction": model.loss.unit,
        "penalty": bottleneck.penalty_unit,
    }


def _announce(prepared: Prepared, trainer: Trainer) -> None:
    splits = prepared.splits
    sizes = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    counts = [f"{len(split):,} for {use}" for use, split in sizes.items() if len(split)]
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    log.info("%s, on %s.", title_of(prepared.config), prepared.device.description)
    shape = "x".join(str(size) for size in splits.train.image_shape)
    log.info("%s parameters; images of %s: %s.", f"{parameters:,}", shape, ", ".join(counts))
    model = trainer.model
    asked = prepared.config.loss.build(output=prepared.config.architecture.output, image_shape=splits.train.image_shape)
    if model.loss.reads_logits and prepared.config.architecture.output == "identity":
        log.warning("architecture.output=identity leaves (0, 1), where this loss has no gradient; sigmoid is usual.")
    if model.bottleneck.variational and not asked.in_nats:
        hint = "loss=gaussian learns its variance" if asked.reads_logits is False else "it takes grey for probabilities"
        log.info("loss=%s becomes its likelihood: %s; %s.", _name(prepared, "loss"), model.loss.unit, hint)
    if _name(prepared, "loss") == "bernoulli" and prepared.config.dataset.binarization == "none":
        log.warning(
            "loss=bernoulli is a likelihood of black and white, and dataset.binarization=none leaves pixels grey."
        )


def _name(prepared: Prepared, group: str) -> str:
    return str(prepared.config.values[group]["name"])


def _record_failure(run_directory: RunDirectory, error: Exception) -> None:
    message = " ".join(str(error).split()) or type(error).__name__
    try:
        run_directory.set_state("failed", error={"kind": _kind(error), "message": message})
    except OSError as full:  # a full disk, say, which may be why the run failed: that is to be told, not this
        log.warning("%s cannot be written: %s", run_directory.path / "status.json", full.strerror)


def _kind(error: Exception) -> ErrorKind:
    if isinstance(error, NotFiniteError):
        return "not_finite"
    # The CPU's allocator has no exception class of its own.
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error):
        return "out_of_memory"
    return "raised"
