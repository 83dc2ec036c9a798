"""Texts that come from others, as they may be shown."""

from __future__ import annotations

import unicodedata

LONGEST_LINE = 4000
"""Characters; an error's message may be long."""


def printable(text: str, *, most: int = LONGEST_LINE) -> str:
    r"""The text in one line that no terminal, table or page can be led astray by.

    What is not seen but acts (control characters and terminal escapes, line breaks, marks that turn the direction of
    the writing, of no width or in private use, halves of surrogate pairs) stands there as its escape: `\x1b`, `\u202e`.
    What is longer than `most` characters ends in an ellipsis.
    """
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":  # a space that does not break, or a wide one
        return " "
    return character.encode("unicode_escape").decode("ascii")
