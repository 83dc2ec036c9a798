"""Texts, such as the names of folders, as values of overrides (`key=value`)."""

from __future__ import annotations

import re
import shlex

_READ_AS_TYPED = r"[+-]?[\d_.]*\d[\d_.]*(e[+-]?[\d_]+)?|[+-]?(inf|nan)|true|false|null"
"""What Hydra reads as a number, a boolean or null: `2024_05_01` is 20240501."""
_NEEDS_NO_QUOTES = re.compile(rf"(?!({_READ_AS_TYPED})\Z)[\w./:-]+", re.ASCII | re.IGNORECASE)


def as_value(text: str) -> str:
    """A text as the value of an override, to be pasted into a shell."""
    if _NEEDS_NO_QUOTES.fullmatch(text):
        return text
    # OmegaConf would replace `${...}`: a backslash before it prevents that, and backslashes before it are doubled.
    value = quoted(re.sub(r"(\\*)\$\{", r"\1\1\\${", text))
    return shlex.quote(value) if re.search(r"""["$`!]|\\[^']""", value) else f'"{value}"'


def quoted(text: str) -> str:
    """A text in the quotes of Hydra's grammar: backslashes before a quote are doubled, and quotes get one."""
    return "'" + re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + found[2].replace("'", r"\'"), text) + "'"
