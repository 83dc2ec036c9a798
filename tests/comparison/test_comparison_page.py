from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from autoenc.command_line import main
from autoenc.command_line.compare import main as compare_main
from autoenc.command_line.figures import main as figures_main
from autoenc.comparison.charts import chart
from autoenc.comparison.page import ComparedPicture, ComparisonSettings, check_comparison, draw_comparison
from autoenc.comparison.sweep_results import compare_sweep, finished_runs
from autoenc.pictures import PICTURES, losses_by_run, picture_class
from autoenc.pictures.codebook import Codebook
from autoenc.pictures.loss_charts import Loss
from autoenc.pictures.page import house_style
from autoenc.runs import RunRecord, Sweep, SweepJob, read_runs, read_sweep, write_sweep
from autoenc.settings import ConfigError
from tests.comparison.made_records import record
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run
from tests.conftest import TINY
from tests.pictures.subjects import images_of, subject_from

SETTINGS = ComparisonSettings(title=None, pictures=("error_against",), metric="mse", against="a.b", epochs=None)
SWEEP = [*TINY, "hydra.sweep.dir=sweep", "training.epochs=1", "-m"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"a": {"b": "x"}}, "it must be the key of a number, but a run has x$"),
        ({"a": {"b": True}}, "it must be the key of a number, but a run has true$"),
        ({"a": 3}, "runs have no number with this key"),
        ({"a": {"bb": 3, "c": "b"}}, r"runs have no number with this key \(did you mean 'a.bb'\?\)$"),
    ],
)
def test_an_axis_has_to_be_a_number(config: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^comparison.against=a.b: {problem}"):
        check_comparison(config, settings=dataclasses.replace(SETTINGS, pictures=("loss_curves",)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["comparison.metric=msee"], "comparison.metric=msee: there is no such metric (did you mean 'mse'?)"),
        (["comparison.pictures=[error_against]"], "comparison.against=null: "),
        (["comparison.pictures=[error_against]", "comparison.against=noise.name"], "comparison.against=noise.name: "),
        (["comparison.pictures=[nothing]"], "comparison.pictures="),
    ],
)
def test_what_cannot_be_compared_is_refused_before_training(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], settings: list[str], message: str
) -> None:
    assert main([*SWEEP, "seed=0,1", *settings]) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not Path("sweep").exists()


