"""The links of a report to the files next to it."""

from __future__ import annotations

from pathlib import Path

from autoenc.comparison.report.html_page import contents
from autoenc.comparison.report.links import run_links, sweep_links
from tests.comparison.report_examples import record


def test_a_report_links_to_what_lies_in_its_folder(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    names = ("javascript:alert(1)", "<b>&'\"", "unfinished")
    runs = [*(record(sweep, name) for name in names), record(tmp_path, "elsewhere")]
    for run in (*runs[:2], runs[3]):
        run.path.joinpath("index.html").touch()
    (sweep / "comparison.png").touch()
    expected = ["javascript%3Aalert%281%29/index.html", "%3Cb%3E%26%27%22/index.html", None, None]
    assert run_links(runs, sweep) == expected
    assert sweep_links(runs, sweep) == [("comparison.png", "comparison.png")]
    (sweep / "slides").mkdir()
    assert sweep_links(runs, sweep) == [("comparison.png", "comparison.png"), ("slides", "slides/")]
    shown = contents(runs, title="Runs", folder=sweep)
    assert shown["pages"] == expected
    assert len(shown["links"]) == 2


def test_pictures_next_to_a_report_that_is_not_of_this_sweep_are_not_linked(tmp_path: Path) -> None:
    (tmp_path / "comparison.png").touch()
    run = record(tmp_path, "sweep/run")
    run.path.joinpath("index.html").touch()
    assert sweep_links([run], tmp_path) == []
    assert run_links([run], tmp_path) == ["sweep/run/index.html"]
