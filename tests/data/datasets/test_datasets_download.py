"""Downloads from a server on the loopback, whose mirrors answer well, badly or not at all."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import logging
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoenc.data.datasets import DatasetError, download, folder_lock
from autoenc.data.datasets.cifar10 import CIFAR10
from autoenc.data.datasets.folder_lock import LOCK_NAME
from autoenc.data.datasets.idx_sets import IDX_SETS, emnist_set
from autoenc.data.datasets.local_files import verified_files
from autoenc.data.datasets.published_sets import PublishedFile, PublishedSet
from tests.data.datasets.conftest import not_writable

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Answer, Mirrors, Request

CONTENTS = {"images": bytes(range(256)) * 40, "labels": b"0123456789"}
FILES = tuple(
    PublishedFile(name=name, size=len(content), digest=f"sha256:{hashlib.sha256(content).hexdigest()}")
    for name, content in CONTENTS.items()
)
COMPLETE = {f"Set/raw/{name}": content for name, content in CONTENTS.items()}
REFUSED = "http://127.0.0.1:1/"


def get(*mirrors: str, data_dir: Path, files: tuple[PublishedFile, ...] = FILES) -> None:
    published = PublishedSet(
        name="some_set", folder="Set/raw", mirrors=mirrors, train=files, test=(), class_names=("a",)
    )
    verified_files(published, data_dir=data_dir)


def found(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def test_files_are_downloaded_and_unpacked_and_nothing_else_is_left(
    server: Mirrors, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    data_dir = tmp_path / "new" / "data"
    get(server.serve("good", CONTENTS), data_dir=data_dir)
    assert found(data_dir) == COMPLETE
    assert server.hits == ["/good/images.gz", "/good/labels.gz"]
    assert caplog.messages == [f"downloading some_set into {data_dir / 'Set/raw'} (files: 2)"]
    assert capfd.readouterr() == ("", "")
    (tmp_path / "other").touch()
    assert (data_dir / "Set/raw/images").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_only_missing_files_are_downloaded(server: Mirrors, tmp_path: Path) -> None:
    mirror = server.serve("good", CONTENTS)
    (tmp_path / "Set/raw").mkdir(parents=True)
    (tmp_path / "Set/raw/images").write_bytes(CONTENTS["images"])
    get(mirror, data_dir=tmp_path)
    assert server.hits == ["/good/labels.gz"]
    get(mirror, data_dir=tmp_path)
    assert len(server.hits) == 1


def test_a_terminal_shows_bars(
    server: Mirrors, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    get(server.serve("good", CONTENTS), data_dir=tmp_path)
    error = capsys.readouterr().err
    assert "images" in error
    assert "bytes" in error


# --- bad answers ---


def gzipped(content: bytes) -> Answer:
    return lambda request: request.reply(gzip.compress(content))


def cut_off(request: Request) -> None:
    body = gzip.compress(CONTENTS["images"])
    request.reply(body[: len(body) // 2], announced=len(body))


def reset(request: Request) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def many_members(request: Request) -> None:
    with contextlib.suppress(OSError):
        request.reply(gzip.compress(b"") * 20_000)


def rude(request: Request) -> None:
    request.wfile.write(b"HTTP/1.0 503 \x1b[31m" + b"loud " * 200 + b"\r\n\r\n")


IMAGES = CONTENTS["images"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda request: request.send_error(404), "HTTP Error 404: Not Found"),
        (lambda request: request.reply(b"<html>Please log in</html>"), "images.gz cannot be unpacked: Not a gzipped"),
        (lambda request: request.reply(b""), "images has 0 bytes and should have 10,240"),
        (gzipped(bytes(len(IMAGES))), r"images is not the published file \(its sha256 should be [0-9a-f]{64}\)"),
        (gzipped(IMAGES + b"\0"), "images has more than the 10,240 bytes"),
        (lambda request: request.reply(gzip.compress(IMAGES)[:-20]), "images.gz cannot be unpacked: .* ended before"),
        (lambda request: request.reply(gzip.compress(IMAGES)[:-8] + bytes(8)), "CRC"),
        (lambda request: request.reply(gzip.compress(b"")[:10] + b"\xff" * 50), "decompressing data"),
        (cut_off, "the answer ended early"),
        (reset, "Connection reset by peer"),
        (lambda request: request.redirect(request.path), "infinite loop"),
        (lambda request: request.redirect("ftp://127.0.0.1/images.gz"), "refused a redirect from http to ftp:"),
        (many_members, "more than 75,776 bytes"),
        (rude, "HTTP Error 503"),
    ],
)
def test_after_a_bad_answer_the_next_mirror_is_asked(server: Mirrors, tmp_path: Path, bad: Answer, reason: str) -> None:
    get(server.answer("bad", bad), server.serve("good", CONTENTS), data_dir=tmp_path)
    assert found(tmp_path) == COMPLETE
    assert list(dict.fromkeys(server.hits)) == ["/bad/images.gz", "/good/images.gz", "/good/labels.gz"]
    with pytest.raises(DatasetError, match=f"no mirror gave images: 127.0.0.1:[0-9]+: .*{reason}") as caught:
        get(server.url("bad"), data_dir=tmp_path / "alone")
    assert found(tmp_path / "alone") == {}
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("mirror", [REFUSED, "http://name.invalid/"])
def test_a_mirror_that_cannot_be_reached_is_skipped(server: Mirrors, tmp_path: Path, mirror: str) -> None:
    get(mirror, server.serve("good", CONTENTS), data_dir=tmp_path)
    assert found(tmp_path) == COMPLETE


def test_a_silent_server_and_a_slow_server_are_given_up(
    server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(request: Request) -> None:
        server.ended.wait(120)

    def slow(request: Request) -> None:
        request.reply(b"", announced=1000)
        for _ in range(1000):
            request.wfile.write(b"x")
            server.ended.wait(0.05)

    monkeypatch.setattr(download, "SILENCE", 0.3)
    monkeypatch.setattr(download, "SECONDS", 0.3)
    with pytest.raises(DatasetError, match=r"127.0.0.1:\d+: timed out; 127.0.0.1:\d+: not finished after 0.3 s"):
        get(server.answer("silent", silent), server.answer("slow", slow), data_dir=tmp_path)
    monkeypatch.setattr(download, "SECONDS", 60.0)
    get(server.url("silent"), server.serve("good", CONTENTS), data_dir=tmp_path)
    assert found(tmp_path) == COMPLETE


def test_a_gzip_bomb_is_stopped_at_the_known_size(server: Mirrors, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    small = PublishedFile(name="small", size=1_000_000)
    url = server.answer("bomb", lambda request: request.reply(bomb))
    tracemalloc.start()
    with pytest.raises(DatasetError, match="more than the 1,000,000 bytes"):
        get(url, data_dir=tmp_path, files=(small,))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert found(tmp_path) == {}


def test_a_mirror_is_never_a_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(gzip.compress(IMAGES))
    with pytest.raises(DatasetError, match="neither https nor http"):
        get(f"file://{tmp_path}/", data_dir=tmp_path / "data")


def test_a_digest_of_the_packed_file_covers_all_of_it(server: Mirrors, tmp_path: Path) -> None:
    """The padding after the content is ignored by gzip."""
    packed = gzip.compress(IMAGES, mtime=0)
    file = PublishedFile(name="images", size=len(IMAGES), packed_digest=f"sha256:{hashlib.sha256(packed).hexdigest()}")
    bad = [
        server.serve("reversed", {"images.gz": gzip.compress(IMAGES[::-1], mtime=0)}),
        server.serve("padded", {"images.gz": packed + bytes(30_000)}),
    ]
    with pytest.raises(DatasetError, match=r"images.gz is not .* \(its sha256 should be .*\); .*images.gz is not"):
        get(*bad, data_dir=tmp_path, files=(file,))
    get(*bad, server.serve("good", {"images.gz": packed}), data_dir=tmp_path, files=(file,))
    assert found(tmp_path) == {"Set/raw/images": IMAGES}


# --- errors ---


def test_when_all_mirrors_fail_one_line_says_what_is_missing_where_and_why(server: Mirrors, tmp_path: Path) -> None:
    data_dir = tmp_path / "no" / "such\nfolder"
    with pytest.raises(DatasetError) as caught:
        get(server.answer("bad", lambda request: request.send_error(404)), REFUSED, data_dir=data_dir)
    message = str(caught.value)
    assert message.startswith(f"dataset=some_set: missing images, labels in {tmp_path / 'no'}")
    for part in ("data_dir=", "AUTOENC_DATA", "HTTP Error 404", "127.0.0.1:1: Connection refused", "dataset=digits"):
        assert part in message
    assert "\n" not in message
    assert caught.value.key == "dataset"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=repr)
def test_an_interrupt_or_a_full_disk_leaves_nothing_and_asks_no_other_mirror(
    server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises((KeyboardInterrupt, DatasetError)) as caught:
        get(server.serve("good", CONTENTS), server.serve("other", CONTENTS), data_dir=tmp_path)
    assert caught.value is error or "the folder cannot be written to: No space left on device" in str(caught.value)
    assert server.hits == ["/good/images.gz"]
    assert found(tmp_path) == {}


@pytest.fixture
def read_only() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name, not_writable(Path(name)):
        yield Path(name)


def test_a_folder_that_cannot_be_written_to_is_one_line(read_only: Path, server: Mirrors) -> None:
    with pytest.raises(DatasetError, match=r"the folder cannot be written to: Permission denied; put files that"):
        get(server.serve("good", CONTENTS), data_dir=read_only)
    assert server.hits == []


# --- several processes ---


HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def lock_held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of a folder."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(folder / LOCK_NAME)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the log says that a download waits; nothing else may be logged."""
    event = threading.Event()

    def info(message: str, *arguments: object) -> None:
        assert message.startswith("waiting for another process")
        event.set()

    monkeypatch.setattr(folder_lock.logger, "info", info)
    return event


