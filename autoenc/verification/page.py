"""A page for a browser: each claim with its tests, and the pictures behind its verdict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from autoenc.comparison.html_tables import as_html
from autoenc.comparison.report.html_page import asset
from autoenc.markup import Markup, element
from autoenc.runs import write_atomically
from autoenc.verification.claim import Claim
from autoenc.verification.measuring import Folder, Measured
from autoenc.verification.tables import details, overview

TITLE = "Claims about autoencoders"


def write_page(folder: Folder, claims: Mapping[str, Claim], found: Mapping[str, Measured], *, note: str) -> Path:
    """Write `index.html` next to the runs, with a chart for each claim that was tested; returns its path."""
    path = folder.path / "index.html"
    tested = {name: claim for name, claim in claims.items() if name in found and found[name].values}
    for name, claim in tested.items():
        draw_chart(claim, found[name], chart_of(folder, name))
    sections = [_section(folder, name, claim, found.get(name)) for name, claim in claims.items()]
    style = asset("report.css") + "main { max-width: 90rem; margin: auto; padding: 1rem } img { max-width: 100% }"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", TITLE),
        element("style", Markup(style)),
    )
    main = element(
        "main", element("h1", TITLE), element("p", note), Markup(as_html(overview(claims, found))), *sections
    )
    write_atomically(path, f"<!doctype html>\n{element('html', head, element('body', main), lang='en')}\n".encode())
    return path


def chart_of(folder: Folder, name: str) -> Path:
    """The file of a claim's chart."""
    return folder.path / "charts" / f"{name}.png"


def draw_chart(claim: Claim, measured: Measured, path: Path) -> None:
    """Draw the values of a claim's tests next to their bands."""
    from autoenc.pictures.claim_chart import Band, claim_chart
    from autoenc.pictures.page import house_style, save

    bands = [
        Band(test.means, control=test.control, values=list(measured.values[test.quantity].values()), band=test.band)
        for test in claim.tests
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with house_style():
        save(claim_chart(bands, title=claim.sentence), path)


def _section(folder: Folder, name: str, claim: Claim, measured: Measured | None) -> Markup:
    pictures = [_picture(path, folder.path) for path in _pictures(folder, name, claim) if path.is_file()]
    return element("section", Markup(as_html(details(name, claim, measured))), *pictures, id=name)


def _pictures(folder: Folder, name: str, claim: Claim) -> list[Path]:
    return [chart_of(folder, name), *(folder.sweep(each) / "comparison.png" for each in claim.trainings)]


def _picture(path: Path, folder: Path) -> Markup:
    source = os.path.relpath(path, folder)
    return element("a", element("img", src=source, alt=path.stem, loading="lazy"), href=source)
