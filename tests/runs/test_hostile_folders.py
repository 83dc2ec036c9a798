"""Folders that were made to do harm, or that are damaged: one test for each kind of harm."""

from __future__ import annotations

import json
import math
import os
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoenc.runs import RunDirectory, RunRecord, find_runs, plain_values, printable, read_runs, reading
from autoenc.settings import ConfigError
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run, make_sweep, row, status

MEGABYTE = 1024 * 1024
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


def read_one(folder: Path) -> RunRecord:
    (record,) = read_runs([folder])
    return record


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both loaders of PyYAML; the fast one is not installed everywhere."""
    if request.param == "SafeLoader":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    plain_values._loader.cache_clear()
    yield request.param
    plain_values._loader.cache_clear()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "has YAML aliases"),
        ("a: &a\n  <<: *a\n", "has YAML aliases"),
        ("a: !!python/object/apply:os.system [touch /tmp/never]", "has YAML tags"),
        ("- " * 60_000, "nested too deeply"),
        ("a: " + "x" * MEGABYTE, "is larger than 128 kB"),
        ("a: 1\n---\nb: 2\n", "is no YAML"),
        ("a: \x1b]0;title\x07\n", "is no YAML"),
        ("? [1, 2]\n: 3\n", "is no YAML"),
        ("a: " + "9" * 5000, "is no YAML"),
        ("a: 0x_", "is no YAML"),
    ],
)
def test_a_hostile_config_is_refused_with_the_reason(run: Path, text: str, problem: str) -> None:
    (run / "config.yaml").write_text(text)
    record = read_one(run)
    assert record.state == "unreadable"
    assert record.problems[0].startswith("config.yaml ")
    assert problem in record.problems[0]
    assert (record.config, record.summary) == ({}, SUMMARY)
    with pytest.raises(ConfigError, match=f"config.yaml: cannot be read: it .*{problem}"):
        RunDirectory(run).config()


@pytest.mark.usefixtures("loader")
def test_odd_yaml_becomes_plain_values(run: Path) -> None:
    text = """
        date: 2024-01-01
        numbers: [.nan, -.inf, 1e5, 1.0e+400, 0xFFFFFFFFFFFFFFFFFF]
        0: zero
        ? 0xFFFFFFFFFFFFFFFFFF
        : huge
        null: ~
        _target_: os.system
        interpolation: ${oc.env:HOME}
        escape: "\\e[31m\\u202E"
        "\\e[2J": 1
    """
    (run / "config.yaml").write_text(text)
    record = read_one(run)
    assert record.problems == ()
    assert record.config == {
        "date": "2024-01-01",
        "numbers": ["nan", "-inf", 100000.0, "inf", "a number of more than 64 bits"],
        "0": "zero",
        "a number of more than 64 bits": "huge",
        "None": None,
        "_target_": "os.system",
        "interpolation": "${oc.env:HOME}",
        "escape": "\\x1b[31m\\u202e",
        "\\x1b[2J": 1,
    }


@pytest.mark.usefixtures("loader")
def test_a_config_edited_by_hand_has_the_numbers_of_omegaconf(run: Path) -> None:
    text = "rates: {a: 1e-3, b: 1.5E-2, c: -.5e+1, d: 1.e3}\ntexts: [1e, e5, 1e-3x, 2024-01-01]\nseed: 1\nseed: 2\n"
    (run / "config.yaml").write_text(text)
    assert RunDirectory(run).config() == {
        "rates": {"a": 0.001, "b": 0.015, "c": -5.0, "d": 1000.0},
        "texts": ["1e", "e5", "1e-3x", "2024-01-01"],
        "seed": 2,  # the last of two, as in the YAML of most programs
    }


@pytest.mark.usefixtures("loader")
def test_yaml_is_read_as_it_was_written(run: Path) -> None:
    config = {"a": [1.5, 1e-8, -3, True, None, "null", "1.0", "~", "", " x ", "a: b", "ä", "12:30:00", "0o7", "1e-3"]}
    RunDirectory(run).rewrite_config(config)
    (run / "config.json").unlink()
    assert RunDirectory(run).config() == config


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 30 + "1" + "}" * 30, "nested too deeply"),
        ('{"a": "' + "x" * 2 * MEGABYTE + '"}', "is larger than 1,024 kB"),
        ('{"a": ' + "9" * 5000 + "}", "is no JSON"),
        ('{"test": {"mse"', "is no JSON"),
        ("[1]", "holds no keys"),
    ],
)
def test_hostile_json_is_refused_with_the_reason(run: Path, text: str, problem: str) -> None:
    (run / "summary.json").write_bytes(text.encode("latin-1"))
    (run / "config.json").write_bytes(text.encode("latin-1"))
    record = read_one(run)
    assert record.state == "unreadable"
    assert record.config == CONFIG  # a damaged copy changes nothing
    (fault,) = record.problems
    assert fault.startswith("summary.json ")
    assert problem in fault
    with pytest.raises(ConfigError, match=r"summary.json: cannot be read"):
        RunDirectory(run).summary()


def test_no_file_is_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    run = make_run(tmp_path / "run")
    for name in reading.FILES:
        (run / name).write_bytes(pickle.dumps(Evil()))
    assert read_one(run).state == "unreadable"
    assert not (tmp_path / "pwned").exists()


def test_numbers_that_are_not_finite_are_left_out(run: Path) -> None:
    text = '{"test": {"mse": NaN, "mae": Infinity, "psnr": 1e999, "ssim": 1%s, "bce": 0.5}}' % ("0" * 400)
    (run / "summary.json").write_text(text)
    (run / "metrics.jsonl").write_text('{"epoch": 1, "train/loss": NaN}\n{"epoch": 2, "train/loss": 1}\n')
    record = read_one(run)
    assert record.metrics == {"test.bce": 0.5}
    assert list(record.history) == [{"epoch": 1}, {"epoch": 2, "train/loss": 1}]
    assert [problem.split()[0] for problem in record.problems] == ["summary.json", "metrics.jsonl"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("status.json", {"pid": "12"}),
        ("status.json", {"error": "text"}),
        ("status.json", {"error": {"kind": {}, "message": [1]}}),
        ("status.json", {"state": ["running"]}),
        ("summary.json", {"test": [1], "units": {"mse": 3}, "device": {}, "epochs": "x", "seconds": {"total": "y"}}),
        ("environment.json", {"device": 3}),
        ("metrics.jsonl", {"epoch": 1, "train/loss": "x"}),
    ],
)
def test_entries_of_the_wrong_type_are_left_out(run: Path, name: str, changes: dict[str, Any]) -> None:
    given = {**status("failed"), **changes} if name == "status.json" else changes
    (run / name).write_text(json.dumps(given) + "\n")
    record = read_one(run)
    assert record.problems[0] == f"{name} has entries of the wrong type, which are left out."
    assert record.state == ("unreadable" if "state" in changes else "failed" if name == "status.json" else "finished")
    assert (record.error_kind, record.error_message, record.status.get("pid") in ("12", True)) == (None, None, False)
    if name == "summary.json":
        assert (record.metrics, record.units, record.device) == ({}, {}, "cpu")
    assert all(isinstance(value, (int, float)) for each in record.history for value in each.values())


def test_files_of_200_megabytes_are_not_read_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_HISTORY", MEGABYTE)
    for name in reading.FILES:
        os.truncate(run / name, 200 * MEGABYTE)
    record = read_one(run)
    assert record.state == "unreadable"
    assert [problem.split(" ")[0] for problem in record.problems] == list(reading.FILES)
    assert record.history == ()


def test_long_histories_are_read_from_their_end(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row(epoch + 1))}\n" for epoch in range(1000)))
    monkeypatch.setattr(reading, "MOST_ROWS", 600)
    record = read_one(run)
    assert [each["epoch"] for each in record.history] == list(range(401, 1001))
    assert record.problems == ("metrics.jsonl has very many rows, of which only the last were read.",)
    monkeypatch.setattr(reading, "LARGEST_HISTORY", 20_000)
    assert 100 < len(read_one(run).history) < 600


@pytest.mark.parametrize("name", reading.FILES)
def test_links_and_pipes_are_not_opened(run: Path, tmp_path: Path, name: str) -> None:
    kept = (run / name).rename(tmp_path / "kept")
    os.mkfifo(run / name)
    assert f"{name} is no plain file." in read_one(run).problems
    (run / name).unlink()
    (run / name).symlink_to(kept)
    assert f"{name} is a link, which is not followed." in read_one(run).problems


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    outside = make_run(tmp_path / "outside")
    sweep = make_sweep(tmp_path / "in", {"0": "linked", "../outside": "climbing", str(outside): "absolute", "\0": "x"})
    inside = make_run(sweep / "run")
    (sweep / "0").symlink_to(outside)
    (sweep / "circle").symlink_to(sweep)
    (inside / "up").symlink_to("..")
    problem, linked, found = read_runs([sweep])
    assert problem.problems == ("sweep.json names 3 folder(s) outside the sweep, which are left out.",)
    assert (linked.label, linked.state, linked.config) == ("in: linked", "unreadable", {})
    assert linked.problems == ("The folder is a link, which is not followed.",)
    assert (found.name, found.state) == ("run", "finished")


def test_folders_that_cannot_be_read_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated, because tests may run as root, who may read everything."""
    make_run(tmp_path / "good")
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    good, secret = read_runs([tmp_path])
    assert (good.name, good.state) == ("good", "finished")
    assert (secret.name, secret.state) == ("secret", "unreadable")
    assert secret.problems == ("The folder cannot be read: Permission denied.",)


