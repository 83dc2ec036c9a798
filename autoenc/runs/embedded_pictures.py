"""The pictures in a run's folder, as they are put into a page. The folder may come from a stranger."""

from __future__ import annotations

import base64
from pathlib import Path

from autoenc.runs.plain_values import UnreadableError, read_file

IMAGE_TYPES = {".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml"}


def newest_picture(run: Path, name: str) -> Path | None:
    """The file of a picture, of several formats the newest; None if there is none."""
    folder = run / "figures"
    if folder.is_symlink():  # in a stranger's run, it may lead anywhere
        return None
    paths = [folder / f"{name}{suffix}" for suffix in (*IMAGE_TYPES, ".pdf")]
    found = [path for path in paths if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def as_data_url(path: Path, *, most: int) -> str | None:
    """A picture as the address of an `img`.

    None if it is larger than `most` bytes, is a link, cannot be read, or is a PDF. In an `img`, an SVG runs no scripts.
    """
    try:
        content = read_file(str(path), most=most) if path.suffix in IMAGE_TYPES else None
    except (OSError, UnreadableError):
        return None
    if content is None:
        return None
    return f"data:{IMAGE_TYPES[path.suffix]};base64,{base64.b64encode(content).decode('ascii')}"
