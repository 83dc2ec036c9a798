"""The report's filter keeps the same runs as `compare.py --where` and refuses the same conditions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autoenc.comparison.keys import Keys
from autoenc.comparison.report import write_report
from autoenc.comparison.where import parse_where
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError
from tests.comparison.report_browser import Page
from tests.comparison.report_examples import record, summary

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

CONDITIONS = [
    # Fields.
    "error_kind=raised", "error_kind=null", "error_kind != raised", "error_message ~ memory", "error_message = null",
    "error_message ~ '*: x'", "machine=cpu", "machine ~ 'nvidia*'", "machine=null", "state in (failed, waiting)",
    "name = same/one", "label = same", "label ~ 's*e'", "label != same", "not label = same", "run = a",
    # Numbers in Python's syntax.
    "test.mse<inf", "test.mse<Infinity", "test.mse > -inf",
    "parameters<1_0_00", "parameters<1__0", "parameters<1_", "parameters<_1", "parameters<0x7f", "parameters>+5",
    "parameters = 9_99.0_0", "test.mse<.5", "test.mse<1.", "test.mse<.", "test.mse<1e-2", "test.mse<1E+1_0",
    "test.mse = 0.01234561", "test.mse<=0.012345615", "test.mse<abc", "test.mse<'1'", "test.mse<[1]",
    "learning_rate=1e-05", "learning_rate=0.00001", "learning_rate ~ 1e-05", "learning_rate ~ 0.3",
    "learning_rate='0.3'", "learning_rate > 0.1", "learning_rate=inf", "learning_rate ~ inf", "learning_rate ~ 1e+20",
    "learning_rate in (1e20)",
    "seed > 9007199254740992", "seed >= 1e16", "seed ~ 40993", "seed='9007199254740993'", "seed=true", "seed = 1",
    # Texts, lists, truth values and null.
    "kind = 'a b'", "kind = 'ab'", "kind = 'a  b'", "kind = \"it's\"", "kind = 'it\\'s'", "kind=TRUE", "kind=true",
    "kind = null", "kind != null", "kind = 'null'", "kind != 'null'", "kind ~ null", "kind !~ a", "kind ~ A",
    "kind ~ ''", "kind = ''", "kind ~ '?'", "kind ~ '*?*b'", "channels=[16,32]", "channels = [ 16, 32 ]",
    "channels = '[16, 32]'", "channels ~ 32", "channels = [16,33]", "kind in (true, 'a b')",
    "kind not in (true, null)", "kind not in (null)",
    # Keys: whole, or a last part that is one key's alone; what all share, and what is a metric and a setting.
    "code_size=8", "architecture.code_size=8", "mse<1", "psnr>0", "psnr=3", "beta=2", "schedule.beta=2",
    "schedule.warmup=3", "warmup=3", "dataset=mnist", "dataset=null", "optimizer=adam", "epochs=5", "epochs=7",
    "best_epoch=3", "nothing=1", "deep.inner=1", "inner=1", "constructor=1", "__proto__=1", "toString ~ a",
    # Combinations.
    "state=failed or seed=1 and test.mse<1", "(state=failed or seed=1) and test.mse<1", "not state=failed and seed=1",
    "not (state=failed or seed=1)", "not not seed=1", "NOT seed=1 AND state=finished", "seed=1 Or seed=0", "seed==1",
    "seed In (0, 1)", "seed Not In (0, 1)",
    # Malformed conditions.
    "seed=", "seed=and", "seed in 3", "seed in (", "seed in (1", "seed in ()", "seed in (1,)", "(seed=1",
    "seed=1)", "'seed'=1", "seed=1 or", "or seed=1", "and=1", "seed='", "seed=[1", "seed=1 ~", "=1", "seed<>1", "()",
    "not", "seed ~", "seed=(1)", "(seed=1 ')'", "(" * 49 + "seed=1" + ")" * 49,
    "(" * 50 + "seed=1" + ")" * 50,
]  # fmt: skip


def runs(folder: Path) -> Sequence[RunRecord]:
    def one(name: str, kind: object, *, mse: float = 0.0123, rate: float = 0.001, seed: object = 0) -> RunRecord:
        optimizer = {"name": "adam", "learning_rate": rate, "schedule": {"name": "cosine", "warmup": 3, "beta": 2}}
        return record(
            folder, name, label=name.partition("/")[0],
            settings={"optimizer": optimizer, "seed": seed, "kind": kind},
            summary=summary(0.01) | {"test": {"mse": mse, "psnr": 1 / mse}, "device": "cpu"},
        )  # fmt: skip

    plain = {
        "dataset": "mnist",
        "deep": {"inner": 1},
        "seed": 1,
        "epochs": 7,
        "test": {"psnr": 3},
        "channels": [16, 32],
    }
    failed: dict[str, Any] = {"state": "failed", "summary": {}, "config": plain}
    cuda = summary(0.2) | {"test": {"mse": 7.0}, "device": "NVIDIA H200", "parameters": 999}
    return [
        one("same/one", "a b", rate=1e-5, seed=2**53 + 1),
        one("same/two", "ab", mse=0.01234561, rate=0.1 + 0.2, seed=True),
        one("c", "it's", mse=0.01234562, rate=1e30, seed=10**17),
        one("d", True, mse=1e9, rate=1e20, seed="1"),
        one("e", "true", rate=0.3),
        one("f", None, seed=1),
        one("g", "null"),
        one("h", "", seed=-1),
        record(folder, "cuda", summary=cuda, settings={"bottleneck": {"name": "gaussian", "beta": 2.0}}),
        record(folder, "raised", error_kind="raised", error_message="ValueError: x", **failed),
        record(folder, "memory", error_kind="out_of_memory", error_message="no memory is left", **failed),
        record(folder, "unreadable", state="unreadable", config={}, summary={}, problems=("it is empty",)),
        record(folder, "waiting", state="waiting", config={}, summary={}),
        record(folder, "unreadable in part", state="unreadable", config=plain, summary={}),
    ]


def kept_by_where(condition: str, records: Sequence[RunRecord]) -> list[str] | str:
    """The names of the runs, or that it is refused."""
    try:
        where = parse_where(condition, Keys(records))
    except ConfigError:
        return "refused"
    return sorted(record.name for record in records if where.matches(record))


def kept_by_page(page: Page) -> list[list[str] | str]:
    """The same of the report, for each of the conditions."""
    program = """
        const [box, problem] = [document.querySelector("#filter"), document.querySelector(".problem")];
        return arguments[0].map((condition) => {
            box.value = condition;
            box.dispatchEvent(new Event("input"));
            if (problem.textContent) return "refused";
            return [...document.querySelectorAll(".runs tbody th.run")].map((head) => head.title);
        });
    """
    return [kept if kept == "refused" else sorted(kept) for kept in page.run(program, CONDITIONS)]


def test_the_filter_keeps_what_where_keeps(chrome: Chrome, tmp_path: Path) -> None:
    records = runs(tmp_path)
    write_report(records, tmp_path / "report.html", title="Runs")
    page = Page(chrome, tmp_path / "report.html")
    by_where = {condition: kept_by_where(condition, records) for condition in CONDITIONS}
    by_page = dict(zip(CONDITIONS, kept_by_page(page), strict=True))
    assert {key: (by_page[key], kept) for key, kept in by_where.items() if by_page[key] != kept} == {}
    assert 20 < sum(kept == "refused" for kept in by_where.values()) < len(CONDITIONS) / 2
    assert len({str(kept) for kept in by_where.values()}) > 40  # they ask for different things
    assert page.complaints() == []
