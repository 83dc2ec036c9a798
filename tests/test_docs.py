"""The README and `docs/` are complete, and their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from autoenc.comparison.page import ComparedPicture
from autoenc.pictures import LOOK_FOR_IN_CURVES, PICTURES
from tests.conftest import REPOSITORY

CONF, DOCS = REPOSITORY / "conf", REPOSITORY / "docs"
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted(DOCS.glob("*.md"))]
SETTINGS, GALLERY = ((DOCS / name).read_text() for name in ("settings.md", "gallery.md"))
PRESETS = sorted((CONF / "experiment").glob("*.yaml"))
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")


def section(title: str) -> str:
    """The text of a section of `settings.md`."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", SETTINGS, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def keys_of(node: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys of all settings in a config that are not tables."""
    found = []
    for key, value in node.items():
        found += keys_of(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return found


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]:
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_the_readme_links_to_every_page() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if f"(docs/{page.name}" not in readme] == []


def test_the_readme_lists_each_page_once() -> None:
    table = (REPOSITORY / "README.md").read_text().split("## Documentation")[1]
    listed = re.findall(r"\]\(docs/(\w+\.md)\)", table)
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md"))


def test_every_picture_of_the_gallery_is_shown() -> None:
    shown = re.findall(r'<img alt="[^"]+" src="gallery/([^"]+)"', GALLERY)
    assert sorted(shown) == sorted(path.name for path in (DOCS / "gallery").glob("*.png"))


def test_the_gallery_leaves_results_to_the_claims() -> None:
    """A measured number in its text would be a claim that nothing checks. Texts of pictures may say what is seen."""
    text = re.sub(r"<img[^>]*>|```.*?```", "", GALLERY, flags=re.DOTALL)
    assert re.findall(r"\d+\.\d+|\d+ ?%|±", text) == []


@pytest.mark.parametrize("preset", PRESETS, ids=[preset.stem for preset in PRESETS])
def test_the_gallery_has_the_time_of_each_preset(preset: Path) -> None:
    (takes,) = re.findall(r"^# Takes: (.*)$", preset.read_text(), re.MULTILINE)
    (text,) = re.findall(rf"experiment={preset.stem}\n```\n\n(.*?)\n\n", GALLERY, re.DOTALL)
    assert text.replace("\n", " ").startswith(f"Takes {takes}")


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_and_its_settings_are_explained(group: str) -> None:
    text = section(group)
    for path in (CONF / group).glob("*.yaml"):
        assert f"`{path.stem}`" in text, path.stem
        if group not in {"experiment", "variant"}:  # presets set keys that are explained elsewhere
            missing = [key for key in yaml.safe_load(path.read_text()) if key != "name" and f"`{key}`" not in text]
            assert not missing, path.stem


def test_every_launcher_and_sweeper_is_explained() -> None:
    text = section("Launchers and sweepers")
    for group in ("launcher", "sweeper"):
        assert all(f"`{path.stem}`" in text for path in (CONF / "hydra" / group).glob("*.yaml")), group


def test_every_key_of_the_config_is_explained() -> None:
    config = yaml.safe_load((CONF / "config.yaml").read_text())
    del config["defaults"]
    assert [key for key in keys_of(config) if f"`{key}`" not in SETTINGS] == []


def test_every_picture_is_explained() -> None:
    """A run's pictures with the captions of the run's page; and all that a comparison can draw."""
    text, compared = (DOCS / "pictures.md").read_text().split("## Pictures of a comparison")
    captions = {"loss_curves": LOOK_FOR_IN_CURVES, **{name: entry.look_for for name, entry in PICTURES.items()}}
    for name, caption in captions.items():
        row = re.search(rf"^\| `{name}` \| .* \| (.*) \|$", text, re.MULTILINE)
        assert row is not None, name
        assert row[1] == caption
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", compared, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(get_args(ComparedPicture))
