"""`scripts/verify.py`: what it trains, prints and writes, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoenc.command_line import verify
from autoenc.command_line.verify import main
from autoenc.environment import describe_installation
from autoenc.verification.claim import chosen, read_claims
from autoenc.verification.measuring import Folder, read_results
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run
from tests.conftest import REPOSITORY
from tests.real_data import real_data

CLAIM: dict[str, Any] = {
    "sentence": "Autoencoders are small.",
    "source": "this test",
    "seeds": 2,
    "minutes": 3,
    "runs": {"run": {"train": "architecture=linear training.epochs=1 figures=[]"}},
    "tests": [{"quantity": "run.parameters", "means": "parameters", "band": [None, 100]}],
    "refuted_by": "many parameters",
}
TRAINING = CLAIM["runs"]["run"]["train"]
ENVIRONMENT = {"device": "cpu", **describe_installation()}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> Path:
    """With the claims `small`, `ours` and `cuda`."""
    for folder in ("claims", "docs"):
        (tmp_path / folder).mkdir()
    changed: dict[str, dict[str, Any]] = {"small": {}, "ours": {"ours": True}, "cuda": {"needs": "cuda"}}
    for name, changes in changed.items():
        (tmp_path / "claims" / f"{name}.yaml").write_text(yaml.safe_dump(CLAIM | changes))
    monkeypatch.setattr(verify, "claims_directory", lambda: tmp_path / "claims")
    return tmp_path


def have_run(*, parameters: int, folder: Path = Path("outputs/claims")) -> None:
    for seed in (0, 1):
        run = Folder(folder).sweep(TRAINING) / str(seed)
        summary = {**SUMMARY, "parameters": parameters}
        make_run(run, config={**CONFIG, "seed": seed}, summary=summary, environment=ENVIRONMENT)


def test_without_a_name_it_lists_the_claims(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^small +Autoencoders are small\. +not tested +about 3$", out, re.MULTILINE)
    assert re.search(r"^ours +Autoencoders are small\. \(ours\) +not tested +about 3$", out, re.MULTILINE)
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smal"], "NAME=smal: there is no such claim (did you mean 'small'?); the claims are cuda, ours, small"),
        (["small", "--quick", "--record"], "--record: results of --quick are not kept"),
    ],
)
def test_a_mistake_is_one_line(
    repository: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not Path("outputs").exists()


def test_a_claim_is_trained_measured_and_shown(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["small", "--quick", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^parameters +4,192 ± 0 +2 +at most 100 +fails$", out, re.MULTILINE), out
    assert "Verdict: refuted: an interval lies outside its band." in out
    assert "images_per_second" not in out  # of the sweep's own table
    assert "Quick: 500 training images and 2 seeds. Nothing is decided by it." in out
    folder = Path("outputs/claims/quick")
    configs = [yaml.safe_load(path.read_text()) for path in folder.glob("runs/*/*/config.yaml")]
    assert sorted(config["seed"] for config in configs) == [0, 1]
    assert {config["dataset"]["limit"] for config in configs} == {500}
    assert {config["device"]["threads"] for config in configs} == {1}
    page = (folder / "index.html").read_text()
    assert 'src="charts/small.png"' in page
    assert re.search(r'src="runs/[^"]*/comparison\.png"', page)
    for path in ("charts/small.png", "claims.md", "results.csv"):
        assert (folder / path).stat().st_size > 100
    assert main(["small", "--quick", "--jobs", "1"]) == 0  # and again, without training
    assert "2 kept." in capsys.readouterr().out


@pytest.mark.parametrize(("parameters", "code"), [(50, 0), (200, 1)])
def test_a_claim_of_ours_has_to_be_confirmed(
    repository: Path, parameters: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    have_run(parameters=parameters)
    assert main(["--all", "--no-training"]) == code
    assert capsys.readouterr().err == ("error: ours is a claim of this project, and is not confirmed\n" if code else "")


def test_a_training_that_fails_is_an_error_and_the_others_go_on(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {"run": {"train": "architecture=nothing"}}
    (repository / "claims" / "broken.yaml").write_text(yaml.safe_dump(CLAIM | {"runs": runs}))
    assert main(["broken", "small", "--quick", "--jobs", "1"]) == 1
    out, err = capsys.readouterr()
    assert "architecture=nothing: there is no such choice" in err
    assert "error: broken could not be tested" in err
    assert "error: small" not in err
    assert "4,192" in out


@pytest.fixture
def benchmark_claim(repository: Path) -> Path:
    """A script that writes two rounds; returns its path."""
    runs = {"run": {"benchmark": "noise", "noise": "a"}}
    tests = [{"quantity": "run.seconds", "means": "m", "band": [None, 100]}]
    (repository / "claims" / "timed.yaml").write_text(yaml.safe_dump(CLAIM | {"runs": runs, "tests": tests}))
    rows = [{"noise": "a", "round": number, "seconds": 1.0} for number in (0, 1)]
    script = repository / "scripts" / "benchmark.py"
    script.parent.mkdir()
    content = json.dumps({"machine": ENVIRONMENT, "seconds": 90.0, "rounds": rows})
    script.write_text(f"import pathlib, sys\npathlib.Path(sys.argv[-1]).write_text({content!r})\n")
    return script


def test_a_benchmark_is_measured(benchmark_claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timed"]) == 0
    assert re.search(r"Verdict: confirmed: .* Minutes: 1\.5\.", capsys.readouterr().out)


def test_a_benchmark_that_is_stopped_is_measured_again(benchmark_claim: Path) -> None:
    complete = benchmark_claim.read_text()
    benchmark_claim.write_text(f"{complete.replace('1.0', '2.0')}sys.exit(1)\n")
    assert main(["timed"]) == 1
    benchmark_claim.write_text(complete)
    assert main(["timed"]) == 0
    assert "timed,run.seconds,0,1\n" in Path("outputs/claims/results.csv").read_text()


def test_an_installed_package_has_no_benchmarks(benchmark_claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark_claim.unlink()
    assert main(["timed"]) == 0
    assert "Verdict: not tested" in capsys.readouterr().out


def test_an_installed_package_records_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "docs").rmdir()
    assert main(["small", "--record"]) == 2
    assert "error: --record: it needs a clone of the repository" in capsys.readouterr().err
    assert not Path("outputs").exists()


def test_results_are_kept_next_to_earlier_ones(repository: Path) -> None:
    have_run(parameters=50)
    assert main(["small", "--no-training", "--record"]) == 0
    assert main(["ours", "--no-training", "--record"]) == 0
    kept = (repository / "claims" / "results.csv").read_text()
    assert "small,run.parameters,1,50\n" in kept
    assert "ours,run.parameters,1,50\n" in kept
    page = (repository / "docs" / "claims.md").read_text()
    assert page.count("| parameters | 50 ± 0 | 2 | at most 100 | holds |") == 2


def test_what_was_not_trained_is_not_tested(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["small", "--no-training"]) == 0
    assert "Verdict: not tested: runs/" in capsys.readouterr().out


def test_a_claim_that_needs_another_device_trains_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("autoenc.devices.kinds_here", lambda: ["cpu"])
    assert main(["cuda"]) == 0
    assert "To test it, on a machine with cuda: python scripts/verify.py cuda" in capsys.readouterr().out
    assert not Path("outputs/claims/runs").exists()


@pytest.mark.slow
def test_two_claims_are_checked_quickly(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep and a benchmark, of the images that they are about."""
    if not (real_data() / "MNIST").is_dir():
        pytest.skip(f"NOT TESTED, because MNIST is not in {real_data()}")
    monkeypatch.setenv("AUTOENC_DATA", str(real_data()))
    assert main(["linear_is_pca", "D7", "--quick"]) == 0
    assert capsys.readouterr().out.count("Quick: 500 training images and 2 seeds.") == 1
    results = read_results(Path("outputs/claims/quick/results.csv"))
    for name, claim in chosen(read_claims(REPOSITORY / "claims"), ["linear_is_pca", "D7"]).items():
        assert set(results[name].values) == {test.quantity for test in claim.tests}
        assert all(set(by_seed) == {0, 1} for by_seed in results[name].values.values())
