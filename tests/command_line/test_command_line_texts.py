"""Names of folders mean what was typed, and every printed command can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from autoenc.command_line import main
from autoenc.command_line.text_values import TEXT_KEYS, with_text
from autoenc.overrides import as_value
from autoenc.progress import shown_path
from autoenc.registry import Registry
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.launchers import LAUNCHERS
from autoenc.sweeps.sweepers import SWEEPERS
from autoenc.trackers import TRACKERS
from tests.composed import composed, composed_values
from tests.conftest import Train


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("hydra.run.dir=2024_05_01", "hydra.run.dir='2024_05_01'"),
        ("dataset.path=1e3", "dataset.path='1e3'"),
        ("data_dir=true", "data_dir='true'"),
        ("+sweep.name=7", "+sweep.name='7'"),
        ("data_dir=Läuf", "data_dir='Läuf'"),
        ("dataset.path=john's", r"dataset.path='john\'s'"),
        ("dataset.path=a=b", "dataset.path='a=b'"),
        ("dataset.path=a,2024,ü", "dataset.path=a,'2024','ü'"),
        *(
            (same, same)
            for same in ("dataset.path=a,b", "resume=null", "rerun='1e3'", "data_dir=/a", "resume=", "seed=3")
        ),
        *((same, same) for same in ("hydra.run.dir=a/${now:%Y}", "seed=2024_05_01", "dataset.path=[a]", "~sweep.name")),
    ],
)
def test_a_text_is_quoted_if_hydra_would_read_something_else(override: str, meant: str) -> None:
    assert with_text(override) == meant


@pytest.mark.parametrize("choices", [LAUNCHERS, SWEEPERS, TRACKERS], ids=lambda choices: str(choices.group))
def test_settings_that_are_texts_are_read_as_texts(choices: Registry[Any]) -> None:
    for kinds in map(get_type_hints, map(choices.settings_class, choices.names())):
        texts = {f"{choices.group}.{name}" for name, kind in kinds.items() if kind in (str, str | None)}
        assert texts - {f"{choices.group}.name"} <= TEXT_KEYS


@pytest.mark.parametrize("name", ["2024_05_01", "1e3", "007", "1_000", "true", "Läuf", "john's", "a b", "a=b"])
def test_a_folder_is_called_what_was_typed(name: str) -> None:
    config = composed(
        "-m", f"hydra.run.dir={name}", f"data_dir={name}", f"sweep.name={name}", f"hydra.sweep.dir={name}"
    )
    assert config.hydra.run.dir == config.data_dir == config.sweep.name == config.hydra.sweep.dir == name
    assert composed("dataset=image_folder", f"dataset.path={name}").dataset.path == name
    assert composed(f"initialize_from={name}").initialize_from == name


def test_a_folder_with_a_comma_needs_quotes(elsewhere: Path) -> None:
    hint = r"""; a text with a comma needs quotes: {}="'u/x,y'"$"""
    with pytest.raises(ConfigError, match=r"^dataset.path=u/x,y: .*tries each" + hint.format("dataset.path")):
        composed("dataset=image_folder", "dataset.path=u/x,y")
    with pytest.raises(ConfigError, match=hint.format("resume")):
        composed("resume=u/x,y")
    assert composed("dataset=image_folder", "dataset.path='u/x,y'").dataset.path == "u/x,y"
    with pytest.raises(ConfigError, match=r"tries each$"):
        composed("seed=0,1")


def begin(folder: Path, **settings: object) -> Path:
    """The folder of a run that has just begun."""
    return RunDirectory.begin(folder, config={**composed_values(), **settings}).path


def test_a_folder_that_does_not_exist_is_named_before_other_mistakes(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume=MISSPELT", "device.threads=1"]) == 2
    assert "resume=MISSPELT: there is no such folder" in capsys.readouterr().err


def test_a_run_is_found_by_a_name_that_looks_like_a_number(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(Path("20240501"), seed=1)
    begin(Path("2024_05_01"), seed=2)
    assert main(["--cfg", "job", "rerun=2024_05_01"]) == 0
    assert "seed: 2" in capsys.readouterr().out
    assert main(["resume=2024_05_01", "seed=3"]) == 2
    assert "resume=2024_05_01: a resumed run keeps its settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["john's run", "a$HOME `b`", 'say "hi"!', "back\\slash", "${now:%Y}", "1e3", "two\nlines"]
)
def test_the_command_that_runs_again_can_be_pasted(
    name: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begin(elsewhere / "o" / name, seed=7)
    assert main(["--cfg", "job", *shlex.split(f"rerun={as_value(shown_path(folder))}")]) == 0
    assert "seed: 7" in capsys.readouterr().out


def test_a_run_prints_the_command_with_its_quotes(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train(folder="john's run")
    (again,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Run again")]
    assert again.endswith("""rerun="'john\\'s run'\"""")


@pytest.mark.parametrize("key", ["dataset.path", "hydra.run.dir", "data_dir", "rerun"])
def test_a_folder_that_no_file_can_record_is_refused(
    key: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset=image_folder", f"{key}=caf\udce9"]) == 2
    expected = f"error: {key}: 'caf\\xe9' is not UTF-8, so no file can record it; rename the folder\n"
    assert capsys.readouterr().err == expected
    assert list(elsewhere.iterdir()) == []


def test_a_folder_of_the_environment_that_no_file_can_record_is_refused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOENC_DATA", "/caf\udce9")
    assert main(["dataset=mnist"]) == 2
    assert "error: data_dir: '/caf\\xe9' is not UTF-8" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []
