from __future__ import annotations

from typing import Any

import pytest

from autoenc.comparison.comparability import not_comparable_in
from autoenc.comparison.comparison_warnings import ranking_note, ranking_warnings
from autoenc.comparison.ranking import (
    SortOrder,
    better_direction,
    comparable_sections,
    rank,
)
from autoenc.comparison.reasons import why_unranked
from autoenc.evaluation.metrics import METRICS
from autoenc.runs import RunRecord
from tests.comparison.made_records import UNITS, record


def names(records: list[RunRecord], metric: str) -> list[list[str]]:
    return [[each.name for each in section.records] for section in comparable_sections(records, metric)]


def warnings(records: list[RunRecord], metric: str) -> list[str]:
    return ranking_warnings(comparable_sections(records, metric), metric)


def likelihood(kind: str) -> dict[str, str]:
    """Units of a variational run."""
    return UNITS | dict.fromkeys(("elbo_nats", "nll_nats"), f"nats an image; {kind}")


GREY = likelihood("density of grey pixels")


def test_an_unknown_metric_has_the_direction_of_its_unit() -> None:
    assert better_direction("test.mine", unit="points, higher is better") == "higher"
    assert better_direction("test.mine", unit="points, lower is better") == "lower"
    assert better_direction("test.mine", unit="points") is None
    assert better_direction("test.kl_nats") is better_direction("code_size") is None
    units = {"mine": "points, higher is better"}
    runs = [record("a", {"mine": 1.0}, units=units), record("b", {"mine": 2.0}, units=units)]
    assert names(runs, "test.mine") == [["b", "a"]]


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({"dataset__name": "fashion_mnist"}, "test.mse"),
        ({"dataset__limit": 100}, "test.mse"),
        ({"dataset__validation_fraction": 0.2}, "test.mse"),
        ({"dataset__binarization": "static"}, "test.mse"),
        ({"dataset__split_seed": 1}, "validation.mse"),
        ({"dataset__split_seed": 1}, "test.pca_mse"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.denoising_mse"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.loss"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.unknown"),
        ({"units": likelihood("Bernoulli probability of grey pixels")}, "test.elbo_nats"),
        ({"units": likelihood("Bernoulli probability of grey pixels")}, "test.nll_nats"),
        ({"units": likelihood("density of statically binarized pixels")}, "test.elbo_nats"),
        ({"evaluation": {"nll_samples": 50}}, "test.nll_nats"),
        ({"evaluation": {"nll_samples": 0, "nll_images": 2000}}, "test.nll_nats"),
        ({"units": UNITS | {"mse": "cubes"}}, "test.mse"),
        ({"environment": {"device": "cuda", "threads": 1}}, "seconds.training"),
        ({"environment": {"device": "cpu", "threads": 2}}, "images_per_second"),
        ({"status": {"host": "there"}}, "seconds.training"),
    ],
)
def test_numbers_that_are_not_comparable_are_ranked_separately(change: dict[str, Any], metric: str) -> None:
    scores = {metric.partition(".")[2]: 0.1}
    units = {"units": GREY}
    runs = [record("a", scores, **units), record("b", scores, **{**units, **change}), record("c", scores, **units)]
    assert names(runs, metric) == [["a", "c"], ["b"]]
    one, two = comparable_sections(runs, metric)
    assert one.name != two.name
    (warning,) = warnings(runs, metric)
    assert f"{metric} cannot rank all 3 runs together" in warning
    assert next(iter(two.apart)) in warning


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.mse"),
        ({"noise": {"name": "gaussian", "std": 0.3}}, "test.elbo_nats"),
        ({"dataset__split_seed": 1}, "test.mse"),
        ({"dataset__shuffle": False}, "test.mse"),
        ({"dataset__cache": True, "dataset__max_pixels": 9}, "test.mse"),
        ({"architecture": {"name": "conv"}}, "validation.loss"),
        ({"loss": {"name": "laplace"}}, "test.elbo_nats"),  # also a density of grey pixels
        ({"loss": {"name": "continuous_bernoulli"}}, "test.nll_nats"),
        ({"evaluation": {"nll_samples": 0, "nll_images": None}}, "test.nll_nats"),  # the other is older than the key
        ({"environment": {"device": "cuda", "threads": 8}}, "test.mse"),
        ({"dataset__name": "fashion_mnist"}, "parameters"),
    ],
)
def test_irrelevant_differences_keep_no_runs_apart(change: dict[str, Any], metric: str) -> None:
    scores = {metric.partition(".")[2]: 0.1}
    runs = [record("a", scores, units=GREY), record("b", scores, units=GREY, **change)]
    assert names(runs, metric) == [["a", "b"]]
    assert comparable_sections(runs, metric)[0].apart == {}
    assert warnings(runs, metric) == []


