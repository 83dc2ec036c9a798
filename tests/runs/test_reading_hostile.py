"""Folders that somebody made to do harm, or that were damaged."""

from __future__ import annotations

import json
import math
import os
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from autoenc.runs.reading import Watch, contents, files, find, printable, read_runs, runs, yaml_text
from autoenc.runs.reading.json_text import parse_json
from autoenc.runs.reading.plain import UnreadableError
from autoenc.runs.reading.yaml_text import parse_yaml
from autoenc.runs.records import RunRecord
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run, make_sweep, row, status

MEGABYTE = 1024 * 1024
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


def one(folder: Path) -> RunRecord:
    (record,) = read_runs([folder], cache=None)
    return record


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def _in_little_time_and_memory() -> Iterator[None]:
    tracemalloc.start()
    started = time.perf_counter()
    yield
    taken, (_, peak) = time.perf_counter() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * MEGABYTE
    assert taken < 10


HOSTILE_YAML = {
    "refers to its own parts": BOMB,
    "refers to": "a: &a\n  <<: *a\n",
    "too deep": "[" * 60_000,
    "too deep inside": "- " * 60_000,
    "too deep inside one another": "".join(" " * depth + "a:\n" for depth in range(300)),
    "too many values": "[" + "1," * 50_000 + "1]",
    "larger than": "a: " + "x" * MEGABYTE,
    "several documents": "a: 1\n---\nb: 2\n",
    "no YAML": "a: [1,\n",
    "no YAML: ": "a: \x1b]0;title\x07\n",
    "no text": "? [1, 2]\n: 3\n",
    "holds no keys": "just words",
}


@pytest.mark.parametrize("expected", HOSTILE_YAML)
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.usefixtures("_in_little_time_and_memory")
def test_a_hostile_config_is_bounded_and_the_run_listed_with_the_reason(
    run: Path, monkeypatch: pytest.MonkeyPatch, expected: str, loader: str
) -> None:
    monkeypatch.setattr(yaml_text, "_Loader", getattr(yaml, loader))
    (run / "config.yaml").write_text(HOSTILE_YAML[expected])
    record = one(run)
    assert record.state == "unreadable"
    assert record.problems[0].startswith("config.yaml ")
    assert expected in record.problems[0]
    assert record.config == {}
    assert record.summary == SUMMARY


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_odd_yaml_becomes_plain_values(monkeypatch: pytest.MonkeyPatch, loader: str) -> None:
    monkeypatch.setattr(yaml_text, "_Loader", getattr(yaml, loader))
    text = """
        date: 2024-01-01
        tag: !!python/object/apply:os.system [touch /tmp/never]
        bytes: !!binary aGVsbG8=
        set: !!set {a, b}
        merge: {<<: {a: 1}}
        nan: [.nan, -.inf, 1e5, 1.0e+400]
        huge: NUMBER
        0: zero
        yes: "yes"
        hex: 0x_
        quoted: "12"
        null: ~
        escape: "\\e[31m\\u202E"
        "\\e[2J": 1
    """.replace("NUMBER", "9" * 5000)
    parsed = parse_yaml(text.encode(), most=1000)
    assert parsed.odd
    assert json.loads(json.dumps(parsed.value, allow_nan=False)) == parsed.value
    assert parsed.value == {
        "date": "2024-01-01",
        "tag": ["touch /tmp/never"],
        "bytes": "aGVsbG8=",
        "set": {"a": None, "b": None},
        "merge": {"<<": {"a": 1}},
        "nan": [None, None, "1e5", None],
        "huge": None,
        "0": "zero",
        "yes": "yes",
        "hex": "0x_",
        "quoted": "12",
        "null": None,
        "escape": "\\x1b[31m\\u202e",
        "\\x1b[2J": 1,
    }


@pytest.mark.parametrize(
    "value",
    [CONFIG, {"a": [1.5, 1e-8, -3, True, None, "null", "1.0", "1e-3", "~", "", " x ", "a: b", "ä", "12:30:00", "0o7"]}],
)
def test_what_is_written_as_yaml_is_read_as_any_reader_would(value: Any) -> None:
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True).encode(), most=1000).value == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000, "too deep"),
        ("[" * 500 + "]" * 500, "too deep"),
        ('{"a":' * 30 + "1" + "}" * 30, "too deep"),
        ('{"a": [' + "1," * 30_000 + "1]}", "too many values"),
        ('{"a": "' + "x" * 2 * MEGABYTE + '"}', "larger than"),
        ('{"a": ' + "9" * 5000 + "}", "no JSON"),
        ("\x00\x01\xff\xfe", "no JSON"),
        ("[1]", "holds no keys"),
    ],
)
@pytest.mark.usefixtures("_in_little_time_and_memory")
def test_hostile_json_is_bounded(run: Path, text: str, expected: str) -> None:
    (run / "summary.json").write_bytes(text.encode("latin-1"))
    (run / "environment.json").write_bytes(text.encode("latin-1"))
    record = one(run)
    assert record.state == "unreadable"
    assert [problem.partition(" ")[0] for problem in record.problems] == ["summary.json", "environment.json"]
    assert all(expected in problem for problem in record.problems)


def test_numbers_that_are_none_are_left_out_with_a_word(run: Path) -> None:
    text = '{"test": {"mse": NaN, "mae": Infinity, "psnr": 1e999, "ssim": 1%s, "bce": 0.5}}' % ("0" * 400)
    (run / "summary.json").write_text(text)
    (run / "metrics.jsonl").write_text('{"epoch": 1, "train/loss": NaN}\n{"epoch": 2, "train/loss": 1}\n')
    record = one(run)
    assert record.metrics == {"test.bce": 0.5}
    assert [each["train/loss"] for each in record.history] == [None, 1]
    sentence = "has numbers that are not finite or too large, which are left out."
    assert record.problems == (f"summary.json {sentence}", f"metrics.jsonl {sentence}")
    assert all(math.isfinite(value) for value in record.metrics.values())


@pytest.mark.usefixtures("_in_little_time_and_memory")
def test_files_of_200_megabytes_are_not_read_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST_HISTORY", MEGABYTE)
    for name in contents.FILES:
        os.truncate(run / name, 200 * MEGABYTE)
    record = one(run)
    assert record.state == "unreadable"
    assert [problem.split(" ")[0] for problem in record.problems] == list(contents.FILES)
    assert "larger than 128 kB" in record.problems[0]
    assert record.history == ()


def test_very_long_histories_are_read_from_their_end(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row(epoch + 1))}\n" for epoch in range(1000)))
    monkeypatch.setattr(contents, "MOST_ROWS", 600)
    record = one(run)
    assert [each["epoch"] for each in record.history] == list(range(401, 1001))
    assert record.problems == ("metrics.jsonl has very many rows, of which only the last were read.",)
    monkeypatch.setattr(contents, "LARGEST_HISTORY", 20_000)
    assert 100 < len(one(run).history) < 600


def test_a_row_of_too_many_or_too_long_values_is_left_out(run: Path) -> None:
    wide = json.dumps({"epoch": 1, "values": [1] * 21_000}, separators=(",", ":"))
    assert len(wide) < contents.LONGEST_ROW
    long = json.dumps({"epoch": 2, "text": "x" * 70_000})
    (run / "metrics.jsonl").write_text(f"{wide}\n{long}\n{json.dumps(row(3))}\n")
    record = one(run)
    assert [each["epoch"] for each in record.history] == [3]
    assert "2 line(s)" in record.problems[0]


@pytest.mark.parametrize("name", contents.FILES)
def test_pipes_and_links_are_never_opened(run: Path, tmp_path: Path, name: str) -> None:
    kept = (run / name).rename(tmp_path / "kept")
    os.mkfifo(run / name)
    assert any(problem == f"{name} is no plain file." for problem in one(run).problems)
    (run / name).unlink()
    (run / name).symlink_to(kept)
    assert any(problem == f"{name} is a link, which is not followed." for problem in one(run).problems)
    (run / name).unlink()
    (run / name).mkdir()
    record = one(run)
    assert record.state == "unreadable" or name in ("environment.json", "metrics.jsonl")


