"""Sets that are published as one archive, and files whose digest is known of the packed form alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from autoenc.data.datasets import DatasetError
from autoenc.data.datasets.archives import Archive, BadArchive, unpack
from autoenc.data.datasets.download import PATIENCE, Patience, fetch
from autoenc.data.datasets.files import RemoteFile, verify

if TYPE_CHECKING:
    from tests.data.datasets.conftest import Mirrors

Kind = Literal["zip", "tar"]
KINDS: tuple[Kind, Kind] = ("zip", "tar")

CONTENTS = {"images": bytes(range(256)) * 40, "labels": b"0123456789"}
REFUSED = "http://127.0.0.1:1/"


def files(kind: Kind, *, contents: dict[str, bytes] = CONTENTS) -> list[RemoteFile]:
    """In the zip each is gzipped once more, as EMNIST has it; in the tar there are MD5 sums, as for CIFAR."""
    if kind == "zip":
        return [RemoteFile(name=name, size=len(content)) for name, content in contents.items()]
    return [
        RemoteFile(name=name, size=len(content), md5=hashlib.md5(content).hexdigest(), gzipped=False)
        for name, content in contents.items()
    ]


def packed(kind: Kind, members: dict[str, bytes]) -> bytes:
    """An archive with just these members, in this order."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def members(kind: Kind, *, contents: dict[str, bytes] = CONTENTS) -> dict[str, bytes]:
    if kind == "zip":
        return {f"in/{name}.gz": gzip.compress(content) for name, content in contents.items()}
    return {f"in/{name}": content for name, content in contents.items()}


def described(kind: Kind, content: bytes, *, kept: bool = False) -> Archive:
    name = {"zip": "set.zip", "tar": "set.tar.gz"}[kind]
    return Archive(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), prefix="in/", kept=kept)


GOOD = {kind: packed(kind, members(kind)) for kind in KINDS}


def get(
    *mirrors: str,
    data_dir: Path,
    kind: Kind,
    content: bytes | None = None,
    wanted: Sequence[RemoteFile] | None = None,
    kept: bool = False,
    patience: Patience = PATIENCE,
) -> None:
    fetch(
        files(kind) if wanted is None else wanted,
        dataset="some_set",
        data_dir=data_dir,
        folder="Set",
        mirrors=mirrors,
        archive=described(kind, GOOD[kind] if content is None else content, kept=kept),
        patience=patience,
    )


def found(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


COMPLETE = {f"Set/{name}": content for name, content in CONTENTS.items()}


@pytest.fixture
def serve(server: Mirrors) -> Callable[[Kind, bytes], str]:
    """Make a mirror with an archive; returns its address."""

    def make(kind: Kind, content: bytes) -> str:
        return server.serve("mirror", {described(kind, content).name: content})

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_fetched_unpacked_and_taken_away(
    server: Mirrors, tmp_path: Path, kind: Kind, serve: Callable[[Kind, bytes], str]
) -> None:
    mirror = serve(kind, GOOD[kind])
    get(mirror, data_dir=tmp_path, kind=kind)
    assert found(tmp_path) == COMPLETE
    assert server.hits == [f"/mirror/{described(kind, GOOD[kind]).name}"]
    get(mirror, data_dir=tmp_path, kind=kind)
    assert len(server.hits) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_with_more_in_it_is_kept_for_the_rest(
    server: Mirrors, tmp_path: Path, kind: Kind, serve: Callable[[Kind, bytes], str]
) -> None:
    mirror = serve(kind, GOOD[kind])
    name = f"Set/{described(kind, GOOD[kind]).name}"
    get(mirror, data_dir=tmp_path, kind=kind, wanted=files(kind)[:1], kept=True)
    assert found(tmp_path) == {"Set/images": CONTENTS["images"], name: GOOD[kind]}
    get(mirror, data_dir=tmp_path, kind=kind, wanted=files(kind)[1:], kept=True)
    assert found(tmp_path) == {**COMPLETE, name: GOOD[kind]}
    assert len(server.hits) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_put_there_by_hand_is_used_and_left(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "Set" / described(kind, GOOD[kind]).name
    path.parent.mkdir()
    path.write_bytes(GOOD[kind])
    get(REFUSED, data_dir=tmp_path, kind=kind)
    assert found(tmp_path) == {**COMPLETE, f"Set/{path.name}": GOOD[kind]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_archive_put_there_is_named_and_left(tmp_path: Path, kind: Kind, server: Mirrors) -> None:
    path = tmp_path / "Set" / described(kind, GOOD[kind]).name
    path.parent.mkdir()
    for damaged in (GOOD[kind][:-5], GOOD[kind][:-1] + b"?"):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=f"{path.name} is damaged: .*; delete it to have it downloaded again"):
            get(server.url("mirror"), data_dir=tmp_path, kind=kind)
        assert found(tmp_path) == {f"Set/{path.name}": damaged}
    assert server.hits == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda good: good[:-7], "bytes instead of"),
        (lambda good: good[:50] + b"?" + good[51:], "SHA-256 differs"),
        (lambda good: good + b"?", "more than the"),
        (lambda good: b"<html>Please log in</html>", "26 bytes instead of"),
    ],
    ids=["truncated", "altered", "longer", "a page"],
)
def test_a_wrong_archive_is_never_opened(
    server: Mirrors,
    tmp_path: Path,
    kind: Kind,
    damage: Callable[[bytes], bytes],
    reason: str,
) -> None:
    name = described(kind, GOOD[kind]).name
    bad, good = server.serve("bad", {name: damage(GOOD[kind])}), server.serve("good", {name: GOOD[kind]})
    with pytest.raises(DatasetError, match=f"missing images, labels in .*no mirror gave {name}: .*{reason}") as caught:
        get(bad, data_dir=tmp_path / "alone", kind=kind)
    assert f"{name} may also be put there by hand" in str(caught.value)
    assert not (tmp_path / "alone").exists()
    get(bad, good, data_dir=tmp_path, kind=kind)
    assert found(tmp_path) == COMPLETE


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_is_not_there_is_named(
    tmp_path: Path, kind: Kind, serve: Callable[[Kind, bytes], str], server: Mirrors
) -> None:
    content = packed(kind, members(kind, contents={"labels": CONTENTS["labels"]}))
    with pytest.raises(
        DatasetError, match=r"missing images in .*the archive is not what it should be: it has no in/im"
    ):
        get(serve(kind, content), data_dir=tmp_path, kind=kind, content=content)
    assert found(tmp_path)["Set/labels"] == CONTENTS["labels"]