def test_gains_are_ranked_together_only_over_the_same_noises() -> None:
    """Each run leaves out the noise that it was trained on, which its unit tells."""
    key, unit = "denoising_gain_unseen_db", METRICS["denoising_gain_unseen_db"].unit
    noises = {"a": "masking 0.5", "b": "gaussian 0.1", "c": "masking 0.5"}
    runs = [
        record(name, {key: 1.0}, units={key: f"{unit} (100 test images with {noise})"})
        for name, noise in noises.items()
    ]
    assert names(runs, f"test.{key}") == [["a", "c"], ["b"]]


def test_likelihoods_of_few_and_of_many_samples_are_apart() -> None:
    """That of few samples is too high. The setting is that of the scores, also where a run was scored again."""
    unit = f"{METRICS['nll_nats'].unit}; density of grey pixels"
    samples = {"a": 5, "b": 500, "c": 5}
    runs = [
        record(name, {"nll_nats": 1.0}, units={"nll_nats": unit}, evaluation={"name": "quick", "nll_samples": count})
        for name, count in samples.items()
    ]
    assert names(runs, "test.nll_nats") == [["a", "c"], ["b"]]
    assert [section.apart for section in comparable_sections(runs, "test.nll_nats")] == [
        {"evaluation.nll_samples": "5"},
        {"evaluation.nll_samples": "500"},
    ]


def test_binarized_test_images_depend_on_their_seed() -> None:
    changes = {"dataset__binarization": "static"}
    runs = [record("a", {"mse": 0.1}, **changes), record("b", {"mse": 0.1}, dataset__split_seed=1, **changes)]
    assert names(runs, "test.mse") == [["a"], ["b"]]


def test_binarized_runs_from_before_their_units_said_so_are_ranked_with_new_ones() -> None:
    new = {"mse": f"{UNITS['mse']}; of statically binarized pixels"}
    runs = [record(name, {"mse": 0.1}, dataset__binarization="static", units=units)
            for name, units in (("old", UNITS), ("new", new))]  # fmt: skip
    assert names(runs, "test.mse") == [["old", "new"]]


def test_sections_are_named_without_settings_that_a_choice_implies() -> None:
    gaussian = {"noise": {"name": "gaussian", "std": 0.3, "clip": True}}
    stronger = {"noise": {"name": "gaussian", "std": 0.5, "clip": True}}
    scores = {"denoising_mse": 0.1}
    runs = [record("a", scores), record("b", scores, **gaussian), record("c", scores, **stronger)]
    assert [each.name for each in comparable_sections(runs[:2], "test.denoising_mse")] == [
        "no noise",
        "Gaussian noise",
    ]
    assert [section.name for section in comparable_sections(runs, "test.denoising_mse")] == [
        "no noise",
        "Gaussian noise, noise.std 0.3",
        "Gaussian noise, noise.std 0.5",
    ]


def test_a_run_without_config_and_units_is_ranked_separately() -> None:
    runs = [record("a", {"mse": 0.1}), record("b", {"mse": 0.1}, config={}, units=None)]
    assert names(runs, "test.mse") == [["a"], ["b"]]
    apart = comparable_sections(runs, "test.mse")[1].apart
    assert (apart["unit"], apart["dataset"]) == ("unknown", "unknown")
    bound = [record(loss, {"elbo_nats": -9.0}, loss={"name": loss}) for loss in ("mse", "bce")]
    assert names(bound, "test.elbo_nats") == [["mse"], ["bce"]]  # without a unit, the likelihood is that of the loss


