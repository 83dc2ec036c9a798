"""The folder of a run: `directory` writes it, `reading` reads it."""

from autoenc.runs.directory import TEST_ERRORS, RunDirectory
from autoenc.runs.find_runs import Watch, read_run, read_runs
from autoenc.runs.npz_archive import VALUES, ArrayError, read_arrays
from autoenc.runs.plain_values import printable
from autoenc.runs.process import is_there, moment, process_lives
from autoenc.runs.record import INITIAL_WEIGHTS, SPLITS, ErrorKind, RecordState, RunRecord, State
from autoenc.runs.sweep_file import SWEEP_FILE, Sweep, SweepJob, read_sweep, write_sweep
from autoenc.runs.whole_files import flush_folder, write_atomically, write_flushed

__all__ = [
    "INITIAL_WEIGHTS",
    "SPLITS",
    "SWEEP_FILE",
    "TEST_ERRORS",
    "VALUES",
    "ArrayError",
    "ErrorKind",
    "RecordState",
    "RunDirectory",
    "RunRecord",
    "State",
    "Sweep",
    "SweepJob",
    "Watch",
    "flush_folder",
    "is_there",
    "moment",
    "printable",
    "process_lives",
    "read_arrays",
    "read_run",
    "read_runs",
    "read_sweep",
    "write_atomically",
    "write_flushed",
    "write_sweep",
]
