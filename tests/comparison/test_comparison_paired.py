from __future__ import annotations

from collections.abc import Sequence

import pytest
from scipy import stats

from autoenc.comparison.grouping import Group, groups_by_seed, groups_of
from autoenc.comparison.paired import paired_difference, paired_lines
from autoenc.comparison.ranking import rank
from autoenc.runs import RunRecord
from tests.comparison.made_records import record

CONV, MLP = [0.0101, 0.0108, 0.0099, 0.0104, 0.0102], [0.0131, 0.0141, 0.0128, 0.0137, 0.0129]


def runs(name: str, errors: Sequence[float], *, metric: str = "mse", first: int = 0) -> list[RunRecord]:
    return [
        record(f"{name} {seed}", {"mse": 0.1, metric: error}, architecture__name=name, seed=seed)
        for seed, error in enumerate(errors, start=first)
    ]


def groups(*settings: list[RunRecord], metric: str = "test.mse") -> list[Group]:
    found = groups_by_seed(rank([run for each in settings for run in each], metric=metric))
    assert found is not None
    (section,) = found
    return section


def sentences(*settings: list[RunRecord], metric: str = "test.mse") -> list[str]:
    return paired_lines(groups(*settings, metric=metric), metric)[1:]


def test_the_interval_of_the_difference_is_that_of_the_paired_t_test() -> None:
    conv, mlp = groups(runs("conv", CONV), runs("mlp", MLP)[::-1])
    found = paired_difference(conv, mlp, "test.mse")
    low, high = stats.ttest_rel(CONV, MLP).confidence_interval(0.95)
    assert found is not None
    assert found.half_width is not None
    assert (found.mean, found.half_width, found.count) == pytest.approx(((low + high) / 2, (high - low) / 2, 5))


def test_only_shared_seeds_are_compared() -> None:
    conv, mlp = groups(runs("conv", CONV), runs("mlp", MLP, first=2))
    found = paired_difference(conv, mlp, "test.mse")
    low, high = stats.ttest_rel(CONV[2:], MLP[:3]).confidence_interval(0.95)
    assert found is not None
    assert found.mean == pytest.approx((low + high) / 2)
    assert found.count == 3


def test_the_better_setting_is_named_with_the_size_of_the_difference() -> None:
    assert sentences(runs("mlp", MLP), runs("conv", CONV)) == [
        "convolutional is 0.00304 ± 0.00032 better than MLP (5 seeds)."
    ]
    by_psnr = sentences(
        runs("mlp", [20, 21, 22], metric="psnr"), runs("conv", [23, 24.5, 25], metric="psnr"), metric="test.psnr"
    )
    assert by_psnr == ["convolutional is 3.17 ± 0.72 better than MLP (3 seeds)."]
    title, _ = paired_lines(groups(runs("mlp", MLP), runs("conv", CONV)), "test.mse")
    assert title.startswith("By test.mse, paired by seed")


def test_a_small_difference_is_not_significant() -> None:
    close = [error + change for error, change in zip(CONV, (0.001, -0.0008, 0.0012, -0.0005, 0.0001), strict=True)]
    assert stats.ttest_rel(CONV, close).pvalue > 0.05
    assert sentences(runs("conv", CONV), runs("mlp", close)) == [
        "convolutional and MLP show no significant difference (0.0002 ± 0.0011, 5 seeds)."
    ]


@pytest.mark.parametrize("first", [4, 5], ids=["one", "none"])
def test_fewer_than_two_shared_seeds_have_no_interval(first: int) -> None:
    without = [runs(name, MLP, first=first) for name in ("mlp", "deep")]
    (sentence,) = sentences(runs("conv", CONV), *without)
    assert sentence == "convolutional shares fewer than two seeds with MLP and deep MLP, and an interval needs two."


def test_copies_of_a_seed_add_no_evidence() -> None:
    copies = [
        record(f"copy {run.name}", {"mse": run.metrics["test.mse"]}, config=dict(run.config))
        for run in runs("conv", CONV)
    ]
    expected = sentences(runs("conv", CONV), runs("mlp", MLP))
    assert sentences(runs("conv", CONV), copies, runs("mlp", MLP)) == expected


def test_the_best_is_compared_with_each_of_the_others() -> None:
    others = [runs(f"net{number}", [error + 0.001 * number for error in MLP]) for number in range(7)]
    found = sentences(*others, runs("conv", CONV))
    assert len(found) == 6
    assert all(sentence.startswith("convolutional is ") for sentence in found[:5])
    assert found[5].startswith("... and 2 more. Among many comparisons, about 1 in 20 ")


def test_there_is_no_verdict_on_more_than_seeds() -> None:
    assert sentences(runs("conv", CONV)) == []
    assert sentences(runs("conv", CONV), runs("mlp", MLP), metric="parameters") == []
    rates = [
        record(
            f"{name} {rate} {seed}",
            {"mse": rate * seed},
            architecture__name=name,
            optimizer__learning_rate=rate,
            seed=seed,
        )
        for name in ("conv", "mlp")
        for rate in (0.1, 0.2)
        for seed in (1, 2)
    ]
    ranking = rank(rates, metric="test.mse")
    assert paired_lines(groups_of(ranking.sections[0], ranking=ranking, keys=["architecture"]), "test.mse") == []
