"""The packages that a tracker needs, and that not everybody has."""

from __future__ import annotations

import importlib

from autoenc.settings import ConfigError


def require_extra(module: str, *, extra: str) -> None:
    """Import `module` of ours, which imports the packages of the extra `extra` of ours.

    Raises:
        ConfigError: they are not installed, or cannot be imported.
    """
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything as it is imported
        problem = f"it cannot be imported ({error}); pip install 'autoenc[{extra}]'"
        raise ConfigError("tracker", problem, value=extra) from error
