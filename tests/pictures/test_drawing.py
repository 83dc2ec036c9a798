"""The loop that draws pictures, in several processes."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoenc.pictures import PICTURES, drawing
from autoenc.pictures.drawing import Drawing, draw_all, start_early

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there do several processes draw")

PARENT = os.getpid()


def draw(folder: Path, name: str, *, after: str = "", spared: int | None = None, fails: bool = False) -> Path:
    """Append the number of the process to the picture's file, once another picture is there; or end in another way.

    A process other than `spared` is killed.
    """
    while after and not (folder / after).exists():
        time.sleep(0.01)
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if spared is not None and os.getpid() != spared:
        os.kill(os.getpid(), signal.SIGKILL)
    if fails:
        raise OSError(28, "No space left on device", str(folder / name))
    return folder / name


def drawn_by(folder: Path, name: str) -> list[bool]:
    """For each drawing of a picture, whether this process drew it."""
    return [int(line) == PARENT for line in (folder / name).read_text().splitlines()]


def test_each_picture_is_drawn_once_and_the_processes_share_them(tmp_path: Path) -> None:
    folder = tmp_path / "new\nline"
    folder.mkdir()
    names = list("abcdef")
    drawings: dict[str, Drawing] = {name: functools.partial(draw, folder, name) for name in names}
    drawings["a"] = functools.partial(draw, folder, "a", after="b")  # whoever draws this waits for another process
    assert draw_all(drawings, processes=3) == [folder / name for name in names]
    found = [drawn_by(folder, name) for name in names]
    assert [len(times) for times in found] == [1] * len(names)
    assert {times[0] for times in found} == {True, False}


def test_one_process_draws_all_in_order(tmp_path: Path) -> None:
    drawings = {name: functools.partial(draw, tmp_path, name, after=after) for name, after in [("a", ""), ("b", "a")]}
    assert draw_all(drawings, processes=1) == [tmp_path / "a", tmp_path / "b"]
    assert drawn_by(tmp_path, "a") == drawn_by(tmp_path, "b") == [True]
    assert draw_all({}, processes=4) == []


def test_what_a_killed_helper_leaves_is_drawn_here(tmp_path: Path) -> None:
    drawings = {name: functools.partial(draw, tmp_path, name, spared=PARENT) for name in "abcd"}
    drawings["a"] = functools.partial(drawings["a"], after="b")
    assert draw_all(drawings, processes=2) == [tmp_path / name for name in "abcd"]
    assert all(drawn_by(tmp_path, name)[-1] for name in "abcd")
    assert sum(len(drawn_by(tmp_path, name)) for name in "abcd") == 5  # the helper's one, twice


def test_an_error_of_a_helper_is_raised_here(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    drawings = {"a": functools.partial(draw, tmp_path, "a", after="b")}
    drawings["b"] = functools.partial(draw, tmp_path, "b", fails=True)
    with pytest.raises(OSError, match="No space left on device"):
        draw_all(drawings, processes=2)
    assert capfd.readouterr() == ("", "")


def test_after_an_error_nothing_more_is_drawn(tmp_path: Path) -> None:
    drawings = {"a": functools.partial(draw, tmp_path, "a", fails=True)}
    drawings |= {name: functools.partial(draw, tmp_path, name, after="stop") for name in "bc"}
    with pytest.raises(OSError, match="No space left"):
        draw_all(drawings, processes=1)
    assert not (tmp_path / "b").exists()


def test_a_daemon_draws_alone(tmp_path: Path) -> None:
    """Python refuses to fork there; the processes of `multiprocessing.Pool` are daemons."""
    drawings = {name: functools.partial(draw, tmp_path, name) for name in "ab"}
    process = multiprocessing.get_context("fork").Process(target=draw_all, args=(drawings,), kwargs={"processes": 2})
    process.daemon = True
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == f"{process.pid}\n"


def test_helpers_of_a_killed_process_begin_no_other_picture(tmp_path: Path) -> None:
    """They hold the lock of the run's folder, which a resumed run needs."""
    program = f"""
import os, signal, time
from pathlib import Path
from autoenc.pictures.drawing import draw_all
from tests.pictures.test_drawing import draw

parent = os.getpid()

def drawing(name):
    path = draw(Path({str(tmp_path)!r}), name, after="" if os.getpid() != parent else "drawn by a helper")
    if os.getpid() == parent:
        os.kill(parent, signal.SIGKILL)
    (path.parent / "drawn by a helper").touch()
    while os.getppid() == parent:
        time.sleep(0.01)
    return path

draw_all({{name: lambda name=name: drawing(name) for name in "abcd"}}, processes=2)
"""
    # The helper has the other end of the pipe, so this waits for it.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    assert len([name for name in "abcd" if (tmp_path / name).exists()]) == 2


def test_without_room_for_a_process_this_one_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    drawings = {name: functools.partial(draw, tmp_path, name) for name in "ab"}
    assert draw_all(drawings, processes=2) == [tmp_path / "a", tmp_path / "b"]


# --- the process that is started early ---


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The process that `start_early` starts."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # it needs `draw`
    start_early()
    (started,) = drawing._started
    yield started.process
    drawing._started.clear()
    started.connection.close()
    started.process.wait()


def test_a_process_that_was_started_early_draws_all(tmp_path: Path, early: subprocess.Popen[bytes]) -> None:
    drawings = {name: functools.partial(draw, tmp_path, name) for name in "ab"}
    assert draw_all(drawings, processes=1) == [tmp_path / "a", tmp_path / "b"]
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == f"{early.pid}\n"
    assert draw_all({"c": functools.partial(draw, tmp_path, "c")}, processes=1) == [tmp_path / "c"]  # it draws once
    assert drawn_by(tmp_path, "c") == [True]


def test_its_errors_are_raised_here(
    tmp_path: Path, early: subprocess.Popen[bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    drawings = {name: functools.partial(draw, tmp_path, name, fails=name == "b") for name in "abc"}
    with pytest.raises(OSError, match="No space left on device"):
        draw_all(drawings, processes=1)
    assert early.wait() == 0
    assert drawn_by(tmp_path, "a") == [False, True]
    assert not (tmp_path / "c").exists()
    assert capfd.readouterr() == ("", "")


def test_if_it_is_killed_this_process_draws(tmp_path: Path, early: subprocess.Popen[bytes]) -> None:
    drawings = {name: functools.partial(draw, tmp_path, name, spared=PARENT if name == "b" else None) for name in "ab"}
    assert draw_all(drawings, processes=1) == [tmp_path / "a", tmp_path / "b"]
    assert early.wait() == -signal.SIGKILL
    assert drawn_by(tmp_path, "a") == drawn_by(tmp_path, "b") == [False, True]


def test_it_does_not_wait_for_the_end_of_a_long_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONGEST_WAIT", 0)
    start_early()
    assert drawing._started[0].process.wait() == 0
    assert draw_all({"a": functools.partial(draw, tmp_path, "a")}, processes=1) == [tmp_path / "a"]
    assert drawn_by(tmp_path, "a") == [True]
    drawing._started.clear()


def test_it_ends_with_the_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONGEST_WAIT", 1e6)
    start_early()
    (started,) = drawing._started
    started.connection.close()
    assert started.process.wait() == 0
    drawing._started.clear()


def test_measuring_imports_no_matplotlib() -> None:
    """It would take longer than many a picture."""
    modules = [f"autoenc.pictures.{name}" for name in (*PICTURES, "loss_curves")]
    program = f"import {', '.join(modules)}, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