def digests(test: str = "7e57", *, pool: str = "b001") -> dict[str, str]:
    """Of a run's images; made-up ones are told apart by their first characters."""
    found = {"test": test, "validation": f"9a{pool}", "train": f"7a{pool}", "training_pool": pool}
    return {split: f"{digest:0<64}" for split, digest in found.items()}


def headings(records: list[RunRecord], metric: str = "test.mse") -> dict[str, list[str]]:
    return {each.name: [run.name for run in each.records] for each in comparable_sections(records, metric)}


@pytest.mark.parametrize("metric", ["test.mse", "validation.mse", "train.mse", "seconds.training"])
def test_replaced_pictures_are_ranked_apart_and_moved_ones_together(metric: str) -> None:
    old, new = digests(), digests("0abc", pool="0001")
    runs = [
        record("a", {"mse": 0.3}, dataset__path="imgs", digests=old),
        record("copy", {"mse": 0.2}, dataset__path="elsewhere/imgs", digests=old, dataset__decode="smaller"),
        record("replaced", {"mse": 0.1}, dataset__path="imgs", digests=new),
    ]
    assert [set(each) for each in names(runs, metric)] == [{"a", "copy"}, {"replaced"}]
    assert headings(runs[:2], metric) == {"": [each.name for each in comparable_sections(runs[:2], metric)[0].records]}


def test_a_heading_has_the_settings_that_explain_it_or_else_a_digest() -> None:
    small, large = digests("1000"), digests("2000")
    limits = [record(str(limit), {"mse": 0.1}, dataset__limit=limit, digests=digests(f"{limit}")) for limit in (1, 2)]
    assert list(headings(limits)) == ["dataset.limit 1", "dataset.limit 2"]
    pools = [record(pool, {"mse": 0.1}, digests=digests(pool=pool)) for pool in ("aa", "bb")]
    assert list(headings(pools)) == ["images to train on aa000000", "images to train on bb000000"]
    paths = [record("a", {"mse": 0.1}, dataset__path="a", digests=small)]
    paths += [record(path, {"mse": 0.1}, dataset__path=path, digests=large) for path in ("b", "c")]
    assert list(headings(paths)) == ["test images 10000000", "test images 20000000"]  # no path says it
    replaced = [record(name, {"mse": 0.1}, digests=each) for name, each in (("a", small), ("b", large))]
    assert list(headings(replaced)) == ["test images 10000000", "test images 20000000"]
    assert "differ in test images (10000000 and 20000000)" in warnings(replaced, "test.mse")[0]
    faded = record("c", {"mse": 0.1}, dataset__name="fashion_mnist", digests=digests("3000"))
    assert list(headings([*replaced, faded])) == [
        "dataset MNIST, test images 10000000",
        "dataset MNIST, test images 20000000",
        "dataset Fashion-MNIST, test images 30000000",
    ]


def test_the_same_images_divided_otherwise_are_ranked_apart() -> None:
    runs = [
        record(str(share), {"mse": 0.1}, dataset__validation_fraction=share, digests=digests()) for share in (0.1, 0.2)
    ]
    assert list(headings(runs)) == ["dataset.validation_fraction 0.1", "dataset.validation_fraction 0.2"]
    seeds = [record(str(seed), {"mse": 0.1}, dataset__split_seed=seed, digests=digests()) for seed in (0, 1)]
    assert list(headings(seeds)) == [""]


