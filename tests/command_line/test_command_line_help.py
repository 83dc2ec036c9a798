"""`--help` explains each key of the command's config: its value, its meaning and its range."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoenc.command_line import main
from tests.conftest import REPOSITORY


def help_for(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_the_help_has_every_choice_and_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    printed = help_for("architecture.code_size=3", capsys=capsys)
    as_one_line = " ".join(printed.split())
    for group in (REPOSITORY / "conf").iterdir():
        if group.is_dir() and group.name != "hydra":
            assert f"{group.name}: {', '.join(sorted(path.stem for path in group.glob('*.yaml')))} " in as_one_line
    assert printed.count("python scripts/train.py") >= 5
    for text in (
        "bottleneck=plain: The encoder's features are the code.",
        "architecture.code_size=3 numbers in a code; at least 1",
        "dataset.validation_fraction=0.1 share of the training images for validation; 0 for no validation split; at",
        "training.gradient_clip=null the largest norm of the gradient; null: no limit; above 0",
        "seed=0 for the initial weights",
    ):
        assert text in as_one_line


def test_the_help_follows_the_command_and_the_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    printed = help_for("bottleneck=sparse", "dataset=image_folder", "seed=7", capsys=capsys)
    assert "\n  seed=7\n      for the initial weights" in printed
    assert "\n  bottleneck.kind=l1\n      l1 | relative_l1 | kl\n      l1: absolute values;" in printed
    assert "\n      train, test         validation images are drawn from train\n" in printed
    settings = printed.partition("Settings (KEY=VALUE)")[2]
    assert max(len(line) for line in settings.partition("\nMore:")[0].splitlines() if "  " in line) <= 70


def test_the_help_of_an_experiment_says_what_it_shows_and_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    first = help_for("experiment=cpu_vs_gpu", capsys=capsys).partition("\n\n")[0]
    assert first.startswith("experiment=cpu_vs_gpu: The two models of linear_vs_conv on every kind of device")
    assert "\n    Look for: in seconds_per_epoch" in first
    assert "\n    Takes: about 1 minute on two cores" in first
    assert first.endswith("\nVaries architecture: fully_connected,conv\nVaries device: ${devices_here:}")


@pytest.mark.parametrize("choice", ["vanilla_2d", "search_vae"])
def test_experiments_of_one_run_and_of_a_search_have_a_help(choice: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert help_for(f"experiment={choice}", capsys=capsys).startswith(f"experiment={choice}: ")


def test_the_help_explains_a_user_s_own_choice(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "own" / "noise").mkdir(parents=True)
    text = "# Rain on\n# the window.\nname: rain\ndrops: 3   # of water,\n           # at least 1\n"
    text += "wind: {speed: 2}   # in m/s\n"
    (elsewhere / "own" / "noise" / "rain.yaml").write_text(text)
    printed = help_for("--config-dir", "own", "noise=rain", capsys=capsys)
    assert "\nnoise=rain: Rain on the window.\n  noise.drops=3" in printed
    as_one_line = " ".join(printed.split())
    assert "noise.drops=3 of water, at least 1 noise.wind.speed=2 " in as_one_line
