"""Test images next to their reconstructions by one autoencoder, or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_grid import ImageRow, image_grid
from autoenc.pictures.image_pixels import DENOISING_ERROR, ColorScale, as_pixels, error_text, remark
from autoenc.pictures.picture import Panel, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.subject import Subject

MOST_RUNS, MOST_RUNS_AND_INPUTS = 24, 32  # of more runs, the best are shown


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstructions(Picture):
    """Test images, the model's inputs, and its outputs."""

    clean: NDArray[Any]
    """(K, C, H, W) in [0, 1]."""
    given: NDArray[Any]
    """(K, C, H, W): the model's input, the same as `clean` without noise."""
    final: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    captions: tuple[str, ...]
    """The images' classes, (K,)."""
    test_error: float = math.nan
    """The mean error of all test images; NaN in the numbers of earlier runs."""

    @classmethod
    def measure(cls, subject: Subject) -> Self:
        """Reconstruct the shown images, with noise if the model was trained on noise."""
        import torch

        from autoenc.evaluation.frozen_noise import frozen_generator

        clean = subject.shown
        given = subject.noise(clean, generator=frozen_generator(subject.device, split="shown")).images
        with torch.no_grad(), subject.device.autocast():
            final = subject.model(given).reconstruction.float()
        return cls(
            clean=clean.cpu().numpy(),
            given=given.cpu().numpy(),
            final=final.cpu().numpy(),
            captions=subject.shown_names,
            test_error=float(torch.cat([batch.errors for batch in subject.scored_test_batches()]).double().mean()),
        )

    @property
    def noisy(self) -> bool:
        """Whether the inputs differ from the clean images."""
        return not np.array_equal(self.given, self.clean)

    @property
    def error_name(self) -> str:
        """The name of the reconstructions' errors."""
        return "denoising error (MSE)" if self.noisy else "MSE"

    def own_figure(self, *, title: str) -> Figure:
        """Draw the originals, their noisy versions if there are any, the reconstructions, and the errors."""
        # Absolute error on one hue from light to dark, not signed error on a diverging map, both ends of which are
        # equally dark: in grey print, too bright and too dark would look alike.
        error = np.abs(self.final.astype(np.float64) - self.clean).mean(axis=1)  # (K, H, W)
        over = ", mean over channels" if self.clean.shape[1] > 1 else ""
        label = f"absolute error of a pixel, |reconstruction \N{MINUS SIGN} original|{over}"
        scale = ColorScale.of_errors(label, error)
        pixels = scale.pixels(np.nan_to_num(error, nan=np.inf))
        rows = [image_row("original", self.clean)]
        if self.noisy:
            noise = image_row("noisy input", self.given, notes=_error_texts(self.given, self.clean))
            rows.append(replace(noise, notes_label="MSE of the noise"))
        rows.append(image_row("reconstruction", self.final))
        errors = _error_texts(self.final, self.clean)
        name = "denoising error" if self.noisy else "error"
        rows.append(ImageRow(name, pixels, notes=errors, notes_label=self.error_name))
        line = f"Mean {self.error_name}: {', '.join(self.mean_errors)}."
        line += f" {DENOISING_ERROR}" if self.noisy else ""
        return image_grid(rows, title=title, captions=self.captions, color_scale=scale, line=line)

    @property
    def mean_errors(self) -> list[str]:
        """The mean errors of the shown images and of all test images, in words."""
        shown = _mean_of_these(squared_errors(self.final, self.clean))
        return [shown] if math.isnan(self.test_error) else [shown, f"{error_text(self.test_error)} of all test images"]

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw the originals, then each panel's reconstructions with the errors below; of very many panels, the best.

        With noise, panels with the same inputs stand together, below these inputs.
        """
        check_same_images(panels)
        finals = [panel.picture.final for panel in panels]
        best, line = best_panels(panels, finals, most=MOST_RUNS)
        if len(best) + len(_by_input(best)) > MOST_RUNS_AND_INPUTS:
            best, line = best_panels(panels, finals, most=MOST_RUNS_AND_INPUTS // 2)
        groups = _by_input(best)
        if any(panel.picture.noisy for panel in best):
            line = f"{DENOISING_ERROR} {line}".strip()
        rows = [image_row("original", panels[0].picture.clean)]
        for members in groups:
            first, *others = _group_rows(members, groups)
            rows += [replace(first, begins=len(groups) > 1), *others]
        return image_grid(rows, title=title, captions=panels[0].picture.captions, line=line)


def _by_input(panels: Sequence[Panel[Reconstructions]]) -> list[list[Panel[Reconstructions]]]:
    """Group panels whose inputs are equal bit for bit; groups and members keep their order."""
    groups: dict[bytes, list[Panel[Reconstructions]]] = {}
    for panel in panels:
        groups.setdefault(panel.picture.given.tobytes(), []).append(panel)
    return list(groups.values())


def _group_rows(members: Sequence[Panel[Reconstructions]], groups: Sequence[object]) -> list[ImageRow]:
    """The input, if it is noisy, and below it what each model made of it, each with its errors."""
    first = members[0].picture
    rows = [
        image_row(
            "\n".join([label or "reconstruction", f"mean {picture.error_name}", *picture.mean_errors]),
            picture.final,
            notes=_error_texts(picture.final, picture.clean),
        )
        for label, picture in members
    ]
    if not first.noisy:
        return rows
    noise = f"mean MSE of the noise\n{_mean_of_these(squared_errors(first.given, first.clean))}"
    label, notes = _input_label(members, groups), _error_texts(first.given, first.clean)
    return [image_row(f"{label}\n{noise}", first.given, notes=notes), *rows]


def _input_label(members: Sequence[Panel[Reconstructions]], groups: Sequence[object]) -> str:
    """`noisy input`, and if there are several inputs, the first run that was given it."""
    if len(groups) == 1:
        return "noisy input"
    more = f" and {len(members) - 1} more" if len(members) > 1 else ""
    return f"noisy input \N{MIDDLE DOT} {members[0].label}{more}"


def _mean_of_these(errors: NDArray[np.float64]) -> str:
    return f"{error_text(float(errors.mean()))} of these {len(errors)} images"


def _error_texts(made: NDArray[Any], clean: NDArray[Any]) -> tuple[str, ...]:
    return tuple(error_text(float(value)) for value in squared_errors(made, clean))


def best_panels(
    panels: Sequence[Panel[Any]], made: Sequence[NDArray[Any]], *, most: int
) -> tuple[list[Panel[Any]], str]:
    """The panels whose images `made`, (K, C, H, W) each, are nearest to the clean ones, in the order given.

    Returns:
        The panels, and a sentence if some are left out.
    """
    if len(panels) <= most:
        return list(panels), ""
    clean = panels[0].picture.clean
    errors = [squared_errors(images, clean).mean() for images in made]
    kept = sorted(np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")[:most].tolist())
    remark = f"Of {len(panels)} runs the {most} best, by the mean MSE of these images, are shown."
    return [panels[index] for index in kept], remark


def squared_errors(made: NDArray[Any], clean: NDArray[Any]) -> NDArray[np.float64]:
    """The mean squared error of each image over pixels and channels, (K,)."""
    errors: NDArray[np.float64] = ((made.astype(np.float64) - clean) ** 2).mean(axis=(1, 2, 3))
    return errors


def check_same_images(panels: Sequence[Panel[Any]]) -> None:
    """Refuse panels whose clean images or captions differ."""
    first = panels[0].picture
    for _, picture in panels[1:]:
        if picture.captions != first.captions or not np.array_equal(picture.clean, first.clean):
            raise ValueError("the panels show different test images")


def image_row(label: str, images: NDArray[Any], *, notes: tuple[str, ...] = (), begins: bool = False) -> ImageRow:
    """A row of images (K, C, H, W) whose label tells if values had to be clipped."""
    return ImageRow(f"{label}\n{remark(images)}".strip(), as_pixels(images), notes=notes, begins=begins)
