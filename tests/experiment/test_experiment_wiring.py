"""What each part is given when a run is put together, against values computed separately.

Each of these was once changed on purpose without a test noticing: the wrong split, strength, unit of time or weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

import autoenc
from autoenc.command_line import main
from autoenc.config import parse
from autoenc.data.datasets import Splits, shown_indices
from autoenc.evaluation.batches import as_floats
from autoenc.evaluation.frozen_noise import frozen_generator, inputs
from autoenc.evaluation.health.examination import examine
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.probes import probe_indices
from autoenc.evaluation.scores import Measured, measure
from autoenc.experiment import run as story
from autoenc.experiment.preparation import prepare
from autoenc.experiment.run_scores import units_of
from autoenc.runs import RunDirectory
from autoenc.training import loop
from autoenc.training.checkpoints import load_last
from autoenc.training.step import TrainingStep
from tests.composed import composed_values
from tests.conftest import TINY, Train
from tests.devices import cpu

EPOCHS, STEPS_PER_EPOCH, STD = 3, 6, 0.5

SETTINGS = (
    *TINY,
    "architecture=mlp",
    "architecture.hidden=[16]",
    "architecture.code_size=3",
    "bottleneck=gaussian",
    "bottleneck.beta=2",
    "bottleneck.warmup_epochs=2",
    "loss=bernoulli",
    "dataset.binarization=dynamic",
    f"noise.std={STD}",
    "training.severity_start=0.2",
    "training.severity_epochs=2",
    "training.gradient_clip=0.25",
    "schedule=cosine",
    "optimizer.learning_rate=0.03",
    "evaluation.nll_samples=16",
)


class Step(NamedTuple):
    """What a training step worked with."""

    given: Tensor
    """The stored images of the batch, (B, C, H, W) in [0, 1]."""
    target: Tensor
    """The images drawn from them."""
    std: float
    """Of the noise."""
    strength: float
    """The share of the KL divergence that counts."""
    learning_rate: float
    gradient_clip: float | None


class Run(NamedTuple):
    folder: Path
    steps: list[Step]
    validation_stds: list[float]
    """Of the noise, in the validation of each epoch."""
    model: autoenc.TrainedModel
    splits: Splits


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of a denoising variational autoencoder, with everything that its steps worked with."""
    folder, steps, validation_stds = tmp_path_factory.mktemp("wiring") / "run", list[Step](), list[float]()
    with pytest.MonkeyPatch.context() as patch:
        original = TrainingStep.train_step

        def recording(self: TrainingStep, images: Tensor) -> Tensor:
            targets = self.targets

            def drawn(stored: Tensor, *, generator: torch.Generator) -> Tensor:
                target = targets(stored, generator=generator)
                now: Any = self._noise_now
                steps.append(
                    Step(
                        given=stored.clone(),
                        target=target.clone(),
                        std=now.std,
                        strength=float(self.model.bottleneck.strength),  # type: ignore[arg-type]
                        learning_rate=self.optimizer.param_groups[0]["lr"],
                        gradient_clip=self.gradient_clip,
                    )
                )
                return target

            patch.setattr(self, "targets", drawn)
            try:
                return original(self, images)
            finally:
                patch.setattr(self, "targets", targets)

        def recording_measure(*arguments: Any, noise: Any, **options: Any) -> Measured:
            validation_stds.append(noise.std)
            return measure(*arguments, noise=noise, **options)

        patch.setattr(TrainingStep, "train_step", recording)
        patch.setattr(loop, "measure", recording_measure)
        assert main([*SETTINGS, f"hydra.run.dir={folder}"]) == 0
    model = autoenc.load_run(folder)
    return Run(folder, steps, validation_stds, model, model.config.dataset.build(data_dir=model.config.data_dir))


def flat(images: Tensor) -> np.ndarray[Any, Any]:
    return (images.flatten(1).double() / 255).numpy()


