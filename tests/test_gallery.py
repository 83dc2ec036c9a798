"""The script that draws the gallery names what exists, and keeps its pictures small."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from PIL import Image

from autoenc.pictures import PICTURES

ROOT = Path(__file__).parents[1]
PRESETS = {path.stem: path for path in (ROOT / "conf" / "experiment").glob("*.yaml")}


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "scripts" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_preset_has_its_pictures(gallery: ModuleType) -> None:
    assert {*gallery.SWEEPS, *gallery.SEARCHES, *gallery.RUNS} - {"reconstructions"} == set(PRESETS)
    for name, pictures in gallery.SWEEPS.items():
        drawn = yaml.safe_load(PRESETS[name].read_text())["comparison"]["pictures"]
        assert set(pictures) <= set(drawn), name
    for _, files in gallery.RUNS.values():
        assert set(files) <= set(PICTURES)


def test_the_list_has_the_time_of_each_preset(gallery: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert gallery.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if "on two cores" in line or "minute" in line} >= set(gallery.SWEEPS)


def test_names_and_overrides_are_told_apart(gallery: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, list[str]]] = []

    def draw(name: str, *, overrides: list[str], **_: bool) -> list[Path]:
        drawn.append((name, overrides))
        return []

    monkeypatch.setattr(gallery, "draw", draw)
    assert gallery.main(["--only", "code_size", "--only", "depth", "device.threads=1", "seed=1"]) == 0
    assert drawn == [(name, ["device.threads=1", "seed=1"]) for name in ("code_size", "depth")]


def test_a_picture_is_as_large_as_the_limit_allows(gallery: ModuleType, tmp_path: Path) -> None:
    plain = Image.new("RGB", (2000, 1000), "white")
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 1600, 3), np.uint8))
    for image, largest in ((plain, 1600), (noisy, 850)):
        path = gallery.save(image, tmp_path / "picture.png")
        with Image.open(path) as written:
            assert written.width <= largest
        assert path.stat().st_size <= gallery.LARGEST


def test_a_finished_run_is_not_trained_again(
    gallery: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(gallery, "call", lambda *words: calls.append(words))
    gallery.train_run(tmp_path, ["seed=1"])
    for state in ("interrupted", "finished"):
        (tmp_path / "status.json").write_text(f'{{"state": "{state}"}}')
        gallery.train_run(tmp_path, ["seed=1"])
    assert calls == [
        ("train.py", f"hydra.run.dir={tmp_path}", "seed=1"),
        ("train.py", f"resume={tmp_path}"),
    ]
