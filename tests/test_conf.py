"""The YAML in `conf/`: every file is composed by Hydra and parsed, and says no more and no less than its settings."""

from __future__ import annotations

import functools
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from torch import nn

from autoenc.command_line.yaml_comments import read_comments
from autoenc.comparison.charts import CHARTS
from autoenc.comparison.page import ComparisonSettings
from autoenc.config import GROUPS, ExperimentConfig, parse
from autoenc.pictures import PICTURES
from autoenc.registry import Registry
from autoenc.settings import ConfigError, checked, field_names
from autoenc.sweeps.launchers import LAUNCHERS
from autoenc.sweeps.plan import SweepSettings
from autoenc.sweeps.sweepers import SWEEPERS
from autoenc.sweeps.sweepers.optuna_search import SAMPLERS
from autoenc.training.training_settings import TrainingSettings
from tests.composed import composed_values

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
ALL_FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml"))
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
OF_FINISHED_RUNS = ("evaluation", "denoising")
NODES: dict[str, type[Any]] = {
    "training": TrainingSettings,
    "comparison": ComparisonSettings,
    "sweep": SweepSettings,
}
PRESETS = [
    (group, path.relative_to(CONF / group).with_suffix("").as_posix())
    for group in ("experiment", "variant")
    for path in sorted((CONF / group).rglob("*.yaml"))
]


composed = functools.cache(composed_values)


def parsed(*overrides: str) -> ExperimentConfig:
    return parse(composed(*overrides))


def contents(path: str) -> dict[str, Any]:
    # OmegaConf's reading, which takes 1e-3 for a number; plain YAML takes it for a text.
    values = OmegaConf.to_container(OmegaConf.load(CONF / path), resolve=False)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def test_the_defaults_are_those_of_the_issue() -> None:
    config = composed()
    names = {group: config[group]["name"] for group in GROUPS}
    assert names == {
        "architecture": "mlp",
        "bottleneck": "plain",
        "loss": "mse",
        "dataset": "digits",
        "noise": "none",
        "optimizer": "adam",
        "schedule": "constant",
        "device": "auto",
        "tracker": "none",
        "evaluation": "quick",
    }
    assert config["seed"] == 0
    parse(config)


CODE_SIZES = {
    "conv": 64,
    "conv_linear": 64,
    "deep": 30,
    "denoising_conv": 64,
    "fully_connected": 3,
    "linear": 32,
    "mlp": 16,
    "residual": 64,
    "wide": 32,
}


def test_the_default_sizes_and_training_are_those_that_were_measured() -> None:
    """docs/defaults.md has the measurements. A change here changes every run without its own settings."""
    architectures = {name: contents(f"architecture/{name}.yaml") for name in GROUPS["architecture"].names()}
    assert {name: values["code_size"] for name, values in architectures.items()} == CODE_SIZES
    assert {values["initialization"] for values in architectures.values()} == {"auto"}
    with_hidden = {name: values for name, values in architectures.items() if "hidden" in values}
    assert {name: (values["hidden"], values["activation"]) for name, values in with_hidden.items()} == {
        "deep": ([1000, 500, 250], "sigmoid"),
        "mlp": ([512, 256], "gelu"),
        "wide": ([1024], "sigmoid"),
    }
    assert composed()["optimizer"]["learning_rate"] == 2e-3
    assert composed()["training"]["epochs"] == 20


@pytest.mark.parametrize(("group", "choice"), [each for each in CHOICES if each != OF_FINISHED_RUNS])
def test_every_choice_of_every_group_is_parsed(group: str, choice: str) -> None:
    config = parsed(f"{group}={choice}")
    assert config.values[group]["name"] == choice
    assert type(getattr(config, group)) is GROUPS[group].settings_class(choice)


@pytest.mark.parametrize(("group", "preset"), PRESETS)
def test_every_preset_is_parsed(group: str, preset: str) -> None:
    parsed(f"{group}={preset}")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_offers_what_its_registry_has(group: str) -> None:
    assert [choice for folder, choice in CHOICES if folder == group] == GROUPS[group].names()


def test_every_folder_is_a_group() -> None:
    folders = {path.name for path in CONF.iterdir() if path.is_dir()}
    assert folders == {*GROUPS, "experiment", "variant", "hydra"}


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_a_file_has_the_fields_of_its_class_and_no_others(group: str, choice: str) -> None:
    values = contents(f"{group}/{choice}.yaml")
    assert values.pop("name") == choice
    assert set(values) == set(field_names(GROUPS[group].settings_class(choice)))


