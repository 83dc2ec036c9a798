"""Single runs from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

import autoenc
from autoenc.command_line import main
from autoenc.command_line.compose import config_directory
from autoenc.command_line.hydra_internals import initialize
from autoenc.command_line.output_folder import claimed_folder
from autoenc.comparison.ranking import comparable_sections
from autoenc.runs import RunDirectory, read_runs
from autoenc.settings import ConfigError
from tests.conftest import REPOSITORY, TINY, Train
from tests.sweeps.faulty import install
from tests.training.test_training_loop import assert_same_run

SCRIPT = str(REPOSITORY / "scripts" / "train.py")


def test_the_run_directory_is_that_of_the_design(train: Train) -> None:
    run = train()
    names = sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())
    checkpoint = ["manifest.json", "model.safetensors", "trainer.safetensors"]
    assert names == sorted(
        [
            *(f".hydra/{name}" for name in ("config.yaml", "hydra.yaml", "overrides.yaml")),
            *(f"checkpoints/{which}/{name}" for which in ("best", "last", "previous") for name in checkpoint),
            *(
                "config.yaml",
                "config.json",
                "environment.json",
                "index.html",
                "metrics.jsonl",
                "status.json",
                "summary.json",
                "test_errors.npz",
                "train.log",
            ),
            *(f"figures/{name}.png" for name in ("loss_curves", "progress", "reconstructions")),
            *(f"figures/{name}.npz" for name in ("progress", "reconstructions")),
        ]
    )
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary) == {
        *("test", "validation", "train", "parameters", "code_size", "best_epoch", "epochs", "seconds"),
        *("images_per_second", "device", "units", "health", "digests", "duplicates", "standard_errors", "images"),
    }
    assert set(summary["digests"]) == {"train", "validation", "test", "training_pool"}
    assert set(summary["duplicates"].values()) == {0}
    plain = {"mse", "mae", "psnr", "bce", "ssim"}
    everywhere = plain | {f"denoising_{name}" for name in plain} | {"loss"}
    baselines = {
        f"{name}_mse" for name in ("mean_image", "pca", "noise", "median", "pca_denoising", "linear_denoising")
    }
    probes = {f"{given}{name}_accuracy" for given in ("", "pca_", "pixels_") for name in ("linear_probe", "knn")}
    assert set(summary["train"]) == everywhere - {"ssim", "denoising_ssim"}
    assert set(summary["test"]) == everywhere | baselines | probes
    of_test = {name for name in probes if name.startswith(("pca_", "pixels_"))}
    assert set(summary["validation"]) == everywhere | baselines | probes - of_test
    assert summary["test"]["loss"] == pytest.approx(summary["test"]["denoising_mse"], rel=1e-6)
    assert set(summary["units"]) >= set(summary["test"])
    assert summary["parameters"] == 2 * 64 * 3 + 3 + 64
    assert summary["code_size"] == 3
    assert summary["seconds"]["total"] > summary["seconds"]["training"] > 0
    environment = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["torch"]
    assert set(environment) == {
        *("packages", "python", "platform", "git", "device", "threads", "cpu_flushes_denormals", "allocator"),
        "command_line",
    }
    assert environment["cpu_flushes_denormals"]
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert set(row) == {
        *("epoch", "train/loss", "validation/loss", "validation/mse", "validation/denoising_mse"),
        *("learning_rate", "seconds", "images_per_second"),
    }
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert "hydra" not in config
    assert Path(config["data_dir"]).is_absolute()


def claim(name: str) -> Path:
    with claimed_folder(OmegaConf.create({"hydra": {"run": {"dir": name}}})) as folder:
        return folder


def test_commands_of_the_same_second_get_different_folders(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    initialize(str(config_directory()))  # for `now`
    with ThreadPoolExecutor() as threads:
        paths = [future.result() for future in [threads.submit(claim, "${now:%H-%M-%S}") for _ in range(3)]]
    assert len(set(paths)) == 3
    monkeypatch.setattr("autoenc.command_line.output_folder.LONGEST_TICK", 0.1)
    claim("${now:%Y}")
    with pytest.raises(ConfigError, match="not empty"):
        claim("${now:%Y}")


def test_an_empty_folder_is_taken_and_an_error_removes_only_what_was_made(elsewhere: Path) -> None:
    (elsewhere / "there").mkdir()
    for name in ("there", "there/a/b"):
        config = OmegaConf.create({"hydra": {"run": {"dir": name}}})
        with pytest.raises(FileExistsError), claimed_folder(config) as folder:
            (folder / ".hydra").mkdir()
    assert list(elsewhere.rglob("*")) == [elsewhere / "there"]


def test_a_finished_run_prints_the_command_that_repeats_it(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("noise=masking", "noise.probability=0.4")
    printed = capsys.readouterr().out
    assert [line[:7] for line in printed.splitlines() if line.startswith("epoch ")] == ["epoch 1", "epoch 2", "epoch 3"]
    assert "mse" in printed
    assert printed.splitlines()[-3] == "Open: run/index.html"
    assert "rerun=run\n" in printed.partition("Run again:")[2]
    before = (run / "train.log").read_bytes()
    assert main(["rerun=run", "hydra.run.dir=again"]) == 0
    one, two = RunDirectory(run), RunDirectory(Path("again"))
    assert one.config() == two.config()
    assert one.summary()["test"] == two.summary()["test"]
    assert (run / "train.log").read_bytes() == before  # the second command in this process has its own log

    changes = ["noise.probability=0.5", "training.epochs=1", "hydra.run.dir=changed"]
    assert main(["rerun=run", *changes]) == 0
    expected = one.config()
    expected["noise"]["probability"], expected["training"]["epochs"] = 0.5, 1
    assert RunDirectory(Path("changed")).config() == expected
    assert main(["--config-name", "config_of_a_run"]) == 2  # that of the command before


def test_an_early_run_is_resumed_from_the_start(train: Train) -> None:
    finished = RunDirectory(train())
    run = RunDirectory.begin(Path("early"), config=finished.config())
    run.append_metrics({"epoch": 1})
    hydra_file = run.path / ".hydra" / "overrides.yaml"
    hydra_file.parent.mkdir(exist_ok=True)
    hydra_file.write_text("kept")
    assert main(["resume=early"]) == 0
    assert run.summary()["test"] == finished.summary()["test"]
    assert [row["epoch"] for row in run.metrics()] == [1, 2, 3]
    assert hydra_file.read_text() == "kept"


def test_a_run_from_before_the_test_limit_keeps_its_test_images(train: Train) -> None:
    run = train("dataset.limit=50", "dataset.test_limit=50", "training.epochs=1")
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["dataset"]["test_limit"]  # as an earlier version wrote it
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert len(autoenc.load_run(run).split("test")) == 50  # refused if these are not the images of its checkpoint
    assert main([f"rerun={run}", "hydra.run.dir=again"]) == 0
    assert RunDirectory(Path("again")).summary()["digests"] == RunDirectory(run).summary()["digests"]
    RunDirectory(run).set_state("interrupted")
    assert main([f"resume={run}"]) == 0


def test_the_closing_report_is_right_with_chdir(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("hydra.job.chdir=true")
    assert f"rerun={run}\n" in capsys.readouterr().out


def test_config_dir_adds_choices(elsewhere: Path) -> None:
    group = elsewhere / "mine" / "architecture"
    group.mkdir(parents=True)
    original = REPOSITORY / "conf" / "architecture" / "linear.yaml"
    (group / "small.yaml").write_text(original.read_text().replace("code_size: 32", "code_size: 5"))
    arguments = ["architecture=small", "dataset.limit=50", "training.epochs=1", "device.threads=1", "figures=[]"]
    assert main(["--config-dir", "mine", *arguments, "hydra.run.dir=run"]) == 0
    assert RunDirectory(Path("run")).summary()["code_size"] == 5


def test_config_path_replaces_the_main_config(elsewhere: Path) -> None:
    """`--config-path` is relative to where one stands, not to the script."""
    own = elsewhere / "own"
    own.mkdir()
    text = (REPOSITORY / "conf" / "config.yaml").read_text()
    (own / "config.yaml").write_text(
        text.replace("epochs: 20", "epochs: 1").replace("architecture: mlp", "architecture: linear")
    )
    small = ["dataset.limit=50", "device.threads=1", "figures=[]"]
    assert main(["--config-path", "own", *small, "hydra.run.dir=run"]) == 0
    assert RunDirectory(Path("run")).summary()["epochs"] == 1


@pytest.mark.parametrize(
    "arguments", [["--help"], ["experiment=cpu_vs_gpu", "--help"], ["--cfg", "job"], ["-sc", "query=bash"]]
)
def test_commands_that_only_print_do_not_import_torch(arguments: list[str], elsewhere: Path) -> None:
    program = (
        "import sys; sys.argv = ['train.py', *sys.argv[1:]]\n"
        "from autoenc.command_line import main\n"
        "try:\n    code = main()\nexcept SystemExit as error:\n    code = error.code or 0\n"
        "loaded = {'torch', 'torchvision', 'matplotlib', 'sklearn', 'pydantic_core'} & set(sys.modules)\n"
        "sys.exit(f'imported {loaded}' if loaded or code else 0)"
    )
    line = "python train.py architecture="
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    if arguments[0] == "-sc":
        there = sorted(path.stem for path in (REPOSITORY / "conf" / "architecture").glob("*.yaml"))
        assert done.stdout.split() == [f"architecture={name}" for name in there]
    assert list(elsewhere.iterdir()) == []


def test_a_run_imports_only_what_it_uses(elsewhere: Path) -> None:
    program = (
        "import gc, sys; sys.argv = ['train.py', *sys.argv[1:]]\n"
        "class Finder:\n"
        "    collects = {}\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        self.collects.setdefault(name, gc.isenabled())\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from autoenc.command_line import main\n"
        "from autoenc.pictures import drawing\n"
        "drawing.LONGEST_WAIT = 1e6\n"  # of the process that draws, however slow this machine is
        "code = main()\n"
        "heavy = 'torch._dynamo torch._inductor torch.onnx sympy sklearn scipy.stats pandas torchvision'\n"
        "heavy += ' matplotlib' * (sys.platform == 'linux')\n"  # there, another process draws
        "print('imported', *(name for name in heavy.split() if name in sys.modules), file=sys.stderr)\n"
        "print(Finder.collects['torch'], gc.isenabled(), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    arguments = ["dataset.limit=200", "training.epochs=1", "device.threads=1", "figures=[samples]"]  # fits a mixture
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "imported\nFalse True\n")


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that cannot import torch."""
    program = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['train.py', *sys.argv[1:]]\n"
        "from autoenc.command_line import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_first_line_says_what_is_trained_before_torch_is_imported(elsewhere: Path) -> None:
    done = without_torch("architecture=mlp", "bottleneck=gaussian", "noise=masking")
    assert done.stdout.startswith("Training: MLP VAE, code size 16, on 8x8 digits, masking noise")
    assert "torch" in done.stderr
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("mistake", ["architecture=nothing", "sweep.rerun=never", "sweep.name=a", "resume=nowhere"])
def test_the_first_line_follows_the_checks_that_need_no_torch(elsewhere: Path, mistake: str) -> None:
    done = without_torch(mistake)
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {mistake}")


