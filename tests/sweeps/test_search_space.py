"""The search space: from Hydra's syntax to Optuna, and back to a command line."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autoenc.settings import ConfigError
from autoenc.sweeps.sweepers.optuna_search import Random
from autoenc.sweeps.sweepers.sampling import suggest
from autoenc.sweeps.sweepers.search_space import SearchSpace, described, search_space


def space(*texts: str) -> SearchSpace:
    return search_space(OverridesParser.create().parse_overrides(list(texts)))


def one(text: str) -> BaseDistribution:
    return space(f"some.key={text}").distributions["some.key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(0, 0.5)", FloatDistribution(0, 0.5)),
        ("tag(log, interval(1e-5, 1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("int(interval(2, 64))", IntDistribution(2, 64)),
        ("tag(log, int(interval(2, 64)))", IntDistribution(2, 64, log=True)),
        ("range(1, 9)", IntDistribution(1, 8)),
        ("range(1, 9, 3)", IntDistribution(1, 7, step=3)),
        ("range(9, 1, -3)", IntDistribution(3, 9, step=3)),
        ("tag(log, range(1, 9))", IntDistribution(1, 8, log=True)),
        ("shuffle(range(1, 9))", IntDistribution(1, 8)),
        ("range(0, 1, 0.1)", FloatDistribution(0, 0.9, step=0.1)),
        ("float(range(1, 4))", FloatDistribution(1, 3, step=1)),
        ("a,b", CategoricalDistribution(["a", "b"])),
        ("choice(b, a, b)", CategoricalDistribution(["a", "b"])),
        ("shuffle(b, a)", CategoricalDistribution(["a", "b"])),
        ("null,1,0.1,true", CategoricalDistribution(["0.1", "1", "True", "null"])),
        ("[512,128],[256]", CategoricalDistribution(["[256]", "[512,128]"])),
    ],
)
def test_hydras_syntax_becomes_a_distribution(text: str, expected: BaseDistribution) -> None:
    assert one(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("interval(2, 1)", "it ends before it begins"),
        ("interval(1, inf)", "its ends must be finite numbers"),
        ("tag(log, interval(0, 1))", "it must begin above 0"),
        ("tag(log, range(1, 9, 2))", "in steps of 1"),
        ("tag(log, range(1.5, 9.5))", "or use an interval"),
        ("tag(ln, interval(1, 2))", "there is no tag 'ln'; the only one is log"),
        ("tag(log, choice(1, 2))", "choices have no order"),
        ("range(1, 9, 0)", "a step that is not 0"),
        ("range(9, 1)", "there is no number in this range"),
    ],
)
def test_an_invalid_space_is_reported_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        one(text)
    assert str(caught.value).startswith(f"some.key={text}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_search_without_a_varying_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.params: there is nothing to search"):
        space("a=1", "b=[1,2]", "c=interval(1, 1)")


def test_the_last_override_of_a_key_counts() -> None:
    found = space("a=1,2", "b=interval(0, 1)", "+c=1", "a=3", "b=interval(0, 2)", "c=range(4)")
    assert found.fixed == {"a": "a=3"}
    assert found.described() == {"b": "interval(0.0, 2.0)", "c": "int(interval(0, 3))"}
    assert space("a=3", "a=1,2").fixed == {}


def test_a_key_with_one_value_is_not_searched() -> None:
    found = space("a=choice(7)", "b=interval(0.5, 0.5)", "c=range(1)", "d=1,2")
    assert found.fixed == {"a": "a=7", "b": "b=0.5", "c": "c=0"}
    assert list(found.distributions) == ["d"]


def test_a_command_has_the_drawn_values_exactly() -> None:
    found = space(
        "optimizer=adam", "~noise", "+new.key='x y',z", "rate=interval(0, 1)", "size=range(9)", "sizes=[1,2],[3]"
    )
    params = {"+new.key": "'x y'", "rate": 1.2345678901234567e-05, "size": 3, "sizes": "[1,2]"}
    command = found.command(params)
    assert command[:2] == ("optimizer=adam", "~noise")
    parsed = {text.key_or_group: text.value() for text in OverridesParser.create().parse_overrides(list(command))}
    assert parsed["new.key"] == "x y"
    assert parsed["rate"] == 1.2345678901234567e-05
    assert (parsed["size"], parsed["sizes"]) == (3, [1, 2])
    assert command[2].startswith("+new.key=")


def test_the_examples_are_the_edges_of_the_space() -> None:
    found = space("a=1", "rate=interval(0, 1)", "kind=x,y,z")
    assert found.examples() == [
        ("a=1", "rate=0.0", "kind=x"),
        ("a=1", "rate=1.0", "kind=x"),
        ("a=1", "rate=0.0", "kind=y"),
        ("a=1", "rate=0.0", "kind=z"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tag(log, interval(1e-5, 1e-2))", "tag(log, interval(1e-05, 0.01))"),
        ("range(1, 9, 3)", "int(interval(1, 7) in steps of 3)"),
        ("b,a", "choice(a, b)"),
    ],
)
def test_a_distribution_is_described_in_hydras_syntax(text: str, said: str) -> None:
    assert described(one(text)) == said


def drawn(text: str, *, count: int) -> list[float]:
    found = space(f"key={text}").distributions
    asked = [
        suggest([], space=found, direction="minimize", sampler=Random(seed=3), number=number) for number in range(count)
    ]
    return [params["key"] for params in asked if params is not None]


def test_a_logarithmic_interval_is_drawn_evenly_by_orders_of_magnitude() -> None:
    rates = drawn("tag(log, interval(1e-4, 1e-1))", count=120)
    assert 1e-4 <= min(rates) <= max(rates) <= 1e-1
    shares = [sum(low <= rate < 10 * low for rate in rates) / 120 for low in (1e-4, 1e-3, 1e-2)]
    assert all(0.2 < share < 0.47 for share in shares)
    even = drawn("interval(1e-4, 1e-1)", count=120)
    assert sum(rate < 1e-2 for rate in even) / 120 < 0.2


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("tag(log, interval(1e-4, 1e-1))", 4),
        ("interval(0.9990, 0.9999)", 7),
        ("tag(log, interval(0.9990, 0.9999))", 7),
    ],
)
def test_numbers_have_few_digits_and_stay_within(text: str, digits: int) -> None:
    values = drawn(text, count=60)
    assert all(len(f"{value:.10g}".replace(".", "").lstrip("0")) <= digits for value in values)
    assert len(set(values)) > 50
    distribution = one(text)
    assert isinstance(distribution, FloatDistribution)
    assert all(distribution.low <= value <= distribution.high for value in values)


def test_a_range_of_floats_is_drawn_without_rounding_errors() -> None:
    values = set(drawn("range(0, 1, 0.1)", count=80))
    assert values == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