@pytest.mark.parametrize("node", NODES)
def test_a_node_has_the_fields_of_its_class_and_no_others(node: str) -> None:
    assert set(contents("config.yaml")[node]) == set(field_names(NODES[node]))


def test_the_top_level_has_nothing_that_is_not_known() -> None:
    assert set(contents("config.yaml")) == {
        "defaults",
        *NODES,
        "figures",
        "figure_format",
        "seed",
        "initialize_from",
        "initialize_part",
        "data_dir",
        "resume",
        "rerun",
    }


@pytest.mark.parametrize("preset", [name for group, name in PRESETS if group == "experiment"])
def test_a_preset_says_what_to_look_for_and_what_would_refute_it(preset: str) -> None:
    lines = (CONF / "experiment" / f"{preset}.yaml").read_text(encoding="utf-8").splitlines()
    comment = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert "# Look for: " in comment
    assert "# Refuted" in comment


@pytest.mark.parametrize("preset", [name for group, name in PRESETS if group == "experiment"])
def test_what_a_preset_compares_is_what_its_runs_draw(preset: str) -> None:
    values = contents(f"experiment/{preset}.yaml")
    settings = checked(
        ComparisonSettings, contents("config.yaml")["comparison"] | values.get("comparison", {}), key="comparison"
    )
    drawn = values.get("figures")
    if "comparison" in values:
        assert values["hydra"]["mode"] == "MULTIRUN"
        needed = set(settings.pictures) - {*CHARTS, *(name for name, entry in PICTURES.items() if entry.always)}
        assert drawn is None or needed <= set(drawn)


OF_SWEEPS = {"launcher": LAUNCHERS, "sweeper": SWEEPERS, "sweeper/sampler": SAMPLERS}


@pytest.mark.parametrize("group", OF_SWEEPS)
def test_what_a_sweep_offers_is_what_its_registries_have(group: str) -> None:
    registry: Registry[Any] = OF_SWEEPS[group]  # type: ignore[assignment]
    files = {path.stem: contents(f"hydra/{group}/{path.name}") for path in (CONF / "hydra" / group).glob("*.yaml")}
    assert sorted(files) == registry.names()
    for choice, values in files.items():
        assert values.pop("name") == choice
        values.pop("defaults", None)
        inner = {"sampler"} & set(field_names(registry.settings_class(choice)))  # a group below this one
        assert set(values) | inner == set(field_names(registry.settings_class(choice)))


@pytest.mark.parametrize("path", ALL_FILES)
def test_every_file_begins_by_saying_what_it_is_about(path: str) -> None:
    lines = (CONF / path).read_text(encoding="utf-8").splitlines()
    if lines[0].startswith("# @package"):
        lines = lines[1:]
    assert lines[0].startswith("# ")
    assert lines[0].endswith((".", ":", "?")) or lines[1].startswith("# ")  # a sentence, which may go on


def in_words(settings: type[Any], name: str) -> list[str]:
    """What a comment says of a field's values, in the words of the error message: "at least 1", "relu", "null"."""
    with pytest.raises(ConfigError) as caught:
        checked(settings, {name: float("nan")}, key="")
    allowed = str(caught.value).partition("it must be ")[2]
    bounds = re.findall(r"(?:at least|above|from) [\d.e-]+(?: and below [\d.e-]+| to [\d.e-]+)?", allowed)
    choices = [choice for found in re.findall(r"one of ([\w, ]+?)(?: or |$)", allowed) for choice in found.split(", ")]
    return bounds + choices + ["null"] * ("null" in allowed)


SETTINGS = {
    **{f"{group}/{choice}": (GROUPS[group].settings_class(choice), "") for group, choice in CHOICES},
    **{f"hydra/launcher/{name}": (LAUNCHERS.settings_class(name), "") for name in LAUNCHERS.names()},
    **{f"hydra/sweeper/{name}": (SWEEPERS.settings_class(name), "") for name in SWEEPERS.names()},
    **{f"config {name}": (settings, f"{name}.") for name, settings in NODES.items()},
}


