from __future__ import annotations

import errno
import io
import logging
import sys
from typing import Any

import pytest
from rich.console import Console

from autoenc import progress
from autoenc.progress import (
    LastingStream,
    TerminalHandler,
    TrainingProgress,
    console,
    insist_on_output,
    log_to_terminal,
    lost_output,
)

ROW = {"epoch": 1, "train/loss": 0.0213, "validation/loss": 0.0221, "images_per_second": 40000.0, "seconds": 1.5}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> io.StringIO:
    text = io.StringIO()
    console = Console(file=text, force_terminal=request.param, width=110, highlight=False)
    monkeypatch.setattr(progress, "console", console)
    return text


def run(rows: list[dict[str, Any]], *, refresh_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "REFRESH_SECONDS", refresh_seconds)
    handler = TerminalHandler()
    root = logging.getLogger("autoenc")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        with TrainingProgress(epochs=2, steps_per_epoch=3, steps_done=0) as bar:
            for row in rows:
                for _ in range(3):
                    bar.advance(64)
                bar.finish_epoch(row)
            root.warning("a [word] of warning")
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize("printed", [True], indirect=True)
def test_a_terminal_shows_a_bar_with_epoch_losses_speed_and_time_left(
    printed: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([ROW, {**ROW, "epoch": 2}], refresh_seconds=0, monkeypatch=monkeypatch)
    text = printed.getvalue()
    for part in ("1/2", "2/2", "train 0.0213", "validation 0.0221", "images/s", "left", "a [word] of warning"):
        assert part in text
    assert "epoch 1/2  train" not in text  # the line for pipes


@pytest.mark.parametrize("printed", [True], indirect=True)
def test_drawing_is_rare(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    run([], refresh_seconds=1000, monkeypatch=monkeypatch)
    drawn = printed.getvalue().count("images/s")
    with TrainingProgress(epochs=1, steps_per_epoch=1000, steps_done=0) as bar:
        for _ in range(1000):
            bar.advance(1)
    assert printed.getvalue().count("images/s") - drawn <= 3


@pytest.mark.parametrize("printed", [False], indirect=True)
def test_a_pipe_gets_a_plain_line_an_epoch(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    run([ROW, {**ROW, "epoch": 2, "validation/loss": None}], refresh_seconds=0, monkeypatch=monkeypatch)
    assert printed.getvalue().splitlines() == [
        "epoch 1/2  train 0.0213  validation 0.0221  40000 images/s  1.50 s",
        "epoch 2/2  train 0.0213  40000 images/s  1.50 s",
        "a [word] of warning",
    ]


@pytest.mark.parametrize("printed", [True], indirect=True)
def test_a_bar_names_the_item_that_is_worked_on(printed: io.StringIO) -> None:
    for item in progress.steps(["codes", "kernels"], name="Drawing pictures", item_name=str):
        assert f"Drawing pictures: {item}" in printed.getvalue()
        assert list(progress.steps([1, 2], name="inside")) == [1, 2]


@pytest.mark.parametrize("printed", [False], indirect=True)
def test_a_pipe_gets_no_bar(printed: io.StringIO) -> None:
    assert list(progress.steps(["codes"], name="Drawing pictures", item_name=str)) == ["codes"]
    assert printed.getvalue() == ""


class Failing(io.StringIO):
    """A terminal that does not take what is written, as long as there is an error."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        if self.error is not None:
            raise self.error
        return super().write(text)

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), BrokenPipeError(), ValueError("closed")])
def test_a_terminal_that_is_gone_does_not_stop_the_training(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Failing(error)
    monkeypatch.setattr(sys, "stdout", LastingStream(stream))
    run([ROW], refresh_seconds=0, monkeypatch=monkeypatch)
    stream.error = None
    console.print("again")
    assert stream.getvalue() == "again\n"


def test_commands_that_only_print_raise_the_error_that_lost_output(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Failing(None)
    monkeypatch.setattr(sys, "stdout", LastingStream(stream))
    console.print("there")
    insist_on_output()
    stream.error = OSError(errno.ENOSPC, "full")
    console.print("lost")
    stream.error = None
    with pytest.raises(OSError, match="full"):
        insist_on_output()
    monkeypatch.setattr(sys, "stdout", LastingStream(Failing(BrokenPipeError())))
    console.print("lost")
    assert lost_output() is not None
    insist_on_output()  # a closed pipe is no error


@pytest.mark.parametrize(("encoding", "written"), [("ascii", "caf\\xe9 \\u2014"), ("latin-1", "caf\xe9 \\u2014")])
def test_letters_that_the_terminal_lacks_are_escaped(
    encoding: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", LastingStream(io.TextIOWrapper(content, encoding=encoding)))
    TerminalHandler().emit(logging.makeLogRecord({"msg": "caf\xe9 \u2014", "levelno": logging.ERROR}))
    insist_on_output()
    assert content.getvalue().decode(encoding) == written + "\n"


@pytest.mark.parametrize("library", ["fontTools", "matplotlib"])
def test_commands_without_a_run_do_not_show_the_news_of_libraries(library: str) -> None:
    logging.getLogger(library).setLevel(logging.NOTSET)
    log_to_terminal()
    assert logging.getLogger(library).level == logging.WARNING
