"""Decode many picture files as images of one shape, in several threads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from torch import Tensor

from autoenc.data.datasets.folder_layout import Picture, refused, some
from autoenc.data.datasets.image_files import ReadPicture, Resize, UnreadablePicture, read_picture
from autoenc.data.datasets.picture_facts import PictureFacts
from autoenc.data.datasets.split_remarks import PURPOSES
from autoenc.settings import ConfigError

THREADS = min(4, os.cpu_count() or 1)
_BATCH = 256  # pictures that the threads read at a time, so that few wait in memory

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How pictures become images (channels, *size), by the settings of `image_folder`."""

    channels: int
    size: tuple[int, int]
    resize: Resize
    white: float | Literal["max"] | None
    max_pixels: int
    unreadable: Literal["error", "skip"]

    def read(self, picture: Picture) -> ReadPicture | UnreadablePicture:
        """The image of a picture, or why there is none. `white` has to be known."""
        assert not isinstance(self.white, str)
        try:
            return read_picture(
                picture.path,
                page=picture.page,
                channels=self.channels,
                size=self.size,
                resize=self.resize,
                white=self.white,
                max_pixels=self.max_pixels,
            )
        except UnreadablePicture as problem:
            return problem


@dataclass
class DecodedPool:
    """The images of one folder's pictures, in their order."""

    images: Tensor
    """uint8 (N, C, H, W), of the pictures that can be read."""
    facts: Counter[PictureFacts] = field(default_factory=Counter)
    grey: bool = True
    """Whether every picture has equal channels."""
    unreadable: dict[int, str] = field(default_factory=dict)
    """The positions of pictures that cannot be read, with the reasons."""

    def kept(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Those of the pool's pictures that can be read."""
        return [picture for position, picture in enumerate(pictures) if position not in self.unreadable]


@dataclass(frozen=True, kw_only=True)
class DecodedPictures:
    """The pools of a dataset by their names, and the number in the files that became white."""

    pools: dict[str, DecodedPool]
    white: float | None


def decode(
    pictures: Mapping[str, Sequence[Picture]],
    decoding: Decoding,
    *,
    into: Mapping[str, Tensor],
    folder: Path,
    threads: ThreadPoolExecutor,
) -> DecodedPictures:
    """Decode the pictures of each pool into its tensor, uint8 (N, C, H, W).

    Raises:
        ConfigError: pictures of `folder` cannot be read, and may not be skipped; or no picture of a pool can be read.
    """
    white = _brightest(pictures, decoding, threads=threads) if decoding.white == "max" else decoding.white
    places = [(name, position, picture) for name, pool in pictures.items() for position, picture in enumerate(pool)]
    read = replace(decoding, white=white).read
    results = in_threads(read, [picture for _, _, picture in places], task="reading pictures", threads=threads)
    pools = {name: DecodedPool(images) for name, images in into.items()}
    filled: Counter[str] = Counter()
    for (name, position, _), result in zip(places, results, strict=True):
        pool = pools[name]
        if isinstance(result, UnreadablePicture):
            pool.unreadable[position] = result.reason
            continue
        pool.images[filled[name]] = result.image
        filled[name] += 1
        pool.facts[result.facts] += 1
        pool.grey = pool.grey and bool((result.image == result.image[:1]).all())
    decoded = DecodedPictures(pools=pools, white=white)
    unreadable = unreadable_pictures(decoded, pictures)
    if unreadable and decoding.unreadable == "error":
        advice = "repair or remove them, or set dataset.unreadable=skip"
        problem = f"{len(unreadable)} of {len(places)} pictures cannot be read: {some(unreadable)}; {advice}"
        raise refused(folder, problem)
    for name, pool in pools.items():
        if not filled[name]:
            raise refused(folder, f"no picture for {PURPOSES[name]} can be read")
        pool.images = pool.images[: filled[name]]
    return decoded


def unreadable_pictures(decoded: DecodedPictures, pictures: Mapping[str, Sequence[Picture]]) -> list[str]:
    """The names of the pictures that cannot be read, with the reasons."""
    return [
        f"{pictures[name][position].name} ({reason})"
        for name, pool in decoded.pools.items()
        for position, reason in pool.unreadable.items()
    ]


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, task: str, threads: ThreadPoolExecutor
) -> Iterator[Result]:
    """The results for the items, in their order; a bar on a terminal shows the progress of the task."""
    from autoenc.progress import data_bars

    with data_bars() as progress:
        bar = progress.add_task(task, total=len(items))
        for start in range(0, len(items), _BATCH):
            for result in threads.map(function, items[start : start + _BATCH]):
                progress.advance(bar)
                yield result


def _brightest(pictures: Mapping[str, Sequence[Picture]], decoding: Decoding, *, threads: ThreadPoolExecutor) -> float:
    """The brightest number in the files for training and validation."""
    used = [picture for name, pool in pictures.items() if name != "test" for picture in pool]

    # Numbers are measured before they are scaled, so any white will do.
    read = replace(decoding, channels=1, size=(1, 1), resize="stretch", white=1).read
    results = in_threads(read, used, task="measuring white", threads=threads)
    brightest = max((result.facts.brightest for result in results if isinstance(result, ReadPicture)), default=0)
    if brightest <= 0:
        raise ConfigError("dataset.white", "no picture for training has a pixel above 0", value="max")
    return brightest
