"""Sets that are published as one archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from autoenc.data.datasets import DatasetError
from autoenc.data.datasets.local_files import verified_files
from autoenc.data.datasets.published_sets import Archive, PublishedFile, PublishedSet
from autoenc.data.datasets.unpacking import WrongContent, unpack

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors

Kind = Literal["zip", "tar"]
KINDS: tuple[Kind, Kind] = ("zip", "tar")
NAMES = {"zip": "set.zip", "tar": "set.tar.gz"}

CONTENTS = {"images": bytes(range(256)) * 40, "labels": b"0123456789"}
COMPLETE = {f"Set/{name}": content for name, content in CONTENTS.items()}
REFUSED = "http://127.0.0.1:1/"


def files(kind: Kind) -> list[PublishedFile]:
    """In the zip file each is gzipped, as in EMNIST's; those in the tar file have MD5 sums, as in CIFAR's."""
    if kind == "zip":
        return [PublishedFile(name=name, size=len(content)) for name, content in CONTENTS.items()]
    return [
        PublishedFile(name=name, size=len(content), digest=f"md5:{hashlib.md5(content).hexdigest()}", gzipped=False)
        for name, content in CONTENTS.items()
    ]


def packed(kind: Kind, contents: dict[str, bytes] = CONTENTS, *, others: tuple[str, ...] = ()) -> bytes:
    """An archive with `contents` in the folder `in`, and other members before them."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as zipped:
            for name in others:
                zipped.writestr(name, b"evil")
            for name, content in contents.items():
                zipped.writestr(f"in/{name}.gz", gzip.compress(content))
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
            members = dict.fromkeys(others, b"evil") | {f"in/{name}": content for name, content in contents.items()}
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tarred.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


GOOD = {kind: packed(kind) for kind in KINDS}


def described(kind: Kind, content: bytes, *, kept: bool = False) -> Archive:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Archive(name=NAMES[kind], size=len(content), digest=digest, prefix="in/", kept=kept)


def get(
    *mirrors: str,
    data_dir: Path,
    kind: Kind,
    content: bytes | None = None,
    wanted: list[PublishedFile] | None = None,
    kept: bool = False,
) -> None:
    published = PublishedSet(
        name="some_set",
        folder="Set",
        mirrors=mirrors,
        train=tuple(files(kind) if wanted is None else wanted),
        test=(),
        class_names=("a",),
        archive=described(kind, GOOD[kind] if content is None else content, kept=kept),
    )
    verified_files(published, data_dir=data_dir)


