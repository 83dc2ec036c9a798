from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from autoenc.comparison.report import report_data, write_report
from autoenc.comparison.report.html_page import SCRIPTS, page
from autoenc.runs import RecordState
from tests.comparison.report_examples import history, record, save_map, save_reconstructions

ASSETS = Path(report_data.__file__).parent / "assets"


class Parsed(html.parser.HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_in(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    values = json.loads(found[1])
    assert isinstance(values, dict)
    return values


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(tmp_path: Path) -> None:
    text = page([record(tmp_path, "a")], title="Runs")
    parsed = Parsed(text)
    (content,) = [meta["content"] for meta in parsed.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    policy = dict(part.strip().split(" ", 1) for part in (content or "").split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in str(policy)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    (program,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert style
    for name, content in (("style-src", style[1]), ("script-src", program)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy[name] == f"'sha256-{digest}'"
    # The policy stands before everything that it is about.
    assert text.index("Content-Security-Policy") < text.index("<title") < text.index("<style")


def test_the_page_asks_for_nothing_and_has_no_inline_code(tmp_path: Path) -> None:
    text = page([record(tmp_path, "a")], title="Runs")
    parsed = Parsed(text)
    assert {"name": "referrer", "content": "no-referrer"} in parsed.of("meta")
    for tag, attributes in parsed.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "style", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    assert [url for url in re.findall(r"https?://[^\s\"']+", text) if "www.w3.org/2000/svg" not in url] == []


def test_the_program_defines_each_name_once() -> None:
    # All files share one scope, in which a second function silently replaces the first.
    program = "\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS)
    names = re.findall(r"^(?:function|const|let) (\w+)", program, re.MULTILINE)
    assert len(names) > 100
    assert sorted(names) == sorted(set(names))


def test_the_program_never_parses_html_nor_text_as_code() -> None:
    for path in ASSETS.glob("*.js"):
        source = path.read_text("utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch(",
                     "XMLHttpRequest", "localStorage", "import(", "cssText", "</script", "<!--"):  # fmt: skip
            assert word not in source, (path.name, word)
    assert sorted(SCRIPTS) == sorted(path.name for path in ASSETS.glob("*.js"))


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- <script>",
    "]]>\u2028\u2029",
    "{{program}} {{data}} \\1",
    "&lt;&#60;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_folder_becomes_html(tmp_path: Path, text: str) -> None:
    run = record(
        tmp_path, "run", name=text, label=text, state="failed", error_kind="raised", error_message=text,
        settings={"architecture": {"name": text, text: text}, text: text}, problems=(text,),
        summary={"test": {text: 1.0, "mse": 0.5}, "units": {"mse": text, text: text}},
        history=[{"epoch": 1, text: 1.0, f"train/{text}": 2.0}],
    )  # fmt: skip
    other = record(tmp_path, "other", label="other")
    made = page([run, other], title=text)
    plain = page([record(tmp_path, "plain"), other], title="Runs")
    assert [tag for tag, _ in Parsed(made).elements] == [tag for tag, _ in Parsed(plain).elements]
    assert made.count("</script") == plain.count("</script") == 2
    assert made.isprintable() or all(character.isprintable() or character == "\n" for character in made)
    assert data_in(made)["runs"][0]["label"] == text


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report([record(tmp_path, "a")], path, title="Runs & more")
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert "<title>Runs &amp; more</title>" in path.read_text("utf-8")
    assert [found.name for found in tmp_path.glob("*report*")] == ["report.html"]
    with pytest.raises(OSError, match="No such file"):
        write_report([record(tmp_path, "a")], tmp_path / "none" / "report.html", title="Runs")


def test_a_page_has_only_so_many_runs_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_data, "MOST_RUNS", 3)
    runs = [record(tmp_path, str(number)) for number in range(5)]
    found = data_in(page(runs, title="Runs"))
    assert len(found["runs"]) == 3
    assert found["notes"][0] == "The first 3 of 5 runs are in this page."
    assert data_in(page([], title="Nothing"))["runs"] == []


def test_many_runs_with_everything_are_under_eight_megabytes(tmp_path: Path) -> None:
    runs = [record(tmp_path, f"run {number}", history=history(50)) for number in range(60)]
    for seed, run in enumerate(runs):
        save_reconstructions(run, seed=seed)
        save_map(run)
    text = page(runs, title="Sixty runs")
    assert len(text) < 8_000_000
    assert str(tmp_path) not in text
    found = data_in(text)
    assert all(len(run["epoch"]) == 50 for run in found["curves"]["runs"])
    assert len(found["matrices"][0]["runs"]) == 60
    assert len(found["matrices"][0]["captions"]) >= 8
    assert len(found["maps"]) == 60


def test_the_page_counts_runs_of_every_state() -> None:
    (line,) = re.findall(r"^const STATES = (.*);$", (ASSETS / "main.js").read_text(), re.MULTILINE)
    assert set(json.loads(line)) == set(get_args(RecordState))
