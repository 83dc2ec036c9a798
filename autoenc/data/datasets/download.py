"""Download the missing files of a data set: from the first mirror that has them, by one process at a time."""

from __future__ import annotations

import functools
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from autoenc.data.datasets.folder_lock import locked_folder
from autoenc.data.datasets.local_files import find_files, places
from autoenc.data.datasets.published_sets import (
    Archive,
    DatasetError,
    PublishedFile,
    PublishedSet,
    brief_reason,
    digest_problem,
)
from autoenc.data.datasets.unpacking import CHUNK, WrongContent, unpack, write_unpacked, written_whole
from autoenc.progress import data_bars
from autoenc.settings import listed

SILENCE = 20.0  # seconds to wait for a server's next bytes
SECONDS = 600.0  # for a file; a large one may take as long as it takes at `SLOWEST` bytes per second
SLOWEST = 100_000
_PACKING = 1 << 16  # bytes: gzip makes no file much larger than it was

logger = logging.getLogger("autoenc.data.datasets")
Report = Callable[..., None]  # called with `completed` bytes of `total`, which is None if unknown


def download(published: PublishedSet, *, data_dir: Path) -> None:
    """Download the files of a set that are missing below `data_dir`.

    Of many processes one downloads; the others wait. An archive in one of the set's `places` is used and left there.

    Raises:
        DatasetError: no mirror has a missing file, an archive is damaged, or the folder cannot be written to.
    """
    folder = data_dir / published.folder
    try:
        with locked_folder(folder, task="downloading into"):
            _download_missing(published, data_dir=data_dir)
    except (WrongContent, OSError) as error:
        why = error if isinstance(error, WrongContent) else f"the folder cannot be written to: {brief_reason(error)}"
        raise DatasetError(published.name, _missing(published, data_dir=data_dir, why=str(why))) from error


def _missing(published: PublishedSet, *, data_dir: Path, why: str) -> str:
    """Which files are missing, `why`, and which would be used."""
    archives = [published.archive] if published.archive else []
    found = find_files([*published.files, *archives], published=published, data_dir=data_dir)
    names = ", ".join(file.name for file in found.missing if file not in archives)
    where = f"in {data_dir / published.folder} (data_dir={data_dir}, by default the environment variable AUTOENC_DATA)"
    *inside, last = places(published)[:-1]
    also = [*published.files[0].names[1:], *(archive.name for archive in archives)]
    read = f"; names such as {listed(also)} are read too" if also else ""
    advice = f"put files that you have into data_dir or its folder {', '.join(inside)} or {last}{read}"
    parts = [f"missing {names} {where}: {why}", *(f"not used: {one}" for one in found.refused), advice]
    return "; ".join([*parts, "dataset=digits needs no network"])


def _download_missing(published: PublishedSet, *, data_dir: Path) -> None:
    folder, archive = data_dir / published.folder, published.archive
    absent = find_files(published.files, published=published, data_dir=data_dir).missing
    if not absent:
        return  # another process has downloaded them
    if archive is None:
        _download_files(absent, published, folder=folder)
        return
    found = find_files([archive], published=published, data_dir=data_dir)
    if not found.missing:
        _unpack_files(archive, absent, path=found.paths[archive.name], folder=folder)
        return
    _download_files([archive], published, folder=folder)
    _unpack_files(archive, absent, path=folder / archive.name, folder=folder)
    if not archive.kept:
        (folder / archive.name).unlink()


def _unpack_files(archive: Archive, files: Sequence[PublishedFile], *, path: Path, folder: Path) -> None:
    logger.info("unpacking %s (files: %d)", path, len(files))
    try:
        with data_bars() as progress:
            steps = unpack(archive, files, path=path, folder=folder)
            list(progress.track(steps, total=len(files), description=f"unpacking {archive.name}"))
    except WrongContent as error:
        raise WrongContent(f"{archive.name} is not as expected: {error}") from error


def _download_files(files: Sequence[PublishedFile], published: PublishedSet, *, folder: Path) -> None:
    logger.info("downloading %s into %s (files: %d)", published.name, folder, len(files))
    mirrors = list(published.mirrors)
    with data_bars(of_bytes=True) as progress:
        for file in files:
            report = functools.partial(progress.update, progress.add_task(file.name, total=None))
            good = _download_file(file, mirrors=mirrors, folder=folder, report=report)
            mirrors.remove(good)
            mirrors.insert(0, good)  # so that a mirror that does not answer costs its timeout once


def _download_file(file: PublishedFile, *, mirrors: Sequence[str], folder: Path, report: Report) -> str:
    """Download a file from the first mirror that has it. Returns this mirror."""
    reasons = []
    for mirror in mirrors:
        try:
            with written_whole(file, folder=folder) as handle:
                _receive_file(file, url=mirror + file.published_name, to=handle, folder=folder, report=report)
        except WrongContent as error:
            reasons.append(f"{urlsplit(mirror).netloc}: {error}")
        else:
            return mirror
    by_hand = "" if file.gzipped else f"; {file.name} may also be put there by hand"
    raise WrongContent(f"no mirror gave {file.name}: {'; '.join(reasons)}{by_hand}")


def _receive_file(file: PublishedFile, *, url: str, to: BinaryIO, folder: Path, report: Report) -> None:
    seconds = max(SECONDS, file.size / SLOWEST)
    if not file.gzipped:
        receive(url, to=to, limit=file.size, seconds=seconds, report=report)
        return
    with tempfile.TemporaryFile(dir=folder) as packed:
        receive(url, to=packed, limit=file.size + _PACKING, seconds=seconds, report=report)
        packed.seek(0)
        problem = digest_problem(packed, file.packed_digest)
        if problem:
            raise WrongContent(f"{file.published_name} {problem}")
        packed.seek(0)
        write_unpacked(file, packed, to=to)


def receive(url: str, *, to: IO[bytes], limit: int, seconds: float, report: Report) -> None:
    """Write what is at `url`, http or https, to a file. An https address never leads to http.

    Raises:
        WrongContent: the server sent an error or more than `limit` bytes, or took more than `seconds`.
        OSError: `to` cannot be written to.
    """
    received, end = 0, time.monotonic() + seconds
    for piece, announced in _pieces(url):
        received += len(piece)
        if received > limit:
            raise WrongContent(f"more than {limit:,} bytes")
        if time.monotonic() > end:
            raise WrongContent(f"not finished after {seconds:g} s")
        to.write(piece)
        report(completed=received, total=announced)


def _pieces(url: str) -> Iterator[tuple[bytes, int | None]]:
    """The pieces of a file as they arrive, each with the size of the file that the server announced."""
    try:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise WrongContent("neither https nor http")
        request = Request(url, headers={"User-Agent": "autoenc"})  # noqa: S310  (the scheme is checked)
        with build_opener(_StayOnHttps).open(request, timeout=SILENCE) as response:
            announced = response.length
            while piece := response.read1(CHUNK):
                yield piece, announced
            if response.length:
                raise WrongContent("the answer ended early")
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise WrongContent(brief_reason(error)) from error


class _StayOnHttps(HTTPRedirectHandler):
    """Follows redirects to https, and from http to http. Refuses all others."""

    def redirect_request(  # noqa: PLR0917  (the library's signature)
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after != "https" and (before == "https" or after != "http"):
            raise HTTPError(req.full_url, code, f"refused a redirect from {before} to {newurl}", headers, fp)
        fp.close()  # the library would read the whole page
        return super().redirect_request(req, fp, code, msg, headers, newurl)
