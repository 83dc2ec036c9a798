"""What was read before is not read again, and nothing depends on it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from autoenc.runs.reading import cache as cache_module
from autoenc.runs.reading import contents, read_runs, runs
from autoenc.runs.reading.cache import Cache, usual_place
from autoenc.runs.records import RunRecord
from tests.comparison.run_folders import CONFIG, make_run


@pytest.fixture
def read_folders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders whose files were opened, of any age."""
    opened: list[str] = []

    def read(folder: str, found: contents.Stamps) -> contents.Contents:
        opened.append(Path(folder).name)
        return contents.read(folder, found)

    monkeypatch.setattr(runs, "read", read)
    monkeypatch.setattr(contents, "SETTLED", -1)
    return opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("0", "1"):
        make_run(tmp_path / "runs" / name)
    return tmp_path / "runs"


def summary(records: list[RunRecord]) -> list[Any]:
    return [(record.name, record.state, record.config, record.summary, record.history) for record in records]


def test_a_second_reading_opens_no_file_and_finds_the_same(
    folder: Path, tmp_path: Path, read_folders: list[str]
) -> None:
    first = read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1"]
    second = read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1"]
    assert first == second
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cache_module.NAME]


@pytest.mark.parametrize("name", contents.FILES)
def test_what_changed_is_read_again(folder: Path, tmp_path: Path, read_folders: list[str], name: str) -> None:
    read_runs([folder], cache=tmp_path / "cache")
    path = folder / "1" / name
    before = path.stat()
    replaced = path.with_suffix(".new")
    replaced.write_bytes(path.read_bytes())
    os.utime(replaced, ns=(before.st_atime_ns, before.st_mtime_ns))
    replaced.replace(path)  # of the same size and time: another inode
    read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1", "1"]
    with path.open("a") as file:
        file.write("\n")
    read_runs([folder], cache=tmp_path / "cache")
    path.unlink()
    read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1", "1", "1", "1"]


def test_a_file_that_changes_just_now_is_not_kept(folder: Path, tmp_path: Path, read_folders: list[str]) -> None:
    contents.SETTLED = 10**12  # the fixture puts it back
    read_runs([folder], cache=tmp_path / "cache")
    read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1", "0", "1"]


def test_what_could_not_be_read_is_not_kept(folder: Path, tmp_path: Path, read_folders: list[str]) -> None:
    (folder / "1" / "summary.json").write_text("{")
    read_runs([folder], cache=tmp_path / "cache")
    read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1", "1"]


def damage_file(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for position in range(200, len(content), 97):
        content[position] ^= 255
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def change_rows(path: Path, column: str, value: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE runs SET {column} = ?", (value,))
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        damage_file,
        damage_middle,
        cut,
        lambda path: os.truncate(path, 0),
        lambda path: change_rows(path, "content", b"{}"),
        lambda path: change_rows(path, "content", "text"),
        lambda path: change_rows(path, "checksum", 5),
        lambda path: change_rows(path, "stamps", b"[]"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_damaged_cache_does_no_harm(folder: Path, tmp_path: Path, read_folders: list[str], damage: Any) -> None:
    expected = summary(read_runs([folder], cache=tmp_path / "cache"))
    damage(tmp_path / "cache" / cache_module.NAME)
    assert summary(read_runs([folder], cache=tmp_path / "cache")) == expected
    assert read_folders == ["0", "1", "0", "1"]
    for _ in range(2):
        assert summary(read_runs([folder], cache=tmp_path / "cache")) == expected


def test_a_cache_that_was_damaged_is_soon_there_again(folder: Path, tmp_path: Path, read_folders: list[str]) -> None:
    place = tmp_path / "cache"
    read_runs([folder], cache=place)
    damage_file(place / cache_module.NAME)
    read_runs([folder], cache=place)
    read_runs([folder], cache=place)
    count = len(read_folders)
    read_runs([folder], cache=place)
    assert len(read_folders) == count


def test_where_nothing_can_be_kept_nothing_is(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(read_runs([folder], cache=tmp_path / "file" / "cache")) == 2
    assert (tmp_path / "file").read_text() == ""


def test_a_locked_cache_is_not_waited_for(folder: Path, tmp_path: Path, read_folders: list[str]) -> None:
    read_runs([folder], cache=tmp_path / "cache")
    connection = sqlite3.connect(tmp_path / "cache" / cache_module.NAME)
    connection.execute("BEGIN EXCLUSIVE")
    assert len(read_runs([folder], cache=tmp_path / "cache")) == 2
    connection.rollback()
    connection.close()
    assert read_folders == ["0", "1", "0", "1"]
    read_runs([folder], cache=tmp_path / "cache")
    assert read_folders == ["0", "1", "0", "1"]  # it was no damage: what it held is there


def test_the_cache_is_bounded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "cache"
    monkeypatch.setattr(contents, "SETTLED", -1)
    monkeypatch.setattr(cache_module, "LARGEST", 200_000)
    monkeypatch.setattr(cache_module, "AT_ONCE", 10)
    for number in range(200):
        make_run(tmp_path / "many" / str(number), config={**CONFIG, "text": "x" * 3000})
    read_runs([tmp_path / "many"], cache=place)
    assert (place / cache_module.NAME).stat().st_size < 300_000
    monkeypatch.setattr(cache_module, "LARGEST_ROW", 100)
    shutil.rmtree(place)
    read_runs([folder], cache=place)
    connection = sqlite3.connect(place / cache_module.NAME)
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    connection.close()


def test_what_was_not_used_for_longest_is_forgotten_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_folders: list[str]
) -> None:
    place = tmp_path / "cache"
    for number in range(40):
        make_run(tmp_path / ("old" if number < 20 else "again") / str(number), config={**CONFIG, "text": "x" * 3000})
    read_runs([tmp_path], cache=place)
    change_rows(place / cache_module.NAME, "used", 100)
    read_runs([tmp_path / "again"], cache=place)  # which notes the day
    monkeypatch.setattr(cache_module, "LARGEST", 150_000)
    read_runs([make_run(tmp_path / "new")], cache=place)
    read_folders.clear()
    read_runs([tmp_path], cache=place)
    assert "39" not in read_folders
    assert "0" in read_folders


def read_often(arguments: tuple[Path, Path]) -> int:
    contents.SETTLED = -1
    return sum(len(read_runs([arguments[0]], cache=arguments[1])) for _ in range(5))


def test_several_processes_use_it_at_once(tmp_path: Path) -> None:
    for number in range(30):
        make_run(tmp_path / "runs" / str(number))
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(read_often, [(tmp_path / "runs", tmp_path / "cache")] * 4) == [150] * 4
    connection = sqlite3.connect(tmp_path / "cache" / cache_module.NAME)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (30,)
    connection.close()


def test_its_usual_place_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert usual_place() == tmp_path / "xdg" / "autoenc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert usual_place() == tmp_path / ".cache" / "autoenc"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert usual_place() is None
    assert len(read_runs([make_run(tmp_path / "run")])) == 1


def test_other_values_than_were_kept_are_none(tmp_path: Path) -> None:
    assert contents.Contents.from_json(b"{") is None
    assert contents.Contents.from_json(b"[]") is None
    assert contents.Contents.from_json(b'{"stranger": 1}') is None
    assert contents.Contents.from_json(b'{"config": []}') is None
    kept = contents.Contents(config={"a": 1}, size=3)
    assert contents.Contents.from_json(kept.as_json()) == kept
    cache = Cache(None)
    cache.keep("x", (), kept)
    assert cache.find("x", ()) is None
    cache.store()
    cache.close()
