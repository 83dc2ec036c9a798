from __future__ import annotations

import csv
import json
import math
import os
import socket
from pathlib import Path

import pytest

from autoenc.comparison.exports import as_csv, as_json, check_destination, groups_as_csv, write_text
from autoenc.comparison.grouping import groups_of
from autoenc.comparison.ranking import SortOrder, rank
from autoenc.comparison.report import write_report
from autoenc.settings import ConfigError
from tests.comparison.made_records import record

RUNS = [
    record("a, b", {"mse": 0.1 + 0.2}, seed=1),
    record("c", {"mse": 1 / 3, "psnr": 3.0}, seed=2, architecture={"name": "conv", "channels": [16, 32]}),
    record("d", state="failed", error_kind="raised", error_message="ValueError: 'x', \"y\"\nz", seed=3),
]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_csv_has_every_number_of_every_run() -> None:
    found = rows(as_csv(RUNS))
    assert [row["run"] for row in found] == ["a, b", "c", "d"]
    assert found[0]["folder"] == "/runs/a, b"
    assert [float(row["test.mse"] or "nan") for row in found[:2]] == [0.1 + 0.2, 1 / 3]
    assert [row["test.psnr"] for row in found] == ["", "3.0", ""]
    assert [row["seed"] for row in found] == ["1", "2", "3"]
    assert [row["seconds.training"] for row in found] == ["61.25", "61.25", ""]
    assert [row["state"] for row in found] == ["finished", "finished", "failed"]
    assert found[2]["error"].startswith("raised: ValueError: 'x', \"y\"")
    assert "data_dir" not in found[0]
    assert "architecture" in found[0]
    assert "mse: squares" in found[0]["units"]


def test_csv_of_the_columns_that_were_asked_for() -> None:
    found = rows(as_csv(RUNS, columns=["test.mse", "optimizer.learning_rate"]))
    keys = ["test.mse", "optimizer.learning_rate"]
    assert list(found[0]) == ["run", "folder", "state", "error", *keys, "units"]
    assert found[1]["optimizer.learning_rate"] == "0.001"


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1", "@x", "\t=1", "\uff1d1", "=cmd|' /C calc'!A0"])
def test_csv_has_no_formulas(text: str) -> None:
    runs = [
        record(text, {"mse": -0.5, text: -1.0}, loss={"name": text}, path=Path(text), units={"mse": text, text: text}),
        record("b", {"mse": 0.5}, loss={"name": "mse", text: text}),
        record("c", state="failed", error_message=text),
    ]
    everything = list(csv.reader(as_csv(runs).splitlines()))
    for cell in (cell for row in everything for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r", "\uff1d")), cell
        assert not cell.startswith("-") or float(cell) < 0
    found = rows(as_csv(runs))
    assert found[0]["test.mse"] == "-0.5"


def test_json_has_runs_rankings_and_warnings() -> None:
    runs = [*RUNS, record("é", {"mse": 0.5}, dataset__limit=10, units={})]
    text = as_json(rank(runs, metric="test.mse"))
    assert text.isascii()
    found = json.loads(text)
    assert [run["run"] for run in found["runs"]] == ["a, b", "c", "é", "d"]  # by rank, unranked runs last
    assert found["runs"][0]["metrics"]["test.mse"] == 0.1 + 0.2
    assert found["runs"][1]["settings"]["architecture"] == "conv"
    assert "data_dir" not in found["runs"][1]["settings"]
    assert found["runs"][0]["units"]["mse"] == "squares"
    assert found["runs"][3]["error"].startswith("raised")
    assert found["runs"][0]["error"] is None
    assert [ranking["runs"] for ranking in found["rankings"]] == [["a, b", "c"], ["é"]]
    assert found["rankings"][1]["apart"]["dataset.limit"] == "10"
    assert any("cannot rank" in warning for warning in found["warnings"])
    assert found["groups"] is None


def test_groups_are_exported_with_their_intervals() -> None:
    runs = [record(f"{seed}", {"mse": float(seed)}, seed=seed) for seed in (1, 2, 3)]
    ranking = rank(runs, metric="test.mse")
    groups = groups_of(ranking.sections[0], ranking=ranking, keys=["architecture"])
    (row,) = rows(groups_as_csv(groups, metrics=["test.mse", "test.psnr"]))
    assert (row["architecture"], row["runs"], row["test.mse.mean"], row["test.mse.runs"]) == ("linear", "3", "2.0", "3")
    assert float(row["test.mse.half_width"]) == pytest.approx(4.302652730 / math.sqrt(3))
    assert row["test.psnr.mean"] == ""
    found = json.loads(as_json(ranking, groups=groups, metrics=["test.mse", "test.psnr"]))
    (group,) = found["groups"]
    assert group["settings"] == {"architecture": "linear"}
    assert group["metrics"]["test.mse"]["mean"] == 2.0
    assert "test.psnr" not in group["metrics"]
    assert group["runs"] == ["1", "2", "3"]


def test_nothing_is_written_into_a_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "figures").mkdir(parents=True)
    (run / "config.yaml").touch()
    (run / "summary.json").touch()
    (tmp_path / "link").symlink_to(run)
    other = tmp_path / "other"
    other.mkdir()
    records = [record("other", path=other)]

    def check(path: Path) -> Path:
        return check_destination(path, option="--csv", records=records)

    for path in (run / "summary.json", run / "figures" / "a.csv", tmp_path / "link" / "a.csv", other / "a.csv"):
        with pytest.raises(ConfigError, match="folder of a run"):
            check(path)
    for path, problem in {
        run: "it is a folder",
        tmp_path / "none" / "a.csv": "there is no folder",
        tmp_path / "sweep.json": "a sweep has a file",
    }.items():
        with pytest.raises(ConfigError, match=problem):
            check(path)
    assert check(tmp_path / "a.csv") == tmp_path / "a.csv"


