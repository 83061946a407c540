"""The shipped machines come out as their theorems say, and the report says what they are relative to."""

from __future__ import annotations

import json

import pytest

from machines import machine, variants
from popek.codes import exit_code
from popek.reports import FORMATS, writer
from popek.working import executor
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Report, Truth


@pytest.mark.parametrize(("file", "config"), variants())
def test_theorems_come_out_as_expected(file: str, config: str) -> None:
    """`popek check` exits 0 on every shipped machine and configuration; every cell of the 1974 table is a theorem."""
    with executor(2) as pool:
        report = check(machine(file, config), Options(), pool)
    assert [(th.name, th.difference) for th in report.theorems if th.as_expected is not Truth.YES] == []
    assert report.theorems
    assert exit_code(report) == 0
    for name in FORMATS:
        assert report.machine in writer(name)([report]) or name == "sarif"


@pytest.fixture(scope="module")
def paper() -> Report:
    return check(machine("pg1974.isa"), Options())


def test_json_has_the_schema(paper: Report) -> None:
    document = json.loads(writer("json")([paper]))
    assert document["schema"] == "popek/verdict/1"
    assert document["theorems"] == {"1": "fails", "3": "fails", "exact": "fails"}
    by_name = {row["name"]: row for row in document["instructions"]}
    assert by_name["LPSW"]["privileged"] is True
    assert by_name["ADD"]["verdict"] == "ok"
    assert by_name["MFPI"]["behaviour_sensitive"] == ["mode"]
    assert by_name["MFPI"]["witness"]["states"] == ["U", "S"]
    assert by_name["DECB"]["exact"] == "proved"
    assert by_name["XTRAP"]["trap_sensitive"] is True


def test_witness_is_small(paper: Report) -> None:
    """MFPI's witness: the mode, the bound, one word of memory, and what they become."""
    row = next(row for row in paper.rows if row.name == "MFPI")
    assert row.witness is not None
    assert len(row.witness.cells) <= 5
    assert max(max(cell.before) for cell in row.witness.cells) < 16


def test_an_unexpected_verdict_is_refuted() -> None:
    """The check can fail: without its guard, mret is a hole, and the theorem does not hold."""
    from popek_grammar.elaborate import elaborate
    from popek_grammar.text.source import load_texts

    text = "\n".join(
        (
            "isa t { encoding little parcel 8 }",
            "modes { U = 0 < S = 1 }",
            "state { pc : bits(8)\n m : mode role mode reset S\n ram : mem(8 -> 8) }",
            "causes { no = 0 }",
            "instr drop { enc 00000001\n do { m = U } }",
            "instr skip { enc 00000010 }",
            "theorem one { for S at U\n show theorem1\n expect holds }",
        )
    )
    report = check(elaborate(load_texts({"t.isa": text})), Options())
    assert exit_code(report) == 1
    assert report.theorems[0].names == ("drop",)
