"""A table of the jobs of a sweep: on the terminal, and as a file for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from autoenc.comparison.jobs import Job
from autoenc.run_directory import write_atomically

SPLITS = ("train", "validation", "test")
FACTS = ("parameters", "code_size", "epochs", "best_epoch", "device", "images_per_second")


def final_losses(jobs: Sequence[Job], *, metric: str, title: str) -> Table:
    """Sizes, the losses and the metric of every split, and the time, a row a job; the best test value in bold."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", no_wrap=True)
    columns = _columns(jobs, metric=metric)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    best = _best(jobs, metric=metric)
    for number, job in enumerate(jobs):
        values = [column[number] for column in columns.values()]
        table.add_row(job.label, *values, style="bold" if number == best and len(jobs) > 1 else None)
    return table


def write_csv(jobs: Sequence[Job], path: Path) -> None:
    """Every number of every job's summary that is scored, whole or not at all."""
    found = [f"{split}/{name}" for split in SPLITS for job in jobs for name in job.summary[split] or {}]
    names = list(dict.fromkeys(found))
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(["run", "folder", *FACTS, "training_seconds", *names])
    for job in jobs:
        summary = job.summary
        facts = [summary[name] for name in FACTS]
        scores = [job.score(*name.split("/", 1)) for name in names]
        writer.writerow([job.label, job.path.name, *facts, summary["seconds"]["training"], *scores])
    write_atomically(path, content.getvalue().encode())


def _columns(jobs: Sequence[Job], *, metric: str) -> dict[str, list[str]]:
    """The columns that say something: those in which some job has a value."""
    columns = {
        "parameters": [f"{job.summary['parameters']:,}" for job in jobs],
        "code size": [str(job.summary["code_size"]) for job in jobs],
        "epochs": [_epochs(job) for job in jobs],
    }
    comparable = ["loss"] if len({job.unit("loss") for job in jobs}) == 1 else []  # not BCE beside nats
    for name in dict.fromkeys([*comparable, metric, f"noisy_{metric}", "elbo_nats", "nll_nats"]):
        for split in SPLITS:
            columns[f"{split} {name}"] = [_number(job.score(split, name)) for job in jobs]
    if metric == "mse":
        columns["PCA's test mse"] = [_number(job.score("test", "pca_mse")) for job in jobs]
    if metric != "loss" and columns[f"test {metric}"] == columns.get("test loss"):
        for split in SPLITS:  # the loss is the metric
            del columns[f"{split} loss"]
    columns["training"] = [f"{job.summary['seconds']['training']:.0f} s" for job in jobs]
    columns["images/s"] = [f"{job.summary['images_per_second']:,.0f}" for job in jobs]
    columns["device"] = [str(job.summary["device"]) for job in jobs]
    return {name: values for name, values in columns.items() if any(values)}


def _epochs(job: Job) -> str:
    best = job.summary["best_epoch"]
    return f"{job.summary['epochs']}" if best is None else f"{best} of {job.summary['epochs']}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _best(jobs: Sequence[Job], *, metric: str) -> int | None:
    """The job with the best test value: the least, but for what is better when higher."""
    values = [job.score("test", metric) for job in jobs]
    found = [(value, number) for number, value in enumerate(values) if value is not None]
    if not found:
        return None
    return (max if metric in HIGHER_IS_BETTER else min)(found)[1]


HIGHER_IS_BETTER = {"psnr", "noisy_psnr", "ssim", "noisy_ssim", "elbo_nats"}