def test_a_run_without_digests_joins_those_with_the_same_settings_if_these_are_the_same_images() -> None:
    old, new = record("old", {"mse": 0.3}), record("new", {"mse": 0.1}, digests=digests())
    other = record("other", {"mse": 0.2}, dataset__limit=9)
    assert headings([old, new, other]) == {"dataset.limit null": ["new", "old"], "dataset.limit 9": ["other"]}
    replaced = record("replaced", {"mse": 0.2}, digests=digests("4444"))
    assert headings([old, new, replaced]) == {
        "test images unknown": ["old"],
        "test images 7e570000": ["new"],
        "test images 44440000": ["replaced"],
    }
    folder = {"dataset__path": "imgs"}  # which may hold other pictures now
    unknown, known = (
        record("unknown", {"mse": 0.3}, **folder),
        record("known", {"mse": 0.1}, **folder, digests=digests()),
    )
    assert headings([unknown, known]) == {"test images unknown": ["unknown"], "test images 7e570000": ["known"]}
    assert not_comparable_in(unknown, known, "test.mse") == ["test images"]
    assert not_comparable_in(unknown, unknown, "test.mse") == not_comparable_in(known, known, "test.mse") == []
    assert not_comparable_in(old, new, "test.mse") == []
    assert not_comparable_in(old, other, "test.mse") == ["dataset.limit"]
    assert not_comparable_in(new, replaced, "test.mse") == ["test images"]


def test_unfinished_runs_are_not_ranked_and_not_dropped() -> None:
    runs = [
        record("good", {"mse": 0.5}),
        record("failed", {"mse": 0.1}, state="failed", error_kind="raised", error_message="ValueError: no"),
        record("diverged", state="diverged", error_kind="not_finite", error_message="the loss was not finite"),
        record("running", state="running"),
        record("dead", {"mse": 0.1}, state="dead"),
        record("broken", state="unreadable", problems=("summary.json is cut off",)),
        record("other", {"psnr": 1.0}, problems=("metrics.jsonl is missing",)),
    ]
    ranking = rank(runs, metric="test.mse")
    assert [run.name for section in ranking.sections for run in section.records] == ["good"]
    assert {run.name: why_unranked(run, "test.mse") for run in ranking.unranked} == {
        "failed": "raised: ValueError: no",
        "diverged": "the loss was not finite",
        "running": "still running",
        "dead": "its process exited without recording why",
        "broken": "summary.json is cut off",
        "other": "it has no test.mse; metrics.jsonl is missing",
    }
    nothing = rank(runs, metric=None)
    assert (nothing.sections, len(nothing.unranked), ranking_note(nothing)) == ((), len(runs), "")


def test_different_code_sizes_are_warned_of() -> None:
    runs = [
        record("small", {"mse": 0.3, "pca_mse": 0.041}, code_size=3),
        record("large", {"mse": 0.1, "pca_mse": 0.0104}, code_size=64),
    ]
    (warning,) = warnings(runs, "test.mse")
    assert "codes of 3 and 64 numbers" in warning
    assert "0.041 with 3, 0.0104 with 64" in warning
    assert warnings(runs, "parameters") == []
    assert warnings([*runs[:1], record("other", {"mse": 0.2}, code_size=3)], "test.mse") == []
    apart = [runs[0], record("large", {"mse": 0.1}, code_size=64, dataset__limit=9)]
    assert ["cannot rank" in warning for warning in warnings(apart, "test.mse")] == [True]


def test_the_baseline_of_denoising_errors_is_the_best_linear_denoiser() -> None:
    scores = {"denoising_mse": 0.1, "pca_mse": 0.04, "linear_denoising_mse": 0.06}
    other = {**scores, "linear_denoising_mse": 0.03}
    runs = [record("small", scores, code_size=3), record("large", other, code_size=64)]
    assert (
        "(validation.linear_denoising_mse: 0.12 with 3, 0.06 with 64)" in warnings(runs, "validation.denoising_mse")[0]
    )


def test_bounds_of_different_code_sizes_are_comparable() -> None:
    runs = [record(str(size), {"elbo_nats": -9.0, "pca_mse": 0.1 / size}, code_size=size) for size in (2, 8)]
    assert warnings(runs, "validation.elbo_nats") == []  # the bound charges for a larger code


