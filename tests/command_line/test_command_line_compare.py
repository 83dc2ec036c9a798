"""`scripts/compare.py`, from the command line to what is on the terminal and in files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.command_line.compare import main
from autoenc.runs import RunRecord
from tests.comparison.made_records import record
from tests.comparison.run_folders import make_run
from tests.conftest import REPOSITORY

RUNS = [
    record("conv_0", {"mse": 0.10, "psnr": 10.0}, architecture__name="conv", seed=0),
    record("conv_1", {"mse": 0.12, "psnr": 9.0}, architecture__name="conv", seed=1),
    record("linear_0", {"mse": 0.30, "psnr": 5.0}, seed=0),
    record("linear_1", {"mse": 0.28, "psnr": 6.0}, seed=1),
    record("lost", state="failed", error_kind="raised", error_message="ValueError: no", seed=2),
]


@pytest.fixture
def folder(elsewhere: Path) -> Path:
    for each in RUNS:
        write(each, elsewhere / "runs" / each.name)
    return elsewhere / "runs"


def write(run: RunRecord, folder: Path) -> None:
    error = {"kind": run.error_kind, "message": run.error_message} if run.error_kind else None
    values = {"config": dict(run.config), "summary": dict(run.summary), "environment": dict(run.environment)}
    make_run(folder, state=run.state, epochs=0, error=error, **values)


def compare(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    if code:
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        return captured.err
    assert captured.err == ""
    return captured.out


def order(text: str) -> list[str]:
    names = [each.name for each in RUNS]
    return [line.split()[0] for line in text.splitlines() if line.split()[:1] and line.split()[0] in names]


def test_runs_and_columns_are_selected_and_sorted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert order(compare(capsys, "runs", "--where", "architecture=conv and test.mse<0.11")) == ["conv_0"]
    top = compare(capsys, "runs", "--each-run", "--sort", "-test.mse", "--top", "3")
    assert order(top) == ["linear_0", "linear_1", "conv_1"]
    assert order(compare(capsys, "runs", "--each-run", "--sort=test.psnr"))[:1] == ["linear_0"]
    assert "By test.psnr, higher is better" in compare(capsys, "runs", "--sort=test.psnr")
    assert order(compare(capsys, "runs", "--each-run", "--metric", "test.psnr"))[:1] == ["conv_0"]
    assert order(compare(capsys, "runs", "--sort", "-name", "--all"))[:1] == ["linear_1"]
    text = compare(capsys, "runs", "--columns", "seed,test.*,learning_rate")
    (row,) = [line.split() for line in text.splitlines() if line.startswith("conv_0")]
    assert row == ["conv_0", "0", "0.1000", "10", "0.001"]


def cells(text: str) -> list[list[str]]:
    return [
        line.split() for line in text.splitlines() if line.startswith(("convolutional ", "linear ")) and "(" not in line
    ]


def test_means_over_seeds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = compare(capsys, "runs", "--metric", "test.mse")
    assert [row[:6] for row in cells(text)] == [
        ["convolutional", "2", "0.110", "±", "0.127", "0.014"],
        ["linear", "2", "1", "0.290", "±", "0.127"],
    ]
    assert "\nconvolutional and linear show no significant difference (0.18 ± 0.25, 2 seeds).\n" in text
    assert "n: the number of seeds (compare.py --each-run lists the runs)" in text
    assert compare(capsys, "runs", "--group-by", "settings", "--metric", "test.mse") == text
    assert compare(capsys, "runs", "--group-by", "architecture", "--metric", "test.mse") == text
    assert main(["runs", "--group-by", "seed,settings"]) == 2
    assert "'settings' means all settings that differ, except the seed, and stands alone" in capsys.readouterr().err
    sorted_by_name = compare(capsys, "runs", "--sort", "-architecture")
    assert sorted_by_name.index("\nlinear") < sorted_by_name.index("\nconvolutional")
    assert "\n| convolutional | 2 |  | **0.110 ± 0.127** |" in compare(
        capsys, "runs", "--metric=test.mse", "--markdown", "-"
    )


def test_a_table_without_several_seeds_is_one_of_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = compare(capsys, "runs", "--where", "seed=1 or state=failed")
    assert order(text) == ["conv_1", "linear_1", "lost"]
    assert "±" not in text
    assert order(compare(capsys, "runs", "--columns", "seed,test.mse"))[:4] == [
        "conv_0",
        "conv_1",
        "linear_1",
        "linear_0",
    ]
    assert order(compare(capsys, "runs", "--sort", "name"))[:2] == ["conv_0", "conv_1"]
    shown = compare(capsys, "runs", "--columns", "loss,test.psnr")
    assert [row[:3] for row in cells(shown)] == [["convolutional", "MSE", "2"], ["linear", "MSE", "2"]]


def test_data_for_other_programs_has_every_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(capsys, "runs", "--csv", "a.csv", "--json", "a.json")
    with Path("a.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5
    found = json.loads(Path("a.json").read_text())
    assert len(found["runs"]) == 5
    means = [group["metrics"]["test.mse"] for group in found["groups"]]
    assert [mean["runs"] for mean in means] == [2, 2]
    assert means[0]["sd"] == pytest.approx(0.02 / 2**0.5)
    compare(capsys, "runs", "--json", "a.json", "--each-run")
    assert json.loads(Path("a.json").read_text())["groups"] is None


def test_two_runs_are_compared_key_by_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = compare(capsys, "runs/conv_1", "runs/linear_1")
    assert ["architecture", "convolutional", "linear"] in [line.split() for line in text.splitlines()]
    assert ["test.mse", "0.1200", "0.2800", "+0.16", "+133.3%"] in [line.split() for line in text.splitlines()]
    of_a_folder = compare(capsys, "runs", "--where", "seed=1")
    assert of_a_folder.endswith(text)
    assert "By validation.mse, lower is better" in of_a_folder.removesuffix(text)
    for option in ("--sort=name", "--top=1", "--metric=test.mse", "--columns=seed", "--group-by=seed"):
        assert "\nsecond:" not in compare(capsys, "runs", "--where", "seed=1", option)
    assert "\nThese are single runs. To tell a difference from chance, " in text
    assert "single runs" not in compare(capsys, "runs/conv_0", "runs/conv_1")
    assert "Image by image" not in text
    for name, factor in (("conv_1", 1.0), ("linear_1", 2.0)):
        np.savez_compressed(folder / name / "test_errors.npz", mse=np.array([0.1, 0.3]) * factor, digest="0" * 64)
    assert "Image by image\nmse: " in compare(capsys, "runs/conv_1", "runs/linear_1")
    turned = compare(capsys, "runs/linear_1", "runs/conv_1")
    assert ["architecture", "linear", "convolutional"] in [line.split() for line in turned.splitlines()]


def test_files_for_other_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--csv", "a.csv", "--json", "a.json", "--markdown", "a.md"]
    text = compare(capsys, "runs", "--each-run", "--sort=-test.mse", *options)
    assert order(text)[0] == "linear_0"
    assert text.endswith("\nWritten: a.csv\nWritten: a.json\nWritten: a.md\n")
    with Path("a.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["linear_0", "linear_1", "conv_1", "conv_0", "lost"]
    assert json.loads(Path("a.json").read_text())["rankings"][0]["metric"] == "test.mse"
    assert "**0.1000**" in Path("a.md").read_text()
    compare(capsys, "runs", "--csv", "a.csv", "--group-by", "architecture")
    with Path("a.csv").open() as file:
        assert [row["architecture"] for row in csv.DictReader(file)] == ["conv", "linear"]
    compare(capsys, "runs", "--csv", "a.csv", "--json", "a.json", "--top", "2")
    with Path("a.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["conv_0", "conv_1"]
    assert [run["run"] for run in json.loads(Path("a.json").read_text())["runs"]] == ["conv_0", "conv_1"]
    compare(capsys, "runs", "--json", "a.json", "--group-by", "architecture", "--top", "1")
    assert len(json.loads(Path("a.json").read_text())["groups"]) == 1
    assert not list(Path().glob(".*.new"))


def test_a_file_on_standard_output_replaces_the_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(json.loads(compare(capsys, "runs", "--json", "-"))["runs"]) == 5
    assert compare(capsys, "runs", "--csv", "-").startswith("run,folder,state,error,")
    text = compare(capsys, "runs", "--markdown", "-", "--csv", "a.csv")
    assert text.startswith("5 runs")
    assert "Written" not in text


def test_the_report_ranks_as_the_terminal_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, metric in (
        ("--all", "validation.mse"),
        ("--metric=test.psnr", "test.psnr"),
        ("--sort=-seconds.training", "seconds.training"),
    ):
        compare(capsys, str(folder), "--html", "report.html", option)
        assert f'"mainMetric":"{metric}"' in Path("report.html").read_text()


def test_files_next_to_folders_are_ignored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        folder.joinpath(f"table {number}.csv").write_text("")
    assert main([str(path) for path in sorted(folder.iterdir())]) == 0
    captured = capsys.readouterr()
    assert "5 runs: " in captured.out
    names = "table 0.csv, table 1.csv and table 2.csv"
    assert captured.err == f"warning: ignored, because they are not folders: {names}\n"
    assert "this is a file" in compare(capsys, str(folder / "table 0.csv"), code=2)
    assert main([str(folder), str(folder / "table 0.csv"), "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


MISTAKES: dict[str, tuple[list[str], list[str]]] = {
    "nowhere": (["nowhere"], ["nowhere"]),
    "empty": (["empty"], ["FOLDER", "no run in empty"]),
    "where": (["runs", "--where", "architectur=conv"], ["--where", "did you mean 'architecture'"]),
    "no match": (
        ["runs", "--where", "architecture=cnv"],
        ["=architecture=cnv", "the values are conv (convolutional) and linear"],
    ),
    "sort": (["runs", "--sort", "-test.mes"], ["--sort", "did you mean 'test.mse'"]),
    "metric": (["runs", "--metric", "test.ms"], ["--metric", "did you mean 'test.mse'"]),
    "metric that is none": (["runs", "--metric", "seed"], ["--metric=seed", "test.mse"]),
    "columns": (["runs", "--columns", "test.*,x*"], ["--columns", "'x*'"]),
    "no columns": (["runs", "--columns", ","], ["--columns", "names no key"]),
    "group": (["runs", "--group-by", "sede"], ["--group-by", "did you mean 'seed'"]),
    "columns of groups": (["runs", "--group-by", "seed", "--columns", "architecture"], ["--columns=architecture"]),
    "sort of groups": (["runs", "--group-by", "seed", "--sort", "architecture"], ["--sort=architecture"]),
    "file in a run": (["runs", "--csv", "runs/conv_0/summary.json"], ["--csv", "folder of a run"]),
    "file in no folder": (["runs", "--json", "none/a.json"], ["--json=none/a.json", "no folder"]),
    "two in one file": (["runs", "--json", "a", "--csv", "a"], ["--json=a", "--csv"]),
    "report on the output": (["runs", "--html", "-"], ["--html", "a file"]),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    before = sorted(Path().rglob("*"))
    arguments, words = MISTAKES[case]
    message = compare(capsys, *arguments, code=2)
    for word in words:
        assert word in message
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["runs", "--top", "0"],
        ["runs", "--sort"],
        ["runs", "--colums", "x"],
        ["runs", "--all", "--top=1"],
        ["runs", "--each-run", "--group-by=seed"],
    ],
)
def test_what_argparse_refuses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


def run_script(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "compare.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_the_script_imports_no_heavy_package(folder: Path) -> None:
    program = (
        "import sys\n"
        "from autoenc.command_line.compare import main\n"
        "code = main(['runs', '--csv', 'a.csv', '--json', 'a.json', '--markdown', 'a.md'])\n"
        "heavy = {'torch', 'hydra', 'matplotlib', 'pandas', 'scipy.stats', 'sklearn', 'pydantic'}\n"
        "print('imported', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == "imported []\n"


def test_the_script_works_without_unicode_and_if_its_reader_leaves(folder: Path) -> None:
    done = run_script("runs", "--group-by", "architecture", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xb1" in done.stdout
    script = str(REPOSITORY / "scripts" / "compare.py")
    for options in ("", "--json -", "--csv -"):
        line = f"'{sys.executable}' '{script}' runs {options} | head -c 1; echo ${{PIPESTATUS[0]}}"
        piped = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert piped.stderr == ""
        assert piped.stdout.strip().endswith("0")


def test_texts_of_folders_are_printable(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b]0;x\x07[red]\u202e=1"
    write(record("a", {"mse": 0.1, hostile: 1.0}, loss={"name": hostile}), elsewhere / "runs" / "a\x1b[2J")
    write(record("b", {"mse": 0.1}, optimizer={"name": hostile, hostile: 1}, seed=3), elsewhere / "runs" / "b")
    for arguments in (["--markdown", "-"], ["--csv", "-"], ["--json", "-"]):
        assert compare(capsys, "runs", *arguments).replace("\n", "").isprintable()
    assert compare(capsys, "runs", "--where", "loss=x", code=2).strip().isprintable()
    assert compare(capsys, "runs", "--sort", "x", code=2).strip().isprintable()
