"""Which runs the values of a claim come from."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoenc.verification.claim import Claim, Prediction
from autoenc.verification.measuring import Folder, Measured, as_csv, minutes_together, read_results
from autoenc.verification.tables import OURS, PUBLISHED, TUTORIALS, document
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run

ENVIRONMENT = {
    "device": "cpu",
    "packages": {"autoenc": "0.1.0", "torch": "2.15.0"},
    "python": "3.11.7",
    "git": {"commit": "e2740a5508892c0432bc4e1fa3cde2d1c983a82a", "dirty": True},
}
VERSIONS = "autoenc 0.1.0 (e2740a5, changed), torch 2.15.0, Python 3.11.7"


def add_run(folder: Folder, label: str, *, seed: int, mse: float, state: str = "finished", **architecture: Any) -> None:
    config = {**CONFIG, "architecture": {**CONFIG["architecture"], **architecture}, "seed": seed}
    summary = {**SUMMARY, "test": {"mse": mse}, "validation": {"mse": 10 - mse}}
    make_run(
        folder.sweep("experiment=depth") / f"{label}-{seed}",
        config=config,
        summary=summary,
        state=state,
        environment=ENVIRONMENT,
    )


def claim(*quantities: str, **runs: dict[str, Any]) -> Claim:
    return Claim(
        sentence="Large codes are better.",
        source="us",
        seeds=2,
        minutes=1.0,
        runs=runs,
        tests=tuple(Prediction(quantity=each, means="m", band=(None, 1.0)) for each in quantities),
        refuted_by="a ratio above 1",
    )


SMALL = {"experiment": "depth", "architecture.code_size": 2}
LARGE = {"experiment": "depth", "architecture": "mlp", "architecture.code_size": 8}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    for seed in (0, 1, 2):
        add_run(folder, "small", seed=seed, mse=4.0 + seed, code_size=2)
        add_run(folder, "large", seed=seed, mse=1.0, name="mlp", code_size=8)
    return folder


def test_runs_are_paired_by_seed(folder: Folder) -> None:
    ratio = "large.test.mse / small.test.mse"
    found = folder.measured(claim(ratio, small=SMALL, large=LARGE))
    assert found == Measured(values={ratio: {0: 0.25, 1: 0.2}}, minutes={"experiment=depth": 2.5}, versions=VERSIONS)


def test_the_minutes_are_those_of_all_runs_with_its_seeds(folder: Folder) -> None:
    """A claim that takes the best runs of a search needs the others, too."""
    best = {"experiment": "depth", "best": "test.mse"}
    found = folder.measured(claim("one.test.mse - other.test.mse", one=best, other=best))
    assert found.minutes == {"experiment=depth": 4 * 75 / 60 / 2}


def test_claims_that_share_runs_take_their_minutes_once() -> None:
    two_seeds = Measured(values={}, minutes={"experiment=a": 2.0, "experiment=b": 3.0})
    five_seeds = Measured(values={}, minutes={"experiment=a": 5.0, "noise": 1.0})
    expected = {"experiment=a": 5.0, "experiment=b": 3.0, "noise": 1.0}
    assert minutes_together([two_seeds, five_seeds]) == minutes_together([five_seeds, two_seeds]) == expected


def test_the_best_of_several_runs_is_the_lowest(folder: Folder) -> None:
    best = {"experiment": "depth", "best": "validation.mse"}  # which is 10 minus the test error
    found = folder.measured(claim("run.test.mse", run=best))
    assert found.values == {"run.test.mse": {0: 4.0, 1: 5.0}}


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({"architecture.code_size": 3}, "runs/depth has no finished run with architecture.code_size=3, seed=0"),
        ({}, "runs/depth has 2 runs with seed=0"),
    ],
)
def test_without_exactly_one_run_a_claim_is_not_tested(folder: Folder, selection: dict[str, Any], reason: str) -> None:
    found = folder.measured(claim("run.test.mse", run={"experiment": "depth", **selection}))
    assert found == Measured(values={}, reason=reason)


def test_a_run_that_has_not_finished_does_not_count(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    add_run(folder, "small", seed=0, mse=1.0)
    add_run(folder, "small", seed=1, mse=1.0, state="interrupted")
    assert folder.measured(claim("run.test.mse", run={"experiment": "depth"})).values == {}


def test_an_experiment_that_never_ran_is_not_tested(tmp_path: Path) -> None:
    assert not Folder(tmp_path).measured(claim("run.test.mse", run=SMALL)).values


def test_the_rounds_of_a_benchmark_are_its_seeds(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    file = folder.benchmark("noise")
    file.parent.mkdir()
    rows = [
        {"noise": name, "round": number, "seconds": seconds + number}
        for name, seconds in (("a", 1), ("b", 3))
        for number in (0, 1)
    ]
    file.write_text(json.dumps({"machine": ENVIRONMENT, "seconds": 90.0, "rounds": rows}))
    runs = {name: {"benchmark": "noise", "noise": name} for name in ("a", "b")}
    found = folder.measured(claim("b.seconds / a.seconds", **runs))
    assert found == Measured(
        values={"b.seconds / a.seconds": {0: 3.0, 1: 2.0}}, minutes={"noise": 1.5}, versions=VERSIONS
    )


def test_results_are_read_as_they_were_written(folder: Folder, tmp_path: Path) -> None:
    ratio = "large.test.mse / small.test.mse"
    larger = claim(ratio, small=SMALL, large=LARGE)
    here = replace(folder.measured(larger), versions="autoenc 1, Python 3")
    written = {"larger": here, "again": replace(here, versions="autoenc 2: new"), "as_well": here}
    (tmp_path / "results.csv").write_text(as_csv(written))
    assert as_csv(written).splitlines()[:4] == [
        "# autoenc 2: new: again",
        "# autoenc 1, Python 3: as_well, larger",
        "claim,quantity,seed,value",
        f"again,{ratio},0,0.25",
    ]
    assert "again,minutes of: experiment=depth,,2.5" in as_csv(written).splitlines()
    assert read_results(tmp_path / "results.csv") == written
    text = document({"larger": larger}, written)
    assert "\nMeasured with autoenc 1, Python 3 (as_well, larger).\n\nTogether: 2.5 minutes" in text
    assert "| m | 0.23 ± 0.32 | 2 | at most 1 | holds |" in text
    assert "| [larger](#larger) | Large codes are better. | confirmed | 2.5 |" in text
    assert "\n### larger\n\nLarge codes are better.\n\n**Verdict:** confirmed: all its intervals" in text
    assert "| confirmed | all its intervals lie in their bands | 1 |" in text


def test_the_page_has_the_claims_of_tutorials_first_and_ours_last() -> None:
    theirs = claim("run.test.mse", run=SMALL)
    claims = {"D10": theirs, "a_number": theirs, "an_example": replace(theirs, ours=True)}
    headings = re.findall(r"^##+ (.*)$", document(dict(reversed(claims.items())), {}), re.MULTILINE)
    assert headings[1:] == [TUTORIALS, "D10", PUBLISHED, "a_number", OURS, "an_example"]
    assert "(#d10)" in document(claims, {})


def test_what_does_not_hold_is_bold() -> None:
    measured = {"D1": Measured(values={"run.test.mse": {0: 2.0, 1: 2.0}})}
    assert "| 2 | at most 1 | **fails** |" in document({"D1": claim("run.test.mse", run=SMALL)}, measured)


def test_each_command_line_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.sweep("experiment=claims/depth") == tmp_path / "runs" / "claims" / "depth"
    names = [folder.sweep(text).name for text in ("", "a=1 b=[2,3]", "a=1 b=[2,4]", f"a={'x' * 100}")]
    assert len(set(names)) == 4
    assert max(map(len, names)) < 80
    assert not any(set(name) & set("/ ,[]") for name in names)


def test_without_a_file_there_are_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path / "results.csv") == {}