def test_a_sweep_ends_with_a_table_and_a_page(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = "comparison.pictures=[loss_curves,final_losses,error_against,reconstructions,progress,kernels]"
    against = ["comparison.against=architecture.code_size", "comparison.title=Two codes", "comparison.epochs=[0,1]"]
    assert main([*SWEEP, "architecture.code_size=2,3", pictures, *against]) == 0
    printed = capsys.readouterr().out
    assert "Two codes" in printed
    assert "Slides: sweep/slides" in printed
    assert size_of(Path("sweep") / "slides" / "final_losses.png") == (1920, 1080)
    assert "code size 2" in printed
    page = Path("sweep") / "comparison.png"
    with Image.open(page) as image:
        first = np.asarray(image)
    labels = read_sweep(Path("sweep")).labels
    assert list(labels.values()) == ["code size 2", "code size 3"]
    one, other = (Path("sweep") / name for name in labels)
    page.unlink()
    assert figures_main(["sweep", "kernels"]) == 0
    assert (other / "figures" / "kernels.png").exists()
    with Image.open(page) as image:
        assert image.height > first.shape[0]  # the kernels, of which the runs had no numbers, are there now
    status = other / "status.json"
    status.write_text(json.dumps({**json.loads(status.read_text()), "state": "failed"}))
    assert finished_runs(Path("sweep")) == [one]
    assert figures_main(["sweep", "kernels"]) == 0


def test_the_report_of_a_sweep_ranks_by_its_metric(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, pictures=(), metric="loss")
    write_sweep(tmp_path, Sweep({name: SweepJob(name, name, (), "") for name in "ab"}, dataclasses.asdict(settings)))
    for name, loss in (("a", 0.5), ("b", 0.25)):
        make_run(tmp_path / name, summary={**SUMMARY, "validation": {"mse": 0.1, "loss": loss}})
    assert compare_sweep(tmp_path) is None
    assert '"mainMetric":"validation.loss"' in (tmp_path / "report.html").read_text()


def test_a_sweep_is_ranked_by_what_its_runs_were_trained_for(tmp_path: Path) -> None:
    for metric, expected in ((None, "denoising_mse"), ("mse", "mse"), ("noisy_mse", "denoising_mse")):
        settings = {**dataclasses.asdict(SETTINGS), "pictures": (), "metric": metric}
        write_sweep(tmp_path, Sweep({"a": SweepJob("a", "a", (), "")}, settings))
        make_run(tmp_path / "a", summary={**SUMMARY, "test": {"mse": 0.1, "noisy_mse": 0.2}})  # an old name
        assert compare_sweep(tmp_path) is None
        assert f'"mainMetric":"test.{expected}"' in (tmp_path / "report.html").read_text()


def test_charts_of_denoisers_have_their_baseline_and_say_what_is_not_comparable() -> None:
    scores = {"denoising_mse": 0.02, "pca_mse": 0.01, "linear_denoising_mse": 0.03}
    units = {"denoising_mse": "mean over pixels of the squared error, pixels in [0, 1]; from the noisy input"}
    runs = [record(str(size), scores, architecture__code_size=size, units=units) for size in (2, 4)]
    noisier = record("6", scores, noise={"name": "gaussian", "std": 1}, units=units)

    def figure(name: str, *records: RunRecord) -> Figure:
        drawing = chart(name, records, metric="denoising_mse", against="architecture.code_size")
        with house_style():
            return drawing.draw(drawing.items, drawing.title)

    lines = {line.get_label(): line for line in figure("error_against", *runs).axes[0].get_lines()}
    assert list(np.asarray(lines["best linear denoiser"].get_ydata())) == [0.03, 0.03]
    assert "PCA" not in lines  # it does not denoise
    label = "denoising error: from the noisy input to the clean image, "
    label += "mean over pixels of the squared error (log scale)"
    assert " ".join(figure("final_losses", *runs).axes[0].get_xlabel().split()) == label
    for name in ("error_against", "final_losses"):
        for records, remarked in ((runs, False), ([*runs, noisier], True)):
            texts = " ".join(text.get_text() for text in figure(name, *records).texts)
            assert ("Not all are comparable: they differ in noise (no noise and Gaussian noise)." in texts) == remarked


def test_a_sweep_file_is_read_as_written_and_names_no_folder_outside(tmp_path: Path) -> None:
    since = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    sweep = Sweep({"a": SweepJob("seed 0", "0123456789", ("seed=0",), "code")}, {"title": None}, since)
    write_sweep(tmp_path, sweep)
    assert read_sweep(tmp_path) == sweep
    write_sweep(tmp_path, Sweep({"../elsewhere": SweepJob("x", "", (), "")}, {}))
    with pytest.raises(ConfigError, match="names a folder that is not below the sweep's"):
        read_sweep(tmp_path)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_sweep(tmp_path)


def test_figures_of_a_run_refuses_what_it_cannot_do(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("run"))
    for arguments, message in (
        (["nowhere"], "error: RUN=nowhere: there is no such folder"),
        (["run", "cods"], "error: PICTURE=cods: there is no such picture (did you mean 'codes'?)"),
        (["run", "kernels", "--tsne"], "error: --tsne: it applies to the picture codes"),
    ):
        assert figures_main(arguments) == 2
        assert message in capsys.readouterr().err


def test_numbers_of_strangers_leave_a_picture_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(tmp_path / "run")
    (run / "figures").mkdir()
    (run / "figures" / "codebook.npz").write_bytes(b"no archive")
    (tmp_path / "other").mkdir()
    Codebook(uses=np.ones(3, dtype=np.int64)).save(tmp_path / "other" / "codebook.npz")
    linked = make_run(tmp_path / "linked")
    (linked / "figures").symlink_to(tmp_path / "other")
    settings = dataclasses.replace(SETTINGS, pictures=("codebook",))
    with caplog.at_level("INFO"):
        for folder in (run, linked):
            records = read_runs([folder])
            assert not draw_comparison(records, settings=settings, metric="mse", title="", path=tmp_path / "page.png")
    assert "'codebook' is left out" in caplog.text
    assert "linked has no numbers of the picture 'codebook'" in caplog.text
    assert not (tmp_path / "page.png").exists()


def test_numbers_that_cannot_be_drawn_leave_a_picture_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_run(tmp_path / "run") / "figures"
    folder.mkdir()
    Codebook(uses=np.ones(3, dtype=np.int64)).save(folder / "codebook.npz")
    values = {"<values>": np.array('{"layers": [1, 2]}')}  # which are to be names
    np.savez(folder / "sparsity.npz", zeros=np.ones((2, 10)), hoyer=np.ones((2, 10)), **values)  # type: ignore[arg-type]
    settings = dataclasses.replace(SETTINGS, pictures=("sparsity", "codebook"))
    records = read_runs([tmp_path / "run"])
    assert draw_comparison(records, settings=settings, metric="mse", title="", path=tmp_path / "page.png")
    assert "'sparsity' is left out: its numbers cannot be drawn: AttributeError: " in caplog.text
    assert (tmp_path / "page.png").exists()


def test_a_metric_that_was_not_measured_is_a_mistake(tmp_path: Path) -> None:
    records = read_runs([make_run(tmp_path / "run")])
    settings = dataclasses.replace(SETTINGS, pictures=("final_losses",))
    with pytest.raises(
        ConfigError, match=r"comparison.metric=psnr: no run measured it on the test split; they have mse, loss"
    ):
        draw_comparison(records, settings=settings, metric="psnr", title="", path=tmp_path / "page.png")


def test_loss_curves_know_which_runs_denoise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Mock(wraps=losses_by_run.losses_by_run)
    monkeypatch.setattr(losses_by_run, "losses_by_run", drawing)
    history = ({"epoch": 1, "train/loss": 0.5},)
    records = [
        record("plain", {"mse": 0.5}, history=history),
        record("denoiser", {"mse": 0.5, "denoising_mse": 0.6}, history=history),
    ]
    settings = dataclasses.replace(SETTINGS, pictures=("loss_curves",))
    assert draw_comparison(records, settings=settings, metric="mse", title="t", path=tmp_path / "page.png")
    assert drawing.call_args.kwargs["losses"] == [Loss("squares"), Loss("squares", denoising=True)]


def test_seeds_are_drawn_as_one_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from autoenc.pictures import error_by_setting, scores_by_run

    charts = {"losses_by_run": losses_by_run, "scores_by_run": scores_by_run, "error_by_setting": error_by_setting}
    spies = {name: Mock(wraps=getattr(module, name)) for name, module in charts.items()}
    for name, module in charts.items():
        monkeypatch.setattr(module, name, spies[name])
    errors = {("conv", 2): (0.1, 0.3, 0.2), ("conv", 4): (0.05, 0.06, 0.07), ("mlp", 2): (0.4,)}
    jobs = {}
    for (kind, size), scores in errors.items():
        for seed, mse in enumerate(scores):
            config = {**CONFIG, "architecture": {"name": kind, "code_size": size}, "seed": seed}
            make_run(tmp_path / f"{kind}{size}{seed}", config=config, summary={**SUMMARY, "test": {"mse": mse}})
            jobs[f"{kind}{size}{seed}"] = SweepJob(f"{kind}, code size {size}, seed {seed}", "", (), "")
    pictures = ("loss_curves", "final_losses", "error_against", "codebook")
    settings = dataclasses.replace(SETTINGS, pictures=pictures, against="architecture.code_size")
    write_sweep(tmp_path, Sweep(jobs, dataclasses.asdict(settings)))
    with caplog.at_level("INFO"):
        assert compare_sweep(tmp_path) == tmp_path / "comparison.png"
    drawn = {name: spy.call_args.args[0] for name, spy in spies.items()}
    names = ["conv, code size 2 (3 seeds)", "conv, code size 4 (3 seeds)", "mlp, code size 2 (1 seed)"]
    assert {name: len(seeds) for name, seeds in drawn["losses_by_run"]} == dict(zip(names, (3, 3, 1), strict=True))
    found = {row.name: tuple(seed["test"] for seed in row.seeds) for row in drawn["scores_by_run"]}
    assert found == dict(zip(names, errors.values(), strict=True))
    assert {(point.series, point.x) for point in drawn["error_by_setting"]} == {("conv", 2), ("conv", 4), ("mlp", 2)}
    chosen = "conv, code size 2, seed 2 (median of 3 by test reconstruction error)"
    assert f"{chosen} has no numbers of the picture 'codebook'" in caplog.text
    assert "mlp, code size 2 has no numbers" in caplog.text


def test_slides_hold_few_panels_each_whatever_the_number_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autoenc.pictures import codebook

    counts: list[int] = []
    draw = Codebook.figure

    def counted(panels: Any, *, title: str) -> Figure:
        counts.append(len(panels))
        return draw(panels, title=title)

    monkeypatch.setattr(codebook.Codebook, "figure", counted)
    for number in range(30):
        config = {**CONFIG, "training": {"epochs": number}}
        folder = make_run(tmp_path / f"{number:02}", config=config, summary={**SUMMARY, "test": {"mse": 1 + number}})
        (folder / "figures").mkdir()
        Codebook(uses=np.ones(3, dtype=np.int64)).save(folder / "figures" / "codebook.npz")
    settings = dataclasses.replace(SETTINGS, pictures=("codebook", "final_losses"))
    page, slides = tmp_path / "page.png", tmp_path / "slides"
    records = read_runs([tmp_path])
    assert draw_comparison(records, settings=settings, metric="mse", title="", path=page, slides=slides)
    assert max(counts) == 12  # of 30: the best
    sizes = [size_of(path) for path in slides.iterdir()]
    assert set(sizes) == {(1920, 1080)}
    assert len(sizes) == 4
    assert max(size_of(page)) < 6000


@pytest.mark.parametrize("name", get_args(ComparedPicture))
def test_every_picture_that_a_comparison_may_name_is_drawn(
    tmp_path: Path, stored_numbers: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    for seed, size in itertools.product((0, 1), (2, 4)):
        config = {**CONFIG, "architecture": {"name": "linear", "code_size": size}, "seed": seed}
        scores = {"test": {"mse": 0.1 / size + 0.01 * seed}, "health": {"dead_units": {"code (ReLU)": 1}}}
        folder = make_run(tmp_path / f"{size} {seed}", config=config, summary={**SUMMARY, **scores})
        shutil.copytree(stored_numbers, folder / "figures")
    settings = dataclasses.replace(SETTINGS, pictures=(name,), against="architecture.code_size")
    records = read_runs([tmp_path])
    assert draw_comparison(records, settings=settings, metric="mse", title="", path=tmp_path / "page.png")
    assert size_of(tmp_path / "page.png") > (600, 300)
    assert caplog.messages == []


@pytest.fixture(scope="module")
def stored_numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the numbers of each picture of a run."""
    folder, images = tmp_path_factory.mktemp("numbers"), images_of(30, 1, 28, 28)
    codes = torch.rand(30, 2, generator=torch.Generator().manual_seed(0))
    convolutional = subject_from(
        *("architecture=conv", "architecture.channels=[4,4]", "architecture.code_size=2"),
        train=images,
        test=images,
        code_snapshots={0: codes, 2: 2 * codes},
        shown_snapshots={0: images[:10] / 255},
    )
    quantized = subject_from("bottleneck=vector_quantized", "architecture.code_size=8", train=images, test=images)
    for name in PICTURES:
        picture = picture_class(name).measure(quantized if name == "codebook" else convolutional)
        assert picture is not None, name
        picture.save(folder / f"{name}.npz")
    return folder


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_compare_writes_slides_of_any_runs_and_of_a_sweep_what_it_compares(
    tmp_path: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {**dataclasses.asdict(SETTINGS), "pictures": ["final_losses"]}
    make_run(tmp_path / "sweep" / "a")
    write_sweep(tmp_path / "sweep", Sweep({"a": SweepJob("a", "a", (), "")}, settings))
    make_run(tmp_path / "b")
    make_run(tmp_path / "c", state="failed")
    assert compare_main([str(tmp_path / "b"), str(tmp_path / "sweep"), "--slides", "both"]) == 0
    assert {path.name for path in Path("both").iterdir()} == {"final_losses.png", "loss_curves.png"}
    assert compare_main([str(tmp_path / "sweep"), "--slides", "one", "--figure-format", "svg"]) == 0
    assert [path.name for path in Path("one").iterdir()] == ["final_losses.svg"]
    assert "Written: one" in capsys.readouterr().out
    assert compare_main([str(tmp_path / "c"), "--slides", "none"]) == 2
    assert "error: --slides=none: no run has finished" in capsys.readouterr().err
    assert not Path("none").exists()


@pytest.mark.parametrize("inside", ["run", "run/figures", "run/figures/new", "run/config.yaml"])
def test_slides_do_not_go_into_a_run(
    tmp_path: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str], inside: str
) -> None:
    make_run(Path("run"))
    Path("run", "figures").mkdir()
    Path("run", "figures", "loss_curves.png").write_text("of the run")
    assert compare_main(["run", "--slides", inside]) == 2
    assert f"error: --slides={inside}: " in capsys.readouterr().err
    assert [path.name for path in Path("run", "figures").iterdir()] == ["loss_curves.png"]


def test_slides_of_a_metric_without_a_split_or_of_nothing_are_refused(
    tmp_path: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(Path("sweep") / "a")
    write_sweep(
        Path("sweep"),
        Sweep({"a": SweepJob("a", "a", (), "")}, {**dataclasses.asdict(SETTINGS), "pictures": ["differences"]}),
    )
    assert compare_main(["sweep", "--slides", "slides", "--metric", "parameters"]) == 2
    assert "error: --metric=parameters: no run measured it on the test split; they have " in capsys.readouterr().err
    assert compare_main(["sweep", "--slides", "slides"]) == 2
    assert "error: --slides=slides: these runs have no numbers for any of the pictures: differences" in (
        capsys.readouterr().err
    )
    assert not Path("slides").exists()


def test_a_sweep_draws_slides_in_the_format_of_its_runs(tmp_path: Path) -> None:
    settings = {**dataclasses.asdict(SETTINGS), "pictures": ["final_losses"]}
    for figure_format, written in (("pdf", "pdf"), ("exe", "png")):
        make_run(tmp_path / "a", config={**CONFIG, "figure_format": figure_format})
        write_sweep(tmp_path, Sweep({"a": SweepJob("a", "a", (), "")}, settings))
        compare_sweep(tmp_path)
        assert (tmp_path / "slides" / f"final_losses.{written}").exists()
