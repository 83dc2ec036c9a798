"""Packages that a launcher needs, and that not everybody has."""

from __future__ import annotations

import importlib
from typing import Any

from autoenc.settings import ConfigError


def imported(package: str, *, extra: str) -> Any:
    """The package, which comes with the extra `extra` of ours.

    Raises:
        ConfigError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise _cannot(error, extra=extra) from error
        raise ConfigError("hydra.launcher", _not_installed(extra), value=extra) from None
    except Exception as error:  # a broken package may raise anything as it is imported
        raise _cannot(error, extra=extra) from error


def _cannot(error: Exception, *, extra: str) -> ConfigError:
    problem = f"it cannot be imported ({' '.join(str(error).split())}); pip install 'autoenc[{extra}]'"
    return ConfigError("hydra.launcher", problem, value=extra)


def _not_installed(extra: str) -> str:
    return f"it is not installed; pip install 'autoenc[{extra}]'"
