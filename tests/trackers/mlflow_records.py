"""What MLflow's own client reads of a run, and what it has to find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.runs import RunDirectory, moment

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


def all_runs(client: MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name("autoenc")
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def only_run(client: MlflowClient) -> Run:
    (run,) = all_runs(client)
    return run


def history(client: MlflowClient, run: Run, name: str) -> list[tuple[int, float]]:
    found = sorted(client.get_metric_history(run.info.run_id, name), key=lambda metric: metric.timestamp)
    return [(metric.step, metric.value) for metric in found]


def as_written(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(row["epoch"], row[name]) for row in RunDirectory(folder).metrics()]


def whole(client: MlflowClient, run: Run) -> dict[str, Any]:
    """All that MLflow has of a run, with the times."""
    run = client.get_run(run.info.run_id)
    found = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    metrics = {name: sorted((each.step, each.timestamp, each.value) for each in found[name]) for name in found}
    pictures = sorted((item.path, item.file_size) for item in client.list_artifacts(run.info.run_id, "figures"))
    return {"info": dict(run.info), "metrics": metrics, **run.data.to_dictionary(), "pictures": pictures}


def assert_whole_record(client: MlflowClient, folder: Path) -> Run:
    """Compare the only run with the folder of a finished one."""
    run, directory = only_run(client), RunDirectory(folder)
    rows, summary, status = directory.metrics(), directory.summary(), directory.status()
    assert run.info.status == "FINISHED"
    times = [moment(status[name]) for name in ("started_at", "finished_at")]
    assert [run.info.start_time, run.info.end_time] == [int(at.timestamp() * 1000) for at in times if at is not None]

    epochs = {name for row in rows for name in row} - {"epoch"}
    for name in epochs:
        assert history(client, run, name) == as_written(folder, name)  # to the last bit
        found = client.get_metric_history(run.info.run_id, name)
        assert all(run.info.start_time <= metric.timestamp <= run.info.end_time for metric in found)
    assert {name: run.data.metrics[f"test/{name}"] for name in summary["test"]} == summary["test"]
    for split in ("train", "validation"):
        assert {name: run.data.metrics[f"final/{split}/{name}"] for name in summary[split]} == summary[split]
    assert history(client, run, "test/mse") == [(3, summary["test"]["mse"])]
    assert run.data.metrics["final/seconds/total"] == summary["seconds"]["total"]

    tags = run.data.tags
    assert tags["folder"] == str(folder)
    assert {name: tags[f"unit.{name}"] for name in summary["units"]} == summary["units"]
    for name in ("mse", "loss"):  # of the scores, and of the epochs
        assert f"| `{name}` | {tags[f'unit.{name}']} |" in tags["mlflow.note.content"]
    assert "unit.learning_rate" not in tags
    assert "error" not in tags

    params = run.data.params
    expected = {"architecture.code_size": "3", "noise.name": "gaussian", "training.patience": "null", "seed": "0"}
    assert {name: params[name] for name in expected} == expected
    assert params["optimizer.betas"] == "[0.9, 0.999]"
    assert not any(name.startswith("tracker") for name in params)

    pictures = {f"figures/{path.name}": path for path in directory.figures.glob("*.png")}
    assert {item.path for item in client.list_artifacts(run.info.run_id, "figures")} == set(pictures)
    for name, path in pictures.items():
        assert Path(client.download_artifacts(run.info.run_id, name)).read_bytes() == path.read_bytes()
    return run
