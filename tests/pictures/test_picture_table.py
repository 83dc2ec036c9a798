"""The table of pictures, and what a run's pictures are taken of: which images, which weights, which noise."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from autoenc import progress
from autoenc.command_line import main
from autoenc.command_line.figures import main as draw_figures
from autoenc.data.datasets import shown_indices
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.experiment import run_pictures
from autoenc.pictures import PICTURES, draw_pictures, picture_class
from autoenc.pictures.code_space import principal_plane
from autoenc.pictures.codes import Codes
from autoenc.pictures.drawing import Drawing
from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.pictures.gradients import Gradients
from autoenc.pictures.picture import Panel, columns_of
from autoenc.pictures.progress import Progress
from autoenc.pictures.reconstructions import Reconstructions
from autoenc.pictures.samples import Samples
from autoenc.pictures.subject import MOST_FOLLOWED, followed_images
from autoenc.runs import RunDirectory
from autoenc.trained_model import load_run
from tests.conftest import TINY
from tests.pictures.subjects import images_of, measured, pixel_subject, subject_from


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mock]:
    """A run whose best epoch is not its last, with the calls that draw its pictures, and draw them again."""
    folder = tmp_path_factory.mktemp("runs") / "run"

    def draw_others(*_: object, folder: Path, others: dict[str, Drawing], **__: object) -> list[Path]:
        folder.mkdir(exist_ok=True)
        return [draw() for draw in others.values()]

    drawn = Mock(side_effect=draw_others)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_pictures, "draw_pictures", drawn)
        overrides = ["figures=[codes,codes_over_epochs]", "optimizer.learning_rate=0.3", "training.epochs=4"]
        overrides.append("figure_format=svg")
        assert main([*TINY, *overrides, f"hydra.run.dir={folder}"]) == 0
        run_pictures.redraw_run(folder, names=None, projection="pca", device="cpu")
    return folder, drawn


def arrays_of(picture: Any) -> dict[str, NDArray[Any]]:
    return {field.name: np.asarray(getattr(picture, field.name)) for field in dataclasses.fields(picture)}


def test_pictures_are_of_the_best_weights_the_test_images_and_the_frozen_noise(run: tuple[Path, Mock]) -> None:
    folder, drawn = run
    (subject,), call = drawn.call_args_list[0]
    trained = load_run(folder)
    summary = RunDirectory(folder).summary()
    assert summary is not None
    assert summary["best_epoch"] < summary["epochs"]
    assert call["epoch"] == summary["best_epoch"]
    assert call["names"] == ["reconstructions", "progress", "codes", "codes_over_epochs"]
    for name, tensor in trained.model.state_dict().items():
        assert torch.equal(subject.model.state_dict()[name], tensor)
    splits = trained.config.dataset.build(data_dir=trained.config.data_dir)
    assert torch.equal(subject.splits.test.images, splits.test.images)
    shown = splits.test.images[shown_indices(splits.test.labels)] / 255
    given = trained.config.noise(shown, generator=frozen_generator(subject.device, split="shown")).images
    picture = measured(Reconstructions, subject)
    np.testing.assert_array_equal(picture.clean, shown.numpy())
    np.testing.assert_array_equal(picture.given, given.numpy())
    np.testing.assert_array_equal(picture.final, trained.reconstruct(given).numpy())
    assert measured(Progress, subject).epochs == (0, 1, 2, 3, 4)
    np.testing.assert_array_equal(measured(Progress, subject).snapshots[summary["best_epoch"]], picture.final)
    errors = measured(ErrorByClass, subject).errors
    assert errors.mean() == pytest.approx(summary["test"]["denoising_mse"], rel=1e-5)


def test_pictures_have_the_format_of_the_run_or_of_the_command(run: tuple[Path, Mock]) -> None:
    folder, drawn = run
    assert [call.kwargs["file_format"] for call in drawn.call_args_list[:2]] == ["svg", "svg"]
    assert (folder / "figures" / "loss_curves.svg").read_text("utf-8").startswith("<?xml")
    assert draw_figures([str(folder), "--figure-format", "pdf", "loss_curves", "--device", "cpu"]) == 0
    assert (folder / "figures" / "loss_curves.pdf").read_bytes().startswith(b"%PDF")
    assert not (folder / "figures" / "reconstructions.pdf").exists()


def test_codes_samples_and_gradients_are_of_the_right_split(run: tuple[Path, Mock]) -> None:
    subject = run[1].call_args_list[0].args[0]
    test_codes = subject.model.encode(subject.splits.test.images / 255).detach()
    np.testing.assert_allclose(measured(Codes, subject).points, principal_plane(test_codes).project(test_codes), 1e-3)
    images = subject.splits.train.images / 255
    assert measured(Samples, subject).mixture.endswith(f"fitted to {len(images)} training codes")
    given, corrupted = subject.noise(images, generator=frozen_generator(subject.device, split="gradients"))
    output = subject.model(given)
    objective = subject.model.objective(output, target=images, given=given, corrupted=corrupted)
    first = next(parameter for name, parameter in subject.model.named_parameters() if name.endswith("weight"))
    (gradient,) = torch.autograd.grad(objective.loss, [first])
    picture = measured(Gradients, subject)
    assert picture.images == len(images)
    assert picture.after[0] == pytest.approx(float(gradient.norm()), rel=1e-4)
    assert picture.before[0] != pytest.approx(picture.after[0], rel=1e-3)


def test_pictures_drawn_again_are_of_the_same_numbers(run: tuple[Path, Mock]) -> None:
    first, again = (call.kwargs for call in run[1].call_args_list)
    assert again["names"] is None
    assert (again["epoch"], again["label"]) == (first["epoch"], first["label"])
    for name in PICTURES:
        one, other = (picture_class(name).measure(call.args[0]) for call in run[1].call_args_list)
        assert (one is None) == (other is None)
        if one is not None:
            for field, value in arrays_of(one).items():
                np.testing.assert_array_equal(arrays_of(other)[field], value, err_msg=f"{name}.{field}")


@pytest.mark.parametrize(
    ("overrides", "missing"),
    [
        (("architecture=conv", "architecture.channels=[4,4]", "architecture.code_size=2"), {"codebook"}),
        (
            ("architecture=mlp", "bottleneck=vector_quantized", "architecture.code_size=8"),
            {"decoder_grid", "matrix", "spectrum"},
        ),
    ],
)
def test_every_picture_is_drawn_and_stored_under_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, overrides: tuple[str, ...], missing: set[str]
) -> None:
    images = images_of(30, 1, 28, 28)
    codes = torch.rand(30, 2)
    subject = subject_from(
        *overrides,
        train=images,
        test=images,
        code_snapshots={0: codes, 2: 2 * codes},
        shown_snapshots={0: torch.rand(10, 1, 28, 28)},
    )
    names = [name for name in PICTURES if name in {"codebook", *missing} or "architecture=conv" in overrides]
    paths = draw_pictures(subject, folder=tmp_path / "figures", names=names, label="t", epoch=1)
    drawn = [name for name in names if name not in missing]
    assert [path.name for path in paths] == [f"{n}.{'gif' if n == 'codes_over_epochs' else 'png'}" for n in drawn]
    assert {record.message for record in caplog.records if record.levelname == "WARNING"} == {
        f"The picture '{name}' does not apply to this model and is not drawn." for name in missing
    }
    for path in paths:
        picture = picture_class(path.stem).measure(subject)
        assert picture is not None
        assert picture.kind == path.stem
        stored = picture_class(path.stem).load(path.with_suffix(".npz"))
        for field, value in arrays_of(picture).items():
            np.testing.assert_array_equal(arrays_of(stored)[field], value)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("codes", {"test": 1}),
        ("codes_over_epochs", {"code_snapshots": {5: torch.rand(4, 2)}}),
        ("decoder_grid", {"code_size": 3}),
        ("error_by_class", {"classes": 1}),
        ("interpolations", {"test": 1}),
        ("progress", {}),
        ("worst", {"test": 0}),
    ],
)
def test_pictures_that_do_not_apply_are_not_measured(name: str, subject: dict[str, Any]) -> None:
    assert picture_class(name).measure(pixel_subject(**subject)) is None


def test_a_title_says_what_is_shown_of_which_run_after_how_many_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    for name in ("reconstructions", "progress"):
        kind = picture_class(name)
        monkeypatch.setattr(kind, "measure", lambda subject, kind=kind: kind.__new__(kind))
        monkeypatch.setattr(kind, "draw", lambda self, folder, *, title, file_format: titles.append(title))
    subject: Any = None
    for epoch in (7, 1, None):
        draw_pictures(subject, folder=tmp_path, names=["reconstructions"], label="VAE, on MNIST", epoch=epoch)
    draw_pictures(subject, folder=tmp_path, names=["progress"], label="VAE, on MNIST", epoch=7)
    assert titles == [
        "Test images and their reconstructions: VAE, on MNIST, after 7 epochs",
        "Test images and their reconstructions: VAE, on MNIST, after 1 epoch",
        "Test images and their reconstructions: VAE, on MNIST",
        "Reconstructions during training: VAE, on MNIST",
    ]


def test_a_terminal_names_the_picture_that_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=terminal, force_terminal=True, width=110, highlight=False))
    for name in ("reconstructions", "codes"):
        monkeypatch.setattr(picture_class(name), "measure", lambda subject: None)
    subject: Any = None
    others: dict[str, Drawing] = {"loss_curves": lambda: tmp_path}
    draw_pictures(subject, folder=tmp_path, names=["reconstructions", "codes"], label="", epoch=None, others=others)
    for line in ("Measuring for pictures: reconstructions", "pictures: codes", "Drawing pictures: loss_curves"):
        assert line in terminal.getvalue()


def test_up_to_three_panels_stand_side_by_side_and_four_stand_two_by_two() -> None:
    panels = [Panel[Any](str(number), None) for number in range(7)]
    assert [columns_of(panels[:count]) for count in range(1, 8)] == [1, 2, 3, 2, 3, 3, 3]


@pytest.mark.parametrize(("figures", "count"), [(None, MOST_FOLLOWED), (["codes_over_epochs"], MOST_FOLLOWED), ([], 0)])
def test_codes_are_followed_only_for_the_picture_that_shows_them(figures: list[str] | None, count: int) -> None:
    images = images_of(MOST_FOLLOWED + 1, 1, 2, 2)
    assert torch.equal(followed_images(images, figures=figures), images[:count])


def test_the_table_and_stored_numbers_need_no_torch() -> None:
    program = """
import sys
from autoenc.pictures import PICTURES, picture_class
import autoenc.comparison.page
assert not {"torch", "matplotlib"} & set(sys.modules)
for name in PICTURES:
    assert picture_class(name).kind == name
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def test_every_picture_has_a_caption_that_says_what_to_look_for() -> None:
    for name, entry in PICTURES.items():
        assert entry.look_for.endswith((".", "?")), name
        assert 40 < len(entry.look_for) < 250, name
    assert len({entry.look_for for entry in PICTURES.values()}) == len(PICTURES)
