"""Draw the pictures of docs/gallery again: train each preset, and write the part of its pictures that the page shows.

A preset's sweep is outputs/sweeps/gallery-<name>, a single run outputs/gallery/<name>. Finished jobs are reused, so
that a stopped command continues. Two kinds of pictures are made by hand:

- docs/denoising_heat_map.png, from the folder of the sweep:
  train.py -m sweep.name=gallery-heat_map architecture=denoising_conv dataset=mnist dataset.limit=10000 figures=[]
  training.epochs=5 noise=none,gaussian,salt_and_pepper,masking,occlusion
  evaluate.py outputs/sweeps/gallery-heat_map evaluation=denoising evaluation.limit=1000
- docs/report.png and docs/report_map.png, from a sweep's report:
  chromium --headless --hide-scrollbars --window-size=1440,900 --screenshot=docs/report.png SWEEP/report.html
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LARGEST = 400_000
"""Bytes of a picture, so that the page loads quickly."""
WIDTHS = (1600, 1400, 1200, 1000, 850, 700)
"""Pixels; the first that makes the file small enough, if need be with a palette of 256 colours."""

SWEEPS: Mapping[str, Sequence[str]] = {
    "linear_vs_conv": ("final_losses", "progress"),
    "architectures": ("final_losses", "error_by_class"),
    "code_size": ("error_against", "reconstructions"),
    "depth": ("final_losses", "codes"),
    "relu_vs_sigmoid": ("sparsity", "codes"),
    "collapse": ("dead_units", "final_losses"),
    "denoising_kernels": ("final_losses", "kernels"),
    "noise_severity": ("error_against",),
    "residual_vs_plain": ("loss_curves", "differences"),
    "checkerboard": ("spectrum",),
    "vae_vs_vanilla": ("differences", "codes", "samples"),
    "overfitting": ("loss_curves",),
    "cpu_vs_gpu": ("seconds_per_epoch", "final_losses"),
}
"""The pictures of each comparison that are shown, one below another in docs/gallery/<name>.png."""

SEARCHES = ("search_learning_rate", "search_vae")
"""Their picture is search.png in the folder of the sweep."""

RUNS: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "vanilla_2d": (
        ("experiment=vanilla_2d",),
        {"codes": "gallery/vanilla_2d_codes.png", "decoder_grid": "gallery/vanilla_2d_decoder_grid.png"},
    ),
    "fast_fully_connected": (
        ("experiment=fast_fully_connected",),
        {"reconstructions": "gallery/fast_fully_connected.png"},
    ),
    "fast_conv": (("experiment=fast_conv",), {"reconstructions": "gallery/fast_conv.png"}),
    "deep": (("experiment=deep",), {"reconstructions": "gallery/deep.png"}),
    "salt_and_pepper": (("experiment=salt_and_pepper",), {"reconstructions": "gallery/salt_and_pepper.png"}),
    "reconstructions": (
        ("architecture=conv", "dataset=fashion_mnist", "noise=salt_and_pepper", "training.epochs=5"),
        {"reconstructions": "reconstructions.png"},
    ),
}
"""The overrides of single runs, and the file below docs/ for each picture."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what the command line names; returns the exit code."""
    names = [*SWEEPS, *SEARCHES, *RUNS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="only this; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the names, with the time that they take")
    parser.add_argument("--redraw", action="store_true", help="train nothing; draw from the runs that have finished")
    parser.add_argument("overrides", nargs="*", help="for every training, such as device.threads=1")
    options = parser.parse_intermixed_args(arguments)
    for name in options.only or names:
        if options.list:
            print(f"{name:24}{duration(name)}")
        else:
            print(name, flush=True)
            for path in draw(name, overrides=options.overrides, train=not options.redraw):
                print(f"    {path.relative_to(ROOT)}, {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


def duration(name: str) -> str:
    """What the preset's comment says it takes; for a run without a preset, nothing."""
    preset = ROOT / "conf" / "experiment" / f"{name}.yaml"
    found = re.search(r"^# Takes: (.*)", preset.read_text(encoding="utf-8"), re.MULTILINE) if preset.exists() else None
    return found.group(1) if found else ""


def draw(name: str, *, overrides: Sequence[str], train: bool) -> list[Path]:
    """Train what has not finished, and write the pictures; returns their paths."""
    if name in RUNS:
        given, files = RUNS[name]
        run = ROOT / "outputs" / "gallery" / name
        if train:
            train_run(run, [*given, *overrides])
        return [save(Image.open(run / "figures" / f"{kind}.png"), DOCS / file) for kind, file in files.items()]
    sweep = ROOT / "outputs" / "sweeps" / f"gallery-{name}"
    if train:
        call("train.py", f"experiment={name}", f"sweep.name=gallery-{name}", *overrides)
    if name in SEARCHES:
        return [save(Image.open(sweep / "search.png"), DOCS / "gallery" / f"{name}.png")]
    return [draw_page(sweep, SWEEPS[name], DOCS / "gallery" / f"{name}.png")]


def train_run(folder: Path, overrides: Sequence[str]) -> None:
    """Start or continue a run; a finished one stays as it is."""
    status = folder / "status.json"
    if not status.exists():
        call("train.py", f"hydra.run.dir={folder}", *overrides)
    elif json.loads(status.read_text(encoding="utf-8"))["state"] != "finished":
        call("train.py", f"resume={folder}")


def draw_page(sweep: Path, pictures: Sequence[str], path: Path) -> Path:
    """Write some pictures of a sweep's comparison, one below another."""
    from autoenc.comparison.page import ComparisonSettings, draw_comparison
    from autoenc.comparison.sweep_results import comparison_of, jobs_of

    finished = [record for record in jobs_of(sweep) if record.finished]
    settings, metric = comparison_of(sweep, finished)
    shown: ComparisonSettings = replace(settings, pictures=tuple(pictures))
    page = sweep / "gallery.png"
    draw_comparison(finished, settings=shown, metric=metric, title=settings.title or sweep.name, path=page)
    return save(Image.open(page), path)


def save(image: Image.Image, path: Path) -> Path:
    """Write a picture as large as the limit allows."""
    for width in WIDTHS:
        scale = min(1.0, width / image.width)
        size = (round(scale * image.width), round(scale * image.height))
        resized = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        for version in (resized, resized.quantize(256, dither=Image.Dither.NONE)):
            version.save(path, optimize=True)
            if path.stat().st_size <= LARGEST:
                return path
    return path


def call(script: str, *arguments: str) -> None:
    """Run one of the scripts; its failure ends this one."""
    subprocess.run([sys.executable, ROOT / "scripts" / script, *arguments], cwd=ROOT, check=True)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
