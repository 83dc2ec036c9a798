"""What a server sends, unpacked and under suspicion."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from autoenc.data.datasets.errors import briefly
from autoenc.data.datasets.files import Checksum, RemoteFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Report = Callable[[int, int | None], None]

_CHUNK = 1 << 18
# gzip makes nothing much larger than it was.
_PACKING = 1 << 16


class BadAnswer(Exception):  # noqa: N818  (a mirror's answer, and reason to ask the next)
    """A server did not send what it should have; the message says why, in a few words."""


def content(file: RemoteFile, *, url: str, timeout: float, report: Report) -> Iterator[bytes]:
    """What is inside the file at `url`, unpacked where it is published gzipped, in pieces; `file.size` bytes at most.

    Args:
        file: what should be there. As soon as there is more, or its packed digest differs, the answer is a bad one.
        url: http or https. What was asked for over https is never taken over http.
        timeout: seconds for the connection, and for each wait for more.
        report: is told the number of bytes received, and how many the server announced.

    Raises:
        BadAnswer: anything went wrong.
    """
    with _as_bad_answers(), _opened(url, timeout=timeout) as response:
        received = _Received(response, limit=file.size + _PACKING, report=report, checksum=file.packed_checksum)
        stream = io.BufferedReader(received)
        with gzip.GzipFile(fileobj=stream) if file.gzipped else stream as unpacked:
            yield from _bounded(cast("BinaryIO", unpacked), size=file.size)
        received.check()


def _bounded(stream: BinaryIO, *, size: int) -> Iterator[bytes]:
    left = size + 1
    while piece := stream.read(min(_CHUNK, left)):
        left -= len(piece)
        if left == 0:
            raise BadAnswer(f"more than the {size:,} bytes there should be")
        yield piece


@contextmanager
def _as_bad_answers() -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        error.close()  # it holds the connection
        raise BadAnswer(briefly(error)) from error
    except EOFError as error:
        raise BadAnswer("the answer ended early") from error
    except (OSError, HTTPException, zlib.error, ValueError) as error:
        raise BadAnswer(briefly(error)) from error


def _opened(url: str, *, timeout: float) -> HTTPResponse:
    request = Request(url, headers={"User-Agent": "autoenc"})  # noqa: S310  (the scheme is looked at below)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise BadAnswer("neither https nor http")
    response: HTTPResponse = build_opener(_NeverToPlain).open(request, timeout=timeout)
    return response


class _NeverToPlain(HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else, nor to anything but https and http."""

    def redirect_request(  # noqa: PLR0917  (the library calls it so)
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after != "https" and (before == "https" or after != "http"):
            raise HTTPError(req.full_url, code, f"refused to be sent from {before} to {newurl}", headers, fp)
        fp.close()  # the library would read the page, however long it is
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Received(io.RawIOBase):
    """A response that reports what was read of it and gives up when that is more than `limit` bytes."""

    def __init__(self, response: HTTPResponse, *, limit: int, report: Report, checksum: Checksum | None) -> None:
        self._response = response
        self._limit = limit
        self._report = report
        self._checksum = checksum
        self._digest = None if checksum is None else checksum.start()
        self._count = 0
        announced = response.headers.get("Content-Length", "")
        self._announced = int(announced) if announced.isdecimal() else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = self._response.readinto(buffer)
        self._count += count
        if self._count > self._limit:
            raise BadAnswer(f"more than {self._limit:,} bytes, packed")
        if self._digest is not None:
            self._digest.update(memoryview(buffer)[:count])
        self._report(self._count, self._announced)
        return count

    def check(self) -> None:
        """See that what was read, all of it, is what was published."""
        if self._checksum is not None and self._digest is not None:
            problem = self._checksum.problem(self._digest)
            if problem:
                raise BadAnswer(problem)
