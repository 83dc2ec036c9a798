"""How odd pictures are to a model."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import autoenc
from autoenc.application.scoring import shares_below
from autoenc.command_line import main
from autoenc.runs import RunDirectory
from tests.application.application_cases import Given, do, table, told
from tests.conftest import TINY


def test_the_auroc_of_a_ranking_by_hand() -> None:
    yours, ordinary = np.array([0.9, 0.5, 0.1]), np.array([0.5, 0.2, 0.1, 0.05])
    # Pairs: 0.9 wins 4; 0.5 wins 3 and ties 1; 0.1 wins 1 and ties 1.
    np.testing.assert_allclose(shares_below(yours, ordinary), [1, 3.5 / 4, 1.5 / 4])
    assert shares_below(yours, ordinary).mean() == pytest.approx((4 + 3.5 + 1.5) / 12)


def test_odd_pictures_come_first(finished: Path, given: Given, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    do(finished, "images.npy", "new/scores.csv", "score", batch_size=3)
    run = autoenc.load_run(finished)
    errors = (run.reconstruct(given.images) - given.images / 255).square().mean((1, 2, 3)).numpy()
    rows = table(Path("new/scores.csv"))
    order = np.argsort(-errors)
    assert [row["name"] for row in rows] == [str(index) for index in order]
    np.testing.assert_allclose([float(row["mse"]) for row in rows], errors[order], rtol=1e-5)
    np.testing.assert_allclose([float(row["psnr_db"]) for row in rows], -10 * np.log10(errors[order]), atol=2e-3)
    test = run.config.dataset.build(data_dir=run.config.data_dir).test.images
    ordinary = run.errors(test).numpy()
    percentiles = [100 * np.mean(ordinary < error) for error in errors[order]]
    np.testing.assert_allclose([float(row["percentile"]) for row in rows], percentiles, atol=0.01)
    facts = json.loads(Path("new/scores.json").read_text())
    assert facts["auroc"] == pytest.approx(np.mean(percentiles) / 100)
    assert facts["ordinary"]["mean_mse"] == pytest.approx(RunDirectory(finished).summary()["test"]["mse"], rel=1e-5)
    assert f"AUROC {facts['auroc']:.3f}: a random picture of images.npy has a larger error" in caplog.text
    assert sorted(path.name for path in Path("new").iterdir()) == [
        *("scores.csv", "scores.json", "scores.png", "scores_histogram.png"),
    ]


def test_pictures_of_the_run_are_called_by_their_folder(
    finished: Path, given: Given, undrawn: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = ["dataset=image_folder", f"dataset.path={given.pictures}", "dataset.size=[8,8]", "dataset.channels=1"]
    for path in given.pictures.glob("*.png"):  # next to folders of classes
        path.rename(given.pictures / "deep" / path.name)
    assert main([*TINY, *folder, f"hydra.run.dir={tmp_path / 'own'}"]) == 0
    caplog.set_level(logging.INFO)
    do(tmp_path / "own", "images.npy", "scores.csv", "score")
    assert "than a random one of pictures (the run's test split) in " in caplog.text


def test_what_is_no_picture_is_not_counted(finished: Path, given: Given, caplog: pytest.LogCaptureFixture) -> None:
    Path("scores.csv").write_text("rank,name\n")
    caplog.set_level(logging.INFO)
    assert "1 of 1 pictures cannot be read: scores.csv" in told(finished, "scores.csv", "out")
    assert "1 picture of" not in caplog.text


@pytest.mark.parametrize(("limit", "shown"), [(25, 10), (13, 6), (3, 3)])
def test_the_sheet_has_the_oddest_and_the_most_ordinary_pictures(
    finished: Path, elsewhere: Path, limit: int, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("autoenc.application.scoring.draw_error_histograms", lambda *given, **options: None)
    monkeypatch.setattr(
        "autoenc.application.scoring.draw_odd_pictures",
        lambda oddest, *, ordinary, **options: drawn.extend([oddest, ordinary]),
    )
    do(finished, "run:test", "scores.csv", "score", limit=limit, batch_size=4)
    names = [row["name"] for row in table(Path("scores.csv"))]
    oddest, ordinary = drawn
    assert list(oddest.names) == names[:shown]
    assert (ordinary is None) == (limit <= 10)
    assert ordinary is None or list(ordinary.names) == names[: -shown - 1 : -1]
    run = autoenc.load_run(finished)
    test = run.split("test")
    places = {position: place for place, position in enumerate(test.indices.tolist())}
    for part in (oddest, ordinary or oddest):
        expected = test.images[[places[int(name)] for name in part.names]]
        np.testing.assert_allclose(part.images, expected.numpy() / 255, rtol=1e-6)
        np.testing.assert_allclose(part.reconstructions, run.reconstruct(expected).numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(part.errors, run.errors(expected).numpy(), rtol=1e-4)


@pytest.mark.usefixtures("undrawn")
def test_another_baseline_may_be_given(finished: Path, given: Given) -> None:
    do(finished, "run:test", "scores.csv", "score", baseline="images.npy", limit=20)
    facts = json.loads(Path("scores.json").read_text())
    assert (facts["pictures"]["count"], facts["ordinary"]["count"]) == (20, 10)
    run = autoenc.load_run(finished)
    test = run.config.dataset.build(data_dir=run.config.data_dir).test.images[:20]
    errors = torch.cat([run.errors(test), run.errors(given.images)])
    assert facts["auroc"] == pytest.approx(roc_auc_score([1] * 20 + [0] * 10, errors))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("invert", [True, False])
def test_pictures_that_look_inverted_get_a_hint(
    finished: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture, invert: bool
) -> None:
    run = autoenc.load_run(finished)
    test = run.config.dataset.build(data_dir=run.config.data_dir).test.images
    np.save("dark_on_light.npy", 255 - test.numpy())
    do(finished, "dark_on_light.npy", "scores.csv", "score", invert=invert)
    assert ("add --invert" in caplog.text) != invert
    assert (json.loads(Path("scores.json").read_text())["auroc"] == pytest.approx(0.5)) == invert


@pytest.mark.usefixtures("undrawn")
def test_the_log_counts_the_ordinary_errors_below_the_largest_ones(
    finished: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = autoenc.load_run(finished)
    test = run.config.dataset.build(data_dir=run.config.data_dir).test.images
    errors = run.errors(test).sort(descending=True)
    checkered = (torch.arange(64).view(1, 1, 8, 8) + torch.arange(8).view(8, 1)).remainder(2) * 255
    np.save("images.npy", torch.cat([checkered.byte(), test[errors.indices[[0, 2]]]]).numpy())
    do(finished, "images.npy", "scores.csv", "score")
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Oddest: ")]
    count, largest = len(test), errors.values
    # The run's own largest error is not larger than itself.
    assert lines[0].endswith(f", larger than all {count:,} ordinary errors.")
    assert lines[1] == f"Oddest: 1, error {largest[0]:.4g}, larger than {count - 1:,} of {count:,} ordinary errors."
    assert lines[2] == f"Oddest: 2, error {largest[2]:.4g}, larger than {count - 3:,} of {count:,} ordinary errors."