@pytest.mark.parametrize("place", SETTINGS)
def test_the_comment_of_each_key_has_its_meaning_and_its_range(place: str) -> None:
    settings, prefix = SETTINGS[place]
    comments = read_comments(CONF / f"{place.partition(' ')[0]}.yaml").keys
    for name in set(field_names(settings)) - {"sampler"}:  # a group of its own
        comment = comments[f"{prefix}{name}"]
        assert len(comment) > 5, name
        assert [words for words in in_words(settings, name) if not has_words(comment, words)] == [], name


def has_words(comment: str, words: str) -> bool:
    """Whether a comment has whole words or numbers: "at least 10" does not have "at least 1"."""
    return re.search(rf"(?<![\w.-]){re.escape(words)}(?![\w-]|\.\d)", comment) is not None


def test_words_of_a_comment_are_whole() -> None:
    assert has_words("widths; at least 1", "at least 1")
    assert has_words("at least 1.", "at least 1")
    assert not has_words("at least 10", "at least 1")
    assert not has_words("at least 1.5", "at least 1")
    assert not has_words("leaky_relu | gelu", "relu")


@pytest.mark.parametrize("name", [name for group, name in PRESETS if group == "experiment"])
def test_an_experiment_says_what_to_look_for_and_how_long_it_takes(name: str) -> None:
    head = read_comments(CONF / "experiment" / f"{name}.yaml").head
    assert re.search(r"^Look for: ", head, re.MULTILINE)
    assert re.search(r"^Takes: about \d+ (seconds|minutes?) on two cores", head, re.MULTILINE)


# --- no option that nothing reads ---


def all_fields() -> list[tuple[str, str]]:
    """(class, field) of every settings class that a config can lead to."""
    classes = [GROUPS[group].settings_class(choice) for group, choice in CHOICES]
    return sorted({(cls.__name__, name) for cls in [*classes, *NODES.values()] for name in field_names(cls)})


def test_every_setting_is_read_somewhere() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "autoenc").rglob("*.py"))
    assert [field for field in all_fields() if not re.search(rf"\.{field[1]}\b(?!\()", code)] == []


# --- what the presets and the systems they reproduce promise ---


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        ("fully_connected", {"code_size": 3, "hidden_sizes": [128, 64, 12]}),
        ("conv", {"code_size": 64, "channels": [16, 32], "upsampling": "transposed"}),
    ],
)
def test_the_architectures_of_system_a(choice: str, fields: dict[str, object]) -> None:
    common = {"name": choice, "code_activation": "identity", "output": "sigmoid", "initialization": "torch_default"}
    found = composed("experiment=linear_vs_conv", "hydra.mode=RUN", f"architecture={choice}")
    assert found["architecture"] == {**common, **fields}


@pytest.mark.parametrize(("choice", "parameters"), [("fully_connected", 219_891), ("conv", 210_369)])
def test_a_fast_preset_trains_the_architecture_of_system_a_on_its_images(choice: str, parameters: int) -> None:
    fast = composed(f"experiment=fast_{choice}")
    slow = composed("experiment=linear_vs_conv", "hydra.mode=RUN", f"architecture={choice}")
    initialization = {"initialization": fast["architecture"]["initialization"]}  # the only difference
    assert fast["architecture"] == slow["architecture"] | initialization
    assert {key: fast[key] for key in ("loss", "noise", "bottleneck")} == {
        key: slow[key] for key in ("loss", "noise", "bottleneck")
    }
    assert fast["dataset"] == slow["dataset"] | {"shuffle": True}
    architecture = parse(fast).architecture
    model = nn.ModuleList(architecture.build((1, 28, 28), feature_size=architecture.code_size))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("codes", "parameters"), [(3, 56_500), (16, 96_600), (64, 210_500)])
def test_the_models_of_equal_codes_have_equally_many_parameters(codes: int, parameters: int) -> None:
    for name in ("fully_connected", "conv"):
        architecture = parse(composed(f"variant={name}_{codes}_codes", "dataset=fashion_mnist")).architecture
        assert architecture.code_size == codes
        model = nn.ModuleList(architecture.build((1, 28, 28), feature_size=codes))
        found = sum(parameter.numel() for parameter in model.parameters())
        assert found == pytest.approx(parameters, rel=0.002)


