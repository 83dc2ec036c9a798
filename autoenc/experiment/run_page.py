"""`index.html` of a finished run: one page for a person, made from the run's folder alone.

The folder may come from a stranger. Its values are read through `autoenc.runs`, all text is escaped, and the page
allows no scripts and makes no network requests.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from autoenc.comparison.formatting import as_typed
from autoenc.comparison.report.html_page import asset, content_policy
from autoenc.display_names import choice_label, run_label
from autoenc.evaluation.score_rows import ALIKE, ScoreRow, score_rows
from autoenc.experiment.baseline_verdict import verdict
from autoenc.experiment.closing_report import command, compare_command, rerun_command
from autoenc.experiment.findings import Finding, Importance, findings
from autoenc.experiment.longer_training import change_sentences
from autoenc.markup import Markup, element, joined
from autoenc.pictures import LOOK_FOR_IN_CURVES, LOOK_FOR_IN_HEAT_MAP, PICTURES
from autoenc.progress import shown_path
from autoenc.runs import RunDirectory, RunRecord, read_run
from autoenc.runs.embedded_pictures import as_data_url, newest_picture

CAPTIONS = {
    "loss_curves": ("Loss by epoch", LOOK_FOR_IN_CURVES),
    **{name: (entry.title, entry.look_for) for name, entry in PICTURES.items()},
    "denoising_heat_map": ("Gain on other noises", LOOK_FOR_IN_HEAT_MAP),
}
"""The heading of each picture, and what to look for, in the order of the page."""

LARGEST_PICTURE = 2**25
"""Bytes of a picture inside the page; larger ones are linked."""


def write_run_page(run_directory: RunDirectory) -> None:
    """Write the page of a finished run, completely or not at all.

    Raises:
        OSError: it cannot be written.
    """
    run_directory.write_page(page(read_run(run_directory.path)))


def page(record: RunRecord) -> str:
    """The page as text."""
    label = run_label(record.config)
    title = label[:1].upper() + label[1:]
    style = asset("report.css") + (resources.files("autoenc.experiment") / "run_page.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=content_policy(style=style)),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    sections = {
        "Findings": _findings(findings(record)),
        "Scores": _scores(score_rows(record)),
        "Pictures": _pictures(record.path),
        "Settings": _settings(record),
        "What next": _commands(record.path),
    }
    body = element(
        "body", _header(record, title), element("main", *map(_section, sections, sections.values()), class_="page")
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(record: RunRecord, title: str) -> Markup:
    found = verdict(record)
    kind = "verdict loses" if found is not None and found.loses else "verdict"
    return element(
        "header",
        element("p", "autoenc · one run", class_="kicker"),
        element("h1", title),
        element("p", summary_sentence(record), class_="lead"),
        *(element("p", sentence, class_="note") for sentence in change_sentences(record.status)),
        *([] if found is None else [element("p", found.sentence, class_=kind)]),
        class_="page top",
    )


def summary_sentence(record: RunRecord) -> str:
    """What was trained, for how long, and which weights were tested."""
    facts = record.metrics
    size, epochs, best, seconds = (facts.get(key) for key in ("code_size", "epochs", "best_epoch", "seconds.training"))
    task = "clean images from noisy ones" if "test.denoising_mse" in facts else "images"
    code = "" if size is None else f" with a code of {size:g} number{'' if size == 1 else 's'}"
    trained = "" if epochs is None else f", trained for {epochs:g} epoch{'' if epochs == 1 else 's'}"
    took = "" if seconds is None else f" in {seconds:,.1f} seconds"
    device = f" on {choice_label('device', record.device)}" if record.device else ""
    tested = "the last epoch" if best is None else f"epoch {best:g}, the best"
    model = f"A model that rebuilds {task}{code}{trained}{took}{device}."
    return f"{model} The scores and pictures use the weights of {tested}."


def _section(heading: str, content: Markup) -> Markup:
    return element("section", element("h2", heading), content)


def _findings(found: list[Finding]) -> Markup:
    if not found:
        return element("p", "Nothing unusual was found.")
    items = [
        element(
            "li",
            element("strong", finding.sentence),
            finding.explanation,
            class_="why" if finding.importance == Importance.REASON else "common",
        )
        for finding in found
    ]
    return element("ul", *items, class_="findings")


def _scores(rows: list[ScoreRow]) -> Markup:
    head = element("tr", *(element("th", text) for text in ("Score", "This model", "Baselines")))
    table = element("table", element("thead", head), element("tbody", *map(_score, rows)), class_="scores")
    note = (
        "On the test images, which training never used. ± is the standard error over images. Green: better than every "
        f"baseline, by more than {100 * ALIKE:g} % and more than a standard error. The names are those of "
        "summary.json, which has the units in full and the scores of the other splits."
    )
    return joined([element("div", table, class_="scroll"), element("p", note, class_="note")])


def _score(row: ScoreRow) -> Markup:
    baselines = [element("div", element("span", name), element("span", value)) for name, value in row.baselines]
    return element(
        "tr",
        element("th", row.name, element("span", row.unit, class_="measures")),
        element("td", row.value, class_="better" if row.beats_all else "value"),
        element("td", *baselines, class_="baselines"),
    )


def _pictures(run: Path) -> Markup:
    figures = list(_figures(run))
    if not figures:
        return element("p", "This run has no pictures.")
    hint = element("p", "Click a picture for its full size.", class_="note")
    return element("div", hint, *figures, class_="pictures")


def _figures(run: Path) -> Iterator[Markup]:
    for name, (title, look_for) in CAPTIONS.items():
        path = newest_picture(run, name)
        if path is not None:
            caption = element("figcaption", element("h3", title), look_for)
            yield element("figure", caption, _picture(path, title), class_="picture")


def _picture(path: Path, title: str) -> Markup:
    """The picture inside the page, or a link to it."""
    link = f"figures/{path.name}"
    source = as_data_url(path, most=LARGEST_PICTURE)
    if source is None:
        return element("p", element("a", f"Open {path.name}", href=link))
    return element("a", element("img", src=source, alt=title), href=link)


def _settings(record: RunRecord) -> Markup:
    rows = [
        element("div", element("dt", key), element("dd", as_typed(value))) for key, value in record.settings.items()
    ]
    return element("dl", *rows, class_="shared")


def _commands(run: Path) -> Markup:
    commands = {
        "Compare this run with others:": compare_command(run),
        "Run it again, perhaps with changed settings at the end of the command:": rerun_command(run),
        "Measure more scores:": f"{command('evaluate')} {shlex.quote(shown_path(run))} evaluation=full",
    }
    return joined([part for words, text in commands.items() for part in (element("p", words), element("pre", text))])
