"""Run folders read into records: quickly, and safely wherever they come from. Never imports torch."""

from autoenc.comparison.reading.runs import read_runs
from autoenc.comparison.reading.text import printable
from autoenc.comparison.reading.watch import Watch

__all__ = ["Watch", "printable", "read_runs"]
