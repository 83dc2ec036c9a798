"""A run in a notebook: its HTML."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path

import pytest

from autoenc.record_html import LARGEST_PICTURE, as_html
from autoenc.runs import RunRecord

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
        "summary": {
            "test": {"mse": 0.0123456, "pca_mse": 0.02, "elbo_nats": None},
            "units": {"mse": "squared: of pixels"},
        },
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
    assert "<b>convolutional VAE, code size 8, on MNIST, 2 epochs</b>" in html
    assert f"finished; open {tmp_path.name}/index.html" in html  # a notebook that is shared has no absolute path
    cells = ("mse", "0.012346", "PCA 0.02", "squared")
    assert "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells) in html
    assert "elbo_nats" not in html
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in html


def test_text_from_the_folder_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    settings = {"architecture": {"name": evil, "code_size": evil}, "dataset": {"name": evil}, "noise": [evil]}
    summary = {"test": {evil: 1.0}, "units": {evil: evil}}
    html = as_html(record(tmp_path / "<b>", config=settings, summary=summary))
    assert "<script" not in html
    assert "<b>/" not in html
    assert html.count("&lt;script&gt;") == 5


def test_without_scores_or_a_picture_there_is_the_state_alone(tmp_path: Path) -> None:
    running = record(tmp_path, state="running", summary={}, history=[{"epoch": 1.0}])
    assert "1 epoch</b><br>running; " in as_html(running)
    picture(tmp_path, PNG + bytes(LARGEST_PICTURE))
    assert "<table>" not in as_html(running)
    assert "<img" not in as_html(running)


def test_the_picture_may_be_an_svg(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "reconstructions.svg").write_text("<svg/>")
    assert 'src="data:image/svg+xml;base64,' in as_html(record(tmp_path))


@pytest.mark.parametrize("linked", ["figures", "figures/reconstructions.png"])
def test_links_out_of_a_stranger_s_folder_are_not_followed(linked: str, tmp_path: Path) -> None:
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    elsewhere.mkdir()
    picture(elsewhere, PNG)
    (run / linked).parent.mkdir(parents=True)
    (run / linked).symlink_to(elsewhere / linked)
    assert "<img" not in as_html(record(run))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    os.mkfifo(tmp_path / "figures" / "reconstructions.png")
    assert "<img" not in as_html(record(tmp_path))
