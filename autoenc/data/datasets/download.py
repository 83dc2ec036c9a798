"""Files fetched from the first mirror that answers well, and checked before they take their names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from rich.progress import Progress

from autoenc.data.datasets.archives import Archive, BadArchive, unpack
from autoenc.data.datasets.bars import counting_bars, download_bars
from autoenc.data.datasets.errors import DatasetError, briefly
from autoenc.data.datasets.files import RemoteFile, missing, verify, written_whole
from autoenc.data.datasets.reserved_folder import reserved
from autoenc.data.datasets.web import BadAnswer, Report, content

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a server is waited for: seconds for its next bytes, and for one file altogether.

    A large file may take longer than that: as long as it would at `rate` bytes a second.
    """

    silence: float = 20
    file: float = 600
    rate: float = 100_000


PATIENCE = Patience()


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What is to be fetched, where to and where from."""

    dataset: str
    folder: Path
    mirrors: Sequence[str]
    patience: Patience


def fetch(
    files: Sequence[RemoteFile],
    *,
    dataset: str,
    data_dir: Path,
    folder: str,
    mirrors: Sequence[str],
    archive: Archive | None = None,
    patience: Patience = PATIENCE,
) -> None:
    """Download those of `files` that are missing in `folder` below `data_dir`; where none is, nothing is written.

    A mirror is an address that ends in a slash; it keeps each file under its published name, or `archive` with the
    files inside. An archive that is in the folder already is not downloaded, and is left there. Many processes may call
    this at once: one downloads, the others wait for it and find the files there.

    Raises:
        DatasetError: a file is missing and no mirror has it, an archive is damaged, or `data_dir` cannot be written to.
    """
    target = data_dir / folder
    if not missing(files, folder=target):
        return
    job = _Job(dataset=dataset, folder=target, mirrors=mirrors, patience=patience)
    try:
        with reserved(target):
            _fetch_missing(files, job, archive=archive)
    except _NoMirror as error:
        by_hand = "" if archive is None else f"; {archive.name} may also be put there by hand"
        reason = f"no mirror gave {error.name}: {error}{by_hand}"
    except BadArchive as error:
        reason = f"the archive is not what it should be: {error}"
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


def _fetch_missing(files: Sequence[RemoteFile], job: _Job, *, archive: Archive | None) -> None:
    absent = missing(files, folder=job.folder)
    if not absent:
        return  # another process was faster
    if archive is None:
        _download(absent, job)
        return
    downloaded = bool(missing([archive], folder=job.folder))
    if downloaded:
        _download([archive], job)
    else:
        verify(archive, dataset=job.dataset, folder=job.folder)
    logger.info("unpacking %s (files: %d)", job.folder / archive.name, len(absent))
    with counting_bars() as progress:
        task = progress.add_task(f"unpacking {archive.name}", total=len(absent))
        unpack(archive, absent, folder=job.folder, done=lambda: progress.advance(task))
    if downloaded and not archive.kept:
        (job.folder / archive.name).unlink()


def _download(files: Sequence[RemoteFile], job: _Job) -> None:
    logger.info("downloading %s into %s (files: %d)", job.dataset, job.folder, len(files))
    order = list(job.mirrors)
    with download_bars() as progress:
        for file in files:
            good = _fetch_file(file, job, mirrors=order, progress=progress)
            order.remove(good)
            order.insert(0, good)  # a mirror that does not answer is not waited for again


def _fetch_file(file: RemoteFile, job: _Job, *, mirrors: Sequence[str], progress: Progress) -> str:
    """Fetch one file from the first mirror that has it; returns that mirror."""
    task = progress.add_task(file.name, total=None)

    def report(received: int, announced: int | None) -> None:
        progress.update(task, completed=received, total=announced)

    reasons: dict[str, str] = {}
    for mirror in mirrors:
        url = mirror + file.published_name
        try:
            _store(file, url=url, folder=job.folder, patience=job.patience, report=report)
        except BadAnswer as error:
            logger.debug("%s: %s", url, error)  # the error in the end has the reasons
            reasons[mirror] = str(error)
        else:
            return mirror
    raise _NoMirror(file.name, reasons)


def _store(file: RemoteFile, *, url: str, folder: Path, patience: Patience, report: Report) -> None:
    """Put the file into `folder` under its name, whole, checked and on the disk; or not at all."""
    seconds = max(patience.file, file.size / patience.rate)
    with written_whole(folder / file.name) as handle:
        _within(seconds, lambda: _receive(file, url=url, patience=patience, report=report, into=handle))


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
    checksum = file.checksum
    digest = None if checksum is None else checksum.start()
    size = 0
    for piece in content(file, url=url, timeout=patience.silence, report=report):
        into.write(piece)
        size += len(piece)
        if digest is not None:
            digest.update(piece)
    if size != file.size:
        raise BadAnswer(f"{size:,} bytes instead of {file.size:,}")
    problem = "" if checksum is None or digest is None else checksum.problem(digest)
    if problem:
        raise BadAnswer(problem)