FOLLOW_THE_DEFAULTS = ("architectures", "search_learning_rate", "search_vae")
INITIALIZATIONS = {
    **{name: {"kaiming"} for name in ("code_size", "collapse", "depth", "noise_severity", "overfitting")},
    "vae_vs_vanilla": {"kaiming"},
    "relu_vs_sigmoid": {"kaiming", "xavier"},
    "deep": {"kaiming"},
    "denoising_kernels": {"xavier"},
    "fast_fully_connected": {"auto"},
    "fast_conv": {"auto"},
}
"""Of the presets that do not use torch's."""
LEARNING_RATES = {"deep": 2e-3, "denoising_kernels": 5e-3, "fast_fully_connected": 0.02, "fast_conv": 0.01}
"""Of the presets that do not use 0.001."""
ACTIVATIONS = {"deep": {"gelu"}}
"""Of the presets with other units than ReLU and sigmoid."""
EXPERIMENTS = [name for group, name in PRESETS if group == "experiment" and not name.startswith("claims/")]


def swept_architectures(preset: str) -> list[dict[str, Any]]:
    """The architecture of each job of a preset that sweeps architectures or variants; else the only one."""
    params = contents(f"experiment/{preset}.yaml").get("hydra", {}).get("sweeper", {}).get("params", {})
    groups = [group for group in ("architecture", "variant") if group in params]
    choices = itertools.product(*([f"{group}={choice}" for choice in params[group].split(",")] for group in groups))
    jobs = [composed(f"experiment={preset}", "hydra.mode=RUN", *chosen) for chosen in choices]
    swept = {"hidden": params["architecture.hidden"]} if "architecture.hidden" in params else {}
    return [{"hidden": [], **job["architecture"], **swept} for job in jobs]


@pytest.mark.parametrize("preset", [name for name in EXPERIMENTS if name not in FOLLOW_THE_DEFAULTS])
def test_a_preset_does_not_follow_the_defaults(preset: str) -> None:
    values = composed(f"experiment={preset}", "hydra.mode=RUN")
    assert values["optimizer"]["learning_rate"] == LEARNING_RATES.get(preset, 1e-3)
    architectures = swept_architectures(preset)
    assert {each["initialization"] for each in architectures} == INITIALIZATIONS.get(preset, {"torch_default"})
    units = {each["activation"] for each in architectures if each["hidden"]}
    assert units <= ACTIVATIONS.get(preset, {"relu", "sigmoid"})


@pytest.mark.parametrize("preset", FOLLOW_THE_DEFAULTS)
def test_a_preset_follows_the_defaults(preset: str) -> None:
    values = composed(f"experiment={preset}", "hydra.mode=RUN")
    assert values["optimizer"]["learning_rate"] == 2e-3
    assert {each["initialization"] for each in swept_architectures(preset)} == {"auto"}
    assert values["architecture"].get("activation", "gelu") == "gelu"


def test_the_experiment_of_system_a() -> None:
    values = composed("experiment=linear_vs_conv")
    found = {key: values[key]["name"] for key in ("dataset", "loss", "noise", "optimizer", "schedule")}
    names = {"dataset": "fashion_mnist", "loss": "mse", "noise": "none", "optimizer": "adam", "schedule": "constant"}
    assert found == names
    assert values["dataset"] | {"validation_fraction": 0, "shuffle": False, "limit": None} == values["dataset"]
    assert values["optimizer"] | {"learning_rate": 1e-3, "weight_decay": 0} == values["optimizer"]
    assert values["training"] | {"epochs": 50, "batch_size": 64, "gradient_clip": None} == values["training"]


def test_a_variant_goes_on_top_of_an_experiment() -> None:
    values = composed("experiment=linear_vs_conv", "variant=quick")
    assert (values["training"]["epochs"], values["dataset"]["limit"], values["dataset"]["test_limit"]) == (
        2,
        1000,
        1000,
    )
    assert values["dataset"]["name"] == "fashion_mnist"


def test_the_data_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOENC_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    composed.cache_clear()
    assert parsed("seed=1").data_dir == tmp_path
    composed.cache_clear()
    monkeypatch.delenv("AUTOENC_DATA")
    assert parsed("seed=1").data_dir == tmp_path / "home" / ".cache" / "autoenc"
    composed.cache_clear()


def test_no_file_names_code_of_ours_to_call() -> None:
    for path in ALL_FILES:
        text = (CONF / path).read_text(encoding="utf-8")
        assert "_target_" not in text, path
        yaml.safe_load(text)  # plain YAML, without tags that make objects
