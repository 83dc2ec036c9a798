"""Real processes, as in a sweep; each takes the seconds that importing torch takes."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoenc.data.datasets.download import fetch
from autoenc.data.datasets.files import RemoteFile
from autoenc.data.datasets.reserved_folder import LOCK_NAME

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors, Request

pytestmark = pytest.mark.slow

CONTENTS = {"images": bytes(range(256)) * 400, "labels": b"0123456789"}
FILES = [
    RemoteFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
]
# A process that says when it is ready, begins when it is told to, and says how it went.
SCRIPT = f"""
import sys
from pathlib import Path
from autoenc.data.datasets.download import fetch
from autoenc.data.datasets.errors import DatasetError
from autoenc.data.datasets.files import RemoteFile

print("ready", flush=True)
sys.stdin.readline()
try:
    fetch({FILES!r}, dataset="some_set", data_dir=Path(sys.argv[1]), folder="Set/raw", mirrors=sys.argv[2:])
    print("fetched", flush=True)
except DatasetError as error:
    print(error, flush=True)
"""
COUNT = 4


def start(data_dir: Path, *mirrors: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-c", SCRIPT, str(data_dir), *mirrors]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    process.stdin.write("go\n")
    process.stdin.flush()


def all_at_once(data_dir: Path, *mirrors: str) -> list[str]:
    """What each of `COUNT` processes said in the end."""
    processes = [start(data_dir, *mirrors) for _ in range(COUNT)]
    try:
        for process in processes:
            begin(process)
        return [process.communicate(timeout=60)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()


def found(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def test_of_many_processes_one_downloads(server: Mirrors, tmp_path: Path) -> None:
    mirror = server.serve("good", CONTENTS, pause=0.5)
    assert all_at_once(tmp_path / "data", mirror) == ["fetched"] * COUNT
    assert server.hits == ["/good/images.gz", "/good/labels.gz"]
    assert found(tmp_path / "data") == CONTENTS


def test_many_processes_that_fail_leave_nothing(server: Mirrors, tmp_path: Path) -> None:
    mirror = server.answer("bad", lambda request: request.send_error(404))
    said = all_at_once(tmp_path / "data", mirror)
    assert all(line.startswith("dataset=some_set: missing images, labels in ") for line in said)
    assert found(tmp_path) == {}


def test_a_killed_process_holds_nobody_up(server: Mirrors, tmp_path: Path) -> None:
    asked = threading.Event()

    def begin_and_hang(request: Request) -> None:
        body = gzip.compress(os.urandom(100_000))
        request.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body[:50_000])
        asked.set()
        server.ended.wait(60)

    process = start(tmp_path, server.answer("hang", begin_and_hang))
    begin(process)
    assert asked.wait(30)
    folder = tmp_path / "Set/raw"
    while not list(folder.glob("images.*.part")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert (folder / LOCK_NAME).exists()

    begun = time.monotonic()
    fetch(FILES, dataset="some_set", data_dir=tmp_path, folder="Set/raw", mirrors=[server.serve("good", CONTENTS)])
    assert time.monotonic() - begun < 30
    assert found(tmp_path) == CONTENTS
