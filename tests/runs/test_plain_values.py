"""Plain files that are read whole, up to a limit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from autoenc.runs.plain_values import read_file


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b"{}\n")
    tracemalloc.start()
    try:
        assert read_file(str(tmp_path / "metrics.jsonl"), most=2**30) == b"{}\n"
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
