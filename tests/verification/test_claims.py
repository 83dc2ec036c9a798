"""The claims of this project: their files, and the results that are kept."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from autoenc.settings import ConfigError
from autoenc.verification.claim import chosen, read_claims
from autoenc.verification.measuring import read_results
from autoenc.verification.tables import document
from autoenc.verification.verdict import failing
from tests.conftest import REPOSITORY

CLAIMS = read_claims(REPOSITORY / "claims")
RESULTS = read_results(REPOSITORY / "claims" / "results.csv")
README = (REPOSITORY / "README.md").read_text()
PRESETS = REPOSITORY / "conf" / "experiment"
STATEMENTS = [*(f"A{number}" for number in range(1, 8)), "B1", "B2", "B3", "C1", "C2"]
STATEMENTS += [f"D{number}" for number in range(1, 13)]

GIVEN: dict[str, Any] = {
    "sentence": "S.",
    "source": "us",
    "seeds": 2,
    "minutes": 1,
    "runs": {"run": {"experiment": "depth"}},
    "tests": [{"quantity": "run.test.mse", "means": "m", "band": [0, None]}],
    "refuted_by": "R.",
}


def test_every_statement_is_a_claim() -> None:
    assert set(STATEMENTS) <= set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_names_presets_that_exist(name: str) -> None:
    named = {each["experiment"] for each in CLAIMS[name].runs.values() if "experiment" in each}
    assert [each for each in named if not (PRESETS / f"{each}.yaml").is_file()] == []


def test_every_preset_for_claims_belongs_to_one() -> None:
    used = {training for claim in CLAIMS.values() for training in claim.trainings}
    assert {f"experiment=claims/{path.stem}" for path in (PRESETS / "claims").glob("*.yaml")} <= used


def test_the_results_are_of_these_claims() -> None:
    assert set(RESULTS) <= set(CLAIMS)


def test_the_page_shows_what_was_measured() -> None:
    """A changed band, sentence or result makes another page: `verify.py NAME --record` writes it."""
    assert (REPOSITORY / "docs" / "claims.md").read_text() == document(CLAIMS, RESULTS)


def test_what_we_claim_is_confirmed() -> None:
    assert failing(CLAIMS, RESULTS) == []


SHOWN = {
    "## Two commands": [
        "digits.test.mse",
        "digits.test.mse / digits.test.pca_mse",
        "digits.test.linear_probe_accuracy",
        "digits.test.mse",
        "digits.test.mse / digits.test.pca_mse",
    ],
    "**1.": ["digits.test.mse", "digits.test.mse / digits.test.pca_mse"],
    "**2.": [
        "denoising.test.denoising_mse",
        "denoising.test.denoising_mse / denoising.test.linear_denoising_mse",
        "denoising.test.denoising_mse / denoising.test.median_mse",
        "denoising.test.denoising_mse / denoising.test.noise_mse",
    ],
    "**3.": ["mnist.test.mse", "mnist.test.mse / mnist.test.pca_mse"],
    "**4.": ["vae.test.elbo_nats", "vae.test.mse", "vae.test.mse / vae.test.pca_mse"],
    "**5.": [
        "sizes_2.test.mse",
        "sizes_8.test.mse",
        "sizes_2.test.mse / sizes_2.test.pca_mse",
        "sizes_8.test.mse / sizes_8.test.pca_mse",
        "sizes_32.test.mse",
        "sizes_32.test.mse / sizes_32.test.pca_mse",
    ],
}
"""The quantities whose values parts of the README have, in their order. Of an error / baseline, it has the baseline."""
NOT_CHECKED = r"```bash\n.*?```|± +[\d.]+|mean image [\d.]+|\(pixels [^)]*\)|[\d.]+ minutes"


def shown_numbers(part: str) -> list[str]:
    """The numbers with a decimal point in a part of the README."""
    text = README.split(f"\n{part}")[1].split("\n**" if part.startswith("**") else "\n## ")[0]
    return re.findall(r"-?\b\d+\.\d+\b", re.sub(NOT_CHECKED, "", text, flags=re.DOTALL))


@pytest.mark.parametrize("part", SHOWN)
def test_the_readme_has_the_numbers_that_were_measured(part: str) -> None:
    """Those of seed 0; of example 5, means over the seeds."""
    shown, quantities = shown_numbers(part), SHOWN[part]
    assert len(shown) == len(quantities)
    needed = {*quantities, *(each.partition(" / ")[0] for each in quantities)}
    assert needed <= {test.quantity for test in CLAIMS["examples"].tests}
    values = RESULTS["examples"].values if "examples" in RESULTS else {}
    if not needed <= values.keys():
        pytest.skip("not measured yet: verify.py examples --record")
    for text, quantity in zip(shown, quantities, strict=True):
        found = values[quantity]
        if " / " in quantity:
            errors = values[quantity.partition(" / ")[0]]
            found = {seed: errors[seed] / share for seed, share in found.items()}
        value = fmean(found.values()) if part == "**5." else found[0]
        assert f"{value:.{len(text.partition('.')[2])}f}" == text, quantity


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tests": []}, "tests=[]: there must be at least one"),
        ({"seeds": 0}, "seeds=0: it must be a whole number of at least 1"),
        ({"sentense": "S."}, "sentense=S.: there is no such key (did you mean 'sentence'?)"),
        ({"needs": "tpu"}, "needs=tpu: it must be"),
        ({"runs": {"run": {"seed": 1}}}, "runs.run="),
        ({"runs": {"other": {"experiment": "depth"}}}, "tests.0.quantity=run.test.mse: run: there is no such run"),
        ({"runs": {"run": {"experiment": "depth", "best": "a b"}}}, "runs.run.best=a b: it is not a formula"),
    ],
)
def test_a_wrong_claim_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (tmp_path / "X.yaml").write_text(yaml.safe_dump(GIVEN | changes))
    with pytest.raises(ConfigError, match=f"^{re.escape(f'X.yaml: {message}')}"):
        read_claims(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"band": [None, None]}, "tests.0.band: one of the two numbers must not be null"),
        ({"band": [2, 1]}, "tests.0.band=[2.0, 1.0]: the first number must not be above the second"),
        ({"band": [1]}, "tests.0.band=[1]: it must be"),
        ({"quantity": "run.a ** 2"}, "tests.0.quantity=run.a ** 2: 'run.a ** 2' is not allowed"),
        ({"controll": True}, "tests.0.controll=true: there is no such key (did you mean 'control'?)"),
    ],
)
def test_a_wrong_test_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (tmp_path / "X.yaml").write_text(yaml.safe_dump(GIVEN | {"tests": [GIVEN["tests"][0] | changes]}))
    with pytest.raises(ConfigError, match=f"^{re.escape(f'X.yaml: {message}')}"):
        read_claims(tmp_path)


@pytest.mark.parametrize(("text", "message"), [("- 1\n", "must be a group of keys"), ("a: [\n", "it is not YAML")])
def test_a_file_that_is_no_claim_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "X.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"^X\.yaml: (it )?{message}"):
        read_claims(tmp_path)


def test_claims_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("D10", "D2", "A1", "b"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(GIVEN))
    assert list(read_claims(tmp_path)) == ["A1", "D2", "D10", "b"]


def test_claims_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("A1", "A2", "linear_is_pca"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(GIVEN))
    claims = read_claims(tmp_path)
    assert list(chosen(claims, ["linear_is_pca", "a2", "A2"])) == ["A2", "linear_is_pca"]
    with pytest.raises(ConfigError, match=r"^NAME=A3: there is no such claim.*; the claims are A1, A2, linear_is_pca$"):
        chosen(claims, ["A3"])