@pytest.mark.parametrize("kind", KINDS)
def test_members_with_evil_names_are_not_unpacked(
    tmp_path: Path, kind: Kind, serve: Callable[[Kind, bytes], str]
) -> None:
    """Even when someone put the archive's own digest into our table."""
    evil = {
        "../escaped": b"evil",
        "in/../../escaped": b"evil",
        str(tmp_path / "escaped"): b"evil",
        "in/.bashrc": b"evil",
        "../Set/images": b"evil",
        "images": b"evil",
    }
    content = packed(kind, {**evil, **members(kind)})
    get(serve(kind, content), data_dir=tmp_path / "data", kind=kind, content=content)
    assert found(tmp_path) == {f"data/{name}": content for name, content in COMPLETE.items()}


def test_a_link_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, kind in (("in/labels", tarfile.SYMTYPE), ("in/images", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(tmp_path / "secret")
            archive.addfile(entry)
    (tmp_path / "set.tar.gz").write_bytes(buffer.getvalue())
    with pytest.raises(BadArchive, match="it has no in/images, in/labels"):
        unpack(described("tar", buffer.getvalue()), files("tar"), folder=tmp_path, done=lambda: None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"012345678", "its labels has 9 bytes instead of 10"), (b"0" * 50_000_000, "its labels has more bytes instead")],
    ids=["shorter", "a bomb"],
)
def test_a_member_of_another_size_is_refused(tmp_path: Path, kind: Kind, content: bytes, problem: str) -> None:
    archive = packed(kind, members(kind, contents={**CONTENTS, "labels": content}))
    (tmp_path / described(kind, archive).name).write_bytes(archive)
    with pytest.raises(BadArchive, match=problem):
        unpack(described(kind, archive), files(kind)[1:], folder=tmp_path, done=lambda: None)
    assert list(tmp_path.iterdir()) == [tmp_path / described(kind, archive).name]


