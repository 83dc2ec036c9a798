"""Settings: what is taken, what is refused, and the exact line that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from autoenc.settings import (
    ConfigError,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Probability,
    ProperFraction,
    check_keys,
    checked,
    field_names,
    join,
    listed,
    nearest,
)


@dataclass(frozen=True, kw_only=True)
class Everything:
    """A field of each kind that a group may have."""

    count: PositiveInt = 1
    index: NonNegativeInt = 0
    rate: PositiveFloat = 1.0
    decay: NonNegativeFloat = 0.0
    probability: Probability = 0.5
    fraction: ProperFraction = 0.5
    flag: bool = True
    text: str = "some"
    choice: Literal["relu", "tanh"] = "relu"
    only: Literal["one"] = "one"
    limit: PositiveInt | None = None
    sizes: tuple[PositiveInt, ...] = (1,)
    pair: tuple[ProperFraction, ProperFraction] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Needed:
    size: PositiveInt


@dataclass(frozen=True, kw_only=True)
class Ordered:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigError("group.low", "it must not be above group.high", value=self.low)
        if self.low == self.high:
            raise ValueError("low and high are the same")


def message_of(values: dict[str, Any], *, settings: type[Any] = Everything, key: str = "group") -> str:
    with pytest.raises(ConfigError) as caught:
        checked(settings, values, key=key)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        # ranges, at their edges
        ({"count": 0}, "group.count=0: it must be a whole number of at least 1"),
        ({"index": -1}, "group.index=-1: it must be a whole number of at least 0"),
        ({"rate": 0}, "group.rate=0: it must be a number above 0"),
        ({"decay": -0.5}, "group.decay=-0.5: it must be a number of at least 0"),
        ({"probability": 1.5}, "group.probability=1.5: it must be a number from 0 to 1"),
        ({"probability": -0.1}, "group.probability=-0.1: it must be a number from 0 to 1"),
        ({"fraction": 1}, "group.fraction=1: it must be a number of at least 0 and below 1"),
        # what is not finite
        ({"rate": math.nan}, "group.rate=NaN: it must be a number above 0"),
        ({"rate": math.inf}, "group.rate=Infinity: it must be a number above 0"),
        ({"probability": math.nan}, "group.probability=NaN: it must be a number from 0 to 1"),
        # types that merely look alike
        ({"count": True}, "group.count=true: it must be a whole number of at least 1"),
        ({"count": 1.0}, "group.count=1.0: it must be a whole number of at least 1"),
        ({"count": "3"}, "group.count='3': it must be a whole number of at least 1"),
        ({"count": None}, "group.count=null: it must be a whole number of at least 1"),
        ({"rate": "1e-3"}, "group.rate='1e-3': it must be a number above 0"),
        ({"flag": 1}, "group.flag=1: it must be true or false"),
        ({"text": 3}, "group.text=3: it must be a text"),
        ({"count": {"a": 1}}, 'group.count={"a": 1}: it must be a whole number of at least 1'),
        # choices
        ({"choice": "gelu"}, "group.choice=gelu: it must be one of relu, tanh (did you mean 'relu'?)"),
        ({"choice": "TANH"}, "group.choice=TANH: it must be one of relu, tanh (did you mean 'tanh'?)"),
        ({"only": "two"}, "group.only=two: it must be one"),
        # optional values
        ({"limit": 0}, "group.limit=0: it must be a whole number of at least 1 or null"),
        ({"limit": "none"}, "group.limit=none: it must be a whole number of at least 1 or null"),
        # lists
        ({"sizes": 3}, "group.sizes=3: it must be a list, each item a whole number of at least 1"),
        ({"sizes": [8, 0]}, "group.sizes=[8, 0]: it must be a list, each item a whole number of at least 1"),
        (
            {"pair": [0.9, 1]},
            "group.pair=[0.9, 1]: it must be a list of 2, each item a number of at least 0 and below 1",
        ),
        (
            {"pair": [0.1, 0.2, 0.3]},
            "group.pair=[0.1, 0.2, 0.3]: it must be a list of 2, each item a number of at least 0 and below 1",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    assert message_of(values) == message


def test_a_list_that_is_too_short_is_a_wrong_value_and_not_a_missing_key() -> None:
    assert message_of({"pair": [0.9]}) == (
        "group.pair=[0.9]: it must be a list of 2, each item a number of at least 0 and below 1"
    )


def test_a_text_that_reads_as_something_else_is_quoted() -> None:
    # `flag="true"` is a text; without quotes the message would contradict itself.
    assert message_of({"flag": "true"}) == "group.flag='true': it must be true or false"


def test_a_message_stays_one_line_whatever_the_value() -> None:
    assert "\n" not in message_of({"count": "two\nlines"})


def test_a_missing_key_is_named() -> None:
    assert message_of({}, settings=Needed, key="a.b") == "a.b.size: it is required, but not set"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"siez": 3}, "group.siez=3: there is no such key (did you mean 'size'?); the keys are size"),
        ({"size": 3, "wings": None}, "group.wings=null: there is no such key; the keys are size"),
        # The wrong key is what has to be said, though `size` is also missing.
        ({"sizes": 3}, "group.sizes=3: there is no such key (did you mean 'size'?); the keys are size"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(values: dict[str, Any], message: str) -> None:
    assert message_of(values, settings=Needed) == message


def test_at_the_top_level_a_key_stands_alone() -> None:
    assert message_of({"size": 0}, settings=Needed, key="") == "size=0: it must be a whole number of at least 1"
    assert message_of({}, settings=Needed, key="") == "size: it is required, but not set"


def test_a_class_may_refuse_in_words_of_its_own() -> None:
    assert message_of({"low": 2, "high": 1}, settings=Ordered) == "group.low=2: it must not be above group.high"
    assert message_of({"low": 1, "high": 1}, settings=Ordered) == "group: low and high are the same"


def test_a_config_error_knows_its_key_and_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^group\.count=0: ") as caught:
        checked(Everything, {"count": 0}, key="group")
    assert isinstance(caught.value, ConfigError)
    assert caught.value.key == "group.count"


@pytest.mark.parametrize(
    ("field", "given", "wanted"),
    [
        ("rate", 3, 3.0),
        ("decay", 0, 0.0),
        ("probability", 0, 0.0),
        ("fraction", 0, 0.0),
        ("count", 1, 1),
        ("count", 10**30, 10**30),
        ("flag", False, False),
        ("text", "", ""),
        ("choice", "tanh", "tanh"),
        ("limit", None, None),
        ("sizes", [128, 64], (128, 64)),
        ("sizes", [], ()),
        ("pair", [0, 0.999], (0.0, 0.999)),
    ],
)
def test_what_fits_is_taken(field: str, given: object, wanted: object) -> None:
    value = getattr(checked(Everything, {field: given}, key="group"), field)
    assert value == wanted
    assert type(value) is type(wanted)  # an int given for a float is a float from here on
    if isinstance(wanted, tuple) and isinstance(value, tuple):
        assert [type(item) for item in value] == [type(item) for item in wanted]


def test_settings_are_frozen_and_keep_the_order_of_their_fields() -> None:
    settings = checked(Needed, {"size": 3}, key="group")
    with pytest.raises(AttributeError):
        settings.size = 4  # type: ignore[misc]
    assert field_names(Ordered) == ["low", "high"]


def test_check_keys_lets_what_is_allowed_through() -> None:
    check_keys({"a": 1}, allowed=["a", "b"], key="x")
    with pytest.raises(ConfigError, match=r"^x\.c=1: there is no such key; the keys are none$"):
        check_keys({"c": 1}, allowed=[], key="x")


def test_the_words_of_a_message() -> None:
    assert nearest("cnn", ["conv", "linear"]) == " (did you mean 'conv'?)"
    assert nearest("zzz", ["conv", "linear"]) == ""
    assert nearest("Code-Size", ["code_size"]) == " (did you mean 'code_size'?)"
    assert nearest("epochs", ["training.epochs", "b.warmup_epochs"]) == " (did you mean 'training.epochs'?)"
    assert nearest("vae", ["conv"], others=["bottleneck=gaussian", "noise=gaussian"]) == (
        " (did you mean 'bottleneck=gaussian'?)"
    )
    assert nearest("hid", ["hidden", "hidden_sizes"]) == " (did you mean 'hidden' or 'hidden_sizes'?)"
    assert nearest("wide", ["conv"], others=["wired"]) == ""  # other words have to be more similar
    assert nearest("none", ["conv"], others=["a=none", "b=none", "c=none", "d=none"]) == ""
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == "none"
    assert join("", "a", 1) == "a.1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("conv", "conv"),
        ("salt_and_pepper", "salt_and_pepper"),
        ("/data/x y", "/data/x y"),
        ("12", "'12'"),
        ("", "''"),
        (None, "null"),
        (False, "false"),
        (1e-08, "1e-08"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_value_is_shown_as_it_would_be_typed(value: object, shown: str) -> None:
    assert str(ConfigError("key", "no", value=value)) == f"key={shown}: no"