def test_depth_and_number_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "deep" / "/".join("abcdefghijklmnop"))
    monkeypatch.setattr(find_runs, "DEEPEST", 5)
    record = read_one(tmp_path / "deep")
    assert (record.name, record.state) == ("a/b/c/d/e", "unreadable")
    assert record.problems == ("Folders more than 5 deep are not looked into.",)
    for number in range(10):
        make_run(tmp_path / "many" / str(number))
    sweep = make_sweep(tmp_path / "sweep", {str(number): f"job {number}" for number in range(9)})
    monkeypatch.setattr(find_runs, "MOST_RUNS", 4)
    for folder, state in ((tmp_path / "many", "finished"), (sweep, "waiting")):
        *records, cut = read_runs([folder])
        assert [record.state for record in records] == [state] * 4
        assert (cut.state, cut.path) == ("unreadable", folder)
        assert "or 4 runs in it" in cut.problems[0]
    monkeypatch.setattr(find_runs, "MOST_FOLDERS", 3)
    assert "more than 3 folders" in read_runs([tmp_path / "many"])[-1].problems[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ä 日本 🙂", "plain ä 日本 🙂"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("zero\u200bwidth\ufeff\u2066", "zero\\u200bwidth\\ufeff\\u2066"),
        ("no\u00a0break\u3000wide", "no break wide"),
        ("half \ud800", "half \\ud800"),
        ("\u2028\x85\x9b31m\U000e0041", "\\u2028\\x85\\x9b31m\\U000e0041"),
        ("x" * 4001, "x" * 3999 + "…"),
    ],
)
def test_text_is_made_printable(text: str, expected: str) -> None:
    assert printable(text) == expected
    assert printable(text).isprintable()


