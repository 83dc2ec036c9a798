from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Callable
from email.message import Message
from http.client import HTTPMessage
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request as UrlRequest

import pytest

from autoenc.data.datasets import DatasetError, cifar10, emnist, kmnist, mnist
from autoenc.data.datasets.download import fetch
from autoenc.data.datasets.files import RemoteFile
from autoenc.data.datasets.web import _NeverToPlain

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors

CONTENT = b"content"
FILE = RemoteFile(name="file", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


def get(*mirrors: str, data_dir: Path) -> None:
    fetch([FILE], dataset="some_set", data_dir=data_dir, folder="raw", mirrors=mirrors)


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
    subprocess.run(command, check=True, capture_output=True, timeout=20)
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


def test_https_works_and_may_redirect_to_https(secure: Mirrors, tmp_path: Path) -> None:
    good = secure.serve("good", {"file": CONTENT})
    get(secure.answer("moved", lambda request: request.redirect(f"{good}file.gz")), data_dir=tmp_path)
    assert (tmp_path / "raw/file").read_bytes() == CONTENT
    assert secure.hits == ["/moved/file.gz", "/good/file.gz"]


def test_https_is_never_left_for_plain_http(secure: Mirrors, server: Mirrors, tmp_path: Path) -> None:
    plain = server.serve("plain", {"file": CONTENT})
    moved = secure.answer("moved", lambda request: request.redirect(f"{plain}file.gz"))
    with pytest.raises(DatasetError, match="refused to be sent from https to http://127"):
        get(moved, data_dir=tmp_path / "alone")
    assert server.hits == []
    get(moved, secure.serve("good", {"file": CONTENT}), data_dir=tmp_path)
    assert (tmp_path / "raw/file").read_bytes() == CONTENT


def test_an_unknown_certificate_is_a_bad_answer(
    secure: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DatasetError, match="certificate verify failed"):
        get(secure.serve("good", {"file": CONTENT}), data_dir=tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("https", "https", True),
        ("http", "https", True),
        ("http", "http", True),
        ("https", "http", False),
        ("https", "ftp", False),
        ("http", "ftp", False),
        ("http", "file", False),
    ],
)
def test_where_a_redirect_may_lead(before: str, after: str, allowed: bool) -> None:
    headers = HTTPMessage(Message().policy)
    arguments = (UrlRequest(f"{before}://one/"), BytesIO(), 302, "Found", headers, f"{after}://two/")
    if allowed:
        request = _NeverToPlain().redirect_request(*arguments)
        assert request is not None
        assert request.full_url == f"{after}://two/"
    else:
        with pytest.raises(HTTPError, match=f"refused to be sent from {before} to {after}://two/") as caught:
            _NeverToPlain().redirect_request(*arguments)
        caught.value.close()


def test_the_mirrors_of_our_tables_are_https() -> None:
    for mirrors in (
        mnist.MNIST.mirrors,
        mnist.FASHION_MNIST.mirrors,
        kmnist.KMNIST.mirrors,
        emnist.MIRRORS,
        cifar10.CIFAR10.mirrors,
    ):
        assert mirrors
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in mirrors)
