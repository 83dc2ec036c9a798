"""`index.html` of a run: what it shows, and that a stranger's folder cannot make it do anything else."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from autoenc.command_line import evaluate, figures
from autoenc.evaluation.health.unhealthy import Unhealthy
from autoenc.experiment.run_page import CAPTIONS, page, write_run_page
from autoenc.runs import RunDirectory, RunRecord, read_run
from tests.comparison.made_records import record
from tests.comparison.test_report_html_page import Parsed
from tests.conftest import Train

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
EVIL = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&"
TEST = {"mse": 0.03, "pca_mse": 0.02}


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    """A run with two pictures."""
    (tmp_path / "figures").mkdir()
    for name in ("reconstructions.png", "codes_over_epochs.gif"):
        (tmp_path / "figures" / name).write_bytes(PIXEL)
    return record("a", TEST, path=tmp_path, architecture__name="mlp")


def test_the_page_has_the_verdict_findings_scores_pictures_settings_and_commands(run: RunRecord) -> None:
    found = Unhealthy(21, 128, "units of encoder layer 1 (ReLU)", "dead", "constant on the test images", "ReLU")
    text = page(dataclasses.replace(run, summary={**run.summary, "health": {"findings": [found._asdict()]}}))
    for part in (
        "<h1>MLP autoencoder, code size 3, on MNIST</h1>",
        "A model that rebuilds images with a code of 3 numbers, trained for 5 epochs in 61.2 seconds on CPU.",
        "The error, 0.03, is above that of PCA with 3 numbers (0.02).",
        "The scores and pictures use the weights of epoch 4, the best.",
        "It costs capacity, not correctness.",
        "Click a picture for its full size.",
        "<span>PCA</span><span>0.02</span>",
        "<dt>optimizer.learning_rate</dt><dd>0.001</dd>",
        f"rerun={run.path}</pre>",
        "autoenc-compare",
    ):
        assert part in text
    assert [name for name in CAPTIONS if CAPTIONS[name][1] in text] == ["reconstructions", "codes_over_epochs"]
    assert f'src="data:image/png;base64,{base64.b64encode(PIXEL).decode()}"' in text
    assert 'src="data:image/gif;base64,' in text


def test_the_policy_allows_one_style_and_images_inside_the_page(run: RunRecord) -> None:
    text = page(run)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    allowed = dict(part.split(" ", 1) for part in policy[1].replace("&#x27;", "'").split("; "))
    assert allowed["default-src"] == allowed["script-src"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
    assert allowed["img-src"] == "data:"
    assert allowed["style-src"] == f"'sha256-{digest}'"
    assert text.index("Content-Security-Policy") < text.index("<title") < text.index("<style")


def test_the_page_asks_for_nothing_and_runs_nothing(run: RunRecord) -> None:
    for tag, attributes in Parsed(page(run)).elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not {"srcset", "style", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("src", "data:image/")).startswith("data:image/")
        assert re.fullmatch(r"figures/\w+\.\w+", str(attributes.get("href", "figures/a.png")))


def test_a_stranger_s_text_stays_text(run: RunRecord) -> None:
    config = {EVIL: EVIL, **{group: {"name": EVIL, EVIL: EVIL} for group in ("architecture", "dataset", "noise")}}
    summary: dict[str, Any] = {
        "test": {**TEST, EVIL: 1.0, "denoising_mse": 0.1},
        "units": {EVIL: EVIL, "mse": EVIL},
        "health": {"findings": [Unhealthy(1, 2, EVIL, "dead", EVIL, EVIL)._asdict()]},
    }
    text = page(dataclasses.replace(run, config=config, summary=summary, environment={"device": EVIL}))
    plain = {tag for tag, _ in Parsed(page(run)).elements}
    assert {tag for tag, _ in Parsed(text).elements} <= {*plain, "ul", "li", "strong"}
    assert text.count("alert(1)") == text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5
    assert len(Parsed(text).of("img")) == 2


@pytest.mark.parametrize("changes", [{"summary": {}, "config": {}}, {"summary": {"test": None, "code_size": None}}])
def test_a_folder_with_little_in_it_has_a_page(run: RunRecord, changes: dict[str, Any]) -> None:
    assert "<h1>" in page(dataclasses.replace(run, **changes))


def test_links_out_of_the_folder_are_not_followed(run: RunRecord, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 5)
    hidden = base64.b64encode(secret.read_bytes()).decode()
    (run.path / "figures" / "codes.png").symlink_to(secret)
    assert hidden not in page(run)
    (run.path / "figures").rename(run.path / "moved")
    (run.path / "moved" / "codes.png").unlink()
    (run.path / "moved" / "codes.png").write_bytes(secret.read_bytes())
    (run.path / "figures").symlink_to(run.path / "moved")
    assert hidden not in page(run)
    assert "<img" not in page(run)
    assert "Click a picture" not in page(run)


def test_a_pdf_is_linked_and_of_several_formats_the_newest_is_shown(run: RunRecord) -> None:
    (run.path / "figures" / "reconstructions.pdf").write_bytes(b"%PDF")
    assert 'href="figures/reconstructions.pdf">Open reconstructions.pdf</a>' in page(run)
    assert "image/png" not in page(run)
    (run.path / "figures" / "reconstructions.svg").write_text("<svg/>")
    assert 'src="data:image/svg+xml;base64,' in page(run)


def test_a_large_picture_is_linked(run: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.experiment.run_page.LARGEST_PICTURE", 10)
    assert "<img" not in page(run)
    assert "Open reconstructions.png" in page(run)


def test_a_run_writes_its_page_and_figures_and_evaluate_write_it_again(train: Train) -> None:
    run = train()
    first = (run / "index.html").read_text()
    assert first.count("<img") == 3
    (run / "index.html").unlink()
    write_run_page(RunDirectory(run))
    assert (run / "index.html").read_text() == first  # it depends on the folder alone
    assert figures.main([str(run), "error_by_class", "--device", "cpu"]) == 0
    drawn = (run / "index.html").read_text()
    assert drawn.count("<img") == 4
    (run / "index.html").unlink()
    assert evaluate.main([str(run), "evaluation=quick"]) == 0
    scored = (run / "index.html").read_text()
    assert "<dt>evaluation</dt><dd>quick</dd>" in scored
    assert scored.count("<img") == 4


def test_one_run_is_read_with_its_whole_history(train: Train) -> None:
    found = read_run(train())
    assert found.finished
    assert [row["epoch"] for row in found.history] == [1, 2, 3]
    assert found.summary["test"]["mse"] > 0
