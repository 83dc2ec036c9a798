"""What a claim says, which runs it needs, and what would confirm or refute it: the files `claims/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf
from yaml import YAMLError

from autoenc.runs.find_runs import natural
from autoenc.settings import ConfigError, PositiveFloat, PositiveInt, checked, join, listed, nearest
from autoenc.verification.formula import Formula

SOURCES = ("experiment", "train", "benchmark")
BEST = "best"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A number that is measured for each seed, and where it lies if the claim is true."""

    quantity: str
    """A formula, see `Formula`."""
    means: str
    """What the number is, in words."""
    band: tuple[float | None, float | None]
    """The claim holds from the first to the second number; None for no limit on that side."""
    control: bool = False
    """Whether it tests the claim in a fair design, rather than as it was made."""

    @property
    def band_in_words(self) -> str:
        """`0.2 to 0.3`, `at most 2.5`."""
        low, high = self.band
        if low is None:
            return f"at most {high:g}"
        return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that runs can confirm or refute."""

    sentence: str
    source: str
    """Who says it."""
    seeds: PositiveInt
    """How many: 0, 1, and so on. Of a benchmark, rounds."""
    minutes: PositiveFloat
    """What all its runs take on two cores, two at a time."""
    runs: Mapping[str, Mapping[str, Any]]
    """The names of the formulas, and how each is found: where, and by which settings.

    Where is an `experiment`, a command line to `train`, or a `benchmark`. If settings select several runs of a seed,
    the formula `best` chooses the one with the lowest value.
    """
    tests: tuple[Prediction, ...]
    refuted_by: str
    confounds: tuple[str, ...] = ()
    """What else could explain the result."""
    ours: bool = False
    """Whether this project claims it, so that it must be confirmed."""
    needs: Literal["cuda"] | None = None
    """A device without which it is not tested."""

    def __post_init__(self) -> None:
        for name, selection in self.runs.items():
            if len(set(SOURCES) & selection.keys()) != 1:
                raise ConfigError(join("runs", name), f"it needs one of {listed(SOURCES)}", value=dict(selection))
            if BEST in selection:
                Formula(str(selection[BEST]), key=join("runs", name, BEST))
        if not self.tests:
            raise ConfigError("tests", "there must be at least one", value=[])
        for number, test in enumerate(self.tests):
            _check_band(test.band, key=join("tests", number, "band"))
            key = join("tests", number, "quantity")
            formula = Formula(test.quantity, key=key)
            for name in formula.names - self.runs.keys():
                choices = f"there is no such run{nearest(name, self.runs)}; the runs are {listed(self.runs)}"
                raise ConfigError(key, f"{name}: {choices}", value=test.quantity)

    @property
    def trainings(self) -> list[str]:
        """The command lines that train all its runs, each once and without its seeds."""
        found = map(training_of, self.runs.values())
        return list(dict.fromkeys(each for each in found if each is not None))

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks that it needs, each once."""
        return list(dict.fromkeys(str(each["benchmark"]) for each in self.runs.values() if "benchmark" in each))


def training_of(selection: Mapping[str, Any]) -> str | None:
    """The command line that trains a run; None for a row of a benchmark."""
    if "experiment" in selection:
        return f"experiment={selection['experiment']}"
    return selection.get("train")


def _check_band(band: tuple[float | None, float | None], *, key: str) -> None:
    low, high = band
    if low is None and high is None:
        raise ConfigError(key, "one of the two numbers must not be null, or no result would refute it")
    if low is not None and high is not None and low > high:
        raise ConfigError(key, "the first number must not be above the second", value=list(band))


def read_claims(folder: Path) -> dict[str, Claim]:
    """The claims of a folder by name, in the order of their names.

    Raises:
        ConfigError: a file is no claim. The message has the key, and what is allowed.
    """
    paths = sorted(folder.glob("*.yaml"), key=lambda path: natural(path.stem))  # D2 before D10
    return {path.stem: _read(path) for path in paths}


def _read(path: Path) -> Claim:
    try:
        # As Hydra reads the presets: 1e-3 is a number.
        read = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(path.name, f"it is not YAML: {error}") from None
    if not isinstance(read, dict):
        raise ConfigError(path.name, "it must be a group of keys")
    values = {str(key): value for key, value in read.items()}
    try:
        tests = values.get("tests")
        if isinstance(tests, list) and all(isinstance(each, dict) for each in tests):
            for number, each in enumerate(tests):  # one by one, because their keys are named then
                checked(Prediction, each, key=join("tests", number))
        return checked(Claim, values, key="")
    except ConfigError as error:
        raise ConfigError(path.name, str(error)) from None


def chosen(claims: Mapping[str, Claim], names: Sequence[str]) -> dict[str, Claim]:
    """Some of the claims by name, whatever the case of its letters.

    Raises:
        ConfigError: there is no such claim.
    """
    known = {name.lower(): name for name in claims}
    for name in names:
        if name.lower() not in known:
            problem = f"there is no such claim{nearest(name, claims)}; the claims are {listed(claims)}"
            raise ConfigError("NAME", problem, value=name)
    wanted = {known[name.lower()] for name in names}
    return {name: claim for name, claim in claims.items() if name in wanted}
