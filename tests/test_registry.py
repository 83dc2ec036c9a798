"""Registries: the table, the message for an unknown name, and what installed packages add."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest

from autoenc.models.architectures import ARCHITECTURES
from autoenc.registry import Registry
from autoenc.settings import ConfigError, PositiveInt
from tests.conftest import AddPlugin


@dataclass(frozen=True, kw_only=True)
class Round:
    radius: PositiveInt


@dataclass(frozen=True, kw_only=True)
class Square:
    side: PositiveInt


def shapes() -> Registry[Any]:
    return Registry("shape", {"square": Square, "round": Round})


PLUGIN = """
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Star:
    points: int
"""


def test_the_name_picks_the_class_and_the_rest_are_its_fields() -> None:
    assert shapes().parse({"name": "round", "radius": 3}) == Round(radius=3)
    assert shapes().parse({"side": 2, "name": "square"}) == Square(side=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "squre", "side": 1},
            "shape.name=squre: there is no such choice (did you mean 'square'?); the choices are round, square; "
            "no installed package has the plugin shape.squre",
        ),
        (
            {"name": "x"},
            "shape.name=x: there is no such choice; the choices are round, square; "
            "no installed package has the plugin shape.x",
        ),
        ({"side": 1}, "shape.name=null: it must be one of round, square"),
        ({"name": None}, "shape.name=null: it must be one of round, square"),
        ({"name": 3}, "shape.name=3: it must be one of round, square"),
        (
            {"name": "round", "side": 1},
            "shape.side=1: there is no such key; the keys are radius",
        ),
        ({"name": "round", "radius": 0}, "shape.radius=0: it must be a whole number of at least 1"),
        ({"name": "round"}, "shape.radius: it is required, but not set"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shapes().parse(values)
    assert str(caught.value) == message


def test_an_installed_package_adds_a_choice(add_plugin: AddPlugin) -> None:
    assert "star" not in shapes().names()
    add_plugin("starry", source=PLUGIN, entries="shape.star = starry:Star")
    registry = shapes()
    assert registry.names() == ["round", "square", "star"]
    star = registry.parse({"name": "star", "points": 5})
    assert type(star).__name__ == "Star"
    assert star.points == 5
    with pytest.raises(ConfigError, match=r"^shape\.point=5: there is no such key \(did you mean 'points'\?\)"):
        registry.parse({"name": "star", "point": 5})


def test_a_plugin_is_imported_when_it_is_asked_for_and_not_before(add_plugin: AddPlugin) -> None:
    add_plugin("loud", source=f"import sys\nsys.loud_was_here = True\n{PLUGIN}", entries="shape.star = loud:Star")
    add_plugin("quiet", source=PLUGIN, entries="shape.moon = quiet:Star")
    registry = shapes()
    registry.names()
    registry.parse({"name": "round", "radius": 1})
    registry.settings_class("moon")
    with pytest.raises(ConfigError):
        registry.settings_class("sta")
    assert "loud" not in sys.modules
    assert not hasattr(sys, "loud_was_here")
    registry.settings_class("star")
    assert "loud" in sys.modules
    del sys.loud_was_here  # type: ignore[attr-defined]


def test_a_plugin_adds_to_its_group_alone(add_plugin: AddPlugin) -> None:
    add_plugin(
        "starry", source=PLUGIN, entries="shape.star = starry:Star\nshapes.moon = starry:Star\nsun = starry:Star"
    )
    assert shapes().names() == ["round", "square", "star"]
    assert "star" not in ARCHITECTURES.names()


def test_our_own_choice_wins_over_a_plugin_of_its_name(add_plugin: AddPlugin) -> None:
    add_plugin("starry", source=PLUGIN, entries="shape.round = starry:Star")
    assert shapes().names() == ["round", "square"]
    assert shapes().settings_class("round") is Round


def test_a_broken_plugin_does_not_break_our_own(add_plugin: AddPlugin) -> None:
    add_plugin("broken", source="raise RuntimeError('it is broken')", entries="shape.star = broken:Star")
    add_plugin("gone", source=None, entries="shape.moon = gone:Moon")
    registry = shapes()
    assert registry.names() == ["moon", "round", "square", "star"]
    assert registry.parse({"name": "round", "radius": 2}) == Round(radius=2)
    with pytest.raises(ConfigError, match="the choices are moon, round, square, star"):
        registry.settings_class("cube")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("raise RuntimeError('it is broken')", "broken:Star"),
        (None, "broken:Star"),  # not there at all
        ("x = 1", "broken:Star"),  # there, without the class
        ("class Star: pass", "broken:Star"),  # not a dataclass
    ],
    ids=["raises", "missing", "without the class", "no dataclass"],
)
def test_a_broken_plugin_that_is_asked_for_is_named(add_plugin: AddPlugin, source: str | None, target: str) -> None:
    add_plugin("broken", source=source, entries=f"shape.star = {target}")
    with pytest.raises(ConfigError, match=r"^shape\.name=star: .*broken:Star"):
        shapes().parse({"name": "star", "points": 5})


# --- settings that stand elsewhere than their group ---


@dataclass(frozen=True, kw_only=True)
class Pile:
    """Its own complaint names its key as if it stood at the group's place."""

    height: int
    top: dict[str, Any]

    def __post_init__(self) -> None:
        if self.height > 3:
            raise ConfigError("shape.height", "it would fall over", value=self.height)
        if self.height < 0:
            raise ConfigError("shapes", "there is no such pile")  # a key that only begins like the group's
        if self.top:
            piles().parse(self.top, key="shape.top")


def piles() -> Registry[Any]:
    return Registry("shape", {"pile": Pile, "round": Round})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "cube"},
            "room.left.name=cube: there is no such choice; the choices are pile, round; "
            "no installed package has the plugin shape.cube",
        ),
        ({}, "room.left.name=null: it must be one of pile, round"),
        ({"name": "round", "side": 1}, "room.left.side=1: there is no such key; the keys are radius"),
        ({"name": "round", "radius": 0}, "room.left.radius=0: it must be a whole number of at least 1"),
        ({"name": "pile", "height": 4, "top": {}}, "room.left.height=4: it would fall over"),
        ({"name": "pile", "height": -1, "top": {}}, "shapes: there is no such pile"),
        (
            {"name": "pile", "height": 1, "top": {"name": "pile", "height": 5, "top": {}}},
            "room.left.top.height=5: it would fall over",
        ),
        (
            {"name": "pile", "height": 1, "top": {"name": "pile", "height": 1, "top": {"name": "round", "radius": 0}}},
            "room.left.top.top.radius=0: it must be a whole number of at least 1",
        ),
    ],
)
def test_settings_that_stand_elsewhere_are_complained_about_there(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        piles().parse(values, key="room.left")
    assert str(caught.value) == message
    assert message.startswith(caught.value.key)