def test_the_first_line_is_printed_once_and_is_in_the_log(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    log = (train() / "train.log").read_text()
    line = "Training: linear autoencoder, code size 3, on 8x8 digits"
    assert capsys.readouterr().out.count(line) == log.count(line) == 1


def test_cfg_shows_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cfg", "job", "architecture=conv", "seed=7"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["architecture"]["name"], shown["seed"]) == ("conv", 7)


@pytest.mark.slow
def test_a_run_killed_twice_ends_like_an_uninterrupted_one(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the middle of a training, with real processes and real files."""
    faulty = install(elsewhere / "package")
    faulty.use(monkeypatch)
    fault = ["--config-dir", str(faulty.conf), "noise=faulty", "noise.fault=kill", "noise.unless=mended"]
    settings = [*TINY, *fault, "noise.after=12", "training.epochs=6"]
    Path("mended").touch()
    assert main([*settings, "hydra.run.dir=whole"]) == 0
    Path("mended").unlink()
    arguments = [*settings, "hydra.run.dir=killed"]
    for _ in range(2):
        killed = subprocess.run([sys.executable, SCRIPT, *arguments], stdout=subprocess.DEVNULL, check=False)
        assert killed.returncode == -signal.SIGKILL
        arguments = ["resume=killed"]
    Path("mended").touch()
    assert main(arguments) == 0
    assert Path("killed/train.log").read_text().count("Continuing after step") == 2
    assert_same_run(Path("killed"), Path("whole"))


def test_bce_with_an_unbounded_output_logs_a_warning(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train("loss=bce", "architecture.output=identity", "training.epochs=1")
    assert "architecture.output=identity leaves (0, 1)" in capsys.readouterr().out


def test_a_variational_model_turns_bce_into_a_likelihood(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("loss=bce", "bottleneck=gaussian", "noise=none", "training.epochs=1", "evaluation.nll_samples=3")
    assert "loss=bce becomes its likelihood: nats an image, Bernoulli likelihood; " in capsys.readouterr().out
    summary = RunDirectory(run).summary()
    assert summary["test"]["nll_nats"] <= -summary["test"]["elbo_nats"] + 1
    for name in ("elbo_nats", "nll_nats"):
        assert summary["units"][name].endswith("; Bernoulli probability of grey pixels")
        assert name in summary["validation"]


def test_densities_of_the_same_pixels_are_ranked_together(train: Train) -> None:
    losses = ("mse", "laplace", "continuous_bernoulli", "bernoulli")
    variational = ("bottleneck=gaussian", "noise=none", "training.epochs=1")
    runs = [train(f"loss={loss}", *variational, folder=loss) for loss in losses]
    densities, probabilities = comparable_sections(read_runs(runs), "validation.elbo_nats")
    assert (len(densities.records), len(probabilities.records)) == (3, 1)
    assert (densities.name, probabilities.name) == (
        "likelihood density of grey pixels",
        "likelihood Bernoulli probability of grey pixels",
    )