def found(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def put(data_dir: Path, kind: Kind, content: bytes) -> Path:
    """An archive that someone has put into the folder."""
    path = data_dir / "Set" / NAMES[kind]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_downloaded_unpacked_and_removed(
    server: Mirrors, tmp_path: Path, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    mirror = server.serve("mirror", {NAMES[kind]: GOOD[kind]})
    get(mirror, data_dir=tmp_path, kind=kind)
    assert found(tmp_path) == COMPLETE
    assert server.hits == [f"/mirror/{NAMES[kind]}"]
    assert caplog.messages == [
        f"downloading some_set into {tmp_path / 'Set'} (files: 1)",
        f"unpacking {tmp_path / 'Set' / NAMES[kind]} (files: 2)",
    ]
    get(mirror, data_dir=tmp_path, kind=kind)
    assert len(server.hits) == 1


def test_an_archive_with_more_files_is_kept_for_these(server: Mirrors, tmp_path: Path) -> None:
    mirror = server.serve("mirror", {"set.zip": GOOD["zip"]})
    get(mirror, data_dir=tmp_path, kind="zip", wanted=files("zip")[:1], kept=True)
    assert found(tmp_path) == {"Set/images": CONTENTS["images"], "Set/set.zip": GOOD["zip"]}
    get(mirror, data_dir=tmp_path, kind="zip", wanted=files("zip")[1:], kept=True)
    assert found(tmp_path) == {**COMPLETE, "Set/set.zip": GOOD["zip"]}
    assert len(server.hits) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_put_there_by_hand_is_checked_used_and_kept(tmp_path: Path, kind: Kind) -> None:
    for damaged in (GOOD[kind][:-5], GOOD[kind][:-1] + b"?"):
        path = put(tmp_path, kind, damaged)
        with pytest.raises(
            DatasetError, match=f"{path.name} (has|is not the) .*; delete it to have it downloaded again"
        ):
            get(REFUSED, data_dir=tmp_path, kind=kind)
        assert found(tmp_path) == {f"Set/{path.name}": damaged}
    put(tmp_path, kind, GOOD[kind])
    get(REFUSED, data_dir=tmp_path, kind=kind)
    assert found(tmp_path) == {**COMPLETE, f"Set/{path.name}": GOOD[kind]}


def test_a_wrong_archive_is_never_opened(server: Mirrors, tmp_path: Path) -> None:
    bad = server.serve("bad", {"set.zip": GOOD["zip"][:50] + b"?" + GOOD["zip"][51:]})
    problem = "no mirror gave set.zip: .*sha256 should be .*; set.zip may also be put there by hand"
    with pytest.raises(DatasetError, match=f"missing images, labels in .*{problem}"):
        get(bad, data_dir=tmp_path, kind="zip")
    assert found(tmp_path) == {}
    get(bad, server.serve("good", {"set.zip": GOOD["zip"]}), data_dir=tmp_path, kind="zip")
    assert found(tmp_path) == COMPLETE


@pytest.mark.parametrize("kind", KINDS)
def test_names_in_an_archive_never_become_paths(tmp_path: Path, kind: Kind, server: Mirrors) -> None:
    """Even if someone put the archive's own digest into our table."""
    names = ("../escaped", "in/../../escaped", str(tmp_path / "escaped"), "in/.bashrc", "../Set/images", "images")
    content = packed(kind, others=names)
    get(server.serve("mirror", {NAMES[kind]: content}), data_dir=tmp_path / "data", kind=kind, content=content)
    assert found(tmp_path) == {f"data/{name}": content for name, content in COMPLETE.items()}


def test_a_link_in_a_tar_file_never_leads_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENTS["labels"])
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
            entry = tarfile.TarInfo("in/labels")
            entry.type, entry.linkname = kind, str(tmp_path / "secret")
            tarred.addfile(entry)
        path = tmp_path / "set.tar.gz"
        path.write_bytes(buffer.getvalue())
        with pytest.raises(WrongContent, match="it has no in/labels"):
            list(unpack(described("tar", buffer.getvalue()), files("tar")[1:], path=path, folder=tmp_path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (None, "it has no in/labels"),
        (b"012345678", "labels has 9 bytes and should have 10"),
        (b"0" * 20_000_000, "labels has more than the 10 bytes it should have"),
    ],
    ids=["missing", "shorter", "a bomb"],
)
def test_a_missing_or_wrong_member_is_named(tmp_path: Path, kind: Kind, labels: bytes | None, problem: str) -> None:
    contents = {"images": CONTENTS["images"], **({} if labels is None else {"labels": labels})}
    archive = packed(kind, contents)
    path = put(tmp_path, kind, archive)
    match = f"missing labels in .*: {path.name} is not as expected: {problem}"
    with pytest.raises(DatasetError, match=match):
        get(REFUSED, data_dir=tmp_path, kind=kind, content=archive)
    assert found(tmp_path) == {f"Set/{path.name}": archive, "Set/images": CONTENTS["images"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [10, -30])
def test_an_archive_that_cannot_be_unpacked_is_one_line(tmp_path: Path, kind: Kind, cut: int) -> None:
    """A mistake in the table: the digest fits, the content does not."""
    broken = GOOD[kind][:cut]
    put(tmp_path, kind, broken)
    with pytest.raises(DatasetError, match=f"{NAMES[kind]} is not as expected: ") as caught:
        get(REFUSED, data_dir=tmp_path, kind=kind, content=broken)
    assert "\n" not in str(caught.value)
