"""A picture: numbers that are measured, stored next to the drawing, and drawn alone or next to other runs'."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np

from autoenc.pictures.page import house_style, save
from autoenc.runs import VALUES, read_arrays, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures import FigureFormat
    from autoenc.pictures.subject import Subject

_LARGEST = 2**28  # bytes; our own files take a few megabytes

PictureType = TypeVar("PictureType", bound="Picture")


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """Base of the pictures: frozen dataclasses of arrays, texts, numbers, and tuples of texts or numbers.

    Only `measure` imports torch, so that runs are compared without it.
    """

    kind: ClassVar[str]
    """The picture's name, that of its module: it is drawn to `figures/<kind>.png`, `.svg` or `.pdf`."""
    derived: ClassVar[tuple[str, ...]] = ()
    """Properties that `save` also writes, for those who read the numbers without this class. `load` ignores them."""

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__module__.rpartition(".")[2]

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """The numbers of a trained model; None if the picture does not apply to it."""
        raise NotImplementedError

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw panels on one page and one scale, inside `house_style`.

        Raises:
            ValueError: the panels cannot be compared.
        """
        raise NotImplementedError

    @property
    def remark(self) -> str:
        """The numbers in words, for the panel's heading."""
        return ""

    def own_figure(self, *, title: str) -> Figure:
        """Draw this picture alone, inside `house_style`."""
        return type(self).figure([Panel("", self)], title=title)

    def write_figure(self, path: Path, *, title: str) -> None:
        """Write the drawing in the format of the path's suffix, completely or not at all; OSError if that fails."""
        with house_style():
            save(self.own_figure(title=title), path)

    def draw(self, folder: Path, *, title: str, file_format: FigureFormat = "png") -> Path:
        """Write `<kind>.<file_format>` and `<kind>.npz` into the folder and return the drawing's path.

        Raises:
            OSError: a file cannot be written.
        """
        path = folder / f"{self.kind}.{file_format}"
        self.write_figure(path, title=title)
        self.save(path.with_suffix(".npz"))
        return path

    def save(self, path: Path) -> None:
        """Write the numbers as an `.npz`, completely or not at all; OSError if that fails."""
        arrays: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            (arrays if isinstance(value, np.ndarray) else values)[field.name] = value
        arrays.update({name: np.asarray(getattr(self, name)) for name in self.derived})
        content = io.BytesIO()
        arrays[VALUES] = np.array(json.dumps(values))
        np.savez_compressed(content, allow_pickle=False, **arrays)
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. The file may come from a stranger: nothing in it is executed.

        Raises:
            OSError: the file does not exist or cannot be read.
            ValueError: the file is damaged, too large, or holds something else.
        """
        try:
            arrays: dict[str, Any] = read_arrays(path, most=_LARGEST)
            for name in cls.derived:
                arrays.pop(name, None)
            values = json.loads(str(arrays.pop(VALUES)))
            listed = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
            return cls(**arrays, **listed)
        except OSError:
            raise
        except Exception as error:  # whatever a damaged archive leads to
            problem = f"not the numbers of a picture of kind '{cls.kind}': {error}; scripts/figures.py draws it again"
            raise ValueError(f"{path}: {problem}") from error


class Panel(NamedTuple, Generic[PictureType]):
    """One run's numbers in a picture of several runs; the label is empty if there is only one."""

    label: str
    picture: PictureType

    @property
    def heading(self) -> str:
        """The label, and the picture's remark below it."""
        return "\n".join(filter(None, [self.label, self.picture.remark]))


def noted(pictures: Iterable[Any]) -> list[str]:
    """The sentences of the pictures' `notes`, each once."""
    return list(dict.fromkeys(note for picture in pictures for note in picture.notes))


def columns_of(panels: Sequence[Panel[Any]]) -> int:
    """How many panels stand side by side: up to three, or four as two by two."""
    return 2 if len(panels) == 4 else min(3, len(panels))


def chart_width(columns: int) -> int:
    """The width of a panel with a chart, in pixels, if so many stand side by side."""
    return {1: 1400, 2: 880, 3: 580}[columns]


def evenly_chosen(count: int, *, most: int) -> list[int]:
    """At most `most` (two or more) of the indices below `count`, evenly spaced, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})