def test_no_text_of_a_folder_reaches_a_terminal_unescaped(tmp_path: Path) -> None:
    evil = "\x1b[2J\u202ename"
    error = {"kind": evil, "message": evil}
    make_run(tmp_path / evil, config={**CONFIG, evil: {evil: evil}}, error=error)
    make_run(tmp_path / "\\x1b[2J\\u202ename")
    make_run(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")), state="failed", error=error)
    make_sweep(tmp_path / "sweep", {"0": evil + "x" * 5000, "1": {"label": 3}})
    records = read_runs([tmp_path])
    shown = [record.name for record in records] + [record.label for record in records]
    assert all(text.isprintable() and len(text) <= 220 for text in shown)
    assert len({record.name for record in records}) == len(records) == 5
    assert any(record.name == "\\xff\\xfe" for record in records)
    values = [(record.settings, record.status, record.error_message, record.problems) for record in records]
    assert "\\x1b" not in repr(values).replace("\\\\", "")
    assert all((record.path / "config.yaml").exists() for record in records if record.state != "waiting")


def test_random_bytes_break_nothing(tmp_path: Path) -> None:
    source = random.Random(0)
    for number in range(60):
        run = make_run(tmp_path / str(number))
        for name in reading.FILES:
            text = bytearray((run / name).read_bytes())
            for _ in range(source.randrange(4)):
                text[source.randrange(len(text))] = source.randrange(256)
            (run / name).write_bytes(text[: source.randrange(len(text) * 2)])
    records = read_runs([tmp_path])
    assert len(records) > 50
    for record in records:
        json.dumps([record.settings, record.metrics, record.history, record.status], allow_nan=False)
        assert all(math.isfinite(value) for value in record.metrics.values())
