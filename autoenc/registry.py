"""A named table of the choices a config group offers."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar, cast

from autoenc.settings import ConfigError, checked, listed, nearest

PLUGINS = "autoenc.plugins"


class Choice:
    """What every choice of a config group has: the base of its settings classes."""

    name: str
    """What the config calls it. Not a field: `Registry.parse` sets it."""


T = TypeVar("T")


class Registry(Generic[T]):
    """The settings classes of one config group, by name.

    A class is a frozen dataclass: its fields are the keys of the group's YAML, and its `build` makes the object. An
    installed package adds a choice by an entry point `<group>.<name>` in the entry-point group `autoenc.plugins`. Its
    value is such a class. It is imported only when the choice is used. The YAML of its defaults is in the folder `conf`
    of that package.
    """

    def __init__(self, group: str, entries: Mapping[str, type[T]]) -> None:
        self.group = group
        self._entries = dict(entries)

    def names(self) -> list[str]:
        """All choices, including those of installed packages, sorted."""
        return sorted({*self._entries, *plugins(self.group)})

    def settings_class(self, name: str) -> type[T]:
        """The settings class called `name`.

        Raises:
            ConfigError: there is no such choice; the message lists the choices.
        """
        if name in self._entries:
            return self._entries[name]
        if name in (found := plugins(self.group)):
            return self._loaded(found[name])
        problem = f"there is no such choice{nearest(name, self.names())}; the choices are {listed(self.names())}"
        plugin = f"no installed package has the plugin {self.group}.{name}"
        raise ConfigError(f"{self.group}.name", f"{problem}; {plugin}", value=name)

    def parse(self, values: Mapping[str, Any], *, key: str | None = None) -> T:
        """The settings of a group's YAML: `name` picks the class, the other keys are its fields.

        `key` is the full key in messages, if it is not the group: for a noise inside `noise=compose`, for example.

        Raises:
            ConfigError: the name is unknown, or a key or value does not fit the class.
        """
        try:
            return self._parsed(values)
        except ConfigError as error:
            if key is not None:
                _move(error, origin=self.group, to=key)
            raise

    def _parsed(self, values: Mapping[str, Any]) -> T:
        fields = dict(values)
        name = fields.pop("name", None)
        if not isinstance(name, str):
            raise ConfigError(f"{self.group}.name", f"it must be one of {listed(self.names())}", value=name)
        settings = checked(self.settings_class(name), fields, key=self.group)
        object.__setattr__(settings, "name", name)  # the settings are frozen for everyone else
        return settings

    def _loaded(self, plugin: EntryPoint) -> type[T]:
        loaded = load_plugin(plugin)
        if not (isinstance(loaded, type) and dataclasses.is_dataclass(loaded)):
            name = plugin.name.removeprefix(f"{self.group}.")
            raise ConfigError(f"{self.group}.name", f"the plugin {plugin.value} is not a dataclass", value=name)
        return cast("type[T]", loaded)


def plugins(group: str) -> dict[str, EntryPoint]:
    """The entry points `<group>.<name>` of installed packages, by name."""
    prefix = f"{group}."
    found = entry_points(group=PLUGINS)
    return {point.name.removeprefix(prefix): point for point in found if point.name.startswith(prefix)}


def plugin_config_folders() -> list[Path]:
    """The folders `conf` in the packages of plugins, sorted. The packages are not imported."""
    specs = [find_spec(package) for package in sorted(_packages())]
    parents = [Path(parent) for spec in specs if spec is not None for parent in spec.submodule_search_locations or ()]
    return [parent / "conf" for parent in parents if (parent / "conf").is_dir()]


def blamed_plugin(error: BaseException) -> str:
    """`in the plugin my_package (models.py, line 12), TypeError: ` if the code of a plugin raised an error, else empty.

    The innermost call of a plugin's function, or of a method of its object, counts if no other code of autoenc is
    further inside. A `ConfigError` is about a setting, whoever raises it.
    """
    ours = {"autoenc", *(packages := _packages())}
    calls = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _package(frame) in ours]
    if isinstance(error, ConfigError) or not calls:
        return ""
    frame, line = calls[-1]
    package = type(frame.f_locals.get("self")).__module__.partition(".")[0]
    package = package if package in packages else _package(frame)
    if package not in packages:
        return ""
    return f"in the plugin {package} ({Path(frame.f_code.co_filename).name}, line {line}), {type(error).__name__}: "


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _packages() -> set[str]:
    """The top-level packages that have plugins."""
    return {point.module.partition(".")[0] for point in entry_points(group=PLUGINS)}


def load_plugin(plugin: EntryPoint) -> Any:
    """The object of an entry point `<group>.<name>`.

    Raises:
        ConfigError: it cannot be imported.
    """
    group, _, name = plugin.name.rpartition(".")
    try:
        return plugin.load()
    except Exception as error:
        problem = f"the plugin {plugin.value} cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigError(f"{group}.name", problem, value=name) from error


def _move(error: ConfigError, *, origin: str, to: str) -> None:
    """Move the key of an error from `origin` to `to`.

    It is moved afterwards because a class's `__post_init__` does not know where its settings are in the config.
    """
    if error.key == origin or error.key.startswith(f"{origin}."):
        error.key = to + error.key.removeprefix(origin)
        error.args = (to + str(error).removeprefix(origin),)
