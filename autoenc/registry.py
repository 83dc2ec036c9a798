"""A named table of the choices a config group offers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
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
    value is such a class. It is imported only when the choice is used.
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
        hint = nearest(name, self.names()) or ", and no installed plugin has it"
        problem = f"there is no such choice{hint}; the choices are {listed(self.names())}"
        raise ConfigError(f"{self.group}.name", problem, value=name)

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
