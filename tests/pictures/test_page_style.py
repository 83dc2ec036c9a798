"""What all pictures have in common: the style, the page, wrapping, stacking, and files that appear whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from numpy.typing import NDArray
from PIL import Image

import autoenc
from autoenc.pictures import page as page_module
from autoenc.pictures.loss_charts import Loss
from autoenc.pictures.loss_curves import draw_loss_curves
from autoenc.pictures.page import Page, house_style, pixels_of, save, text_width, wrapped
from autoenc.pictures.panels import save_stacked, stacked


def draw(path: Path) -> None:
    history = [{"epoch": epoch, "train/loss": 1 / epoch, "validation/loss": 2 / epoch} for epoch in (1, 2)]
    draw_loss_curves(history, path=path, loss=Loss("loss"), best_epoch=2, title="t")


def page_of(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def plain(width: int, height: int, *, color: str) -> Figure:
    page = Page(width=width, height=height)
    page.figure.set_facecolor(color)
    return page.figure


def test_a_failed_write_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "loss_curves.png"
    path.write_bytes(b"old")

    def fail(file_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        draw(path)
    assert [found.name for found in tmp_path.iterdir()] == ["loss_curves.png"]
    assert path.read_bytes() == b"old"


def test_the_callers_style_neither_changes_nor_matters(tmp_path: Path) -> None:
    draw(tmp_path / "first.png")
    with mpl.rc_context({"font.size": 33, "savefig.bbox": "tight", "figure.facecolor": "black", "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        draw(tmp_path / "second.png")
        assert dict(mpl.rcParams) == before
    assert np.array_equal(page_of(tmp_path / "first.png"), page_of(tmp_path / "second.png"))
    picture = Image.open(tmp_path / "first.png")
    assert (picture.format, picture.width, picture.getpixel((0, 0))) == ("PNG", 1600, (255, 255, 255))
    assert 850 <= picture.height <= 950  # as large as a slide


def test_neither_pyplot_nor_the_backend_is_touched(tmp_path: Path) -> None:
    program = f"""
import sys, pathlib, matplotlib
from autoenc.pictures.loss_charts import Loss
from autoenc.pictures.loss_curves import draw_loss_curves
path = pathlib.Path({str(tmp_path / "x.png")!r})
draw_loss_curves([{{"epoch": 1, "train/loss": 1}}], path=path, loss=Loss("loss"), best_epoch=None, title="t")
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
assert "torch" not in sys.modules, "torch"
assert "scipy" not in sys.modules, "scipy"
assert dict.__getitem__(matplotlib.rcParams, "backend") == "svg", "backend"
"""
    environment = {"MPLBACKEND": "svg", "MPLCONFIGDIR": str(tmp_path), "PATH": ""}
    root = Path(autoenc.__file__).parents[1]
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_texts_are_wrapped_between_words_and_inside_long_ones() -> None:
    with house_style():
        assert wrapped("Ankle boot", width=90, size=12) == "Ankle\nboot"
        assert wrapped("T-shirt/top", width=90, size=12) == "T-shirt/\ntop"
        assert wrapped("one\ntwo", width=900, size=12) == "one\ntwo"
        assert wrapped("", width=90, size=12) == ""
        broken = wrapped("abcdefghij" * 3, width=90, size=12)
        assert broken.replace("\n", "") == "abcdefghij" * 3
        assert text_width(broken, 12) <= 90


def test_a_text_that_fits_is_measured_once_and_few_parts_of_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def ten_for_each_letter(line: str, size: float) -> int:
        measured.append(line)
        return 10 * len(line)

    monkeypatch.setattr(page_module, "_line_width", ten_for_each_letter)
    assert wrapped("It all fits on one line.", width=240, size=12) == "It all fits on one line."
    assert measured == ["It all fits on one line."]
    measured.clear()
    words = ["words"] * 256
    assert wrapped(" ".join(words), width=60 * 128 - 10, size=12) == "\n".join([" ".join(words[:128])] * 2)
    assert len([line for line in measured if " " in line]) <= 1 + 2 * 8  # not one for each word


def test_a_figure_is_drawn_once_when_it_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    monkeypatch.setattr(RendererAgg, "draw_text", lambda *given, **_: texts.append(given[4]))
    draw(tmp_path / "x.png")
    assert texts.count("epoch") == 1


def test_images_are_copied_to_the_page_without_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FigureImage, "make_image", lambda *_: pytest.fail("resampled"))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    with house_style():
        page = Page(width=100, height=80)
        page.image(pixels, left=30, top=20, scale=7)
        found = pixels_of(page.figure)
    assert np.array_equal(found[20:48, 30:65], pixels.repeat(7, axis=0).repeat(7, axis=1))


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_vector_formats_have_the_size_and_the_places_of_the_page(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    with house_style(), mpl.rc_context({"pdf.compression": 0}):
        page = Page(width=1280, height=640)
        page.line([(0, 0), (1280, 640)], color="red", width=1)
        page.text("a title", x=640, y=20, size=12)
        page.image(np.zeros((2, 3, 3), dtype=np.uint8), left=128, top=256, scale=64)
        save(page.figure, path)
        first = path.read_bytes()
        save(page.figure, path)
    assert path.read_bytes() == first
    found = first.decode("latin-1")  # 72 units an inch, and 128 pixels
    for text in SVG_PLACES if suffix == "svg" else PDF_PLACES:
        assert re.search(text, found), text


SVG_PLACES = (
    r'width="720pt" height="360pt"',
    r'd="M 0 0 \s*L 720 360',
    r'x="72" y="-144"[^>]* width="108" height="72"',
)
PDF_PLACES = (r"MediaBox \[ 0 0 720 360 \]", r"0 360 m\s+720 0 l", r"108 0 0 72 72 144 cm")


def test_figures_stand_under_one_another_as_they_are() -> None:
    pixels = stacked([plain(30, 20, color="#ff0000"), plain(99, 10, color="#0000ff")], title="t")
    pixels = pixels[-30:]
    assert (pixels[:20, :30] == [255, 0, 0]).all()
    assert (pixels[:20, 30:] == 255).all()
    assert (pixels[20:] == [0, 0, 255]).all()


def test_the_title_stands_above_the_figures(tmp_path: Path) -> None:
    save_stacked([plain(900, 100, color="#0000ff")], tmp_path / "s.png", title="a title " * 20)
    pixels = page_of(tmp_path / "s.png")
    above, below = pixels[:-100], pixels[-100:]
    assert (below == [0, 0, 255]).all()
    assert (above.min(axis=2) < 100).any()
    assert (above[:, -20:] == 255).all()
    assert [path.name for path in tmp_path.iterdir()] == ["s.png"]
