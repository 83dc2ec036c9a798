"""A run in a notebook: its HTML."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path

from autoenc.runs import RunRecord
from autoenc.runs.record_html import LARGEST_PICTURE, as_html

PNG = b"\x89PNG\r\n\x1a\n and so on"


def record(path: Path, *, state: str = "finished", **changes: object) -> RunRecord:
    settings = {
        "architecture": {"name": "conv", "code_size": 8},
        "bottleneck": {"name": "gaussian"},
        "dataset": {"name": "mnist"},
        "noise": {"name": "none"},
    }
    values = {
        "config": settings,
        "history": [{"epoch": 1.0}, {"epoch": 2.0}],
        "summary": {"test": {"mse": 0.0123456, "elbo_nats": None}, "units": {"mse": "squared: of pixels"}},
    }
    return RunRecord(path=path, name="a", label="a", state=state, **{**values, **changes})  # type: ignore[arg-type]


def picture(path: Path, content: bytes) -> None:
    (path / "figures").mkdir(exist_ok=True)
    (path / "figures" / "reconstructions.png").write_bytes(content)


def test_it_has_the_settings_in_words_the_scores_and_the_picture(tmp_path: Path) -> None:
    picture(tmp_path, PNG)
    (tmp_path / "index.html").touch()
    with contextlib.chdir(tmp_path.parent):
        html = as_html(record(tmp_path))
    assert "convolutional, VAE, MNIST, code size 8, 2 epochs" in html
    assert f"finished; open {tmp_path.name}/index.html" in html  # a notebook that is shared has no absolute path
    assert "<td style='text-align: left'>mse</td><td>0.012346</td><td style='text-align: left'>squared</td>" in html
    assert "elbo_nats" not in html
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in html


def test_text_from_the_folder_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    settings = {"architecture": {"name": evil, "code_size": evil}, "dataset": {"name": evil}, "noise": [evil]}
    summary = {"test": {evil: 1.0}, "units": {evil: evil}}
    html = as_html(record(tmp_path / "<b>", config=settings, summary=summary))
    assert "<script" not in html
    assert "<b>/" not in html
    assert html.count("&lt;script&gt;") == 6


def test_without_scores_or_a_picture_there_is_the_state_alone(tmp_path: Path) -> None:
    running = record(tmp_path, state="running", summary={}, history=[{"epoch": 1.0}])
    assert "1 epoch</b><br>running; " in as_html(running)
    for content in (b"<svg onload=alert(1)>", PNG + bytes(LARGEST_PICTURE)):
        picture(tmp_path, content)
        html = as_html(running)
        assert "<table>" not in html
        assert "<img" not in html
