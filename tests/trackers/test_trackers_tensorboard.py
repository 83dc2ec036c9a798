"""`tracker=tensorboard`: what TensorBoard's own reader finds in a run's folder."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.trackers.tensorboard_events import EVENT_FILES
from tests.conftest import TINY, Train
from tests.trackers.conftest import KilledRun, tracker_warnings
from tests.training.test_training_loop import assert_same_run

ALL = {"scalars": 0, "images": 0, "tensors": 0}


def read(folder: Path) -> EventAccumulator:
    reader = EventAccumulator(str(folder), size_guidance=ALL)
    reader.Reload()
    return reader


def scalars(reader: EventAccumulator, name: str) -> list[tuple[int, Any]]:
    return [(event.step, event.value) for event in reader.Scalars(name)]


def text(reader: EventAccumulator, name: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in reader.Tensors(name)]


def status(reader: EventAccumulator) -> int:
    content = reader.SummaryMetadata(hparams_metadata.SESSION_END_INFO_TAG).plugin_data.content
    return int(hparams_metadata.parse_session_end_info_plugin_data(content).status)


def event_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(EVENT_FILES))


def as_written(rows: list[dict[str, float]], name: str) -> list[tuple[int, Any]]:
    return [(int(row["epoch"]), pytest.approx(row[name], rel=1e-7)) for row in rows]


def test_tensorboard_finds_numbers_units_settings_and_pictures(train: Train, untracked: Path) -> None:
    run = train("tracker=tensorboard")
    reader, directory = read(run), RunDirectory(run)
    rows, summary = directory.metrics(), directory.summary()

    epochs = {name for row in rows for name in row} - {"epoch"}
    scores = {f"test/{name}" for name in summary["test"]}
    final = {f"final/{split}/{name}" for split in ("train", "validation") for name in summary[split]}
    further = {
        "parameters",
        "code_size",
        "best_epoch",
        "epochs",
        "seconds/total",
        "seconds/training",
        "seconds/evaluation",
    }
    further_names = {f"final/{name}" for name in {*further, "images_per_second"}}
    assert set(reader.Tags()["scalars"]) == epochs | scores | final | further_names
    for name in epochs:
        assert scalars(reader, name) == as_written(rows, name)
    assert scalars(reader, "test/mse") == [(3, pytest.approx(summary["test"]["mse"], rel=1e-7))]
    assert scalars(reader, "final/seconds/total") == [(3, pytest.approx(summary["seconds"]["total"], rel=1e-7))]
    times = [event.wall_time for event in reader.Scalars("train/loss")]
    assert times == sorted(times)
    assert times[-1] <= (run / "status.json").stat().st_mtime

    units = summary["units"]
    for name, unit in {"test/mse": "mse", "validation/denoising_mse": "denoising_mse", "train/loss": "loss"}.items():
        assert reader.SummaryMetadata(name).summary_description == units[unit]
    assert reader.SummaryMetadata("test/mse").data_class == summary_pb2.DATA_CLASS_SCALAR  # or its server forgets them
    assert reader.SummaryMetadata("final/seconds/total").summary_description == "seconds"
    assert reader.SummaryMetadata("learning_rate").summary_description == ""

    content = reader.SummaryMetadata(hparams_metadata.SESSION_START_INFO_TAG).plugin_data.content
    settings = hparams_metadata.parse_session_start_info_plugin_data(content).hparams
    assert settings["architecture.code_size"].number_value == 3
    assert settings["noise.name"].string_value == "gaussian"
    assert settings["dataset.shuffle"].bool_value is True
    assert settings["optimizer.betas"].string_value == "[0.9, 0.999]"
    assert settings["training.patience"].string_value == "null"
    assert not any(key.startswith("tracker") for key in settings)
    assert status(reader) == api_pb2.STATUS_SUCCESS
    assert text(reader, "state") == ["finished"]
    assert str(run) in text(reader, "run")[0]

    pictures = {f"figures/{path.stem}": path for path in directory.figures.glob("*.png")}
    assert set(reader.Tags()["images"]) == set(pictures) >= {"figures/loss_curves", "figures/reconstructions"}
    for name, path in pictures.items():
        (image,) = reader.Images(name)
        assert image.encoded_image_string == path.read_bytes()
        assert (image.width, image.height, image.step) == (*Image.open(io.BytesIO(path.read_bytes())).size, 3)
    assert tracker_warnings(run) == []
    assert len(event_files(run)) == 1
    assert not (run / "tracker.json").exists()
    assert_same_run(run, untracked)


# 100 images give 90 for training: 6 steps an epoch; a checkpoint after each 4.
def test_a_resumed_run_has_each_epoch_once(killed: KilledRun) -> None:
    run = killed(*TINY, "tracker=tensorboard", step=13)
    assert main(["resume=run", "tracker=tensorboard"]) == 0
    reader = read(run)
    rows = RunDirectory(run).metrics()
    assert len(rows) == 3
    for name in ("train/loss", "learning_rate", "seconds"):
        assert scalars(reader, name) == as_written(rows, name)
    assert len(reader.Scalars("test/mse")) == 1
    assert status(reader) == api_pb2.STATUS_SUCCESS
    times = [event.wall_time for event in reader.Scalars("train/loss")]
    assert times == sorted(times)


def test_a_failed_run_is_a_failed_session_until_it_is_resumed(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no\nink")

    with monkeypatch.context() as patched:
        patched.setattr("autoenc.experiment.run_pictures.draw_pictures", broken)
        run = train("tracker=tensorboard", exit_code=1)
    reader = read(run)
    assert status(reader) == api_pb2.STATUS_FAILURE
    assert text(reader, "state") == ["failed: no ink"]
    assert len(reader.Scalars("train/loss")) == 3
    assert "test/mse" not in reader.Tags()["scalars"]
    assert main(["resume=run", "tracker=tensorboard"]) == 0
    assert status(read(run)) == api_pb2.STATUS_SUCCESS
    assert text(read(run), "state") == ["finished"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_full_disk_costs_one_warning(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
    run = train("tracker=tensorboard")
    assert RunDirectory(run).status()["state"] == "finished"
    (warning,) = tracker_warnings(run)
    assert "tracker=tensorboard does not work: OSError: [Errno 28] No space left on device" in warning
