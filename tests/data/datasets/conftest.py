"""A server on this machine whose mirrors answer as a test tells them to, and folders that are not writable."""

from __future__ import annotations

import contextlib
import gzip
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class Request(BaseHTTPRequestHandler):
    """A request, which goes to the answer of the mirror that stands first in its path."""

    mirrors: Mirrors

    def do_GET(self) -> None:
        self.mirrors.hits.append(self.path)
        self.mirrors.answers[self.path.split("/")[1]](self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def reply(self, body: bytes, *, announced: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.end_headers()


Answer = Callable[[Request], None]


class Mirrors:
    """A server with a mirror for each answer; `hits` are the paths asked for, in order."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        self.answers: dict[str, Answer] = {}
        self.ended = threading.Event()  # an answer that keeps its client waiting waits for this
        self.scheme = "http"
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundRequest", (Request,), {"mirrors": self}))
        self.http.daemon_threads = True
        self.http.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()

    def url(self, mirror: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.http.server_port}/{mirror}/"

    def answer(self, mirror: str, answer: Answer) -> str:
        """Make a mirror; returns its address."""
        self.answers[mirror] = answer
        return self.url(mirror)

    def serve(self, mirror: str, contents: dict[str, bytes], *, pause: float = 0) -> str:
        """Make a mirror that has each of `contents`, or packs it when asked for `<name>.gz`; returns its address."""

        def answer(request: Request) -> None:
            self.ended.wait(pause)
            name = request.path.split("/")[-1]
            request.reply(contents[name] if name in contents else gzip.compress(contents[name.removesuffix(".gz")]))

        return self.answer(mirror, answer)


@pytest.fixture
def make_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Mirrors]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made: list[Mirrors] = []

    def make() -> Mirrors:
        made.append(Mirrors())
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(make_server: Callable[[], Mirrors]) -> Mirrors:
    return make_server()


@contextlib.contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """The folder may be read, but not written; root may write anywhere, so it becomes another user meanwhile."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
