from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoenc.comparison.jobs import Job
from autoenc.comparison.table import final_losses, write_csv


def job(label: str, *, test: dict[str, float], **facts: Any) -> Job:
    summary = {
        "test": test,
        "validation": None,
        "train": {name: value / 2 for name, value in test.items()},
        "parameters": 1234,
        "code_size": 3,
        "epochs": 5,
        "best_epoch": None,
        "seconds": {"training": 61.2, "total": 70.0},
        "device": "cpu",
        "images_per_second": 4321.0,
        "units": {"loss": "squares"},
        **facts,
    }
    return Job(label, Path("sweep") / label, config={}, summary=summary, history=[])


def text(table: Table) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def bold_rows(table: Table) -> list[int]:
    return [number for number, row in enumerate(table.rows) if row.style == "bold"]


def test_the_table_has_a_row_a_job_and_only_columns_that_say_something() -> None:
    jobs = [
        job("small", test={"loss": 0.2, "mse": 0.2, "pca_mse": 0.4}),
        job("large", test={"loss": 0.1, "mse": 0.1, "pca_mse": 0.3}),
    ]
    table = final_losses(jobs, metric="mse", title="Two runs")
    printed = text(table)
    assert "Two runs" in printed
    assert "small" in printed
    assert "1,234" in printed
    assert "61 s" in printed
    headings = [str(column.header) for column in table.columns]
    assert headings[:4] == ["run", "parameters", "code size", "epochs"]
    assert headings[4:] == ["train mse", "test mse", "PCA's test mse", "training", "images/s", "device"]
    assert "4,321" in printed
    assert bold_rows(table) == [1]


def test_the_loss_stands_beside_a_metric_that_is_not_the_loss() -> None:
    table = final_losses([job("one", test={"loss": 0.7, "mse": 0.1})], metric="mse", title="")
    assert [str(column.header) for column in table.columns][4:8] == ["train loss", "test loss", "train mse", "test mse"]
    assert bold_rows(table) == []


def test_of_a_metric_that_grows_the_largest_is_the_best() -> None:
    jobs = [job("a", test={"psnr": 10.0}), job("b", test={"psnr": 20.0}), job("c", test={"mse": 0.1})]
    assert bold_rows(final_losses(jobs, metric="psnr", title="")) == [1]


def test_which_epoch_s_weights_were_tested_is_said() -> None:
    assert "3 of 5" in text(final_losses([job("one", test={"mse": 0.1}, best_epoch=3)], metric="mse", title=""))


def test_the_file_has_every_number_of_every_job(tmp_path: Path) -> None:
    jobs = [job("a, b", test={"mse": 0.25}), job("c", test={"mse": 0.5, "psnr": 3.0})]
    write_csv(jobs, tmp_path / "comparison.csv")
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert [row["run"] for row in rows] == ["a, b", "c"]
    assert [row["test/mse"] for row in rows] == ["0.25", "0.5"]
    assert [row["train/mse"] for row in rows] == ["0.125", "0.25"]
    assert [row["test/psnr"] for row in rows] == ["", "3.0"]
    assert rows[0]["training_seconds"] == "61.2"


def test_losses_of_different_units_do_not_share_a_column() -> None:
    jobs = [
        job("bce", test={"loss": 0.3, "mse": 0.1}, units={"loss": "nats a pixel"}),
        job("vae", test={"loss": 140.0, "mse": 0.1}, units={"loss": "nats an image"}),
    ]
    assert "test loss" not in [str(column.header) for column in final_losses(jobs, metric="mse", title="").columns]
    assert "test loss" in [str(column.header) for column in final_losses(jobs[:1], metric="mse", title="").columns]
