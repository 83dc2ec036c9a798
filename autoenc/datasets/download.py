"""Files fetched from the first mirror that answers well, and checked before they take their names."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from autoenc.datasets.errors import DatasetError, briefly
from autoenc.datasets.files import RemoteFile, missing
from autoenc.datasets.reserved_folder import reserved
from autoenc.datasets.web import BadAnswer, Report, unpacked

PARTIAL = ".part"

logger = logging.getLogger("autoenc.datasets")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a server is waited for, in seconds: for its next bytes, and for one file altogether."""

    silence: float = 20
    file: float = 600


PATIENCE = Patience()


def fetch(
    files: Sequence[RemoteFile],
    *,
    dataset: str,
    data_dir: Path,
    folder: str,
    mirrors: Sequence[str],
    patience: Patience = PATIENCE,
) -> None:
    """Download those of `files` that are missing in `folder` below `data_dir`; where none is, nothing is written.

    A mirror is an address that ends in a slash; it keeps each file as `<name>.gz`. Many processes may call this at
    once: one downloads, the others wait for it and find the files there.

    Raises:
        DatasetError: a file is missing and no mirror has it, or `data_dir` cannot be written to.
    """
    target = data_dir / folder
    if not missing(files, folder=target):
        return
    try:
        with reserved(target):
            _fetch_missing(files, dataset=dataset, folder=target, mirrors=mirrors, patience=patience)
    except _NoMirror as error:
        reason = f"no mirror gave {error.name}: {error}"
    except OSError as error:
        reason = f"nothing can be written there: {briefly(error)}"
    else:
        return
    names = ", ".join(file.name for file in missing(files, folder=target))
    where = f"in {target} (data_dir={data_dir}, whose default is the environment variable AUTOENC_DATA)"
    raise DatasetError(dataset, f"missing {names} {where}, and {reason}; dataset=digits needs no network")


class _NoMirror(Exception):  # noqa: N818  (the outcome, caught above)
    """Each mirror failed on a file."""

    def __init__(self, name: str, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(f"{urlsplit(mirror).netloc}: {reason}" for mirror, reason in reasons.items()))
        self.name = name


def _fetch_missing(
    files: Sequence[RemoteFile], *, dataset: str, folder: Path, mirrors: Sequence[str], patience: Patience
) -> None:
    absent = missing(files, folder=folder)
    if not absent:
        return  # another process was faster
    logger.info("downloading %s into %s (files: %d)", dataset, folder, len(absent))
    order = list(mirrors)
    with _progress() as progress:
        for file in absent:
            good = _fetch_file(file, folder=folder, mirrors=order, patience=patience, progress=progress)
            order.remove(good)
            order.insert(0, good)  # a mirror that does not answer is not waited for again


def _fetch_file(
    file: RemoteFile, *, folder: Path, mirrors: Sequence[str], patience: Patience, progress: Progress
) -> str:
    """Fetch one file from the first mirror that has it; returns that mirror."""
    task = progress.add_task(file.name, total=None)

    def report(received: int, announced: int | None) -> None:
        progress.update(task, completed=received, total=announced)

    reasons: dict[str, str] = {}
    for mirror in mirrors:
        url = f"{mirror}{file.name}.gz"
        try:
            _store(file, url=url, folder=folder, patience=patience, report=report)
        except BadAnswer as error:
            logger.debug("%s: %s", url, error)  # the error in the end has the reasons
            reasons[mirror] = str(error)
        else:
            return mirror
    raise _NoMirror(file.name, reasons)


def _store(file: RemoteFile, *, url: str, folder: Path, patience: Patience, report: Report) -> None:
    """Put the file into `folder` under its name, whole, checked and on the disk; or not at all."""
    for leftover in folder.glob(f"{file.name}.????????{PARTIAL}"):  # of a process that was killed
        leftover.unlink()
    partial = folder / f"{file.name}.{secrets.token_hex(4)}{PARTIAL}"
    try:
        with partial.open("xb") as handle:
            _within(patience.file, lambda: _receive(file, url=url, patience=patience, report=report, into=handle))
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(folder / file.name)
    finally:
        partial.unlink(missing_ok=True)


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Do `work` in a thread, and go on without it when the time is up.

    The time-out of a socket bounds one wait. A server that sends a byte now and then passes it for ever, be it in the
    handshake, the header or the content; and the look-up of a name has none.
    """
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except Exception as error:  # whatever it is, it is for the one who waits
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=run, name="download", daemon=True).start()
    if not wait([outcome], timeout=seconds).done:
        raise BadAnswer(f"not finished after {seconds:g} s")
    outcome.result()


def _receive(file: RemoteFile, *, url: str, patience: Patience, report: Report, into: BinaryIO) -> None:
    """Write the content of `url` to `into`, which whoever has lost patience closes: the next write then ends this."""
    digest = hashlib.sha256()
    size = 0
    for piece in unpacked(url, size=file.size, timeout=patience.silence, report=report):
        into.write(piece)
        digest.update(piece)
        size += len(piece)
    if size != file.size:
        raise BadAnswer(f"{size:,} bytes instead of {file.size:,}")
    if digest.hexdigest() != file.sha256:
        raise BadAnswer("the content is not the published one (the SHA-256 differs)")


def _progress() -> Progress:
    """Bars on a terminal; elsewhere nothing, as the log has its line."""
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    description = TextColumn("{task.description}")
    return Progress(description, *columns, console=console, disable=not console.is_terminal, transient=True)