def test_a_warning_says_which_runs_were_trained_for_something_else() -> None:
    runs = [record("plain", {"mse": 0.1, "psnr": 9.0})]
    runs += [record(name, {"mse": 0.1, "psnr": 9.0, "denoising_mse": 0.2}) for name in ("a", "b")]
    runs += [record("vae", {"mse": 0.1, "psnr": 9.0, "elbo_nats": -9.0})]
    assert warnings(runs, "validation.mse") == [
        "2 of these 4 runs were trained to denoise, which validation.denoising_mse measures.",
        "1 of these 4 runs was trained to raise the ELBO, which validation.elbo_nats measures.",
    ]
    assert len(warnings(runs, "test.psnr")) == 2
    assert warnings(runs[1:3], "test.mse")[0].startswith("These runs were trained to denoise, which test.denoising_mse")
    for metric in ("test.denoising_mse", "test.elbo_nats", "seconds.training", "parameters"):
        assert warnings(runs, metric) == []


def test_a_warning_says_which_runs_have_a_loss_that_another_metric_equals() -> None:
    scores = {"mse": 0.1, "mae": 0.2, "bce": 0.3, "psnr": 9.0}
    runs = [
        record(f"{loss} {seed}", scores, loss={"name": loss}, seed=seed) for loss in ("mse", "l1") for seed in (0, 1)
    ]
    measured = "2 of these 4 runs were trained with the loss"
    assert warnings(runs, "validation.mse") == [f"{measured} L1, which validation.mae measures."]
    assert warnings(runs, "validation.mae") == [f"{measured} MSE, which validation.mse measures."]
    assert warnings(runs, "validation.psnr") == []
    assert warnings(runs[:2], "validation.mse") == []
    denoisers = [record("a", {**scores, "denoising_mse": 0.2, "denoising_mae": 0.3}, loss={"name": "l1"})]
    assert warnings(denoisers, "test.denoising_mse") == [
        "This run was trained with the loss L1, which test.denoising_mae measures."
    ]
    likelihoods = [record("a", scores, loss={"name": "bernoulli"})]
    assert warnings(likelihoods, "test.mse") == []


def test_the_note_says_that_runs_were_trained_for_the_metric() -> None:
    runs = [record(name, {"mse": 0.1, "denoising_mse": 0.2}) for name in ("a", "b")]
    note = ranking_note(rank(runs, metric="validation.denoising_mse"))
    expected = (
        "By validation.denoising_mse, lower is better: on the validation split. These runs were trained to denoise."
    )
    assert note == expected
    assert "trained" not in ranking_note(rank(runs, metric="validation.mse"))


def test_the_note_names_metric_direction_and_split() -> None:
    runs = [record("a", {"mse": 0.1, "psnr": 9.0})]

    def note(metric: str, order: SortOrder | None = None) -> str:
        return ranking_note(rank(runs, metric=metric, order=order))

    assert "rank them on the validation split" in note("test.mse")
    assert note("validation.mse") == "By validation.mse, lower is better: on the validation split."
    assert note("test.psnr").startswith("By test.psnr, higher is better: on the test split")
    assert note("parameters") == "By parameters."
    sorted_note = note("test.mse", SortOrder("test.mse", descending=True))
    assert sorted_note.startswith("Sorted by test.mse, descending. By test.mse, lower is better")
    assert note("test.mse", SortOrder("seed", descending=False)) == "Sorted by seed, ascending."


@pytest.mark.parametrize(
    ("key", "descending", "expected"),
    [
        ("name", False, ["job 1", "job 9", "job 10"]),
        ("name", True, ["job 10", "job 9", "job 1"]),
        ("noise.std", False, ["job 9", "job 10", "job 1"]),  # missing values are last either way
        ("noise.std", True, ["job 10", "job 9", "job 1"]),
    ],
)
def test_runs_are_sorted_by_any_key(key: str, descending: bool, expected: list[str]) -> None:
    runs = [
        record("job 10", {"mse": 0.1}, noise={"name": "gaussian", "std": 0.5}),
        record("job 9", {"mse": 0.1}, noise={"name": "gaussian", "std": 0.1}),
        record("job 1", {"mse": 0.1}),
    ]
    (section,) = rank(runs, metric="test.mse", order=SortOrder(key, descending)).sections
    assert [run.name for run in section.records] == expected
