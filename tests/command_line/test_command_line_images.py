"""Images that were replaced or moved between two commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoenc
from autoenc.command_line import main
from autoenc.command_line.apply import main as apply
from autoenc.command_line.figures import main as draw
from autoenc.runs import RunDirectory, read_sweep
from autoenc.settings import ConfigError
from autoenc.training.checkpoints import load_last, load_trained, save_best, save_last
from tests.conftest import TINY

FOLDER = ["dataset=image_folder", "dataset.size=[4,4]", "dataset.channels=1", "training.epochs=1", "noise=none"]
OTHER_IMAGES = "these are not the images of the run: it had others for train, validation, test; "


def paint(folder: Path, *, seed: int = 0) -> Path:
    """40 pictures of 4x4 pixels, whose names do not depend on the seed."""
    folder.mkdir(exist_ok=True)
    for index, pixels in enumerate(np.random.default_rng(seed).integers(0, 256, (40, 4, 4), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(elsewhere: Path) -> Path:
    """A run that was stopped before its scores, on the pictures in `pictures`."""
    paint(elsewhere / "pictures")
    assert main([*TINY, *FOLDER, "dataset.path=pictures", "hydra.run.dir=run"]) == 0
    RunDirectory(elsewhere / "run").set_state("interrupted")
    return elsewhere / "run"


def test_remarks_about_pictures_are_logged_only_where_a_run_begins(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paint(Path("pictures"))
    assert main([*TINY, *FOLDER, "dataset.size=[8,8]", "dataset.path=pictures", "hydra.run.dir=run"]) == 0
    remarks = ['all 40 pictures are 4x4 pixels; "dataset.size=[4,4]" keeps them so', "images: train "]
    said = capsys.readouterr()
    assert all(remark in said.out + said.err for remark in remarks)
    autoenc.load_run("run").split("test")
    RunDirectory(Path("run")).set_state("interrupted")
    assert main(["resume=run"]) == 0
    said = capsys.readouterr()
    assert not any(remark in said.out + said.err for remark in remarks)


def test_a_run_is_not_resumed_on_other_images(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(Path("pictures"), seed=1)
    before = contents(run)
    assert main(["resume=run"]) == 2
    expected = f"error: dataset.path={Path.cwd()}/pictures: {OTHER_IMAGES}"
    expected += "restore its images, or give the place that has them by dataset.path=\n"
    assert capsys.readouterr().err == expected
    assert contents(run) == before


def test_a_run_is_resumed_where_its_images_are_now(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").rename("moved")
    before = contents(run)
    assert main(["resume=run"]) == 2
    expected = f"error: dataset.path={Path.cwd()}/pictures: the run's images are not there; "
    assert capsys.readouterr().err == f"{expected}if they were moved, give their new place by dataset.path=\n"
    paint(Path("other"), seed=1)
    assert main(["resume=run", "dataset.path=other"]) == 2
    assert OTHER_IMAGES in capsys.readouterr().err
    assert main(["resume=run", "dataset.path=moved", "dataset.size=[5,5]"]) == 2
    refused = "a resumed run keeps its settings, all but tracker and dataset.path, and 'dataset.size=[5,5]' is set"
    assert refused in capsys.readouterr().err
    assert contents(run) == before

    config = RunDirectory(run).config()
    assert main(["resume=run", "dataset.path=moved"]) == 0
    assert RunDirectory(run).state == "finished"
    assert RunDirectory(run).config() == {
        **config,
        "dataset": {**config["dataset"], "path": str(Path("moved").absolute())},
    }
    assert draw(["run", "codes"]) == 0


def test_a_run_without_a_folder_of_pictures_has_no_other_place(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "training.epochs=1", "hydra.run.dir=digits"]) == 0
    RunDirectory(Path("digits")).set_state("interrupted")
    capsys.readouterr()
    assert main(["resume=digits", "dataset.path=pictures"]) == 2
    assert "dataset.path" in (message := capsys.readouterr().err)
    assert message.count("\n") == 1
    assert draw(["digits", "dataset.path=pictures"]) == 2
    assert "dataset.path=" in (message := capsys.readouterr().err)
    assert "there is no such key" in message


def test_a_checkpoint_without_digests_is_resumed(run: Path) -> None:
    checkpoint = load_last(run / "checkpoints")
    assert checkpoint is not None
    assert set(checkpoint.values["digests"]) == {"train", "validation", "test", "training_pool"}
    early = checkpoint._replace(values={key: value for key, value in checkpoint.values.items() if key != "digests"})
    for _ in range(2):
        save_last(run / "checkpoints", early)
    paint(Path("pictures"), seed=1)
    assert main(["resume=run"]) == 0


def test_pictures_of_other_images_are_not_drawn(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").rename("moved")
    assert draw(["run", "worst"]) == 2
    assert "give their new place by dataset.path=" in capsys.readouterr().err
    assert draw(["run", "worst", "dataset.path=moved"]) == 0
    assert (run / "figures" / "worst.png").exists()
    paint(Path("pictures"), seed=1)
    capsys.readouterr()
    assert draw(["dataset.path=pictures", "run", "worst"]) == 2
    assert OTHER_IMAGES in capsys.readouterr().err


def test_the_run_s_own_split_is_that_of_its_images(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").rename("moved")
    assert apply(["run", "run:train", "codes.npz", "--do", "encode", "dataset.path=moved", "--limit", "5"]) == 0
    capsys.readouterr()
    with np.load("codes.npz") as stored:
        assert stored["split"] == "train"
        assert stored["indices"].tolist() == [0, 1, 2, 3, 4]  # in the sorted list of the pictures for training
        assert all(name.endswith(".png") for name in stored["names"])
    paint(Path("pictures"), seed=1)
    assert apply(["run", "run:test", "out"]) == 2
    assert "these are not the images of the run: it had others for test; " in capsys.readouterr().err
    assert not Path("out").exists()
    # Only the images that are read have to be the same.
    for name in autoenc.load_run(run, dataset_path="moved").split("test").names or ():
        Path("moved", name).rename(Path("pictures", name))
    assert apply(["run", "run:test", "out"]) == 0
    with pytest.raises(ConfigError, match="it had others for train; "):
        autoenc.load_run(run).split("train")


def test_the_best_checkpoint_names_the_images_too(run: Path) -> None:
    best = load_trained(run / "checkpoints")
    assert best is not None
    assert best.values["digests"] == autoenc.load_run(run).digests != {}
    save_best(run / "checkpoints", best._replace(values={"image_shape": [1, 4, 4]}))
    assert autoenc.load_run(run).digests == {}


def test_jobs_of_other_images_are_trained_again(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(elsewhere / "pictures")
    command = [*TINY, *FOLDER, "dataset.path=pictures", "-m", "sweep.name=s", "comparison.pictures=[]"]
    assert main([*command, "seed=0,1"]) == 0
    sweep = Path("outputs/sweeps/s")
    folder = next(sweep / name for name, label in read_sweep(sweep).labels.items() if label == "seed 0")
    before = RunDirectory(folder).summary()["digests"]
    paint(elsewhere / "pictures")
    capsys.readouterr()
    assert main([*command, "seed=0,1"]) == 0
    assert "2 jobs in outputs/sweeps/s: 2 kept.\n" in capsys.readouterr().out

    paint(elsewhere / "pictures", seed=1)
    RunDirectory(folder).set_state("interrupted")
    assert main([*command, "seed=0,1,2", "--cfg", "job"]) == 0
    assert "# 3 jobs in outputs/sweeps/s: 2 restarted, 1 new." in capsys.readouterr().out
    assert main([*command, "seed=0,1,2"]) == 0
    printed = capsys.readouterr().out
    assert "3 jobs in outputs/sweeps/s: 2 restarted, 1 new.\n" in printed
    warning = "The images have changed since 2 of them were trained. The sweep trains these again and keeps their old"
    assert f"{warning} folders in outputs/sweeps/s/.replaced.\n" in printed
    assert RunDirectory(sweep / ".replaced" / f"{folder.name}.1").summary()["digests"] == before
    digests = [RunDirectory(sweep / name).summary()["digests"] for name in read_sweep(sweep).labels]
    assert digests == digests[:1] * 3 != [before] * 3
    assert main([*command, "seed=0,1,2"]) == 0
    assert "3 kept.\n" in capsys.readouterr().out


def test_jobs_whose_images_are_gone_are_kept(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(elsewhere / "pictures")
    command = [*TINY, *FOLDER, "dataset.path=pictures", "-m", "sweep.name=s", "comparison.pictures=[]", "seed=0"]
    assert main(command) == 0
    Path("pictures").rename("moved")
    capsys.readouterr()
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.count("The images of earlier jobs cannot be compared with those of now: dataset.path=") == 1
    assert "1 job in outputs/sweeps/s: 1 kept.\n" in printed


def test_duplicates_are_counted_and_logged(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(elsewhere / "pictures")
    for name in ("00", "01", "02", "03", "04"):
        Path(f"pictures/{name}.png").write_bytes(Path("pictures/05.png").read_bytes())
    assert main([*TINY, *FOLDER, "dataset.path=pictures", "dataset.validation_fraction=0", "hydra.run.dir=run"]) == 0
    duplicates = RunDirectory(Path("run")).summary()["duplicates"]
    assert duplicates["train"] + duplicates["test"] + (duplicates["test_in_train"] > 0) == 5
    printed = capsys.readouterr().out
    assert f"Duplicate images: {duplicates['train']} of 36 train images repeat an earlier one" in printed


def test_a_search_is_not_continued_on_other_images(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    paint(elsewhere / "pictures")
    search = ["hydra/sweeper=optuna", "optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))"]
    command = [*TINY, *FOLDER, "dataset.path=pictures", "-m", "sweep.name=s", "comparison.pictures=[]", *search]
    assert main([*command, "hydra.sweeper.n_trials=1"]) == 0
    before = contents(Path("outputs/sweeps/s"))
    paint(elsewhere / "pictures", seed=1)
    capsys.readouterr()
    assert main([*command, "hydra.sweeper.n_trials=2"]) == 2
    expected = (
        "error: sweep.name=s: the earlier trials of this search were trained on other images than the dataset has"
    )
    assert capsys.readouterr().err == f"{expected} now; choose another name\n"
    assert contents(Path("outputs/sweeps/s")) == before
