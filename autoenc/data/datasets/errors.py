"""What is said when a dataset's files cannot be had."""

from __future__ import annotations

from autoenc.settings import ConfigError


class DatasetError(ConfigError):
    """The files of a dataset are missing, damaged or not what they should be. The message is one line."""

    def __init__(self, dataset: str, problem: str) -> None:
        super().__init__("dataset", " ".join(problem.split()), value=dataset)
        self.dataset = dataset


def briefly(error: BaseException) -> str:
    """What went wrong, in the words of the operating system where it has some, on one line of at most 160 characters.

    Part of it may come from a server: what does not print is left out.
    """
    cause = getattr(error, "reason", None)  # a `URLError` wraps what happened
    if isinstance(cause, BaseException):
        return briefly(cause)
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:160]
