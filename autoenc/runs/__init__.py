"""The folder of a run: written by one module, read by another."""

from autoenc.runs.liveness import is_there, moment, process_lives
from autoenc.runs.reading import Watch, printable, read_runs
from autoenc.runs.reading.files import content
from autoenc.runs.reading.find import natural
from autoenc.runs.reading.json_text import parse_json
from autoenc.runs.reading.plain import UnreadableError
from autoenc.runs.records import SPLITS, RecordState, RunRecord
from autoenc.runs.run_directory import ErrorKind, RunDirectory, State, flush_folder, write_atomically, write_flushed
from autoenc.runs.stored_arrays import Archive, ArrayError, Limits, opened_archive

__all__ = [
    "SPLITS",
    "Archive",
    "ArrayError",
    "ErrorKind",
    "Limits",
    "RecordState",
    "RunDirectory",
    "RunRecord",
    "State",
    "UnreadableError",
    "Watch",
    "content",
    "flush_folder",
    "is_there",
    "moment",
    "natural",
    "opened_archive",
    "parse_json",
    "printable",
    "process_lives",
    "read_runs",
    "write_atomically",
    "write_flushed",
]