def test_a_member_with_another_digest_is_refused(tmp_path: Path) -> None:
    archive = packed("tar", members("tar", contents={**CONTENTS, "labels": b"9876543210"}))
    (tmp_path / "set.tar.gz").write_bytes(archive)
    with pytest.raises(BadArchive, match=r"its labels is another: the content is not .* \(the MD5 differs\)"):
        unpack(described("tar", archive), files("tar"), folder=tmp_path, done=lambda: None)
    assert found(tmp_path) == {"set.tar.gz": archive, "images": CONTENTS["images"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [10, 300, -30])
def test_what_cannot_be_unpacked_is_one_line(tmp_path: Path, kind: Kind, cut: int) -> None:
    """The table's own mistake: the digest fits, what is inside does not."""
    broken = GOOD[kind][:cut]
    (tmp_path / "Set").mkdir()
    (tmp_path / "Set" / described(kind, broken).name).write_bytes(broken)
    with pytest.raises(DatasetError, match="the archive is not what it should be: ") as caught:
        get(REFUSED, data_dir=tmp_path, kind=kind, content=broken)
    assert "\n" not in str(caught.value)


def test_a_full_disk_while_unpacking_leaves_nothing_half(
    tmp_path: Path, serve: Callable[[Kind, bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = serve("zip", GOOD["zip"])
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 1:  # the archive itself still found room
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DatasetError, match="nothing can be written there: No space left on device"):
        get(mirror, data_dir=tmp_path, kind="zip")
    assert found(tmp_path) == {"Set/set.zip": GOOD["zip"]}


def test_two_lines_are_logged(
    tmp_path: Path, serve: Callable[[Kind, bytes], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="autoenc.data.datasets")
    get(serve("zip", GOOD["zip"]), data_dir=tmp_path, kind="zip")
    assert [record.getMessage() for record in caplog.records] == [
        f"downloading some_set into {tmp_path / 'Set'} (files: 1)",
        f"unpacking {tmp_path / 'Set/set.zip'} (files: 2)",
    ]


def test_a_large_file_may_take_longer(server: Mirrors, tmp_path: Path) -> None:
    slow = server.serve("slow", {"set.zip": GOOD["zip"]}, pause=0.5)
    with pytest.raises(DatasetError, match=r"not finished after 0\.2 s"):
        get(slow, data_dir=tmp_path, kind="zip", patience=Patience(file=0.2))
    get(slow, data_dir=tmp_path, kind="zip", patience=Patience(file=0.2, rate=len(GOOD["zip"]) / 20))
    assert found(tmp_path) == COMPLETE


# --- a file whose digest is known of the packed form alone ---


def alone(content: bytes, packed_content: bytes) -> RemoteFile:
    digest = hashlib.sha256(packed_content).hexdigest()
    return RemoteFile(name="images", size=len(content), packed_sha256=digest)


def test_the_packed_digest_is_checked(server: Mirrors, tmp_path: Path) -> None:
    content = CONTENTS["images"]
    right, wrong = gzip.compress(content, mtime=0), gzip.compress(content[::-1], mtime=0)
    bad, good = server.serve("bad", {"images.gz": wrong}), server.serve("good", {"images.gz": right})
    file = alone(content, right)
    with pytest.raises(DatasetError, match="the SHA-256 differs"):
        fetch([file], dataset="some_set", data_dir=tmp_path, folder="Set", mirrors=[bad])
    assert found(tmp_path) == {}
    fetch([file], dataset="some_set", data_dir=tmp_path, folder="Set", mirrors=[bad, good])
    assert found(tmp_path) == {"Set/images": content}


def test_what_follows_the_content_belongs_to_the_packed_digest(server: Mirrors, tmp_path: Path) -> None:
    content = CONTENTS["images"]
    right = gzip.compress(content, mtime=0)
    padded = server.serve("padded", {"images.gz": right + bytes(30_000)})  # which gzip passes over
    with pytest.raises(DatasetError, match="the SHA-256 differs"):
        fetch([alone(content, right)], dataset="some_set", data_dir=tmp_path, folder="Set", mirrors=[padded])


def test_a_file_of_which_no_digest_is_known_is_verified_by_its_size(tmp_path: Path) -> None:
    file = RemoteFile(name="images", size=10)
    (tmp_path / "images").write_bytes(b"9876543210")
    verify(file, dataset="some_set", folder=tmp_path)
    (tmp_path / "images").write_bytes(b"987654321")
    with pytest.raises(DatasetError, match="it has 9 bytes and should have 10"):
        verify(file, dataset="some_set", folder=tmp_path)


def test_a_file_is_verified_by_its_md5_where_that_is_all(tmp_path: Path) -> None:
    file = RemoteFile(name="labels", size=10, md5=hashlib.md5(CONTENTS["labels"]).hexdigest())
    (tmp_path / "labels").write_bytes(CONTENTS["labels"])
    verify(file, dataset="some_set", folder=tmp_path)
    (tmp_path / "labels").write_bytes(b"9876543210")
    with pytest.raises(DatasetError, match=r"is damaged: .* \(the MD5 differs\); delete it"):
        verify(file, dataset="some_set", folder=tmp_path)
