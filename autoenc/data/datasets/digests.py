"""Identify images by their content: equal copies have equal digests wherever they are, and replaced images do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from torch import Tensor


def image_hashes(images: Tensor) -> list[bytes]:
    """The SHA-256 of each image's shape and pixels.

    Args:
        images: contiguous uint8 (N, C, H, W) on the CPU.
    """
    of_shape = hashlib.sha256(str(tuple(images.shape[1:])).encode())
    hashes = []
    for pixels in images.numpy():
        of_image = of_shape.copy()
        of_image.update(pixels)
        hashes.append(of_image.digest())
    return hashes


def ordered_digest(hashes: Iterable[bytes]) -> str:
    """The digest, in hexadecimal, of images in this order."""
    return hashlib.sha256(b"".join(hashes)).hexdigest()


def unordered_digest(hashes: Iterable[bytes]) -> str:
    """The digest of images in any order. Each image counts as often as it is there."""
    return ordered_digest(sorted(hashes))


def count_duplicates(hashes: Mapping[str, Sequence[bytes]]) -> dict[str, int]:
    """Count the images that are equal to another, pixel by pixel, from the hashes of each split.

    Returns:
        for each split, as `train`: its images that equal an earlier one of the split. For each pair, as
        `test_in_train`: the images of the later split that are in the earlier one too.
    """
    distinct = {name: set(of_split) for name, of_split in hashes.items()}
    within = {name: len(of_split) - len(distinct[name]) for name, of_split in hashes.items()}
    across = {
        f"{later}_in_{earlier}": sum(image in distinct[earlier] for image in hashes[later])
        for earlier, later in combinations(hashes, 2)
    }
    return within | across


def differing(digests: Mapping[str, str], recorded: Mapping[str, object]) -> list[str]:
    """The splits whose recorded digests are not these. A split without a recorded digest is taken for the same."""
    return [name for name, digest in digests.items() if recorded.get(name, digest) != digest]
