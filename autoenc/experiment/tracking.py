"""The record of a run in a tracker: written as the run goes on, or sent after its end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from autoenc.comparison.reasons import why_not_finished
from autoenc.config import ExperimentConfig, parse
from autoenc.display_names import run_label
from autoenc.experiment.closing_report import command
from autoenc.experiment.run_scores import units_of
from autoenc.overrides import as_value
from autoenc.progress import shown_path
from autoenc.runs import SWEEP_FILE, RunDirectory, RunRecord, State, read_run
from autoenc.settings import ConfigError
from autoenc.trackers import TrackedRun, Tracker


def build_tracker(config: ExperimentConfig, run_directory: RunDirectory, *, units: Mapping[str, str]) -> Tracker:
    """The tracker that the config names, for the run in this folder."""
    sending = _sending_command(run_directory, config.values["tracker"])
    run = TrackedRun(run_directory, run_label(config.values), values=config.values, units=units, sending=sending)
    return config.tracker.build(run)


def send_run(run_directory: RunDirectory, *, tracker: Mapping[str, Any]) -> None:
    """Send a run that has ended to a tracker, or complete its record there. Sending it twice changes nothing.

    `tracker` are the settings of the group, whatever the run's own config says. A run whose process was killed counts
    as failed.

    Raises:
        ValueError: the run is still training, or this version cannot read its config.
        TrackerError: the tracker or the folder does not allow it.
    """
    with run_directory.locked(key="RUN"):
        record = read_run(run_directory.path)
        if record.state == "unreadable":
            raise ConfigError("RUN", why_not_finished(record), value=str(record.path))
        config = parse({**run_directory.config(), "tracker": tracker})
        # No unit depends on the shape of the images, which a run without a checkpoint does not record.
        loss = config.loss.build(image_shape=(1, 1, 1))
        bottleneck = config.bottleneck.build(code_size=config.architecture.code_size)
        units = {**units_of(config, loss=loss, bottleneck=bottleneck), **record.units}
        state, error = _ending(record)
        build_tracker(config, run_directory, units=units).send(state, error=error)


def _ending(record: RunRecord) -> tuple[State, str | None]:
    """The state that a tracker receives, and the error."""
    match record.state:
        case "finished" | "interrupted":
            return record.state, None
        case "failed" | "diverged":
            return "failed", record.error_message
    return "failed", "its process exited without recording why"


def _sending_command(run_directory: RunDirectory, tracker: Mapping[str, Any]) -> str:
    """The command that sends a run to a tracker with these settings; for a job of a sweep, all runs of the sweep."""
    path = run_directory.path
    folder = path.parent if (path.parent / SWEEP_FILE).is_file() else path
    values = {key: as_value(value) if isinstance(value, str) else json.dumps(value) for key, value in tracker.items()}
    settings = [f"tracker.{key}={value}" for key, value in values.items() if key != "name"]
    return " ".join([command("track"), shlex.quote(shown_path(folder)), f"tracker={values['name']}", *settings])