def test_the_steps_see_the_grey_training_images_once_an_epoch(run: Run) -> None:
    assert len(run.steps) == EPOCHS * STEPS_PER_EPOCH
    assert run.splits.train_probabilities is not None
    expected = as_floats(run.splits.train_probabilities, device=cpu())
    for epoch in range(EPOCHS):
        steps = run.steps[epoch * STEPS_PER_EPOCH : (epoch + 1) * STEPS_PER_EPOCH]
        seen = torch.cat([step.given for step in steps])
        assert torch.equal(seen.flatten(1).sum(1).sort().values, expected.flatten(1).sum(1).sort().values)


def test_dynamic_binarization_draws_new_pixels_in_every_epoch(run: Run) -> None:
    def drawn(epoch: int) -> dict[bytes, Tensor]:
        steps = run.steps[epoch * STEPS_PER_EPOCH : (epoch + 1) * STEPS_PER_EPOCH]
        pairs = [(step.given, step.target) for step in steps]
        return {
            stored.numpy().tobytes(): target
            for given, targets in pairs
            for stored, target in zip(given, targets, strict=True)
        }

    first, second = drawn(0), drawn(1)
    assert all(set(target.unique().tolist()) <= {0.0, 1.0} for target in first.values())
    assert sum(not torch.equal(first[key], second[key]) for key in first) > 0.9 * len(first)


def test_severity_and_warm_up_grow_with_epochs_and_not_with_steps(run: Run) -> None:
    epochs = np.arange(len(run.steps)) / STEPS_PER_EPOCH
    assert [step.std for step in run.steps] == pytest.approx(STD * np.minimum(1, 0.2 + 0.8 * epochs / 2))
    assert [step.strength for step in run.steps] == pytest.approx(np.minimum(1, epochs / 2))


def test_the_schedule_spans_all_steps_and_the_gradient_is_clipped(run: Run) -> None:
    total = EPOCHS * STEPS_PER_EPOCH
    factor = [run.model.config.schedule.factor(step, total_steps=total) for step in range(total)]
    assert [step.learning_rate for step in run.steps] == pytest.approx([0.03 * one for one in factor])
    assert {step.gradient_clip for step in run.steps} == {0.25}


def test_pca_is_fitted_to_the_training_split_with_as_many_components_as_the_code_has_numbers(run: Run) -> None:
    train, test = flat(run.splits.train.images), flat(run.splits.test.images)
    pca = PCA(3, svd_solver="full").fit(train)
    expected = np.square(pca.inverse_transform(pca.transform(test)) - test).mean()
    assert RunDirectory(run.folder).summary()["test"]["pca_mse"] == pytest.approx(expected, rel=1e-4)


def test_the_likelihood_is_that_of_the_test_images(run: Run) -> None:
    summary = RunDirectory(run.folder).summary()
    found = summary["test"]["nll_nats"]
    expected = {name: _nll(run, getattr(run.splits, name).images) for name in ("test", "train")}
    assert found == pytest.approx(expected["test"], rel=1e-5)
    assert found != pytest.approx(expected["train"], rel=1e-3)
    assert "nll_nats" not in summary["train"]


def test_as_many_images_as_asked_for_have_a_likelihood(run: Run, train: Train) -> None:
    few = ["evaluation.nll_train_images=5", "evaluation.nll_images=7"]
    folder = train(*SETTINGS[len(TINY) :], *few, "training.epochs=1", "training.severity_epochs=1")
    found, again = RunDirectory(folder).summary(), run._replace(model=autoenc.load_run(folder))
    for split, count in (("train", 5), ("validation", 7), ("test", 7)):
        images = getattr(run.splits, split).images
        drawn = images[probe_indices(len(images), most=count)]
        assert len(drawn) == count < len(images)
        assert found[split]["nll_nats"] == pytest.approx(_nll(again, drawn), rel=1e-5)


def _nll(run: Run, images: Tensor) -> float:
    from autoenc.evaluation.likelihood import negative_log_likelihoods

    return negative_log_likelihoods(run.model.model, images, device=cpu(), samples=16).mean().item()


