"""`scripts/evaluate.py` from the command line."""

from __future__ import annotations

import csv
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autoenc.command_line.apply import main as apply
from autoenc.command_line.evaluate import main
from autoenc.command_line.figures import main as draw
from autoenc.data.datasets import DatasetError, Splits
from autoenc.data.datasets.digits import Digits
from autoenc.devices import flushes_denormals
from autoenc.pictures.denoising_heat_map import DenoisingHeatMap
from autoenc.runs import RunDirectory, read_arrays, read_runs
from autoenc.trained_model import TrainedModel, load_run
from tests.conftest import TINY, Train

FEW = (
    "evaluation=denoising",
    "evaluation.noises={gaussian: [0.3, 0.1], masking: [0.5]}",  # Hydra merges groups of keys: the other noises stay
    *(f"evaluation.noises.{kind}=null" for kind in ("salt_and_pepper", "occlusion", "speckle", "blur")),
    *("--device", "cpu"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, `gaussian` with the noise of a column and `masking` with one of its own, and an unfinished one."""
    from autoenc.command_line import main as train

    folder = tmp_path_factory.mktemp("runs")
    for name, noise in (("gaussian", ["noise=gaussian"]), ("masking", ["noise=masking", "noise.probability=0.2"])):
        assert train([*TINY, *noise, "training.epochs=2", f"hydra.run.dir={folder / name}"]) == 0
    shutil.copytree(folder / "gaussian", folder / "interrupted")
    status = json.loads((folder / "interrupted" / "status.json").read_text())
    (folder / "interrupted" / "status.json").write_text(json.dumps({**status, "state": "interrupted"}))
    return folder


@pytest.fixture
def runs(trained: Path, elsewhere: Path) -> Path:
    return Path(shutil.copytree(trained, elsewhere / "runs"))


def summary_of(run: Path) -> dict[str, Any]:
    return RunDirectory(run).summary()


def test_the_matrix_of_two_runs(
    runs: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: summary_of(runs / name) for name in ("gaussian", "masking")}
    assert main(["runs", *FEW]) == 0
    assert "interrupted is left out: interrupted; resume= continues it." in caplog.text
    assert "Written: runs/denoising_matrix.csv" in capsys.readouterr().out
    rows = list(csv.DictReader((runs / "denoising_matrix.csv").read_text(encoding="utf-8").splitlines()))
    columns = [("gaussian", "0.1"), ("gaussian", "0.3"), ("masking", "0.2"), ("masking", "0.5")]
    assert [(row["noise"], row["severity"]) for row in rows] == 2 * columns
    own = [row for row in rows if row["trained_on"] == "true"]
    assert [(row["run"], row["noise"], row["severity"]) for row in own] == [
        ("gaussian", "gaussian", "0.3"),
        ("masking", "masking", "0.2"),
    ]
    for row in own:  # frozen draws: those of the run's own score
        test = before[row["run"]]["test"]
        assert float(row["denoising_mse"]) == pytest.approx(test["denoising_mse"], rel=1e-5)
        assert float(row["denoising_psnr"]) == pytest.approx(test["denoising_psnr"], rel=1e-5)
        assert float(row["noise_mse"]) == pytest.approx(test["noise_mse"], rel=1e-5)
        gain = 10 * np.log10(test["median_mse"] / test["denoising_mse"])
        assert float(row["gain_over_median_db"]) == pytest.approx(gain, rel=1e-4)
    for first, second in zip(rows[:4], rows[4:], strict=True):  # the same noisy images
        assert (first["noise_mse"], first["median_mse"]) == (second["noise_mse"], second["median_mse"])

    picture = DenoisingHeatMap.load(runs / "denoising_heat_map.npz")
    assert picture.runs == ("gaussian", "masking")
    np.testing.assert_allclose(picture.over_nothing.ravel(), [float(row["gain_db"]) for row in rows])
    np.testing.assert_array_equal(picture.averaged, [True, True, False, True])
    alone = DenoisingHeatMap.load(runs / "masking" / "figures" / "denoising_heat_map.npz")
    np.testing.assert_array_equal(alone.over_median, picture.over_median[1:])
    assert (runs / "denoising_heat_map.png").exists()

    summary = summary_of(runs / "gaussian")
    gains = [float(row["gain_db"]) for row in rows[:4]]
    assert summary["test"]["denoising_gain_db"] == pytest.approx(np.mean([gains[0], gains[1], gains[3]]))
    assert summary["test"]["denoising_gain_unseen_db"] == pytest.approx(np.mean([gains[0], gains[3]]))
    assert summary["standard_errors"]["test"]["denoising_gain_db"] > 0
    assert summary["units"]["denoising_gain_db"].endswith("(100 test images with gaussian 0.1/0.3, masking 0.5)")
    assert summary["evaluation"]["denoising"]["settings"]["noises"]["gaussian"] == [0.3, 0.1]
    assert {**summary["test"], **before["gaussian"]["test"]} == summary["test"]
    assert {key: summary[key] for key in ("train", "seconds", "health")} == {
        key: before["gaussian"][key] for key in ("train", "seconds", "health")
    }
    unseen = summary["units"]["denoising_gain_unseen_db"]
    assert unseen.endswith("(100 test images with gaussian 0.1, masking 0.5)")
    masking = summary_of(runs / "masking")["test"]
    assert masking["denoising_gain_unseen_db"] == masking["denoising_gain_db"]  # its own noise is not among the listed


def test_a_single_run_has_its_matrix_in_its_own_folder(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs/gaussian", *FEW, "evaluation.limit=40"]) == 0
    assert "Written: runs/gaussian/figures/denoising_heat_map.png" in capsys.readouterr().out
    assert DenoisingHeatMap.load(runs / "gaussian" / "figures" / "denoising_heat_map.npz").images == 40
    assert not list(runs.glob("denoising_matrix*"))
    assert main(["runs/gaussian", *FEW, "--output", "joint"]) == 0
    assert sorted(path.suffix for path in Path("joint").iterdir()) == [".csv", ".npz", ".png"]


def test_a_run_is_scored_again_as_at_its_end(runs: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The scores are recomputed from the weights; what only the training knows stays."""
    caplog.set_level(logging.INFO)
    run = RunDirectory(runs / "gaussian")
    before = run.summary()
    stored = read_arrays(run.path / "test_errors.npz", most=2**20)
    spoiled = {**before, "test": {"mse": 1.0, "denoising_gain_db": 3.0}, "train": None}
    run.write_summary(spoiled)
    (run.path / "test_errors.npz").unlink()
    assert main(["runs/gaussian", "evaluation=quick"]) == 0
    after = run.summary()
    recorded = after.pop("evaluation")
    assert recorded == {"scores": {"settings": run.config()["evaluation"], "device": "cpu"}}
    assert after["test"].pop("denoising_gain_db") == 3
    assert after == before
    again = read_arrays(run.path / "test_errors.npz", most=2**20)
    assert again.keys() == stored.keys()
    for name, errors in again.items():
        np.testing.assert_array_equal(errors, stored[name])
    assert "Test scores of gaussian:" in caplog.text
    assert "The denoising error" in caplog.text


def test_a_run_is_scored_again_by_its_own_settings_unless_they_are_changed(train: Train) -> None:
    own = ("bottleneck=gaussian", "loss=gaussian", "noise=none", "evaluation.nll_samples=3", "training.epochs=1")
    run = train(*own)
    before = summary_of(run)
    assert main(["run"]) == 0
    assert {key: summary_of(run)[key] for key in before} == before
    assert main(["run", "evaluation=quick", "evaluation.nll_samples=4"]) == 0
    assert "from 4 importance samples" in summary_of(run)["units"]["nll_nats"]
    assert summary_of(run)["test"]["nll_nats"] != before["test"]["nll_nats"]


def test_the_scores_of_other_settings_replace_the_old_ones(train: Train) -> None:
    """No score stays that was measured by settings other than the recorded ones; only the gains do."""
    own = ("bottleneck=gaussian", "loss=gaussian", "noise=none", "evaluation.nll_samples=5", "training.epochs=1")
    run = train(*own)
    before = summary_of(run)
    assert main(["run", *FEW]) == 0
    gains = {name for name in summary_of(run)["test"] if name.startswith("denoising_gain_")}
    assert len(gains) == 3

    assert main(["run", "evaluation=full", "evaluation.other_dataset=null"]) == 0
    full = summary_of(run)
    settings = full["evaluation"]["scores"]["settings"]
    assert (settings["name"], settings["nll_samples"]) == ("full", 5)  # the run's own
    assert full["test"]["nll_nats"] == before["test"]["nll_nats"]
    assert "effective_rank" in full["test"]
    assert full["details"]
    assert gains < full["standard_errors"]["test"].keys()

    assert main(["run", "evaluation=quick", "evaluation.nll_samples=0"]) == 0
    quick = summary_of(run)
    settings = {"name": "quick", "nll_samples": 0, "nll_images": None, "nll_train_images": 0}
    settings |= {"probe_images": 2000, "train_images": 10000}
    assert quick["evaluation"]["scores"]["settings"] == settings
    assert quick["evaluation"]["denoising"] == full["evaluation"]["denoising"]
    assert "details" not in quick
    missing = {"nll_nats"}
    assert quick["test"].keys() == (before["test"].keys() - missing) | gains
    assert quick["standard_errors"]["test"].keys() == (before["standard_errors"]["test"].keys() - missing) | gains
    assert quick["validation"].keys() == before["validation"].keys() - missing
    assert quick["units"].keys() == (before["units"].keys() - missing) | gains
    assert quick["seconds"] == before["seconds"]

    assert main(["run", *FEW, "evaluation.noises.masking=null"]) == 0
    again = summary_of(run)
    assert again["evaluation"]["denoising"]["settings"]["noises"]["masking"] is None
    assert again["test"] != quick["test"]
    assert again["test"].keys() == quick["test"].keys()


def test_gains_that_are_no_longer_measured_go(runs: Path) -> None:
    """With only its own noise, a run has no unseen one. A single image has no standard error."""
    assert main(["runs/gaussian", *FEW]) == 0
    only = ["evaluation.noises.gaussian=[0.3]", "evaluation.noises.masking=null", "evaluation.limit=1"]
    assert main(["runs/gaussian", *FEW[:1], *FEW[2:], *only]) == 0
    summary = summary_of(runs / "gaussian")
    gains = ["denoising_gain_db", "denoising_gain_over_median_db"]
    assert sorted(name for name in summary["test"] if name.startswith("denoising_gain_")) == gains
    assert sorted(name for name in summary["units"] if name.startswith("denoising_gain_")) == gains
    assert not any(name.startswith("denoising_gain_") for name in summary["standard_errors"]["test"])


def test_equal_test_images_are_loaded_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests tell that they are equal; runs of early versions have none."""
    built: list[Path] = []
    build = Digits.build

    def counting(dataset: Digits, *, data_dir: Path) -> Splits:
        built.append(data_dir)
        return build(dataset, data_dir=data_dir)

    monkeypatch.setattr(Digits, "build", counting)
    assert main(["runs", *FEW]) == 0
    assert len(built) == 1
    built.clear()

    def load_early(*arguments: Any, **options: Any) -> TrainedModel:
        model = load_run(*arguments, **options)
        model.digests = {}
        return model

    monkeypatch.setattr("autoenc.experiment.denoising_runs.load_run", load_early)
    assert main(["runs", *FEW]) == 0
    assert len(built) == 2


@pytest.mark.parametrize("command", ["evaluate", "figures"])
def test_nothing_is_drawn_through_a_link(command: str, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger's run may have a link to a folder of yours in the place of its figures."""
    victim = runs.parent / "victim"
    victim.mkdir()
    shutil.rmtree(runs / "gaussian" / "figures")
    (runs / "gaussian" / "figures").symlink_to(victim)
    before = summary_of(runs / "masking")
    done = main(["runs", *FEW]) if command == "evaluate" else draw(["runs/gaussian", "worst"])
    assert done == 2
    expected = "gaussian/figures: it is a symbolic link, and a run's pictures are in its own folder; remove"
    assert expected in capsys.readouterr().err
    assert not list(victim.iterdir())
    assert summary_of(runs / "masking") == before


@pytest.mark.parametrize("command", ["quick", "full", "denoising", "figures"])
def test_missing_data_sets_are_downloaded_to_your_folder_and_not_where_a_run_says(
    command: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Path] = []

    def missing(*_: Any, data_dir: Path, **__: Any) -> Splits:
        found.append(data_dir)
        raise DatasetError("data_dir", "it is not there")

    monkeypatch.setenv("AUTOENC_DATA", str(runs.parent / "mine"))
    if command == "full":
        monkeypatch.setattr("autoenc.experiment.run_scores.outlier_images", missing)
    else:
        monkeypatch.setattr(Digits, "build", missing)
    if command == "figures":
        draw(["runs/gaussian"])
    else:
        main(["runs/gaussian", *(FEW if command == "denoising" else [f"evaluation={command}"])])
    assert found == [runs.parent / "mine"]


def test_the_settings_of_a_run_are_those_of_its_last_scores(runs: Path) -> None:
    """Else a run that is scored with more samples would be ranked by the protocol of its training."""
    assert main(["runs/gaussian", "evaluation=quick"]) == 0
    run = RunDirectory(runs / "gaussian")
    summary = run.summary()
    summary["evaluation"]["scores"]["settings"]["nll_samples"] = 7
    run.write_summary(summary)
    (record,) = read_runs([run.path])
    assert (record.settings["evaluation"], record.settings["evaluation.nll_samples"]) == ("quick", 7)
    assert record.config["evaluation"]["nll_samples"] == 0
    for odd in (3, {"scores": 3}, {"scores": {"settings": "full"}}):  # a stranger's
        run.write_summary({**summary, "evaluation": odd})
        assert read_runs([run.path])[0].settings["evaluation.nll_samples"] == 0


MISTAKES = {
    "nowhere evaluation=quick": "FOLDER=nowhere: there is no such folder",
    "evaluation=quick": "FOLDER: name at least one folder with runs",
    "runs/interrupted": "FOLDER: there is no finished run in runs/interrupted",
    "runs evaluation=denoise": "evaluation=denoise: there is no such choice (did you mean 'denoising'?)",
    "runs evaluation=denoising evaluation.noise=1": "evaluation.noise=1: evaluation=denoising has no such key",
    "runs evaluation=denoising evaluation.limit=0": "evaluation.limit=0: it must be a whole number of at least 1",
    "runs evaluation=denoising evaluation.noises.blur=2": "evaluation.noises.blur=2: it must be a list of severities",
    "runs evalution=full": "evalution=full: it is neither a folder nor a setting (did you mean 'evaluation'?)",
    "runs architecture=conv": "architecture=conv: it is neither a folder nor a setting",
    "runs evaluation=quick,full": "evaluation=quick,full: one value at a time",
    "runs evaluation=quick --output out": "--output=out: evaluation=quick writes only into each run's own folder",
    "runs evaluation=denoising --output runs/masking": "--output=runs/masking/denoising_matrix.csv: ",
    "runs/gaussian evaluation=quick evaluation.nll_samples=5": "evaluation.nll_samples=5: only a variational model",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_line_and_changes_nothing(
    arguments: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: {MISTAKES[arguments]}")
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before
    assert [path.name for path in Path().iterdir()] == ["runs"]


def test_runs_on_different_images_have_no_common_matrix(
    runs: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    train("dataset.test_limit=60", "training.epochs=1", folder="runs/few")
    assert main(["runs", *FEW]) == 2
    error = capsys.readouterr().err
    assert "FOLDER=" in error
    assert "its test images are not those of" in error
    assert not list(runs.glob("denoising_matrix*"))
    assert main(["runs", *FEW, "evaluation.limit=60"]) == 0


def test_the_images_are_those_of_the_run_wherever_they_are(
    train: Train, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pictures").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)):
        Image.fromarray(pixels).save(Path("pictures") / f"{number}.png")
    own = ["dataset=image_folder", "dataset.path=pictures", "dataset.channels=1", "dataset.size=[8,8]"]
    run = train(*own, "training.epochs=1")
    before = summary_of(run)["test"]
    Path("pictures").rename("moved")
    for choice in (["evaluation=quick"], FEW):
        assert main(["run", *choice]) == 2
        assert main(["run", "dataset.path=moved", *choice]) == 0
        assert summary_of(run)["test"]["denoising_mse"] == before["denoising_mse"]
    shutil.copy("moved/0.png", "moved/1.png")
    capsys.readouterr()
    for choice in (["evaluation=quick"], FEW):
        assert main(["run", "dataset.path=moved", *choice]) == 2
        assert "these are not the images of the run" in capsys.readouterr().err


def test_the_help_and_a_wrong_folder_import_no_torch() -> None:
    program = (
        "import sys; from autoenc.command_line.evaluate import main\n"
        "assert main(['nowhere', 'evaluation=full']) == 2\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for part in ("evaluation=quick", "evaluation=full", "evaluation=denoising", "denoising_matrix.csv", "Examples"):
        assert part in done.stdout


def test_train_refuses_the_evaluation_of_finished_runs(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from autoenc.command_line import main as train

    assert train([*TINY, "evaluation=denoising", "hydra.run.dir=run"]) == 2
    assert "error: evaluation=denoising: it tests finished runs (scripts/evaluate.py FOLDER" in capsys.readouterr().err
    assert not list(elsewhere.iterdir())


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    "command",
    [
        lambda: main(["runs/gaussian", "evaluation=quick", "--device", "cpu"]),
        lambda: main(["runs/gaussian", *FEW]),
        lambda: draw(["runs/gaussian", "worst", "--device", "cpu"]),
        lambda: apply(["runs/gaussian", "run:test", "codes.npz", "--do", "encode", "--device", "cpu"]),
    ],
)
def test_denormals_are_flushed_as_in_the_training(command: Callable[[], int]) -> None:
    assert command() == 0
    assert flushes_denormals()
