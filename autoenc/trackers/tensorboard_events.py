"""TensorBoard's event files, written by `torch.utils.tensorboard`.

Its `FileWriter` and not its `SummaryWriter`, which cannot record units or a failed session, and encodes pictures again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2, summary_v2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from torch.utils.tensorboard import FileWriter
from torch.utils.tensorboard.summary import text

from autoenc.runs import State
from autoenc.trackers.tracker import Ending, Epoch, TrackedRun

EVENT_FILES = "events.out.tfevents.*"

_STATUS: dict[State, int] = {"finished": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
"""Of a session on the page HPARAMS. TensorBoard has no status for an interrupted run: it stays unknown."""


class TensorBoardEvents:
    """A `Backend` whose file lies in the run's folder.

    A resumed run replaces its file by a new one with all epochs so far: the old one may lack some of them, and hold
    epochs that are trained again; and of two ends TensorBoard believes the first.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._folder = run.directory.path

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """See `Backend`."""
        for path in self._folder.glob(EVENT_FILES):
            path.unlink()
        # A queue without limit never keeps the training waiting. Its thread writes to the disk every second.
        self._writer = FileWriter(self._folder, max_queue=0, flush_secs=1)
        # A TensorBoard that has read the old file, and is still running, drops what it has of it.
        restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._writer.add_event(event_pb2.Event(session_log=restart), step=0)
        started = self._run.started
        session = summary_v2.hparams_pb(self._run.settings(), start_time_secs=started)
        for summary in (session, _text("run", f"{self._run.title}\n\n`{self._folder}`")):
            self._add(summary, step=0, seconds=started)
        for epoch in epochs:
            self.epoch(epoch)

    def epoch(self, epoch: Epoch) -> None:
        """See `Backend`. TensorBoard keeps numbers in single precision."""
        self._add(self._scalars(epoch.values), step=epoch.number, seconds=epoch.time)

    def finish(self, ending: Ending) -> None:
        """See `Backend`."""
        state = ending.state if ending.error is None else f"{ending.state}: {ending.error}"
        for summary in (self._scalars(ending.scores), _text("state", state), _session_end(ending)):
            self._add(summary, step=ending.epochs, seconds=ending.time)
        if ending.state == "finished":
            for path in self._run.directory.pictures(".png"):
                self._add(_image(path), step=ending.epochs, seconds=ending.time)
        self._writer.flush()  # raises what went wrong since the last call
        self._writer.close()

    def _add(self, summary: Summary, *, step: int, seconds: float) -> None:
        self._writer.add_summary(summary, step, seconds)

    def _scalars(self, values: Mapping[str, float]) -> Summary:
        return Summary(value=[self._scalar(name, value) for name, value in values.items()])

    def _scalar(self, name: str, value: float) -> Summary.Value:
        unit = self._run.units.get(self._run.quantity(name) or "", "")
        metadata = scalar_metadata.create_summary_metadata(display_name=name, description=unit)
        metadata.data_class = DATA_CLASS_SCALAR  # without it TensorBoard's server loses the unit
        return Summary.Value(tag=name, simple_value=value, metadata=metadata)


def _text(name: str, markdown: str) -> Summary:
    summary = text(name, markdown)
    summary.value[0].tag = name  # torch appends /text_summary
    return summary


def _image(path: Path) -> Summary:
    with Image.open(path) as picture:  # reads no pixels
        width, height, channels = *picture.size, len(picture.getbands())
    image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=path.read_bytes())
    return Summary(value=[Summary.Value(tag=f"figures/{path.stem}", image=image)])


def _session_end(ending: Ending) -> Summary:
    status = _STATUS.get(ending.state, api_pb2.STATUS_UNKNOWN)
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ending.time)
    metadata = hparams_metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    tag, tensor = hparams_metadata.SESSION_END_INFO_TAG, hparams_metadata.NULL_TENSOR
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])
