"""Plugins from the command line: their YAML, and the message for each thing that can be wrong with one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autoenc.command_line import main
from autoenc.command_line.compose import usual_settings
from autoenc.registry import blamed_plugin
from autoenc.settings import ConfigError
from tests.conftest import AddPlugin

SMALL = ["dataset.limit=64", "training.epochs=1", "device=cpu", "device.threads=1", "figures=[]", "hydra.run.dir=run"]

YAML = "name: tiny\ncode_size: 4\ncode_activation: identity\noutput: sigmoid\n"

SOURCE = """
from dataclasses import dataclass
from math import prod

from torch import nn

from autoenc.models.architectures import Architecture, EncoderDecoder
from autoenc.models.losses import Loss, LossSettings


@dataclass(frozen=True, kw_only=True)
class Tiny(Architecture):
    def build(self, image_shape, *, feature_size):
        pixels = prod(image_shape)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, feature_size), *self.code_layers())
        decoder = nn.Sequential(nn.Linear(self.code_size, pixels), nn.Unflatten(1, image_shape))
        return EncoderDecoder(encoder, decoder)


class Square(Loss):
    unit = "squared error per pixel"

    def per_pixel(self, prediction, target):
        return (prediction - target) ** 2


@dataclass(frozen=True, kw_only=True)
class SquareSettings(LossSettings):
    module = Square
"""
ENTRIES = "architecture.tiny = tiny_plugin:Tiny\nloss.square = tiny_plugin:SquareSettings"

Install = Callable[..., Path]


@pytest.fixture
def install(elsewhere: Path, add_plugin: AddPlugin) -> Install:
    """Install the package `tiny_plugin`, with parts of its source replaced; returns its folder."""

    def call(*changes: tuple[str, str]) -> Path:
        source = SOURCE
        for old, new in changes:
            assert source.count(old) == 1
            source = source.replace(old, new)
        folder = elsewhere / "tiny_plugin"
        for group, name, text in (("architecture", "tiny", YAML), ("loss", "square", "name: square\n")):
            (folder / "conf" / group).mkdir(parents=True)
            (folder / "conf" / group / f"{name}.yaml").write_text(text)
        (folder / "__init__.py").write_text(source)
        add_plugin("tiny_plugin", source=None, entries=ENTRIES)
        return folder

    return call


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main([*arguments, *SMALL]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("error: ")


def test_the_yaml_in_the_package_is_found(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install()
    assert main(["architecture=tiny", "loss=square", *SMALL]) == 0
    assert main(["architecture=tiny", "--help"]) == 0
    assert "tiny" in capsys.readouterr().out.partition("  architecture: ")[2].partition("  bottleneck: ")[0]
    assert usual_settings("loss", "square") == {"name": "square"}


def test_a_folder_of_the_command_line_wins_over_the_package(install: Install) -> None:
    install()
    group = Path("mine") / "architecture"
    group.mkdir(parents=True)
    (group / "tiny.yaml").write_text(YAML.replace("4", "7"))
    assert main(["--config-dir", "mine", "architecture=tiny", *SMALL]) == 0
    assert json.loads(Path("run/summary.json").read_text())["code_size"] == 7


def test_a_plugin_without_yaml_is_told_from_one_that_is_not_installed(
    elsewhere: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    neither = error_of(capsys, "architecture=tiny")
    assert neither.startswith(
        "architecture=tiny: there is no such choice, and no installed package has the plugin architecture.tiny; "
    )
    group = elsewhere / "mine" / "architecture"
    group.mkdir(parents=True)
    (group / "tiny.yaml").write_text(YAML)
    only_yaml = error_of(capsys, "--config-dir", "mine", "architecture=tiny")
    assert only_yaml.startswith("architecture.name=tiny: there is no such choice")
    assert only_yaml.endswith("no installed package has the plugin architecture.tiny")
    (install() / "conf" / "architecture" / "tiny.yaml").unlink()
    assert error_of(capsys, "architecture=tiny") == (
        "architecture=tiny: the plugin tiny_plugin:Tiny is installed, but there is no YAML file with its defaults: "
        "tiny_plugin/conf/architecture/tiny.yaml"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "nn.Linear(self.code_size, pixels), nn.Unflatten(1, image_shape)",
            "nn.Linear(self.code_size, pixels)",
            "architecture=tiny: its decoder maps a batch of shape (2, 4) to (2, 64), but has to give (2, 1, 8, 8)",
        ),
        (
            "nn.Linear(self.code_size, pixels)",
            "nn.Linear(5, pixels)",
            "architecture=tiny: its decoder cannot be applied to a batch of shape (2, 4): ...(2x4 and 5x64)",
        ),
        (
            "nn.Linear(pixels, feature_size)",
            "nn.Linear(pixels, feature_size + 1)",
            "architecture=tiny: its encoder maps a batch of shape (2, 1, 8, 8) to (2, 5), but has to give (2, 4)",
        ),
        (
            "(prediction - target) ** 2",
            "((prediction - target) ** 2).mean()",
            "loss=square: its per_image cannot be applied to a batch of shape (2, 1, 8, 8): "
            "per_pixel of Square gives shape (), but has to give (2, 1, 8, 8), a number for each pixel",
        ),
        (
            "        pixels = prod(image_shape)\n",
            "        pixels = prod(image_shape) + None\n",
            "in the plugin tiny_plugin (__init__.py, line 14), TypeError: "
            "unsupported operand type(s) for +: 'int' and 'NoneType'",
        ),
    ],
)
def test_a_mistake_in_its_code_is_named_before_anything_is_written(
    install: Install, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    install((old, new))
    start, _, torchs_own = message.partition("...")
    found = error_of(capsys, "architecture=tiny", "loss=square")
    assert found.startswith(start)
    assert found.endswith(torchs_own or start)
    assert not Path("run").exists()


def test_an_error_during_the_training_names_the_plugin_in_the_status_too(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(("return (prediction", "return target.shape[9] if prediction.requires_grad else (prediction"))
    message = error_of(capsys, "loss=square")
    assert message == "in the plugin tiny_plugin (__init__.py, line 24), IndexError: tuple index out of range"
    assert json.loads(Path("run/status.json").read_text())["error"]["message"] == message


def test_a_method_that_a_plugin_inherits_counts_as_the_plugin_s(install: Install) -> None:
    install(("    module = Square\n", "    pass\n"))
    from autoenc.models.losses import LOSSES

    settings = LOSSES.parse({"name": "square"})
    with pytest.raises(AttributeError) as caught:
        settings.build(image_shape=(1, 8, 8))
    assert blamed_plugin(caught.value).startswith("in the plugin tiny_plugin (loss.py, line ")


def test_errors_of_settings_and_of_our_own_code_blame_no_plugin(install: Install) -> None:
    install()
    from autoenc.models.losses import LOSSES

    with pytest.raises(ConfigError) as caught:
        LOSSES.parse({"name": "square", "width": 3})
    assert blamed_plugin(caught.value) == ""
    with pytest.raises(TypeError) as ours:
        usual_settings(3, "square")  # type: ignore[arg-type]
    assert blamed_plugin(ours.value) == ""
