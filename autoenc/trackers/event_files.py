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

from autoenc.run_directory import State
from autoenc.trackers.background import Epoch
from autoenc.trackers.tracker import Ending, Row, TrackedRun, numbers

ENDED = ".ended"
"""What the name of the file ends with that has the scores, the state and the pictures."""

_STATUS: dict[State, int] = {"finished": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
"""Of a session on the page HPARAMS. It has no word for one that was interrupted: its state stays unknown."""


class EventFiles:
    """A `Recorder` for one process of a run.

    The first file has the settings and the epochs. The end is a file by itself, because TensorBoard believes the first
    end it reads, and a run that is taken up again has another one: that file is then deleted.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._folder = run.directory.path
        self._file: _EventFile | None = None
        self._ended: _EventFile | None = None
        self._last_epoch = 0

    def begin(self, rows: Sequence[Row]) -> None:
        """Readers drop what an earlier process wrote after these epochs: it is trained, and written, again."""
        self._forget_the_end()
        if self._file is None:
            self._file = _EventFile(self._folder)
        self._file.restart(at=len(rows) + 1)
        self._file.write(self._start(), step=0)

    def write(self, epochs: Sequence[Epoch]) -> None:
        """The epochs' numbers, as TensorBoard has them: of single precision."""
        assert self._file is not None
        for row, seconds in epochs:
            if row["epoch"] > self._last_epoch:
                self._file.write(self._scalars(numbers(row)), step=row["epoch"], seconds=seconds)
                self._last_epoch = row["epoch"]

    def end(self, ending: Ending) -> None:
        """The scores and the state."""
        if self._ended is None:
            self._forget_the_end()
            self._ended = _EventFile(self._folder, suffix=ENDED)
        start = [] if self._file is not None else self._start()  # it never began to train
        state = ending.state if ending.error is None else f"{ending.state}: {ending.error}"
        end = [_text("state", state), _session_end(ending.state)]
        self._ended.write([*start, *self._scalars(ending.scores), *end], step=ending.epochs, seconds=ending.time)

    def picture(self, path: Path, *, epoch: int) -> None:
        """One of the page IMAGES."""
        assert self._ended is not None
        self._ended.write([_image(f"figures/{path.stem}", path)], step=epoch)

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, self._ended):
            if file is not None:
                file.close()

    def _forget_the_end(self) -> None:
        for path in self._folder.glob(f"events.out.tfevents.*{ENDED}"):
            path.unlink()

    def _start(self) -> list[summary_pb2.Summary.Value]:
        settings = summary_v2.hparams_pb(self._run.settings())
        return [*settings.value, _text("run", f"{self._run.title}\n\n`{self._folder}`")]

    def _scalars(self, values: Mapping[str, float]) -> list[summary_pb2.Summary.Value]:
        return [_scalar(name, value, unit=self._run.unit(name)) for name, value in values.items()]


class _EventFile:
    """A file of events. What was written is there when the call returns, whole or not at all."""

    _numbers = itertools.count()

    def __init__(self, folder: Path, *, suffix: str = "") -> None:
        # TensorBoard reads a folder's files in the order of their names.
        stamp = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(self._numbers):06d}"
        self._file = (folder / f"events.out.tfevents.{stamp}{suffix}").open("ab", buffering=0)
        self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def restart(self, *, at: int) -> None:
        """Have readers drop what was written for the step `at` and later ones by earlier processes."""
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(event_pb2.Event(wall_time=time.time(), step=at, session_log=session))

    def write(self, values: list[summary_pb2.Summary.Value], *, step: int, seconds: float | None = None) -> None:
        """An event of these values at a time in seconds since 1970; None: now."""
        summary = summary_pb2.Summary(value=values)
        wall_time = time.time() if seconds is None else seconds
        self._write(event_pb2.Event(wall_time=wall_time, step=step, summary=summary))

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


def _session_end(state: State) -> summary_pb2.Summary.Value:
    info = plugin_data_pb2.SessionEndInfo(status=_STATUS.get(state, api_pb2.STATUS_UNKNOWN), end_time_secs=time.time())
    metadata = hparams_metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    return summary_pb2.Summary.Value(
        tag=hparams_metadata.SESSION_END_INFO_TAG, metadata=metadata, tensor=hparams_metadata.NULL_TENSOR
    )
