from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from autoenc.data.datasets import DatasetError, memory
from autoenc.data.datasets.memory import available_memory, require_memory

MACHINE = 8_000_000_000


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=MACHINE))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def second(folder: Path, *, limit: str, usage: int, cache: int = 0) -> None:
    write(folder / "memory.max", f"{limit}\n")
    write(folder / "memory.current", f"{usage}\n")
    write(folder / "memory.stat", f"anon 5\ninactive_file {cache}\n")


def first(folder: Path, *, limit: str, usage: int, cache: int = 0) -> None:
    write(folder / "memory.limit_in_bytes", f"{limit}\n")
    write(folder / "memory.usage_in_bytes", f"{usage}\n")
    write(folder / "memory.stat", f"inactive_file 7\ntotal_inactive_file {cache}\n")


def available(folder: Path, own: str) -> int:
    write(folder / "own", own)
    return available_memory(groups=folder / "groups", own=folder / "own")


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    assert available_memory(groups=tmp_path, own=tmp_path / "none") == MACHINE
    assert available(tmp_path, "0::/no/such/group\n3:cpu:/\n") == MACHINE


def test_a_group_has_its_limit_less_its_usage_without_the_cache(tmp_path: Path) -> None:
    second(tmp_path / "groups/user/job", limit="2000", usage=1500, cache=300)
    assert available(tmp_path, "0::/user/job\n") == 800


def test_the_narrowest_of_the_groups_counts(tmp_path: Path) -> None:
    second(tmp_path / "groups/user/job", limit="max", usage=1500)
    second(tmp_path / "groups/user", limit="5000", usage=1500)
    second(tmp_path / "groups", limit="9000", usage=1500)
    assert available(tmp_path, "0::/user/job\n") == 3500
    second(tmp_path / "groups", limit="2000", usage=500)  # a container sees its own group at the root
    assert available(tmp_path, "0::/docker/0123456789\n") == 1500


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    first(tmp_path / "groups/memory/job", limit="3000", usage=1000, cache=250)
    first(tmp_path / "groups/memory", limit="9223372036854771712", usage=2000)
    assert available(tmp_path, "9:cpu,cpuacct:/\n4:memory:/job\n0::/\n") == 2250


def test_more_than_nine_tenths_of_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 1_000_000_000)
    require_memory(900_000_000, dataset="mnist")
    with pytest.raises(DatasetError, match=r"need 900.0 MB of memory, and 900.0 MB are available"):
        require_memory(900_000_001, dataset="mnist")