@pytest.mark.parametrize("split", ["test", "validation", "train"])
def test_errors_are_of_the_best_weights_on_the_split_they_are_named_after(run: Run, split: str) -> None:
    images = getattr(run.splits, split).images
    clean = as_floats(images, device=cpu())
    noisy = run.model.config.noise(clean, generator=frozen_generator(cpu(), split=split))
    scores = RunDirectory(run.folder).summary()[split]
    for name, given in (("mse", clean), ("denoising_mse", noisy.images)):
        with torch.no_grad():
            expected = (run.model.model(given).reconstruction - clean).square().mean().item()
        assert scores[name] == pytest.approx(expected, rel=1e-5)


def test_validation_uses_the_full_noise_and_the_full_penalty_from_the_first_epoch_on(run: Run) -> None:
    """The row of the best epoch has to agree with the final score, which knows no severity and no warm-up."""
    assert run.validation_stds == [STD] * EPOCHS
    summary = RunDirectory(run.folder).summary()
    rows = RunDirectory(run.folder).metrics()
    best = rows[summary["best_epoch"] - 1]
    for name in ("loss", "reconstruction", "penalty", "mse", "denoising_mse"):
        assert best[f"validation/{name}"] == pytest.approx(summary["validation"][name], rel=1e-5)
    assert best["validation/loss"] == min(row["validation/loss"] for row in rows)


def test_snapshots_are_of_the_shown_test_images_with_frozen_noise(run: Run) -> None:
    checkpoint = load_last(run.folder / "checkpoints")
    assert checkpoint is not None
    device = cpu()
    clean = as_floats(run.splits.test.images[shown_indices(run.splits.test.labels)], device=device)
    noisy = run.model.config.noise(clean, generator=frozen_generator(device, split="shown")).images
    model = run.model.config.build_model(image_shape=run.splits.image_shape)
    with torch.no_grad():
        expected = model.eval()(noisy).reconstruction
    torch.testing.assert_close(checkpoint.trainer["snapshot:0"], expected)


def test_health_is_examined_on_what_the_model_is_given_of_the_test_images(run: Run) -> None:
    summary = RunDirectory(run.folder).summary()
    given = inputs(run.splits.test.images, noise=run.model.config.noise, split="test", device=cpu())
    expected = examine(run.model.model, (batch.given for batch in given), statistics=summary["test"])
    assert summary["health"] == expected
    assert expected["collapsed_units"] + summary["test"]["active_units"] == run.model.config.architecture.code_size


def test_health_and_metrics_agree_on_the_use_of_a_codebook(train: Train) -> None:
    """Noise of this strength uses other entries of the codebook than the clean images do."""
    settings = ("bottleneck=vector_quantized", "bottleneck.vector_size=1", "noise.std=1", "seed=1")
    summary = RunDirectory(train(*settings)).summary()
    assert summary["health"]["dead_codes"] == summary["test"]["unused_entries"]


def test_standard_errors_are_those_of_the_mean_over_images(run: Run) -> None:
    summary = RunDirectory(run.folder).summary()
    errors = run.model.errors(run.splits.test.images)
    expected = errors.std().item() / len(errors) ** 0.5
    assert summary["standard_errors"]["test"]["mse"] == pytest.approx(expected, rel=1e-4)
    assert {"psnr", "denoising_mse", "elbo_nats", "nll_nats", "pca_mse"} <= summary["standard_errors"]["test"].keys()
    assert {"loss", "kl_nats", "active_units"}.isdisjoint(summary["standard_errors"]["test"])
    assert "16 importance samples" in summary["units"]["nll_nats"]


def test_the_error_of_each_test_image_is_stored(run: Run) -> None:
    stored = np.load(run.folder / "test_errors.npz")
    assert stored["mse"].dtype == stored["denoising_mse"].dtype == np.float16
    np.testing.assert_allclose(stored["mse"], run.model.errors(run.splits.test.images), rtol=1e-3)
    summary = RunDirectory(run.folder).summary()
    assert stored["denoising_mse"].mean(dtype=float) == pytest.approx(summary["test"]["denoising_mse"], rel=1e-3)


