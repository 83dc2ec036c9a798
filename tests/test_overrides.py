"""Texts as values of overrides: a shell, then Hydra, then OmegaConf read them."""

from __future__ import annotations

import random
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from autoenc.overrides import as_value

SIGNS = [*"'\"\\${}aä \n,=([1_e.`!:~/#%*&;|<>?", "${", "\\${", "\\'"]


def texts() -> list[str]:
    draw = random.Random(0)
    mixed = ["".join(draw.choices(SIGNS, k=draw.randint(1, 8))) for _ in range(300)]
    return [*mixed, "2024_05_01", "1e3", "007", "-1.5e-3", "nan", "Null", "true", "${now:%Y}", r"C:\runs\'", "-"]


def test_every_text_is_read_as_it_was_written() -> None:
    """The exact way of a printed command: pasted into bash, parsed by Hydra, resolved by OmegaConf."""
    given = texts()
    command = "printf '%s\\0' " + " ".join(f"key={as_value(text)}" for text in given)
    words = subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout.decode().split("\0")[:-1]
    values = [OverridesParser.create().parse_override(word).value() for word in words]
    assert [OmegaConf.create({"key": value}).key for value in values] == given


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("outputs/2026-01-31/12-00-00-000000", "outputs/2026-01-31/12-00-00-000000"),
        ("2024_05_01", "\"'2024_05_01'\""),
        ("john's run", r'''"'john\'s run'"'''),
        ("$HOME", "''\"'\"'$HOME'\"'\"''"),
    ],
)
def test_values_have_no_more_quotes_than_they_need(text: str, value: str) -> None:
    assert as_value(text) == value
