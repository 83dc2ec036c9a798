"""Run folders read into records: quickly, and safely wherever they come from. Never imports torch."""

from autoenc.runs.reading.runs import read_runs
from autoenc.runs.reading.text import printable
from autoenc.runs.reading.watch import Watch

__all__ = ["Watch", "printable", "read_runs"]
