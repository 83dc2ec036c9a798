"""What a picture shows, as numbers: drawn for one run, kept beside the drawing, and drawn again beside other runs'."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np
from matplotlib.figure import Figure

from autoenc.pictures.page import house_style, save
from autoenc.runs import Limits, opened_archive, write_atomically

_VALUES = "<values>"  # the name of no field
_LIMITS = Limits(file_bytes=2**28, array_bytes=2**28, members=64)  # our own files take a few megabytes

PictureType = TypeVar("PictureType", bound="Picture")


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A frozen dataclass whose fields are arrays, texts, numbers, or tuples of texts or numbers.

    `save` writes them to an `.npz` beside the drawing, so that a comparison, or a person, can draw them anew without
    the model; `load` reads it back and executes nothing.
    """

    kind: ClassVar[str]
    """The name of the picture: `figures/<kind>.png`."""

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """The panels beside one another on one page and on one scale; to be made inside `house_style`.

        Of a single panel the label is empty. Raises ValueError where the panels cannot stand beside one another.
        """
        raise NotImplementedError

    def draw(self, folder: Path, *, title: str) -> Path:
        """Write `<kind>.png` and `<kind>.npz` into the folder, each whole or not at all; returns the picture's path.

        Raises:
            OSError: they cannot be written.
        """
        with house_style():
            save(type(self).figure([Panel("", self)], title=title), folder / f"{self.kind}.png")
        self.save(folder / f"{self.kind}.npz")
        return folder / f"{self.kind}.png"

    def save(self, path: Path) -> None:
        """Write the numbers; OSError if that cannot be done, and then nothing is left."""
        arrays: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            (arrays if isinstance(value, np.ndarray) else values)[field.name] = value
        content = io.BytesIO()
        arrays[_VALUES] = np.array(json.dumps(values))
        np.savez_compressed(content, allow_pickle=False, **arrays)
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote.

        Raises:
            OSError: there is no such file.
            ValueError: it is not such a file, or a huge one.
        """
        try:
            with opened_archive(path, limits=_LIMITS) as archive:
                arrays: dict[str, Any] = {name: archive.array(name) for name in archive.names}
            values = json.loads(str(arrays.pop(_VALUES)))
            listed = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
            return cls(**arrays, **listed)
        except OSError:
            raise
        except Exception as error:  # whatever a damaged archive leads to
            raise ValueError(f"{path}: not the numbers of a picture of kind '{cls.kind}': {error}") from error


class Panel(NamedTuple, Generic[PictureType]):
    """One run's numbers in a picture of several."""

    label: str
    picture: PictureType
