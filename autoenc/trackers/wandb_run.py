"""A run of Weights & Biases (W&B), written by its package: in the run's folder, or also to a server as it goes on."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import wandb
from wandb.errors import AuthenticationError
from wandb.sdk import wandb_setup
from wandb.sdk.lib import wbauth

from autoenc.progress import shown_path
from autoenc.runs import SWEEP_FILE, State
from autoenc.settings import ConfigError
from autoenc.trackers.tracker import Ending, Epoch, TrackedRun

log = logging.getLogger(__name__)

FOLDER = "wandb"
"""The package's folder in the run's folder."""
BEGIN_SECONDS, FINISH_SECONDS = 15.0, 10.0
"""How long the package waits for its server, in a process of its own. Python waits for that process at its exit, also
after a Ctrl-C."""

_EXIT_CODE: dict[State, int] = {"finished": 0, "failed": 1, "interrupted": 130}
"""W&B shows a run as finished if it is 0, else as failed."""


class WandbRun:
    """A `Backend`. `tracker.json` keeps the id of its run, so that a resumed run continues there."""

    def __init__(
        self, run: TrackedRun, *, mode: Literal["offline", "online"], project: str, entity: str | None
    ) -> None:
        self._run = run
        self._mode = mode
        self._project = project
        self._entity = entity
        self._quantities: set[str] = set()
        """Those whose units W&B has."""

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """See `Backend`. A server keeps the epochs it has; files of earlier processes are replaced by one with all."""
        run_id = self._resumed_id() or secrets.token_hex(4)
        self._remove_offline_runs(run_id)
        # Written first: a run that is interrupted here would leave files that no later one replaces.
        self._run.directory.write_tracker({"tracker": "wandb", "project": self._project, "run_id": run_id})
        with _service_ended_on_error(), contextlib.redirect_stderr(io.StringIO()), _exit_as_before():
            self._wandb = wandb.init(
                dir=self._run.directory.path,
                id=run_id,
                resume="allow",
                mode=self._mode,
                project=self._project,
                entity=self._entity,
                name=self._run.name,
                group=self._sweep(),
                config={key: value for key, value in self._run.values.items() if key != "tracker"},
                reinit="create_new",  # leaves a run of the same process alone: a notebook may have one
                settings=_SETTINGS,
            )
        self._recorded = dict(self._wandb.summary)
        """The last values that the server has by the time that this process begins."""
        wandb.termsetup(_SETTINGS, None)  # else it warns about epochs that the server has already
        self._announce()
        for epoch in epochs:
            self.epoch(epoch)

    def epoch(self, epoch: Epoch) -> None:
        """See `Backend`. The last epoch stays open for the scores: W&B takes nothing for a step that it has.

        With patience, any epoch can be the last, so each stays open until the next one.
        """
        training = self._run.values["training"]
        can_be_last = training["patience"] is not None or epoch.number == training["epochs"]
        with _service_ended_on_error():
            self._add_units(epoch.values)
            self._wandb.log({**epoch.values, "_timestamp": epoch.time}, step=epoch.number, commit=not can_be_last)

    def finish(self, ending: Ending) -> None:
        """See `Backend`."""
        state = ending.state if ending.error is None else f"{ending.state}: {ending.error}"
        try:
            self._add_units(ending.scores)
            self._wandb.summary["state"] = state
            if ending.state == "finished":
                pictures = {f"figures/{path.stem}": path for path in self._run.directory.pictures(".png")}
                known = {name: self._recorded.get(name) for name in ending.scores}
                if known != ending.scores or not pictures.keys() <= self._recorded.keys():
                    images = {name: wandb.Image(path) for name, path in pictures.items()}
                    self._wandb.log({**ending.scores, **images})
            self._wandb.finish(exit_code=_EXIT_CODE[ending.state])
        finally:
            _end_service()

    def _resumed_id(self) -> str | None:
        """The run that `tracker.json` names, if it can be one of W&B's: a folder may come from a stranger."""
        run_id = str(self._run.directory.tracker(tracker="wandb").get("run_id"))
        return run_id if re.fullmatch("[0-9a-z]+", run_id) else None

    def _remove_offline_runs(self, run_id: str) -> None:
        folder = self._run.directory.path / FOLDER
        if folder.is_symlink():
            raise ConfigError(str(folder), "it is a symbolic link, which is not followed; remove the link")
        for path in folder.glob(f"offline-run-*-{run_id}"):
            shutil.rmtree(path)

    def _sweep(self) -> str | None:
        """The name under which W&B groups the jobs of a sweep."""
        parent = self._run.directory.path.absolute().parent
        return parent.name if (parent / SWEEP_FILE).is_file() else None

    def _announce(self) -> None:
        if self._mode == "online":
            log.info("Weights & Biases shows this run at %s", self._wandb.url)
        else:
            folder = shlex.quote(shown_path(Path(self._wandb.sync_dir)))
            log.info("Weights & Biases is offline. To upload this run later: wandb sync %s", folder)

    def _add_units(self, values: Mapping[str, float]) -> None:
        found = {quantity for name in values if (quantity := self._run.quantity(name))}
        if not found <= self._quantities:
            self._quantities |= found
            self._wandb.notes = self._run.note(self._quantities)
            units = {name: unit for name, unit in self._run.units.items() if name in self._quantities}
            self._wandb.config.update({"units": units}, allow_val_change=True)  # type: ignore[no-untyped-call]


def check_key() -> None:
    """Look for the key of the server where the package does. Asks no server and no person.

    Raises:
        ConfigError: there is none, or it cannot be one.
    """
    host = wandb_setup.singleton().settings.base_url
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = wbauth.authenticate_session(host=host, source="autoenc", prompt=False, update_session=False)
    except AuthenticationError as error:
        raise ConfigError("tracker.mode", str(error), value="online") from None
    if found is None:
        ways = "run `wandb login`, set WANDB_API_KEY, or choose tracker.mode=offline"
        raise ConfigError("tracker.mode", f"there is no key for {host}; {ways}", value="online")


_SETTINGS = wandb.Settings(
    silent=True,
    console="off",
    init_timeout=BEGIN_SECONDS,
    finish_timeout=FINISH_SECONDS,
    finish_timeout_raises=True,
    symlink=False,
    use_dot_wandb=False,
    x_transaction_log_flush_interval=1.0,
    # Only what the other trackers get: nothing about the machine, its user, its packages or the code.
    host="",
    program="",
    label_disable=True,
    save_code=False,
    disable_code=True,
    disable_git=True,
    x_disable_machine_info=True,
    x_disable_meta=True,
    x_disable_stats=True,
    x_save_requirements=False,
)


@contextlib.contextmanager
def _service_ended_on_error() -> Iterator[None]:
    logger = logging.getLogger("wandb")
    handlers = list(logger.handlers)
    try:
        yield
    except BaseException:
        for handler in set(logger.handlers) - set(handlers):  # else the next run would write to a file of this one
            logger.removeHandler(handler)
            handler.close()
        with contextlib.suppress(Exception):  # that there is no process is the most likely error
            _end_service()
        raise


@contextlib.contextmanager
def _exit_as_before() -> Iterator[None]:
    """Undo the package's changes to how Python exits: each run in a process would add some to those of the last."""
    before = sys.exit, sys.excepthook
    try:
        yield
    finally:
        sys.exit, sys.excepthook = before


def _end_service() -> None:
    """End the package's process, and its settings in this one. Python would wait for it at its exit."""
    if wandb.run is None:  # else it belongs to a run of the user's own
        wandb.teardown()
