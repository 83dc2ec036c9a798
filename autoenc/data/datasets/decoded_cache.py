"""Decoded pictures in mapped files, for the next start.

Each set of pictures has a folder, named by a digest of the pictures and of all that decides what they are decoded to.
It holds the images of each pool as `<pool>.npy`, the facts about the pictures in `facts.json`, and `SHA256SUMS`, which
is written last: without it, the cache is not complete.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import PIL
from PIL import features
from torch import Tensor

from autoenc.data.datasets.decoded_pictures import DecodedPictures, DecodedPool, Decoding, in_threads
from autoenc.data.datasets.file_kinds import require_file
from autoenc.data.datasets.folder_layout import Picture
from autoenc.data.datasets.folder_lock import LOCK_NAME, locked_folder
from autoenc.data.datasets.mapped_files import new_images, stored_images
from autoenc.data.datasets.picture_facts import PictureFacts
from autoenc.data.datasets.published_sets import brief_reason
from autoenc.settings import ConfigError

FORMAT = 1
"""Changes with the content of the files, and with what a picture is decoded to."""
DIGITS = 16
"""Hexadecimal digits of the digest in a folder's name."""
SUMS = "SHA256SUMS"
FACTS = "facts.json"

logger = logging.getLogger("autoenc.data.datasets")


def cached(
    pictures: Mapping[str, Sequence[Picture]],
    decoding: Decoding,
    *,
    folder: Path,
    decode: Callable[[Mapping[str, Tensor]], DecodedPictures],
    threads: ThreadPoolExecutor,
) -> DecodedPictures:
    """The decoded pictures of each pool, mapped from files below `folder`.

    If these are missing or damaged, `decode` is called with new images to fill, by one process at a time. If it raises,
    there are no files.

    Raises:
        ConfigError: the files cannot be written.
    """
    place = folder / _digest(pictures, decoding, threads=threads)
    if _state(place) == "intact":
        logger.info("%s has the decoded pictures of an earlier start", place)
        return _stored(place)
    shapes = {name: (len(pool), decoding.channels, *decoding.size) for name, pool in pictures.items()}
    try:
        with locked_folder(place, task="decoding pictures into"):
            if (state := _state(place)) != "intact":  # another process may have written it meanwhile
                if state == "damaged":
                    logger.warning("%s is damaged, so the pictures are decoded again", place)
                _write(place, shapes=shapes, decode=decode)
        logger.info("the decoded pictures are kept in %s for the next start", place)
        return _stored(place)
    except OSError as error:
        raise not_written(place, error) from error


def not_written(place: Path, error: OSError) -> ConfigError:
    """An error about files in `place`."""
    problem = f"{place} cannot be written: {brief_reason(error)}; data_dir says where it is"
    return ConfigError("dataset.cache", problem, value=True)


def _digest(pictures: Mapping[str, Sequence[Picture]], decoding: Decoding, *, threads: ThreadPoolExecutor) -> str:
    """A digest of the names and the content of the files, of the settings, and of the versions of what decodes them."""
    paths = list(dict.fromkeys(picture.path for pool in pictures.values() for picture in pool))
    contents = dict(zip(paths, in_threads(_content, paths, task="checking pictures", threads=threads), strict=True))
    codecs = {name: features.version(name) for name in ("jpg", "libjpeg_turbo", "jpg_2000", "libtiff", "webp")}
    decoder = {"format": FORMAT, "Pillow": PIL.__version__, **codecs}
    digest = hashlib.sha256(json.dumps([decoder, dataclasses.asdict(decoding)], sort_keys=True).encode())
    for name, pool in pictures.items():
        for picture in pool:
            digest.update(json.dumps([name, picture.name, picture.page, contents[picture.path]]).encode())
    return digest.hexdigest()[:DIGITS]


def _content(path: Path) -> str:
    try:
        require_file(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:  # the picture is reported as unreadable
        return brief_reason(error)


def _state(place: Path) -> Literal["intact", "damaged", "missing"]:
    if not os.path.exists(place / SUMS):  # noqa: PTH110  (pathlib's raises if the folder may not be read)
        return "missing"
    try:
        return "intact" if (place / SUMS).read_bytes() == _sums(place) else "damaged"
    except OSError:
        return "damaged"


def _sums(place: Path) -> bytes:
    """The digests of all other files, as the program sha256sum writes and checks them."""
    lines = []
    for path in [*sorted(place.glob("*.npy")), place / FACTS]:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines).encode()


def _write(
    place: Path, *, shapes: Mapping[str, tuple[int, ...]], decode: Callable[[Mapping[str, Tensor]], DecodedPictures]
) -> None:
    for rest in place.iterdir():  # of a damaged cache, or of a process that was killed
        if rest.name != LOCK_NAME:
            rest.unlink()
    with contextlib.ExitStack() as files:
        images = {
            name: files.enter_context(new_images(place / f"{name}.npy", shape=shape)) for name, shape in shapes.items()
        }
        decoded = decode(images)
    pools = {name: _as_json(pool) for name, pool in decoded.pools.items()}
    (place / FACTS).write_text(json.dumps({"white": decoded.white, "pools": pools}), encoding="utf-8")
    (place / SUMS).write_bytes(_sums(place))


def _stored(place: Path) -> DecodedPictures:
    facts = json.loads((place / FACTS).read_text(encoding="utf-8"))
    pools = {
        name: _from_json(values, images=stored_images(place / f"{name}.npy")) for name, values in facts["pools"].items()
    }
    return DecodedPictures(pools=pools, white=facts["white"])


def _as_json(pool: DecodedPool) -> dict[str, Any]:
    facts = [[*fact, count] for fact, count in pool.facts.items()]
    return {"grey": pool.grey, "unreadable": list(pool.unreadable.items()), "facts": facts}


def _from_json(values: Mapping[str, Any], *, images: Tensor) -> DecodedPool:
    facts = Counter(
        {
            PictureFacts(kind, darkest, brightest, pages, tuple(size)): count
            for kind, darkest, brightest, pages, size, count in values["facts"]
        }
    )
    unreadable = dict(values["unreadable"])
    return DecodedPool(images[: len(images) - len(unreadable)], facts, values["grey"], unreadable)