def test_a_file_that_becomes_a_pipe_between_looking_and_opening_does_not_hold_us_up(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = os.lstat(run / "config.yaml")
    (run / "config.yaml").unlink()
    os.mkfifo(run / "config.yaml")
    monkeypatch.setattr(os, "lstat", lambda path: looked)
    with pytest.raises(UnreadableError, match="is no plain file"):
        files.content(str(run / "config.yaml"), most=1000)


def test_links_lead_neither_out_nor_in_circles(tmp_path: Path) -> None:
    outside = make_run(tmp_path / "outside" / "secret")
    inside = make_run(tmp_path / "inside" / "run")
    (tmp_path / "inside" / "circle").symlink_to(tmp_path / "inside")
    (tmp_path / "inside" / "out").symlink_to(outside.parent)
    (inside / "up").symlink_to("..")
    assert [record.name for record in read_runs([tmp_path / "inside"], cache=None)] == ["run"]


def test_a_job_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = make_run(tmp_path / "outside")
    sweep = make_sweep(tmp_path / "sweep", {"0": "linked", "../outside": "climbing", str(outside): "absolute"})
    (sweep / "0").symlink_to(outside)
    problem, linked = read_runs([sweep], cache=None)
    assert problem.problems == ("sweep.json names 2 folder(s) that are not below it, which are left out.",)
    assert (linked.label, linked.state) == ("linked", "unreadable")
    assert linked.problems == ("The folder is a link, which is not followed.",)
    assert linked.config == {}


def test_a_folder_that_may_not_be_read_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, who may read everything."""
    make_run(tmp_path / "good")
    make_run(tmp_path / "secret")
    scandir, lstat = os.scandir, os.lstat

    def refuse(path: Any) -> Any:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    def refuse_files(path: Any, **options: Any) -> Any:
        if "secret/" in str(path):
            raise PermissionError(13, "Permission denied")
        return lstat(path, **options)

    monkeypatch.setattr(os, "lstat", refuse_files)
    good, secret = read_runs([tmp_path], cache=None)
    assert (good.name, good.state) == ("good", "finished")
    assert (secret.name, secret.state) == ("secret", "unreadable")
    assert "config.yaml cannot be read: Permission denied." in secret.problems
    assert "The folder cannot be read: Permission denied." in secret.problems


def test_jobs_that_a_sweep_only_names_are_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "MOST_RUNS", 4)
    for sweep in "ab":
        make_sweep(tmp_path / "all" / sweep, {str(number): f"job {number}" for number in range(3)})
        make_run(tmp_path / "all" / sweep / "1")
    records = read_runs([tmp_path / "all"], cache=None)
    states = [record.state for record in records]
    assert states == ["unreadable", "waiting", "finished", "waiting", "waiting"]
    assert "folders or 4 runs in it" in records[0].problems[0]
    apart = read_runs([tmp_path / "all" / "a", tmp_path / "all" / "b"], cache=None)
    assert [record.state for record in apart].count("waiting") == 3
    assert "more than" in next(record for record in apart if record.state == "unreadable").problems[0]
    assert len(read_runs([tmp_path / "all" / "a"], cache=None)) == 3


def test_depth_and_number_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "/".join("abcdefghijklmnop"))
    monkeypatch.setattr(find, "DEEPEST", 5)
    record = one(tmp_path)
    assert (record.name, record.state) == ("a/b/c/d/e", "unreadable")
    assert record.problems == ("Folders more than 5 deep are not looked into.",)
    for number in range(10):
        make_run(tmp_path / "many" / str(number))
    monkeypatch.setattr(find, "MOST_RUNS", 4)
    records = read_runs([tmp_path / "many"], cache=None)
    assert [record.state for record in records] == ["unreadable"] + ["finished"] * 4
    assert "more than" in records[0].problems[0]
    monkeypatch.setattr(runs, "MOST_VALUES", 100)
    records = read_runs([tmp_path / "many"], cache=None)
    assert [record.state for record in records] == ["unreadable", "finished", "finished", "unreadable", "unreadable"]
    assert "no room" in records[-1].problems[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ä 日本 🙂", "plain ä 日本 🙂"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff\u2066", "zero\\u200bwidth\\ufeff\\u2066"),
        ("no\u00a0break\u3000wide", "no break wide"),
        ("half \ud800", "half \\ud800"),
        ("\u2028\x85\x9b31m", "\\u2028\\x85\\x9b31m"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_acts_without_being_seen_is_shown(text: str, expected: str) -> None:
    assert printable(text) == expected
    assert printable(text).isprintable()


def test_long_texts_are_cut() -> None:
    assert printable("x" * 10, most=10) == "x" * 10
    assert printable("x" * 11, most=10) == "x" * 9 + "…"


def test_names_and_labels_cannot_lead_a_terminal_astray(tmp_path: Path) -> None:
    evil = "\x1b[2J\u202ename"
    make_run(tmp_path / evil, config={**CONFIG, evil: {evil: evil}}, error={"kind": evil, "message": evil})
    make_run(tmp_path / "\\x1b[2J\\u202ename")
    make_run(
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")), state="failed", error={"kind": evil, "message": evil}
    )
    make_sweep(tmp_path / "sweep", {"0": evil + "x" * 5000, evil: {"label": 3}})
    records = read_runs([tmp_path], cache=None)
    shown = [record.name for record in records] + [record.label for record in records]
    assert all(text.isprintable() and len(text) <= 210 for text in shown)
    assert len({record.name for record in records}) == len(records) == 5
    assert any(record.name == "\\xff\\xfe" for record in records)
    values = [*json.loads(json.dumps([record.settings for record in records])), *(r.error_message for r in records)]
    assert "\x1b" not in str(values)
    assert all((record.path / "config.yaml").exists() for record in records if record.state != "waiting")


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": "12"},
        {"pid": 10**30},
        {"pid": -5},
        {"pid": True},
        {"process_started_at": 3},
        {"process_started_at": "0001-01-01T00:00:00+14:00"},
        {"process_started_at": "2026-01-31T12:00:00"},
        {"host": ["x"]},
        {"error": "text"},
        {"error": {"kind": {}, "message": [1]}},
        {"state": ["running"]},
    ],
)
def test_a_status_of_odd_types_is_survived(run: Path, changes: dict[str, Any]) -> None:
    (run / "status.json").write_text(json.dumps({**status("running"), **changes}))
    record = one(run)
    assert record.state == ("unreadable" if "state" in changes else "running")
    assert record.error_message is None


def test_random_bytes_break_nothing(tmp_path: Path) -> None:
    import random

    source = random.Random(0)
    for number in range(60):
        run = make_run(tmp_path / str(number))
        for name in contents.FILES:
            text = bytearray((run / name).read_bytes())
            for _ in range(source.randrange(4)):
                text[source.randrange(len(text))] = source.randrange(256)
            (run / name).write_bytes(text[: source.randrange(len(text) * 2)])
    records = read_runs([tmp_path], cache=None)
    assert len(records) > 50
    for record in records:
        json.dumps([record.settings, record.metrics, record.history, record.status], allow_nan=False)


def test_no_more_is_counted_than_there_is() -> None:
    assert parse_json(b'{"a": [1, 2, {"b": 3}]}', most=5).size == 5
    assert parse_yaml(b"a: [1, 2, {b: 3}]", most=6).size == 6
    for parse, text in ((parse_json, b'{"a": [1, 2]}'), (parse_yaml, b"a: [1, 2]")):
        with pytest.raises(UnreadableError, match="too many"):
            parse(text, most=2)


def test_text_counts_for_the_room_that_it_takes() -> None:
    for text, size in {"a" * 15: 0, "a" * 64: 1, "a" * 640: 10, "é" * 640: 10, "日" * 64: 2, "🙂" * 64: 4}.items():
        assert parse_json(json.dumps({"a": text}).encode(), most=100).size in {1 + size, 2 + size}
        assert parse_yaml(f"a: {text}".encode(), most=100).size in {2 + size, 3 + size}
        assert parse_yaml(f"a: '{text}'".encode(), most=100).size in {2 + size, 3 + size}
        assert parse_yaml(f"{text}: 1".encode(), most=100).size in {2 + size, 3 + size}
    keys = {f"{number:064}": number for number in range(100)}
    assert parse_json(json.dumps(keys).encode(), most=1000).size == 100
    keys = {f"{number:0640}": number for number in range(100)}
    assert parse_json(json.dumps(keys).encode(), most=2000).size == 1000
    for parse in (parse_json, parse_yaml):
        with pytest.raises(UnreadableError, match="too many"):
            parse(json.dumps({"a": "b" * 640}).encode(), most=10)


def test_a_key_is_not_repeated_before_thousands_of_others(tmp_path: Path) -> None:
    inner = ",".join(f"{number}a: 1" for number in range(2000))
    for length in (3, 1000):
        config = "{a: " + f"{{{'b' * length}: " * 20 + f"{{{inner}}}" + "}" * 21
        run = make_run(tmp_path / str(length))
        (run / "config.yaml").write_text(config)
    large, small = sorted(read_runs([tmp_path], cache=None), key=lambda record: len(record.settings))
    assert len(small.settings) == 2000
    assert not large.settings
    assert "config.yaml has too many values." in large.problems


def test_the_text_of_all_runs_together_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        make_run(tmp_path / str(number), summary={**SUMMARY, "x": ["a" * 4000] * 10})
    assert [record.state for record in read_runs([tmp_path], cache=None)] == ["finished"] * 10
    monkeypatch.setattr(runs, "MOST_VALUES", 2000)
    states = [record.state for record in read_runs([tmp_path], cache=tmp_path / "cache")]
    assert states == ["finished"] * 3 + ["unreadable"] * 7
    assert [record.state for record in read_runs([tmp_path], cache=tmp_path / "cache")] == states


def test_what_a_watch_remembers_of_strangers_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        (tmp_path / "strangers" / str(number)).mkdir(parents=True)
        (tmp_path / "strangers" / str(number) / "summary.json").write_text(json.dumps({"a": ["b"] * 100}))
    make_run(tmp_path / "z")
    monkeypatch.setattr(runs, "MOST_VALUES", 500)
    assert [record.state for record in read_runs([tmp_path], cache=None)] == ["finished"]
    assert "unreadable" in [record.state for record in Watch([tmp_path], cache=None).refresh()]


class Entry(NamedTuple):
    """Of a folder that is too large to be made."""

    name: str
    is_folder: bool

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        assert not follow_symlinks
        return self.is_folder


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_folder_may_hold_any_number_of_names(run: Path, monkeypatch: pytest.MonkeyPatch, *, is_folder: bool) -> None:
    monkeypatch.setattr(find, "MOST_FOLDERS", 1000)
    names = (f"{number}{'x' * 200}" for number in range(100_000))
    own = ["config.yaml", "status.json", "summary.json"]

    def entries(folder: str) -> Iterator[Entry]:
        if folder == str(run):
            yield from (Entry(name, is_folder) for name in names)
            yield from (Entry(name, False) for name in own)

    monkeypatch.setattr(os, "scandir", lambda folder: nullcontext(entries(folder)))
    tracemalloc.start()
    (place,) = find.find_places([run])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MEGABYTE
    assert place.path == str(run)
    assert (place.problem is not None) == is_folder
    assert not is_folder or "more than 1,000 folders" in str(place.problem)