def test_baselines_see_the_noise_that_the_model_sees(run: Run) -> None:
    for split in ("test", "validation"):
        clean = as_floats(getattr(run.splits, split).images, device=cpu())
        noisy = run.model.config.noise(clean, generator=frozen_generator(cpu(), split=split)).images
        scores = RunDirectory(run.folder).summary()[split]
        assert scores["noise_mse"] == pytest.approx((noisy - clean).square().mean().item(), rel=1e-5)
        assert scores["mean_image_mse"] == pytest.approx(
            (as_floats(run.splits.train.images, device=cpu()).mean(0) - clean).square().mean().item(), rel=1e-5
        )


def test_a_training_split_without_a_penalty_is_refused_before_there_is_a_folder(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["dataset.limit=4", "dataset.validation_fraction=0.25", "training.batch_size=16"]
    assert main([*TINY, *few, "bottleneck=contractive", "hydra.run.dir=run"]) == 2
    message = (
        "dataset=digits: the penalty of bottleneck=contractive needs batches of at least 4 images, and the training"
    )
    assert f"{message} split has 3; with smaller ones a plain autoencoder would be trained\n" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_the_checkpoints_identify_the_images(elsewhere: Path) -> None:
    assert main([*TINY, "dataset.binarization=dynamic", "hydra.run.dir=run"]) == 0
    checkpoint, summary = load_last(elsewhere / "run" / "checkpoints"), RunDirectory(elsewhere / "run").summary()
    config = autoenc.load_run("run").config
    expected = config.dataset.build(data_dir=config.data_dir).digests
    assert checkpoint is not None
    assert checkpoint.values["digests"] == summary["digests"] == expected


def test_of_the_training_split_a_frozen_draw_is_scored_and_the_others_whole(train: Train) -> None:
    folder = train("evaluation.train_images=20", "noise=none")
    trained, summary = autoenc.load_run(folder), RunDirectory(folder).summary()
    splits = trained.config.dataset.build(data_dir=trained.config.data_dir)
    drawn = splits.train.images[probe_indices(len(splits.train), most=20)]
    for split, images in {"train": drawn, "validation": splits.validation.images, "test": splits.test.images}.items():
        assert summary[split]["mse"] == pytest.approx(trained.errors(images).mean().item(), rel=1e-5)
    assert len(splits.train) > 20


@pytest.mark.parametrize(
    ("binarization", "end"),
    [("none", ""), ("static", "; of statically binarized pixels"), ("dynamic", "; of dynamically binarized pixels")],
)
def test_the_units_of_errors_name_binarized_pixels(binarization: str, end: str) -> None:
    prepared = prepare(parse(composed_values(f"dataset.binarization={binarization}", "device=cpu")))
    units = units_of(prepared.config, loss=prepared.model.loss, bottleneck=prepared.model.bottleneck)
    assert units["mse"] == METRICS["mse"].unit + end
    assert units["denoising_mae"] == METRICS["mae"].denoising().unit + end
    assert units["pca_mse"] == METRICS["pca_mse"].unit  # it names the mse


def test_status_names_the_phase(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}

    def noting(name: str, original: Any) -> Any:
        def noted(*arguments: Any, **named: Any) -> Any:
            (folder,) = [path.parent for path in Path().rglob("status.json")]
            found[name] = RunDirectory(folder).status()["phase"]
            return original(*arguments, **named)

        return noted

    monkeypatch.setattr(loop.Trainer, "train", noting("train", loop.Trainer.train))
    for name in ("evaluate", "draw_finished_run"):
        monkeypatch.setattr(story, name, noting(name, getattr(story, name)))
    folder = train(*TINY)
    assert found == {"train": "training", "evaluate": "evaluating", "draw_finished_run": "drawing"}
    assert RunDirectory(folder).status()["phase"] is None


def test_a_run_keeps_its_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr("autoenc.experiment.preparation.keep_freed_memory", lambda: called.append(True))
    prepare(parse(composed_values("device=cpu")))
    assert called