def test_pipes_and_devices_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    (tmp_path / "link").symlink_to(f"/dev/fd/{writing}")
    for path in (Path(f"/dev/fd/{writing}"), tmp_path / "link"):
        assert check_destination(path, option="--csv", records=[]) == path
        write_text(path, "a,b\n")
        assert os.read(reading, 100) == b"a,b\n"
        assert path.is_symlink()
    os.close(reading)
    os.close(writing)
    os.mkfifo(tmp_path / "fifo")
    reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    write_text(check_destination(tmp_path / "fifo", option="--markdown", records=[]), "| a |\n")
    assert os.read(reading, 100) == b"| a |\n"
    os.close(reading)
    (tmp_path / "nothing").symlink_to(os.devnull)
    write_report(RUNS, check_destination(tmp_path / "nothing", option="--html", records=[]), title="x")
    assert (tmp_path / "nothing").is_char_device()
    (tmp_path / "out").write_text("a table\n")
    with (tmp_path / "out").open("a") as out:  # standard output in a file is appended to
        write_text(Path(f"/dev/fd/{out.fileno()}"), "a,b\n")
    assert (tmp_path / "out").read_text() == "a table\na,b\n"


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(ConfigError, match=r"--csv.*it is neither a file nor a stream"):
            check_destination(tmp_path / "socket", option="--csv", records=[])


def test_a_ranking_has_the_best_first_however_the_rows_are_sorted() -> None:
    runs = [record(f"{seed}", {"mse": error, "psnr": error}, seed=seed) for seed, error in enumerate([0.2, 0.3, 0.1])]
    for metric, expected in {"test.mse": ["2", "0", "1"], "test.psnr": ["1", "0", "2"]}.items():
        found = json.loads(as_json(rank(runs, metric=metric, order=SortOrder("seed", descending=True))))
        assert [run["run"] for run in found["runs"]] == ["2", "1", "0"]
        assert found["rankings"] == [{"metric": metric, "apart": {}, "runs": expected}]
