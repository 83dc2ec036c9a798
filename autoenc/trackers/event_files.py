"""TensorBoard's event files, written in its own format.

Not by `torch.utils.tensorboard`: that has no place for units, calls every session a success, writes from one more
thread, whose errors it keeps until the next call, and imports TensorFlow where it is installed.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2, summary_v2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from autoenc.runs import State
from autoenc.trackers.background import Epoch, dated
from autoenc.trackers.tracker import Ending, TrackedRun, numbers

PREFIX = "events.out.tfevents."
"""What TensorBoard knows its files by."""

_STATUS: dict[State, int] = {"finished": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
"""Of a session on the page HPARAMS. It has no word for one that was interrupted: its state stays unknown."""


class EventFiles:
    """A `Recorder`.

    A run that is taken up again gets its file anew, with the epochs so far. What is in the old one may lack the last of
    them, and have some that are trained again; and of several ends TensorBoard believes the first it reads.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._folder = run.directory.path
        self._file: _EventFile | None = None
        self._last_epoch = 0

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """The settings, and the epochs so far."""
        if self._file is None:
            for path in self._folder.glob(f"{PREFIX}*"):
                path.unlink()
            self._file = _EventFile(self._folder)
        settings = summary_v2.hparams_pb(self._run.settings())
        about = _text("run", f"{self._run.title}\n\n`{self._folder}`")
        self._file.write([*settings.value, about], step=0, seconds=time.time())
        self.write(epochs)

    def write(self, epochs: Sequence[Epoch]) -> None:
        """The epochs' numbers, as TensorBoard has them: of single precision."""
        assert self._file is not None
        for row, seconds in epochs:
            if row["epoch"] > self._last_epoch:
                self._file.write(self._scalars(numbers(row)), step=row["epoch"], seconds=seconds)
                self._last_epoch = row["epoch"]

    def end(self, ending: Ending) -> None:
        """The scores and the state."""
        if self._file is None:  # something was wrong before the training
            self.begin(dated(self._run.directory.metrics(), end=ending.time))
        assert self._file is not None
        state = ending.state if ending.error is None else f"{ending.state}: {ending.error}"
        values = [*self._scalars(ending.scores), _text("state", state), _session_end(ending)]
        self._file.write(values, step=ending.epochs, seconds=ending.time)

    def picture(self, path: Path, *, epoch: int) -> None:
        """One of the page IMAGES."""
        assert self._file is not None
        self._file.write([_image(f"figures/{path.stem}", path)], step=epoch, seconds=time.time())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _scalars(self, values: Mapping[str, float]) -> list[summary_pb2.Summary.Value]:
        units = {name: self._run.units.get(self._run.quantity(name) or "", "") for name in values}
        return [_scalar(name, value, unit=units[name]) for name, value in values.items()]


class _EventFile:
    """A file of events. What was written is there when the call returns, whole or not at all."""

    _numbers = itertools.count()

    def __init__(self, folder: Path) -> None:
        # TensorBoard reads a folder's files in the order of their names.
        stamp = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(self._numbers):06d}"
        self._file = (folder / f"{PREFIX}{stamp}").open("ab", buffering=0)
        self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        # A TensorBoard that has read the old file, and is still running, drops what it has of it.
        restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(event_pb2.Event(wall_time=time.time(), step=0, session_log=restart))

    def write(self, values: Sequence[summary_pb2.Summary.Value], *, step: int, seconds: float) -> None:
        """An event of these values, at a time in seconds since 1970."""
        summary = summary_pb2.Summary(value=values)
        self._write(event_pb2.Event(wall_time=seconds, step=step, summary=summary))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: event_pb2.Event) -> None:
        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        size = os.fstat(self._file.fileno()).st_size
        if self._file.write(record.getvalue()) != len(record.getvalue()):
            self._file.truncate(size)  # readers would stop at a part of a record, whatever came after it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _scalar(name: str, value: float, *, unit: str) -> summary_pb2.Summary.Value:
    metadata = scalar_metadata.create_summary_metadata(display_name=name, description=unit)
    metadata.data_class = summary_pb2.DATA_CLASS_SCALAR  # else TensorBoard's server forgets the description
    return summary_pb2.Summary.Value(tag=name, simple_value=value, metadata=metadata)


def _text(name: str, markdown: str) -> summary_pb2.Summary.Value:
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING,
        string_val=[markdown.encode()],
        tensor_shape=tensor_shape_pb2.TensorShapeProto(),
    )
    metadata = text_metadata.create_summary_metadata(display_name=name, description="")
    return summary_pb2.Summary.Value(tag=name, tensor=tensor, metadata=metadata)


def _image(name: str, path: Path) -> summary_pb2.Summary.Value:
    with Image.open(path) as picture:  # reads no pixels
        width, height, channels = *picture.size, len(picture.getbands())
    image = summary_pb2.Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=path.read_bytes()
    )
    metadata = image_metadata.create_summary_metadata(display_name=name, description="", converted_to_tensor=False)
    return summary_pb2.Summary.Value(tag=name, image=image, metadata=metadata)


def _session_end(ending: Ending) -> summary_pb2.Summary.Value:
    status = _STATUS.get(ending.state, api_pb2.STATUS_UNKNOWN)
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ending.time)
    metadata = hparams_metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    return summary_pb2.Summary.Value(
        tag=hparams_metadata.SESSION_END_INFO_TAG, metadata=metadata, tensor=hparams_metadata.NULL_TENSOR
    )
