from __future__ import annotations

import pytest

from autoenc.comparison.keys import Keys, matches_pattern
from autoenc.comparison.where import parse_where
from autoenc.settings import ConfigError
from tests.comparison.made_records import record

RUNS = [
    record("a", {"mse": 0.001, "kl": 1.0}, architecture__name="conv", architecture__channels=[16, 32], seed=0),
    record("b", {"mse": 0.02}, architecture__name="conv", architecture__channels=[32, 64], seed=1),
    record("c", {"mse": 0.03}, noise={"name": "gaussian", "std": 0.5, "clip": True}, seed=2, label="a (b), 'c'"),
    record("d", {"mse": 0.5}, dataset__limit=10, dataset__name="0", seed=3),
    record("e", state="failed", error_kind="out_of_memory", seed=4),
]


def found(text: str) -> str:
    where = parse_where(text, Keys(RUNS))
    return "".join(run.name for run in RUNS if where.matches(run))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("architecture=conv", "ab"),
        ("architecture == conv", "ab"),
        ("architecture!=conv", "cde"),
        ("architecture = 'conv'", "ab"),
        ('architecture = "conv"', "ab"),
        ("test.mse<0.02", "a"),
        ("test.mse<=2e-2", "ab"),
        ("test.mse>.02", "cd"),
        ("test.mse >= 0.02", "bcd"),
        ("test.mse = 0.0010", "a"),
        ("test.mse != 0.02", "acd"),  # a missing value matches neither
        ("test.mse = null", "e"),
        ("test.mse != null", "abcd"),
        ("not test.mse < 0.02", "bcde"),
        ("noise.std = null", "abde"),
        ("noise.std > 0", "c"),
        ("std > 0", "c"),
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
        ("architecture in (conv)", "ab"),
        ("test.kl not in (2)", "a"),
        ("label ~ 'A'", "ac"),
        ("label ~ '*b*'", "bc"),
        ("label ~ 'b*'", "b"),
        ("label ~ '?'", "abde"),
        ("label !~ '(b)'", "abde"),
        ("error_kind !~ x", "e"),
        ("label = 'a (b), \\'c\\''", "c"),
        ("state=failed", "e"),
        ("error_kind=out_of_memory", "e"),
        ("name=a", "a"),
        ("seed=0 or seed=1 and test.mse>1", "a"),  # and binds closer than or
        ("(seed=0 or seed=1) and test.mse>0.01", "b"),
        ("not seed=0 and not seed=1", "cde"),
        ("not (seed=0 or seed=1)", "cde"),
        ("NOT seed=0 AND seed<2", "b"),
        ("not not seed=0", "a"),
        ("((((seed=0))))", "a"),
        ("machine=cpu and code_size>=3", "abcd"),
    ],
)
def test_conditions(text: str, names: str) -> None:
    assert found(text) == names


def test_large_whole_numbers_are_exact() -> None:
    large = 2**53 + 1  # not a float
    runs = [record("a", seed=large), record("b", seed=large + 1), record("c", {"mse": 0.1}, seed=2**63 - 1)]
    keys = Keys(runs)

    def names(text: str) -> str:
        return "".join(run.name for run in runs if parse_where(text, keys).matches(run))

    assert names(f"seed={large}") == "a"
    assert names(f"seed!={large}") == "bc"
    assert names(f"seed in ({large + 1}, {2**63 - 1})") == "bc"
    assert names(f"seed>{large}") == "bc"
    assert names(f"seed<={large}") == "a"
    assert names("seed=9223372036854775807") == "c"
    for digits in (50, 400, 5000):  # too large for a float
        assert names(f"test.mse={'9' * digits}") == ""
        assert names(f"seed<{'9' * digits}") == "abc"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["at the end", "a key"]),
        ("architecture=conv an seed=0", ["character 19, 'an'", "'and', 'or' or the end"]),
        ("architectur=conv", ["character 1", "'architectur'", "did you mean 'architecture'"]),
        ("seed=0 and tset.mse<1", ["character 12", "did you mean 'test.mse'"]),
        ("mse<0.1", ["'mse' could be test.mse or validation.mse or train.mse"]),
        ("architecture", ["at the end", "= != < <= > >= ~ in"]),
        ("architecture conv", ["character 14, 'conv'"]),
        ("architecture=", ["at the end", "a value"]),
        ("architecture=and", ["character 14, 'and'", "quoted"]),
        ("(seed=0", ["at the end", "')'"]),
        ("seed=0)", ["character 7, ')'"]),
        ("seed in 0", ["character 9, '0'", "'('"]),
        ("seed in ()", ["character 10, ')'"]),
        ("seed not 0", ["character 10", "'in'"]),
        ("seed < conv", ["character 8, 'conv'", "'<' needs a number"]),
        ("seed < 'conv'", ["needs a number"]),
        ("label = 'x", ["character 9", "not closed"]),
        ("label = [1", ["character 9", "not closed"]),
        ("seed ! 0", ["character 6, '!'", "no meaning"]),
        ("0 < seed < 3", ["character 1", "'0'"]),
        ("seed<1<2", ["character 7, '<'"]),
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
    for word in words:
        assert word in message


def test_if_nothing_matches_the_existing_values_are_listed() -> None:
    message = parse_where("architecture=cnv", Keys(RUNS)).explain_no_match(RUNS)
    assert "architecture is conv or linear" in message
    assert "did you mean 'conv'" in message


def test_patterns() -> None:
    assert matches_pattern("test.mse", "test.*")
    assert not matches_pattern("a.test.mse", "test.*")
    assert not matches_pattern("testxmse", "test.mse*")
    assert matches_pattern("a\nb", "a*b")
    assert not matches_pattern("a" * 3000, "*a" * 300 + "b")  # at once
    assert matches_pattern("axbxcxc", "a*x*c")
    assert matches_pattern("aXc", "a?C")
    assert not matches_pattern("ac", "a?c")
    assert matches_pattern("", "*")
    assert not matches_pattern("ab", "ab*b")