def test_a_download_waits_for_another_process(server: Mirrors, tmp_path: Path, waiting: threading.Event) -> None:
    mirror = server.serve("good", CONTENTS)
    thread = threading.Thread(target=lambda: get(mirror, data_dir=tmp_path), daemon=True)
    with lock_held(tmp_path / "Set/raw"):
        thread.start()
        assert waiting.wait(120)
        assert thread.is_alive()
        for name, content in CONTENTS.items():
            (tmp_path / "Set/raw" / name).write_bytes(content)
    thread.join(timeout=120)
    assert not thread.is_alive()
    assert server.hits == []


def test_a_killed_process_holds_no_one_up_and_its_rest_is_replaced(server: Mirrors, tmp_path: Path) -> None:
    with lock_held(tmp_path / "Set/raw") as process:
        (tmp_path / "Set/raw/images.part").write_bytes(b"half of it")
        process.kill()
    assert (tmp_path / "Set/raw" / LOCK_NAME).exists()
    get(server.serve("good", CONTENTS), data_dir=tmp_path)
    assert found(tmp_path) == COMPLETE


def test_of_several_downloads_at_once_one_downloads(server: Mirrors, tmp_path: Path) -> None:
    mirror = server.serve("good", CONTENTS)
    threads = [threading.Thread(target=lambda: get(mirror, data_dir=tmp_path), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert server.hits == ["/good/images.gz", "/good/labels.gz"]
    assert found(tmp_path) == COMPLETE


# --- https ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here, to make a certificate with")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", *kind, *subject, "-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def secure(make_server: Callable[[], Mirrors], certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Mirrors:
    """An https server that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = make_server()
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.scheme = "https"
    return server


def test_https_works_and_is_never_left_for_http(
    secure: Mirrors, server: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, plain = secure.serve("good", CONTENTS), server.serve("plain", CONTENTS)
    moved = secure.answer("moved", lambda request: request.redirect(f"{good}{Path(request.path).name}"))
    get(moved, data_dir=tmp_path / "moved")
    assert found(tmp_path / "moved") == COMPLETE
    unsafe = secure.answer("unsafe", lambda request: request.redirect(f"{plain}{Path(request.path).name}"))
    with pytest.raises(DatasetError, match="refused a redirect from https to http://127"):
        get(unsafe, data_dir=tmp_path / "unsafe")
    assert server.hits == []
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DatasetError, match="certificate verify failed"):
        get(good, data_dir=tmp_path / "unknown")


@pytest.mark.parametrize("published", [*IDX_SETS.values(), emnist_set("balanced"), CIFAR10], ids=lambda one: one.name)
def test_all_mirrors_are_https_and_every_download_has_a_digest(published: PublishedSet) -> None:
    assert published.mirrors
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in published.mirrors)
    for file in published.files if published.archive is None else [published.archive]:
        digest = file.digest or file.packed_digest
        assert digest is not None
        assert len(digest.removeprefix("sha256:")) == 64


# --- files that are there ---


@pytest.mark.parametrize(
    ("digest", "content", "problem"),
    [
        (f"sha256:{hashlib.sha256(b'0123456789').hexdigest()}", b"9876543210", "is not the published file"),
        (
            f"md5:{hashlib.md5(b'0123456789').hexdigest()}",
            b"9876543210",
            r".* \(its md5 should be \w{32}\); delete",
        ),
        (None, b"012345678", "has 9 bytes and should have 10; delete it to have it downloaded again"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(
    tmp_path: Path, digest: str | None, content: bytes, problem: str
) -> None:
    file = PublishedFile(name="labels", size=10, digest=digest)
    path = tmp_path / "Set/raw/labels"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0123456789")
    get(REFUSED, data_dir=tmp_path, files=(file,))
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f"^dataset=some_set: {path} {problem}"):
        get(REFUSED, data_dir=tmp_path, files=(file,))
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Set/raw/labels"
    path.mkdir(parents=True)
    file = PublishedFile(name="labels", size=path.stat().st_size)
    with pytest.raises(DatasetError, match="labels cannot be read: it is a folder, not a file; delete"):
        get(REFUSED, data_dir=tmp_path, files=(file,))
