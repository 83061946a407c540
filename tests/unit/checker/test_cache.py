"""What is kept between runs: only what was put there, under its own key, of the type that is asked for."""

from __future__ import annotations

import pickle
import sqlite3
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from machines import SPEC, machine
from popek.checking import Settings as Asked
from popek.checking import Target, whole_report
from popek_checker.solver.answers import Answers, about
from popek_checker.solver.cache import ANSWERS, Cache, remembered, seal
from popek_checker.solver.plain import Plain
from popek_checker.solver.smt import MODEL, Answer, Model, Smt, Status
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Report, Row, Truth
from popek_grammar.meaning import terms as t

ROW = Plain(Row)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Sample:
    name: str
    parts: tuple[tuple[str, int], ...]
    colour: Colour | None = None
    table: dict[str, list[bool]] | None = None


SAMPLE = Sample("a", (("b", 1 << 200),), Colour.RED, {"x": [True]})


def test_plain_and_back() -> None:
    plain = Plain(Sample)
    assert plain.value(plain.text(SAMPLE)) == SAMPLE


@pytest.mark.parametrize(
    "said",
    [
        "", "null", "{}", '["a",[],null]', '["a",[],null,null,null]', '[1,[],null,null]', '["a",[["b",true]],null,null]',
        '["a",[["b"]],null,null]', '["a",[],"blue",null]', '["a",[],null,[["x",[1]]]]', '["a",[],null,[["x"]]]', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_such_value(said: str) -> None:
    with pytest.raises(ValueError, match=r"expected|nested|zip|Expecting|valid|JSON"):
        Plain(Sample).value(said)


def test_a_report_is_plain() -> None:
    """A report with holes, witnesses, conditions and settings comes back as it was."""
    report = check(machine("pg1974.isa"), Options(instructions=("RDR", "LDABS")))
    assert any(row.witness for row in report.rows)
    plain = Plain(Report)
    assert plain.value(plain.text(report)) == report


def kept(path: Path, query: str, *values: object) -> Any:
    database = sqlite3.connect(path)
    with database:
        found = database.execute(query, values).fetchall()
    database.close()
    return found


def test_one_bit_is_a_miss(tmp_path: Path) -> None:
    """A verdict that became another on the disk is decided anew."""
    path, made = tmp_path / "answers.sqlite", machine("pg1974.isa")
    options = Options(instructions=("JMP", "RDR"))
    first = check(made, options, cache=Cache(path))
    for key, said in kept(path, "SELECT key, said FROM rows"):
        assert '"yes"' in said
        kept(path, "UPDATE rows SET said = ? WHERE key = ?", said.replace('"yes"', '"no"'), key)
    for key, said in kept(path, "SELECT key, said FROM answers"):
        kept(path, "UPDATE answers SET said = ? WHERE key = ?", {'"sat"': '"unsat"', '"unsat"': '"sat"'}.get(said, said), key)
    again = check(made, options, cache=Cache(path))
    assert again.cached == 0
    assert [row.truth(f.question) for row in again.rows for f in row.findings] == [
        f.truth for row in first.rows for f in row.findings
    ]


def test_under_another_key_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "answers.sqlite")
    cache.put_many({"a": "[1]", "b": "[2]"})
    kept(
        cache.path,
        "UPDATE rows SET said = (SELECT said FROM rows WHERE key = 'b'), seal = (SELECT seal FROM rows WHERE key = 'b')",
    )
    assert cache.get_many(["a", "b"]) == {"b": "[2]"}


def test_what_is_read_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle in the place of a report, sealed or not, is no report and does nothing."""
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path))
    victim = tmp_path / "victim"

    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (victim,))

    data = pickle.dumps(Harm(), protocol=0).decode()
    for content in (data, f"{seal('report-x.json', data)}\n{data}"):
        (tmp_path / "report-x.json").write_text(content)
        assert remembered(ROW, "report-x.json", lambda: Row("made", "", ()), lambda _: False).name == "made"
    assert not victim.exists()


def test_a_model_is_tried_before_it_is_believed(tmp_path: Path) -> None:
    """A model of another goal, sealed as if it were of this one, is not taken."""
    smt, cache = Smt(), Cache(tmp_path / "answers.sqlite", ANSWERS)
    smt.answers = Answers(cache)
    goal = t.eq(t.var("x", 8), t.const(5, 8))
    cache.put_many({about("smallest model", [goal]): MODEL.text(Model({"x": 4}))})
    found = smt.smallest(goal, lambda: Model({"x": 5}))
    assert found is not None and found.variables == {"x": 5}
    smt.answers.file()
    assert smt.smallest(goal, lambda: None) == found


def test_what_took_too_long_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report in which a theorem is open, under whatever claim, is not kept."""
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path))
    target, asked = Target(str(SPEC / "pg1974.isa"), None, {}), Asked(Options(theorems=("exact_for_virtual_user_mode",)))
    solved = Smt._solved

    def slow(smt: Smt, goal: t.Term, opaque: bool, model: bool) -> Answer:
        return replace(solved(smt, goal, opaque, model), status=Status.UNKNOWN)

    monkeypatch.setattr(Smt, "_solved", slow)
    opened = whole_report(target, asked, None, True, lambda done, total, name: None)
    assert not opened.settled and opened.theorems[0].as_expected is not Truth.YES
    monkeypatch.setattr(Smt, "_solved", solved)
    assert whole_report(target, asked, None, True, lambda done, total, name: None).theorems[0].as_expected is Truth.YES
