from __future__ import annotations

from pathlib import Path

from autoenc.display_names import CHOICES

CONF = Path(__file__).parents[1] / "conf"


def test_every_display_name_is_of_a_choice() -> None:
    for group, names in CHOICES.items():
        assert not set(names) - {path.stem for path in (CONF / group).glob("*.yaml")}


def test_display_names_of_a_group_differ() -> None:
    for names in CHOICES.values():
        assert len(set(names.values())) == len(names)
