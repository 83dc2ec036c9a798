"""HTML from Python values: all text is escaped unless it is markup already. Imports nothing of ours."""

from __future__ import annotations

import html

_WITHOUT_CONTENT = frozenset({"br", "img", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """An element; an underscore at the end of an attribute's name, as in `class_`, is dropped."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    if name in _WITHOUT_CONTENT:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(content)}</{name}>")


def joined(content: tuple[str, ...] | list[str]) -> Markup:
    """Parts one after another; plain text is escaped."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part) for part in content))
