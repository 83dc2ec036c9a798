"""Independent random streams from one seed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, such as "shuffling", independent of the seeds for other purposes.

    A stream does not shift when another stream draws more or fewer numbers. Switching on noise, for example, keeps the
    initial weights and the order of the images.

    Returns:
        an integer from 0 to 2**63 - 1: the first 63 bits of a SHA-256.
    """
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextlib.contextmanager
def restored_random_state() -> Iterator[None]:
    """Restore torch's random state afterwards: what the caller draws later does not depend on the code inside."""
    import torch

    with torch.random.fork_rng():
        yield
