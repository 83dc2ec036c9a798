from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoenc.comparison.keys import Keys, matches_pattern
from autoenc.comparison.where import parse_where
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError
from tests.comparison.made_records import record

RUNS = [
    record("a", {"mse": 0.001, "kl": 1.0}, architecture__name="conv", architecture__channels=[16, 32], seed=0),
    record("b", {"mse": 0.02}, architecture__name="conv", architecture__channels=[32, 64], seed=1),
    record("c", {"mse": 0.03}, noise={"name": "gaussian", "std": 0.5, "clip": True}, seed=2, label="a (b), 'c'"),
    record("d", {"mse": 0.5}, dataset__limit=10, dataset__name="0", seed=3),
    record("e", state="failed", error_kind="out_of_memory", seed=4),
]


def found(text: str, runs: Sequence[RunRecord] = RUNS) -> str:
    where = parse_where(text, Keys(runs))
    return "".join(run.name for run in runs if where.matches(run))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("architecture=conv", "ab"),
        ("architecture!=conv", "cde"),
        ('architecture = "conv"', "ab"),
        ("test.mse<0.02", "a"),
        ("test.mse>.02", "cd"),
        ("test.mse >= 0.02", "bcd"),
        ("test.mse = 0.0010", "a"),
        ("test.mse != 0.02", "acd"),  # a missing value matches neither
        ("test.mse = null", "e"),
        ("not test.mse < 0.02", "bcde"),
        ("noise.std = null", "abde"),
        ("learning_rate = 1e-3", "abcde"),
        ("noise.clip = true", "c"),
        ("noise.clip = 1", ""),
        ("dataset.limit = null", "abce"),
        ("dataset = 0", "d"),
        ("dataset < 1", ""),  # a text is not ordered among numbers
        ("architecture.channels = [16,32]", "a"),
        ("architecture.channels = '[32, 64]'", "b"),
        ("seed in (0, 2, 9)", "ac"),
        ("seed not in (0, 2)", "bde"),
        ("test.kl not in (2)", "a"),
        ("label ~ 'A'", "ac"),
        ("label ~ '*b*'", "bc"),
        ("label ~ '?'", "abde"),
        ("label !~ '(b)'", "abde"),
        ("error_kind !~ x", "e"),
        ("label = 'a (b), \\'c\\''", "c"),
        ("seed=0 or seed=1 and test.mse>1", "a"),  # and binds closer than or
        ("(seed=0 or seed=1) and test.mse>0.01", "b"),
        ("not (seed=0 or seed=1)", "cde"),
        ("NOT seed=0 AND seed<2", "b"),
        ("not not seed=0", "a"),
        ("machine=cpu and code_size>=3", "abcd"),
    ],
)
def test_conditions(text: str, names: str) -> None:
    assert found(text) == names


def test_large_whole_numbers_are_exact() -> None:
    large = 2**53 + 1  # not a float
    runs = [record("a", seed=large), record("b", seed=large + 1), record("c", {"mse": 0.1}, seed=2**63 - 1)]
    assert found(f"seed={large}", runs) == "a"
    assert found(f"seed in ({large + 1}, {2**63 - 1})", runs) == "bc"
    assert found(f"seed>{large}", runs) == "bc"
    for digits in (50, 5000):  # too large for a float
        assert found(f"test.mse={'9' * digits}", runs) == ""
        assert found(f"seed<{'9' * digits}", runs) == "abc"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["at the end", "a key"]),
        ("architecture=conv an seed=0", ["character 19, 'an'", "'and', 'or' or the end"]),
        ("architectur=conv", ["character 1", "'architectur'", "did you mean 'architecture'"]),
        ("seed=0 and tset.mse<1", ["character 12", "did you mean 'test.mse'"]),
        ("mse<0.1", ["'mse' could be test.mse or validation.mse or train.mse"]),
        ("architecture", ["at the end", "= != < <= > >= ~ in"]),
        ("architecture=and", ["character 14, 'and'", "quoted"]),
        ("(seed=0", ["at the end", "')'"]),
        ("seed=0)", ["character 7, ')'"]),
        ("seed in ()", ["character 10, ')'"]),
        ("seed not 0", ["character 10", "'in'"]),
        ("seed < conv", ["character 8, 'conv'", "'<' needs a number"]),
        ("label = 'x", ["character 9", "not closed"]),
        ("seed ! 0", ["character 6, '!'", "no meaning"]),
        ("0 < seed < 3", ["character 1", "'0'"]),
        ("not " * 60 + "seed=0", ["nested parentheses"]),
        ("(" * 5000, ["nested parentheses"]),
        ("__import__('os').system('true')", ["no run has"]),
    ],
)
def test_mistakes_are_reported_with_their_position(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_where(text, Keys(RUNS))
    message = str(raised.value)
    assert message.startswith("--where")
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_if_nothing_matches_the_existing_values_are_listed() -> None:
    message = parse_where("architecture=cnv", Keys(RUNS)).explain_no_match(RUNS)
    assert message == (
        "no run has architecture=cnv; the values are conv (convolutional) and linear (did you mean 'conv'?)"
    )
    message = parse_where("architecture=conv and architecture=linear", Keys(RUNS)).explain_no_match(RUNS)
    assert message == f"no run of these {len(RUNS)} matches"


def test_patterns_match_whole_texts() -> None:
    for text, pattern in (("test.mse", "test.*"), ("a\nb", "a*B"), ("a[b]", "a[?]"), ("", "*")):
        assert matches_pattern(text, pattern)
    for text, pattern in (("a.test.mse", "test.*"), ("testxmse", "test.mse*"), ("ac", "a?c"), ("ab", "ab*b")):
        assert not matches_pattern(text, pattern)
    assert not matches_pattern("a" * 3000, "*a" * 300 + "b")  # at once
