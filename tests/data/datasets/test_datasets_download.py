from __future__ import annotations

import contextlib
import gzip
import hashlib
import itertools
import logging
import os
import socket
import struct
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from autoenc.data.datasets import DatasetError
from autoenc.data.datasets.download import PATIENCE, Patience, fetch
from autoenc.data.datasets.files import RemoteFile, missing, verify
from autoenc.data.datasets.reserved_folder import LOCK_NAME
from autoenc.data.datasets.web import BadAnswer, content

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Answer, Mirrors, Request

CONTENTS = {"images": bytes(range(256)) * 40, "labels": b"0123456789"}
FILES = [
    RemoteFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
]
SHORT = Patience(silence=1.0, file=2.0)
REFUSED = "http://127.0.0.1:1/"


def get(*mirrors: str, data_dir: Path, files: list[RemoteFile] = FILES, patience: Patience = PATIENCE) -> None:
    fetch(files, dataset="some_set", data_dir=data_dir, folder="Set/raw", mirrors=mirrors, patience=patience)


def found(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


COMPLETE = {f"Set/raw/{name}": content for name, content in CONTENTS.items()}


def test_files_are_fetched_unpacked_and_nothing_else_is_left(server: Mirrors, tmp_path: Path) -> None:
    get(server.serve("good", CONTENTS), data_dir=tmp_path / "new" / "data")
    assert found(tmp_path / "new" / "data") == COMPLETE
    assert server.hits == ["/good/images.gz", "/good/labels.gz"]


def test_only_missing_files_are_fetched(server: Mirrors, tmp_path: Path) -> None:
    mirror = server.serve("good", CONTENTS)
    (tmp_path / "Set/raw").mkdir(parents=True)
    (tmp_path / "Set/raw/images").write_bytes(b"altered, and not ours to replace")
    get(mirror, data_dir=tmp_path)
    assert server.hits == ["/good/labels.gz"]
    assert found(tmp_path)["Set/raw/images"] == b"altered, and not ours to replace"
    get(mirror, data_dir=tmp_path)
    assert len(server.hits) == 1


def test_files_have_the_permissions_of_any_new_file(server: Mirrors, tmp_path: Path) -> None:
    get(server.serve("good", CONTENTS), data_dir=tmp_path)
    (tmp_path / "other").touch()
    assert (tmp_path / "Set/raw/images").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_one_plain_line_is_logged(
    server: Mirrors, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    get(server.serve("good", CONTENTS), data_dir=tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"downloading some_set into {tmp_path / 'Set/raw'} (files: 2)"
    ]
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_bars(
    server: Mirrors, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    get(server.serve("good", CONTENTS), data_dir=tmp_path)
    error = capsys.readouterr().err
    assert "images" in error
    assert "bytes" in error


def not_found(request: Request) -> None:
    request.send_error(404)


def broken(request: Request) -> None:
    request.send_error(500)


def page(request: Request) -> None:
    request.reply(b"<html>Please log in</html>")


def nothing(request: Request) -> None:
    request.reply(b"")


def other_content(request: Request) -> None:
    request.reply(gzip.compress(bytes(len(CONTENTS["images"]))))


def too_short(request: Request) -> None:
    request.reply(gzip.compress(CONTENTS["images"][:-1]))


def too_long(request: Request) -> None:
    request.reply(gzip.compress(CONTENTS["images"] + b"\0"))


def truncated(request: Request) -> None:
    request.reply(gzip.compress(CONTENTS["images"])[:-20])


def wrong_checksum(request: Request) -> None:
    request.reply(gzip.compress(CONTENTS["images"])[:-8] + bytes(8))


def corrupt(request: Request) -> None:
    request.reply(gzip.compress(b"")[:10] + b"\xff" * 50)


def cut_off(request: Request) -> None:
    body = gzip.compress(CONTENTS["images"])
    request.reply(body[: len(body) // 2], announced=len(body))


def reset(request: Request) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def not_http(request: Request) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def lost(request: Request) -> None:
    request.redirect(request.path)


def elsewhere(request: Request) -> None:
    request.redirect("ftp://127.0.0.1/images.gz")


def many_members(request: Request) -> None:
    with contextlib.suppress(OSError):
        request.reply(gzip.compress(b"") * 20_000)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (not_found, "HTTP Error 404: Not Found"),
        (broken, "HTTP Error 500"),
        (page, "Not a gzipped file"),
        (nothing, "0 bytes instead of 10,240"),
        (other_content, "SHA-256 differs"),
        (too_short, "10,239 bytes instead of 10,240"),
        (too_long, "more than the 10,240 bytes"),
        (truncated, "ended early"),
        (wrong_checksum, "CRC"),
        (corrupt, "decompressing data"),
        (cut_off, "ended early"),
        (reset, "Connection reset by peer"),
        (not_http, "SSH"),
        (lost, "infinite loop"),
        (elsewhere, "refused to be sent from http to ftp:"),
        (many_members, "packed"),
    ],
)
def test_after_a_bad_answer_the_next_mirror_is_asked(server: Mirrors, tmp_path: Path, bad: Answer, reason: str) -> None:
    get(server.answer("bad", bad), server.serve("good", CONTENTS), data_dir=tmp_path)
    assert found(tmp_path) == COMPLETE
    assert list(dict.fromkeys(server.hits)) == ["/bad/images.gz", "/good/images.gz", "/good/labels.gz"]
    with pytest.raises(DatasetError, match=reason):
        get(server.url("bad"), data_dir=tmp_path / "alone")
    assert not (tmp_path / "alone").exists()


@pytest.mark.parametrize("mirror", [REFUSED, "http://name.invalid/", "http://[/"])
def test_a_mirror_that_cannot_be_reached_is_passed_over(server: Mirrors, tmp_path: Path, mirror: str) -> None:
    get(mirror, server.serve("good", CONTENTS), data_dir=tmp_path)
    assert found(tmp_path) == COMPLETE


def test_a_mirror_is_never_a_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(gzip.compress(CONTENTS["images"]))
    with pytest.raises(DatasetError, match="neither https nor http"):
        get(f"file://{tmp_path}/", data_dir=tmp_path / "data")


def test_silence_is_not_waited_for_long(server: Mirrors, tmp_path: Path) -> None:
    def hang(request: Request) -> None:
        server.ended.wait(30)

    silent = server.answer("silent", hang)
    start = time.monotonic()
    get(silent, server.serve("good", CONTENTS), data_dir=tmp_path, patience=Patience(silence=1.0, file=60))
    assert time.monotonic() - start < 15  # half of what the silence lasts
    assert found(tmp_path) == COMPLETE


def test_a_trickle_in_the_content_is_not_followed_for_long(server: Mirrors, tmp_path: Path) -> None:
    def trickle(request: Request) -> None:
        body = gzip.compress(os.urandom(10_000))
        request.reply(body[:10], announced=len(body))
        for byte in body[10:]:
            request.wfile.write(bytes([byte]))
            server.ended.wait(0.05)

    check_trickle(server, tmp_path, server.answer("trickle", trickle))


def test_a_trickle_in_the_header_is_not_followed_for_long(server: Mirrors, tmp_path: Path) -> None:
    def trickle(request: Request) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\nX-Endless: ")
        for _ in range(1000):
            request.wfile.write(b"x")
            server.ended.wait(0.05)

    check_trickle(server, tmp_path, server.answer("trickle", trickle))


def check_trickle(server: Mirrors, tmp_path: Path, trickle: str) -> None:
    start = time.monotonic()
    get(trickle, server.serve("good", CONTENTS), data_dir=tmp_path, patience=SHORT)
    assert time.monotonic() - start < 25  # half of what it would take
    assert found(tmp_path) == COMPLETE
    with pytest.raises(DatasetError, match=r"not finished after 2 s"):
        get(trickle, data_dir=tmp_path / "alone", patience=SHORT)
    assert not (tmp_path / "alone").exists()


def test_an_abandoned_download_writes_no_more(server: Mirrors, tmp_path: Path) -> None:
    """Its thread ends by itself, and the file of its successor is whole."""
    more = threading.Event()

    def late(request: Request) -> None:
        more.wait(10)
        request.reply(gzip.compress(CONTENTS["images"]))

    get(server.answer("late", late), server.serve("good", CONTENTS), data_dir=tmp_path, patience=Patience(file=2.0))
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "download"]
    more.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert found(tmp_path) == COMPLETE


def test_a_gzip_bomb_is_stopped_at_the_size_that_is_known(server: Mirrors) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    small = RemoteFile(name="small", size=1_000_000)
    url = server.answer("bomb", lambda request: request.reply(bomb))
    received = 0
    tracemalloc.start()
    with pytest.raises(BadAnswer, match="more than the 1,000,000 bytes"):  # noqa: PT012
        for piece in content(small, url=url, timeout=5, report=lambda received, announced: None):
            received += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert received <= 1_000_000
    assert peak < 5_000_000


def test_progress_is_reported_in_bytes_received(server: Mirrors) -> None:
    packed = gzip.compress(os.urandom(100_000))
    reports: list[tuple[int, int | None]] = []
    url = server.answer("good", lambda request: request.reply(packed))
    file = RemoteFile(name="random", size=100_000)
    assert sum(map(len, content(file, url=url, timeout=5, report=lambda *now: reports.append(now)))) == 100_000
    assert reports[-1] == (len(packed), len(packed))
    assert all(earlier <= later for earlier, later in itertools.pairwise(reports))


def test_a_mirror_that_failed_is_asked_last(server: Mirrors, tmp_path: Path) -> None:
    get(server.answer("bad", not_found), server.serve("good", CONTENTS), data_dir=tmp_path)
    assert server.hits == ["/bad/images.gz", "/good/images.gz", "/good/labels.gz"]


def test_when_all_fail_one_line_says_what_is_missing_where_and_why(server: Mirrors, tmp_path: Path) -> None:
    data_dir = tmp_path / "no" / "such"
    with pytest.raises(DatasetError) as caught:
        get(server.answer("bad", not_found), REFUSED, data_dir=data_dir)
    message = str(caught.value)
    assert message.startswith(f"dataset=some_set: missing images, labels in {data_dir / 'Set/raw'} ")
    for part in (
        f"data_dir={data_dir}",
        "AUTOENC_DATA",
        "HTTP Error 404",
        "127.0.0.1:1: Connection refused",
        "dataset=digits",
    ):
        assert part in message
    assert "\n" not in message
    assert caught.value.key == "dataset"
    assert list(tmp_path.iterdir()) == []


def test_a_strange_path_cannot_break_the_line_either(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        get(REFUSED, data_dir=tmp_path / "two\nlines")
    assert "\n" not in str(caught.value)


def test_what_a_server_says_cannot_break_the_line(server: Mirrors, tmp_path: Path) -> None:
    def rude(request: Request) -> None:
        request.wfile.write(b"HTTP/1.0 503 \x1b[31m" + b"loud " * 200 + b"\r\n\r\n")

    with pytest.raises(DatasetError) as caught:
        get(server.answer("rude", rude), data_dir=tmp_path)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_verified_files_are_kept_when_a_later_one_fails(server: Mirrors, tmp_path: Path) -> None:
    def only_images(request: Request) -> None:
        if "images" in request.path:
            request.reply(gzip.compress(CONTENTS["images"]))
        else:
            request.send_error(404)

    with pytest.raises(DatasetError, match="missing labels in"):
        get(server.answer("half", only_images), data_dir=tmp_path / "data")
    assert found(tmp_path) == {"data/Set/raw/images": CONTENTS["images"]}


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "data" / "Set").mkdir(parents=True)
    with pytest.raises(DatasetError):
        get(REFUSED, data_dir=tmp_path / "data")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["data", "data/Set"]


def test_an_interrupt_leaves_nothing(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autoenc.data.datasets.download.wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get(server.serve("good", CONTENTS), data_dir=tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_bad_answer(server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DatasetError, match="nothing can be written there: No space left on device"):
        get(server.serve("good", CONTENTS), server.serve("other", CONTENTS), data_dir=tmp_path / "data")
    assert server.hits == ["/good/images.gz"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that may be read and not written; root, who may write anywhere, becomes nobody meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_one_helpful_line(read_only: Path, server: Mirrors) -> None:
    with pytest.raises(DatasetError, match=r"nothing can be written there: Permission denied; dataset=digits"):
        get(server.serve("good", CONTENTS), data_dir=read_only)
    assert server.hits == []


def test_a_folder_beneath_a_file_is_one_helpful_line(tmp_path: Path, server: Mirrors) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="nothing can be written there: Not a directory"):
        get(server.serve("good", CONTENTS), data_dir=tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_place_where_no_folder_can_be_made_is_one_helpful_line(
    tmp_path: Path, server: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on /proc: `mkdir` says that there is no such folder, as it also does when another process removes one."""

    def refuse(self: Path, **options: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DatasetError, match="nothing can be written there: No such file or directory"):
        get(server.serve("good", CONTENTS), data_dir=tmp_path / "data")


def test_another_download_is_waited_for(server: Mirrors, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    folder = tmp_path / "Set/raw"
    folder.mkdir(parents=True)
    waiting = threading.Thread(target=lambda: get(server.serve("good", CONTENTS), data_dir=tmp_path))
    with FileLock(folder / LOCK_NAME):
        waiting.start()
        until(lambda: "waiting for another process" in caplog.text)
        for name, content in CONTENTS.items():
            (folder / name).write_bytes(content)
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert server.hits == []
    assert "downloading some_set" not in caplog.text


def test_a_folder_taken_away_while_waiting_is_made_again(
    server: Mirrors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    folder = tmp_path / "Set/raw"
    folder.mkdir(parents=True)
    mirror = server.serve("good", CONTENTS)
    waiting = threading.Thread(target=lambda: get(mirror, data_dir=tmp_path))
    with FileLock(folder / LOCK_NAME):
        waiting.start()
        until(lambda: "waiting for another process" in caplog.text)
        (folder / LOCK_NAME).unlink()
        folder.rmdir()
    waiting.join(timeout=10)
    assert found(tmp_path) == COMPLETE


def test_missing_and_verify(tmp_path: Path) -> None:
    assert missing(FILES, folder=tmp_path / "nowhere") == FILES
    (tmp_path / "images").write_bytes(CONTENTS["images"])
    assert missing(FILES, folder=tmp_path) == FILES[1:]
    verify(FILES[0], dataset="some_set", folder=tmp_path)


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (CONTENTS["images"][:-1], r"is damaged: it has 10,239 bytes and should have 10,240; delete it to have it"),
        (bytes(10_240), r"is damaged: the content is not the published one \(the SHA-256 differs\); delete it"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path, damaged: bytes, problem: str) -> None:
    (tmp_path / "images").write_bytes(damaged)
    with pytest.raises(DatasetError, match=f"^dataset=some_set: {tmp_path / 'images'} {problem}"):
        verify(FILES[0], dataset="some_set", folder=tmp_path)
    assert (tmp_path / "images").read_bytes() == damaged


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    directory = RemoteFile(name="labels", size=(tmp_path / "labels").stat().st_size, sha256="")
    with pytest.raises(DatasetError, match="labels cannot be read: Is a directory"):
        verify(directory, dataset="some_set", folder=tmp_path)


def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
