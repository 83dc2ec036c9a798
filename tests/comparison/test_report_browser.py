"""The report in a real browser: what a person does with it, and what a hostile folder cannot."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from autoenc.comparison.report import write_report
from autoenc.palette import CLASS_COLORS
from autoenc.runs import RunRecord
from tests.comparison.report_browser import Page
from tests.comparison.report_examples import VARIATIONAL, record, save_map, save_reconstructions, smooth_images, summary

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

IMAGE, SCRIPT = "<img src=x onerror=document.title='hacked'>", "</script><script>document.title='hacked'</script>"
LABEL = "red [31m]"
OTHER_DATASET = {"dataset": {"name": "kmnist", "validation_fraction": 0.1}}


def examples(folder: Path) -> Sequence[RunRecord]:
    digits, clothes = smooth_images(10, side=12, seed=1), smooth_images(5, side=9, channels=3, seed=2)
    sizes = {"a": 2, "b": 8, "c": 32}
    runs = [
        record(folder, name, label=f"size {size}", mse=0.04 / size, settings={"architecture__code_size": size},
               summary=summary(0.04 / size) | {"code_size": size})
        for name, size in sizes.items()
    ]  # fmt: skip
    for index, run in enumerate(runs):
        save_reconstructions(run, clean=digits, error=0.1, noise=0.3 if index == 2 else 0.0)
    save_map(runs[0], side=12)
    hostile = record(folder, "d", label=IMAGE, mse=0.5, settings=OTHER_DATASET, problems=(SCRIPT,), name=SCRIPT)
    save_reconstructions(hostile, clean=clothes)
    vae = record(
        folder, "e", label=LABEL, settings={"bottleneck": {"name": "gaussian", "beta": 1.0}, "seed": SCRIPT},
        summary=summary(0.4, units=VARIATIONAL, kl_nats=5.0, reconstruction=90.0),
    )  # fmt: skip
    broken = record(folder, "f", label="broken", state="failed", error_kind="out_of_memory", error_message=IMAGE)
    nothing = record(
        folder, "g", label="nothing", state="unreadable", config={}, history=(), problems=(f"bad {SCRIPT}",)
    )
    return [broken, nothing, *runs, hostile, vae]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(examples(folder), folder / "report.html", title=f"Runs {IMAGE}")
    return folder / "report.html"


@pytest.fixture
def page(chrome: Chrome, report: Path) -> Page:
    return Page(chrome, report)


def test_the_table_is_sorted_by_mouse_and_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    assert page.header("validation.mse").get_attribute("aria-sort") == "ascending"  # no test chooses among runs
    assert page.rows[:3] == ["size 32", "size 8", "size 2"]
    assert "To choose among runs" not in page.one("#runs .content > .note").text
    head = page.header("test.mse")
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert "Ranked by test.mse, on the test split. To choose among runs" in page.one("#runs .content > .note").text
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert page.rows[:4] == ["red [31m]", "size 2", "size 8", "size 32"]
    assert set(page.rows[-2:]) == {"broken", "nothing"}  # what has no value is last, whichever way
    page.header("architecture.code_size").find_element("css selector", "button").send_keys(Keys.ENTER)
    assert page.header("architecture.code_size").get_attribute("aria-sort") == "ascending"
    assert head.get_attribute("aria-sort") == "none"
    assert page.rows[0] == "size 2"
    page.header("test.psnr").find_element("css selector", "button").click()
    assert page.header("test.psnr").get_attribute("aria-sort") == "descending"  # the best first
    assert page.rows[0] == "size 32"


def test_the_table_is_filtered_by_words_and_conditions(page: Page) -> None:
    for typed, shown in {
        "size": {"size 2", "size 8", "size 32"},
        "size 8": {"size 8"},
        "architecture.code_size>2 and test.mse<0.01": {"size 8", "size 32"},
        "dataset=kmnist test.mse>=0.5": {IMAGE},
        "bottleneck.beta=1.0": {LABEL},
        "out_of_memory": {"broken"},
    }.items():
        assert set(page.filter(typed)) == shown
        assert page.one(".problem").text == ""
        assert page.one(".count").text.startswith(f"{len(shown)} of 7 runs shown")


def test_a_malformed_filter_is_reported(page: Page) -> None:
    for typed in ("wrong.key=1", "test.mse<", "(a", "a and", "test.mse<abc", "seed in 3", "'", "<img"):
        assert len(page.filter(typed)) == 7
        assert page.one(".problem").text.startswith("Not filtered: ")
    assert page.filter("") != []
    assert page.one(".problem").text == ""


def test_runs_are_filtered_by_state_and_have_reasons(page: Page) -> None:
    assert page.texts("#states li") == ["5 finished", "1 failed", "1 unreadable"]
    reasons = dict(zip(page.texts(".runs tr:has(.reason) .run-name"), page.texts(".runs .reason"), strict=True))
    assert reasons["broken"] == f"out_of_memory: {IMAGE}"
    assert reasons["nothing"] == f"bad {SCRIPT}"
    page.tick("runs", "finished")
    assert set(page.rows) == {"broken", "nothing"}


def test_the_best_of_comparable_values_is_bold(page: Page) -> None:
    best = page.run(
        "const heads = [...document.querySelectorAll('.runs thead tr:last-child th')];"
        "const at = heads.findIndex(head => head.dataset.key === 'test.mse');"
        "return [...document.querySelectorAll('.runs tbody tr:not(.section)')]"
        ".filter(r => r.children[at].classList.contains('best'))"
        ".map(r => r.querySelector('.run-name').textContent)"
    )
    assert best == ["size 32"]  # the other dataset has but one run, and a ranking of its own
    assert "KMNIST" in page.one("#warnings").text
    assert page.header("test.mse").find_element("css selector", ".unit").text.startswith("mean over pixels")
    assert "lower is better" in str(page.header("test.mse").get_attribute("title"))


def test_values_that_look_alike_are_different(chrome: Chrome, tmp_path: Path) -> None:
    rates, seeds = (0.001234562, 0.001234561, 0.01), (2**53 + 2, 2**53 + 1, -(2**60))
    runs = [
        record(tmp_path, name, mse=mse, settings={"optimizer": {"name": "adam", "learning_rate": rate}, "seed": seed},
               summary=summary(mse) | {"test": {"mse": mse, "loss": mse + 1e-12}})
        for name, mse, rate, seed in zip("abc", (0.01234562, 0.01234561, 0.5), rates, seeds, strict=True)
    ]  # fmt: skip
    write_report(runs, tmp_path / "r.html", title="Runs")
    page = Page(chrome, tmp_path / "r.html")
    assert page.rows == ["b", "a", "c"]
    assert page.texts(".runs td.best").count("0.01235") == 2
    assert page.texts(".runs th[data-key^=test] .sort") == ["mse"]  # the loss shows as the error does
    page.header("optimizer.learning_rate").find_element("css selector", "button").click()
    assert page.rows == ["b", "a", "c"]
    page.header("seed").find_element("css selector", "button").click()
    assert page.rows == ["c", "b", "a"]
    assert "9007199254740993" in page.texts(".runs td")
    page.go_to("differences")
    page.select("a", "b")
    assert page.texts("#differences > .content > .scroll tbody th") == ["optimizer.learning_rate", "seed"]
    assert page.complaints() == []


def test_sections_are_ranked_separately(page: Page) -> None:
    def order() -> list[str]:
        return page.texts(".runs tbody .run-name, .runs tbody .section")

    mnist, kmnist, without = "dataset MNIST", "dataset KMNIST", "not ranked"
    red = "red [31m]"
    rest = [kmnist, IMAGE, without, "broken", "nothing"]
    assert order() == [mnist, "size 32", "size 8", "size 2", red, *rest]
    page.header("validation.mse").find_element("css selector", "button").click()
    assert order() == [mnist, red, "size 2", "size 8", "size 32", *rest]  # the sections stay where they are
    page.header("architecture.code_size").find_element("css selector", "button").click()
    assert not page.all(".runs tbody .section")  # an order, and no ranking
    page.header("validation.mse").find_element("css selector", "button").click()
    assert page.filter("size") == ["size 32", "size 8", "size 2"]
    assert order()[0] == mnist
    assert page.run("return document.querySelector('.section th').colSpan") == len(
        page.all(".runs thead th[scope=col]")
    )


def test_the_ranking_columns_are_first(page: Page) -> None:
    assert page.texts(".runs thead .groups th") == ["validation", "test", "seconds", "settings"]
    assert page.run("return document.querySelector('.runs thead th[data-key]').dataset.key") == "validation.mse"
    assert page.header("test.mse").find_element("css selector", ".unit").text == "mean over pixels\u2026"
    page.go_to("points")
    assert (
        page.texts("#points .axis-label")[-1] == "architecture.code_size (log scale)"
    )  # of numbers, before `architecture`


def test_columns_are_chosen(page: Page) -> None:
    before = len(page.all(".runs thead th[data-key]"))
    page.one(".columns summary").click()
    page.tick("runs", "images_per_second")
    assert len(page.all(".runs thead th[data-key]")) == before + 1
    assert page.header("images_per_second")


@pytest.fixture
def seeds(chrome: Chrome, tmp_path: Path) -> Page:
    """Two settings with three seeds each, of which one failed; and one with a single seed."""
    errors = {"mlp": (0.010, 0.011, 0.012), "conv": (0.0095, 0.0115), "linear": (0.0111,)}
    runs = [
        record(tmp_path, f"{name}{seed}", label=f"{name}, seed {seed}", mse=mse,
               settings={"architecture__name": name, "seed": seed})
        for name, all_errors in errors.items() for seed, mse in enumerate(all_errors)
    ]  # fmt: skip
    failed = record(
        tmp_path, "c2", label="conv, seed 2", state="failed", settings={"architecture__name": "conv", "seed": 2}
    )
    write_report([*runs, failed], tmp_path / "r.html", title="Runs")
    return Page(chrome, tmp_path / "r.html")


def test_seeds_are_one_row_that_opens_to_its_runs(seeds: Page) -> None:
    def cell(row: int, key: str) -> str:
        heads = "[...document.querySelectorAll('.runs thead tr:last-child th')]"
        at = seeds.run(f"return {heads}.findIndex(head => head.dataset.key === arguments[0])", key)
        return str(seeds.texts(f".runs tbody tr:nth-child({row}) > :nth-child({at + 1})")[0])

    seeds.header("test.mse").find_element("css selector", "button").click()
    assert seeds.rows == ["conv", "mlp", "linear, seed 0"]  # by the means: 0.0105, 0.011, 0.0111
    assert "0.010 ± 0.013 (2)" not in seeds.texts(".runs td.best")  # a mean over some of the seeds may be too good
    assert "conv and mlp show no significant difference (" in seeds.one("#runs .comparisons").text
    half = stats.t.ppf(0.975, 2) * 0.001 / 3**0.5
    assert cell(2, "test.mse") == f"0.0110 ± {half:.4f}sd 0.0010"
    assert cell(1, "test.mse") == "0.010 ± 0.013 (2)sd 0.0014"  # of three seeds: it may be too good
    assert cell(1, "architecture") == "convolutional"
    assert cell(3, "test.mse") == "0.01110"
    assert cell(2, "seed") == "0, 1, 2"
    assert cell(2, "test.pca_mse") == "0.05000"
    assert seeds.texts(".runs tr.group .badge") == ["1 not finished"]
    assert seeds.texts(".runs tr.group .open") == ["3 seeds", "3 seeds"]
    seeds.all(".runs .open")[1].click()
    assert seeds.rows == ["conv", "mlp", "mlp, seed 0", "mlp, seed 1", "mlp, seed 2", "linear, seed 0"]
    assert seeds.all(".runs .open")[1].get_attribute("aria-expanded") == "true"
    seeds.all(".runs .open")[1].click()
    assert seeds.rows == ["conv", "mlp", "linear, seed 0"]
    seeds.header("test.mse").find_element("css selector", "button").click()
    assert seeds.rows == ["linear, seed 0", "mlp", "conv"]
    seeds.tick("runs", "each run")
    assert len(seeds.rows) == 7
    assert seeds.filter("seed=1") == ["mlp, seed 1", "conv, seed 1"][::-1]
    seeds.tick("runs", "each run")
    assert len(seeds.filter("seed=1")) == 2  # a single seed each: no means
    assert seeds.complaints() == []


def test_seeds_are_selected_together_and_drawn_with_their_mean(seeds: Page) -> None:
    seeds.select("mlp")
    assert seeds.one(".count").text == "7 runs; 3 selected for the sections below"
    seeds.go_to("curves")
    assert seeds.texts("#curves .legend-entry") == ["mlp (3 seeds)"]
    assert len({each.value_of_css_property("stroke") for each in seeds.all("#curves .curve")}) == 1
    seeds.go_to("points")
    assert len(seeds.all("#points .mean")) == 2
    assert len(seeds.all("#points .point")) == 6
    assert "means over the seeds of a setting, with 95 % intervals" in seeds.one("#points .note").text
    bars = seeds.all("#points .interval")
    lengths = [float(bar.get_attribute("y1") or 0) - float(bar.get_attribute("y2") or 0) for bar in bars]
    halves = [stats.t.ppf(0.975, 2) * 0.001 / 3**0.5, stats.t.ppf(0.975, 1) * 0.001]
    assert lengths[0] / lengths[1] == pytest.approx(halves[0] / halves[1], rel=0.01)
    assert seeds.complaints() == []


def heights(path: str) -> list[float]:
    return [float(point.split()[1]) for point in path.replace("L", "M").split("M")[1:]]


def test_curves_of_several_seeds_have_their_mean(seeds: Page) -> None:
    seeds.go_to("curves")
    seeds.select("mlp")
    seeds.tick("curves", "log scale")
    seeds.tick("curves", "training")
    paths = {
        selector: [heights(str(each.get_attribute("d"))) for each in seeds.all(f"#curves {selector}")]
        for selector in (".curve.seed", ".curve:not(.seed)")
    }
    ((mean,), by_seed) = paths[".curve:not(.seed)"], paths[".curve.seed"]
    assert len(by_seed) == 3
    assert mean == pytest.approx(np.mean(by_seed, axis=0).tolist(), abs=0.2)
    assert "Strong lines: means over the seeds" in seeds.one("#curves .note").text
    options = seeds.one("#runs .select select")
    seeds.run("arguments[0].value = 'run'; arguments[0].dispatchEvent(new Event('change'))", options)
    seeds.settle()
    assert len(seeds.all("#curves .curve")) == 3


def test_training_is_dashed_everywhere_and_log_axes_are_labelled(chrome: Chrome, tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "train/loss": 0.3 / epoch**2, "seconds": 1.0} for epoch in range(1, 6)]
    write_report([record(tmp_path, "a", history=rows)], tmp_path / "r.html", title="Runs")
    page = Page(chrome, tmp_path / "r.html")
    page.go_to("curves")
    assert len(page.all("#curves .curve.dashed")) == 1
    assert page.one("#curves .note").text == "Dashed: training."
    assert page.texts("#curves .axis-label")[0] == "loss, mean squared error per pixel (log scale)"
    assert len(page.texts("#curves .axis:first-child text")) >= 1 + 4


def many_runs(folder: Path) -> Sequence[RunRecord]:
    """60 runs, 20 settings with three seeds, that differ in ten keys."""
    runs = []
    for number in range(60):
        settings = {f"setting_{key}": (number // 3) * (key + 1) for key in range(9)}
        error = 0.02 + 0.001 * (number // 3) + 0.0001 * (number % 3)
        runs.append(record(folder, f"run {number}", mse=error, settings={"seed": number % 3}, history=[]))
        runs[-1].config["architecture"].update(settings)
    return runs


@pytest.mark.parametrize("width", [1440, 390])
def test_60_runs_show_their_scores_next_to_their_names(chrome: Chrome, tmp_path: Path, width: int) -> None:
    write_report(many_runs(tmp_path), tmp_path / "r.html", title="Runs")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page = Page(chrome, tmp_path / "r.html")
        assert len(page.rows) == 20
        right = "return arguments[0].getBoundingClientRect().right"
        assert page.run(right, page.header("validation.mse")) <= width
        assert page.run(right, page.one(".runs tbody td")) <= width
        assert page.run("return document.querySelector('.runs tbody td').textContent").startswith("0.02")
        assert page.run(right, page.header("architecture.setting_1")) > width / 2
        page.tick("runs", "settings")
        assert not page.header("architecture.setting_1").is_displayed()
        assert page.header("test.psnr").is_displayed()
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_printed_report_has_every_run_and_section(page: Page, tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no reader of PDF files: there is no pdftotext (Debian: poppler-utils) on the PATH")
    (tmp_path / "report.pdf").write_bytes(base64.b64decode(page.chrome.print_page()))
    done = subprocess.run(["pdftotext", "-layout", tmp_path / "report.pdf", "-"], capture_output=True, check=True)
    printed = " ".join(done.stdout.decode().split())
    headings = [heading.text for heading in page.all("main h2") if heading.is_displayed()]
    assert len(headings) >= 5
    assert [text for text in [*headings, *("size 2", "size 8", "size 32", "broken")] if text not in printed] == []
    assert "0.001250" in printed
    assert "Select none" in page.one("main").text
    assert "Select none" not in printed


def test_before_printing_the_page_takes_the_width_of_the_paper_and_nothing_goes_beyond_it(page: Page) -> None:
    charts = page.run(  # at once: the browser prints when the event is over
        "window.dispatchEvent(new Event('beforeprint'));"
        "return [...document.querySelectorAll('#curves .chart')].map(e => e.getAttribute('width'))"
    )
    beyond = page.run(
        "return [...document.querySelectorAll('.chart, .chart *, table, table *')]"
        ".filter(e => e.getBoundingClientRect().right > document.body.getBoundingClientRect().right + 1)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert page.run("return document.body.clientWidth") == 980
    assert beyond == []
    assert charts == ["980", "980"]
    assert len(page.all("#points .chart")) >= 1
    assert len(page.all("#map .chart")) == 1
    assert not page.one("#runs .tools").is_displayed()
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.one("#runs .tools").is_displayed()
    assert page.run("return document.body.clientWidth") > 980
    assert page.complaints() == []


def test_classes_have_their_names_and_colours_on_the_map(page: Page) -> None:
    page.go_to("map")
    page.wait("return document.querySelector('.codes') !== null")
    assert sorted(page.texts("#map .class-name")) == list("0123456789ab")
    boxes = page.run(
        "return [...document.querySelectorAll('#map .class-name')].map(e => e.getBBox()).map(b => [b.x, b.y, b.width])"
    )
    pairs = [(one, other) for one in boxes for other in boxes if one is not other]
    assert all(abs(one[0] - other[0]) > one[2] or abs(one[1] - other[1]) > 12 for one, other in pairs)
    fills = [each.value_of_css_property("fill") for each in page.all("#map .codes:not(.edge)")]
    wanted = [tuple(int(color[place : place + 2], 16) for place in (1, 3, 5)) for color in CLASS_COLORS]
    colors = [f"rgb({red}, {green}, {blue})" for red, green, blue in wanted]
    assert fills == [*colors, *colors[:2]]
    marks = [str(each.get_attribute("d")) for each in page.all("#map .classes .swatch path")]
    assert len(set(zip(fills, marks, strict=True))) == 12  # the eleventh class has the first colour and another mark


def test_choices_have_their_display_names_and_no_option_of_a_command_is_named(page: Page) -> None:
    page.go_to("differences")
    page.select("size 2", "red [31m]")
    assert {"vanilla", "VAE"} <= set(page.texts("#differences td"))
    assert {"MNIST", "KMNIST"} <= set(page.texts(".runs td"))
    assert len(page.filter("bottleneck=gaussian")) == 1  # conditions take the names of the config
    assert "--" not in page.one("body").text


def test_selected_runs_are_compared_key_by_key(page: Page) -> None:
    page.go_to("differences")
    page.select("size 2", "size 8")
    assert page.texts("#differences > .content > .scroll tbody th") == ["architecture.code_size"]
    assert page.texts("#differences > .content > .scroll tbody td") == ["2", "8"]
    page.select("size 2", "red [31m]")
    assert set(page.texts("#differences > .content > .scroll tbody th")) == {
        "architecture.code_size",
        "bottleneck",
        "seed",
    }
    assert page.texts("#differences details tbody th") == ["bottleneck.beta"]
    assert SCRIPT in page.texts("#differences td")
    page.select("size 2")
    assert "Select two runs or more" in page.one("#differences .content").text


def test_curves_have_a_chart_per_unit_and_show_their_run(page: Page) -> None:
    from selenium.webdriver import ActionChains

    page.go_to("curves")
    assert len(page.all("#curves figure")) == 2  # an error and nats do not share an axis
    ticks = set(page.texts("#curves .axis text"))
    assert ticks >= {"1", "2", "5"}
    assert not ticks & {"1.5", "2.5"}
    page.select("size 2", "size 8")
    assert len(page.all("#curves .curve")) == 4
    assert len(page.all("#curves .curve.dashed")) == 2
    page.tick("curves", "training")
    assert len(page.all("#curves .curve")) == 2
    ActionChains(page.chrome).move_to_element(page.all("#curves .mark")[1]).perform()
    page.settle()
    assert page.one("#tip").text.splitlines()[0] == "size 8"
    assert len(page.all("#curves .curve.lit")) == 1
    by_epoch = page.texts("#curves .axis text")
    page.tick("curves", "seconds")
    assert page.texts("#curves .axis text") != by_epoch
    assert "seconds of training" in page.texts("#curves .axis-label")


def test_denoisers_are_drawn_by_their_denoising_error(chrome: Chrome, tmp_path: Path) -> None:
    runs = []
    for size in (2, 8):
        scores = summary(0.02, denoising_mse=0.4 / size, linear_denoising_mse=0.6 / size)
        runs.append(record(tmp_path, f"size {size}", summary={**scores, "code_size": size}))
    write_report(runs, tmp_path / "report.html", title="Denoisers")
    page = Page(chrome, tmp_path / "report.html")
    page.go_to("points")
    page.press("Denoising error against code size, with the best linear denoiser")
    label = "test.denoising_mse, from the noisy input to the clean image (log scale)"
    assert page.texts("#points .axis-label") == [label, "code_size (log scale)"]
    assert page.texts("#points .baseline-name") == ["best linear denoiser"]
    assert len(page.all("#points .point")) == 2


def test_anything_is_drawn_against_anything(page: Page) -> None:
    page.go_to("points")
    page.press("Error against code size, with PCA")
    assert len(page.all("#points .point")) == 5
    assert len(page.all("#points .baseline")) >= 1
    assert page.texts("#points .axis-label") == [
        "test.mse, mean over pixels of the squared error (log scale)",
        "code_size (log scale)",
    ]
    assert page.texts("#points .baseline-name")[0].startswith("PCA")
    page.press("Rate against distortion")
    assert len(page.all("#points .point")) == 1
    assert page.texts("#points .axis-label") == ["test.reconstruction, nats an image", "test.kl_nats, nats an image"]
    up, across = page.all("#points select")
    for select, value in ((up, "test.mse"), (across, "dataset")):
        page.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", select, value)
    page.settle()
    assert {"KMNIST", "MNIST"} <= set(page.texts("#points .axis text"))


def test_the_matrix_has_images_and_errors(page: Page) -> None:
    page.go_to("matrix")
    assert len(page.all("table.matrix")) == 2  # two sets of test images
    page.select("size 2", "size 8")
    assert page.texts(".matrix thead th bdi") == ["original", "size 2", "size 8"]
    assert len(page.all(".matrix tbody canvas")) == 30
    shown = page.pixels(".matrix tbody tr:nth-child(3) td canvas")
    expected = np.rint(255 * smooth_images(10, side=12, seed=1)[2, 0]).astype(int).ravel()
    assert shown == expected.tolist()
    made = page.pixels(".matrix tbody tr:nth-child(3) td:nth-child(3) canvas")
    page.tick("matrix", "error")
    assert page.pixels(".matrix tbody tr:nth-child(3) td canvas") == shown
    assert page.pixels(".matrix tbody tr:nth-child(3) td:nth-child(3) canvas") != made
    errors = [float(text) for text in page.texts(".matrix tbody tr:first-child .mse")]
    assert len(errors) == 2
    page.select("size 32")
    assert page.texts(".matrix thead th bdi") == ["original", "noisy input", "size 32"]
    assert "denoising errors: from the noisy input to the clean image" in page.one("#matrix figcaption").text
    labels = [canvas.get_attribute("aria-label") for canvas in page.all(".matrix tbody tr:first-child canvas")]
    assert ", denoising error 0." in str(labels[-1])
    page.tick("matrix", "noisy input")
    assert page.texts(".matrix thead th bdi") == ["original", "size 32"]


def test_the_map_follows_mouse_keys_and_touch(page: Page) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.go_to("map")
    page.wait("return document.querySelector('.walk') !== null")
    plane = page.one(".walk .plane")

    def brightness() -> tuple[float, float]:
        """Of the lower half, which is that of the first number, and of the upper half."""
        page.settle()
        pixels = page.pixels("#decoded")
        return float(np.mean(pixels[72:])), float(np.mean(pixels[:72]))

    def place() -> list[float]:
        text = page.one("#code").text.removeprefix("code (").removesuffix(")").replace("\u2212", "-")
        return [float(number) for number in text.split(", ")]

    width, height = plane.size["width"], plane.size["height"]
    actions = ActionChains(page.chrome)
    actions.move_to_element_with_offset(plane, -width // 2 + 4, 0).click_and_hold().perform()
    left = brightness()
    assert place()[0] == pytest.approx(-2.1, abs=0.05)
    actions.move_by_offset(width - 8, height // 4).perform()
    right = brightness()
    actions.release().perform()
    assert left[0] < 10
    assert right[0] > 200
    assert right[1] < left[1] - 30  # further down
    assert place() == [pytest.approx(2.1, abs=0.05), pytest.approx(-0.526, abs=0.03)]
    svg = page.one(".walk")
    svg.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert place() == [pytest.approx(2.1 - 2 * 4.21 / 60, abs=0.05), pytest.approx(-0.49, abs=0.03)]
    box = page.run("const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width, r.height]", plane)
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x - 60, "y": y}]),
        ("touchMove", [{"x": x - box[2] / 4, "y": y}]),
        ("touchEnd", []),
    ):
        page.chrome.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.settle()
    assert place() == [pytest.approx(-1.05, abs=0.05), pytest.approx(0, abs=0.03)]
    assert page.complaints() == []


def test_hostile_names_stay_text_and_nothing_is_requested(page: Page, report: Path) -> None:
    for section in ("differences", "curves", "points", "matrix", "map", "notes"):
        page.go_to(section)
        page.press("Select shown")
    assert page.chrome.title == f"Runs {IMAGE}"
    assert page.texts("h1") == [f"Runs {IMAGE}"]
    assert IMAGE in page.rows
    assert page.run("return document.querySelectorAll('img, iframe, object, embed, form').length") == 0
    assert page.run("return document.scripts.length") == 2
    assert page.run("return document.querySelectorAll('[onerror], [onload], [onclick]').length") == 0
    messages = [json.loads(entry["message"])["message"] for entry in page.log("performance")]
    urls = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert report.as_uri() in urls
    assert all(url == report.as_uri() or url.startswith("data:image/png;base64,") for url in urls)
    assert page.complaints() == []


def test_the_policy_is_in_force(page: Page) -> None:
    page.run("window.seen = []; addEventListener('securitypolicyviolation', e => seen.push(e.effectiveDirective))")
    refused = page.run(
        "const node = document.createElement('div'); document.body.append(node);"
        "try { node.innerHTML = '<b>x</b>'; return 'parsed'; } catch (error) { return error.name; }"
    )
    assert refused == "TypeError"
    page.run("const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i);")
    page.run("fetch('http://127.0.0.1:9/x').catch(() => {})")
    page.run("document.body.setAttribute('style', 'opacity: 0')")
    page.run(
        "const script = document.createElement('script');"
        "try { script.text = 'window.ran = 1'; document.body.append(script); } catch {}"
    )
    page.wait("return ['img-src', 'connect-src', 'style-src-attr'].every(name => seen.includes(name))")
    assert page.run("return getComputedStyle(document.body).opacity") == "1"
    assert page.run("return window.ran") is None
    page.complaints()


def test_a_phone_scrolls_in_one_direction(page: Page) -> None:
    metrics = {"width": 375, "height": 812, "deviceScaleFactor": 2, "mobile": True}
    page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.chrome.refresh()
        page.wait("return document.documentElement.dataset.ready !== undefined")
        for section in ("runs", "differences", "curves", "points", "matrix", "map", "notes"):
            page.go_to(section)
            page.settle()
            assert page.run("return document.documentElement.scrollWidth") == 375, section
    finally:
        page.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
