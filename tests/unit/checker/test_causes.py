"""`popek explain --causes`: by mode and setting the first cause that applies, read off an instruction's outcome."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import popek

from machines import SPEC
from popek_checker.explanation.causes import causes
from popek_checker.explanation.explain_text import as_text
from popek_checker.explanation.explain_views import CausesView, SettingRow
from popek_checker.solver.smt import Smt
from popek_grammar.load import load_machine
from popek_grammar.machine import Machine

MACHINE = """
isa t { title "t"; encoding big parcel 8 }
modes { U = 0 < V = 1 < S = 2 }
state {
  pc    : bits(8)
  A     : bits(8)
  m     : mode     role mode    reset S
  shut  : bits(1)  role control
  level : bits(2)  role control
  saved : bits(8)  role control
  prior : mode     role control
  ram   : mem(8 -> 8)
}
causes { privileged = 0; closed = 1; zero = 2; page = 3 }
fault f { fetch, load, store, rmw => page }
otherwise trap privileged
trap_stack T { vector = 16; save pc -> saved; save m -> prior; enter m = S }
// privilege before the setting, the setting before the data
instr in order { enc 00000001; guard m != U else trap privileged; guard m == S or shut == 0 else trap closed
  guard A != 0 else trap zero; do { A = 0 } }
// the other way about
instr other { enc 00000010; guard m == S or shut == 0 else trap closed; guard m != U else trap privileged; do { A = 0 } }
// both choices come to the same, and one setting excludes another
instr same { enc 00000011; guard if shut == 1 then m == S else m == S else trap privileged; do { A = 0 } }
instr ranges { enc 00000100; guard level < 2 else trap closed; guard level == 3 else trap zero; do { A = 0 } }
instr reads { enc 00000101; do { A = if shut == 1 then load(A, 8) else load(0x00, 8) } }
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    path = tmp_path_factory.mktemp("causes") / "t.isa"
    path.write_text(MACHINE.replace("instr in order", "instr ordered"))
    return load_machine(str(path))


def table(machine: Machine, name: str) -> list[tuple[str, str, str]]:
    """Rows as (modes, setting, ends), the ends with a slash between."""
    (view,) = causes(machine, name, Smt())
    return [told(row) for row in view.rows]


def told(row: SettingRow) -> tuple[str, str, str]:
    return " ".join(row.modes), ", ".join(row.setting), "/".join(ending.cause or "-" for ending in row.endings)


def test_causes_stand_in_the_order_in_which_they_are_tested(machine: Machine) -> None:
    assert table(machine, "ordered") == [
        ("U", "", "privileged"),
        ("V", "shut == 1", "closed"),
        ("V", "shut == 0", "zero/-"),
        ("S", "", "zero/-"),
    ]
    assert table(machine, "other") == [
        ("U", "shut == 1", "closed"),
        ("U", "shut == 0", "privileged"),
        ("V", "shut == 1", "closed"),
        ("V", "shut == 0", "-"),
        ("S", "", "-"),
    ]


def test_a_setting_that_decides_nothing_is_left_out(machine: Machine) -> None:
    assert table(machine, "same") == [("U V", "", "privileged"), ("S", "", "-")]
    assert table(machine, "reads") == [("U V S", "", "memory fault/-")]


def test_what_no_state_leads_to_is_left_out(machine: Machine) -> None:
    """level is below 2 and 3 in no state: the instruction never completes."""
    assert table(machine, "ranges") == [("U V S", "level >= 2", "closed"), ("U V S", "level < 2", "zero")]


def test_what_decides_beside_settings_is_named(machine: Machine) -> None:
    (view,) = causes(machine, "ordered", Smt())
    assert view.rows[-1].endings[0].by == ("A",)
    assert "zero by A, else completes" in as_text(view)


def test_the_three_levels_of_the_hypervisor_extension() -> None:
    """Privileged manual, "Trap cause codes" of the hypervisor extension: a virtual-instruction trap where HS could do it."""
    hypervisor = load_machine(str(SPEC / "riscv" / "hypervisor.isa"), "rv64")
    assert table(hypervisor, "sret") == [
        ("VU", "", "virtual_instruction"),
        ("VS", "hstatus.VTSR == 1", "virtual_instruction"),
        ("VS", "hstatus.VTSR == 0", "-"),
        ("U", "", "illegal_instruction"),
        ("S", "mstatus.TSR == 1", "illegal_instruction"),
        ("S", "mstatus.TSR == 0", "-"),
        ("M", "", "-"),
    ]
    assert table(hypervisor, "csrrw(hgatp)") == [
        ("VU VS", "", "virtual_instruction"),
        ("U", "", "illegal_instruction"),
        ("S", "mstatus.TVM == 1", "illegal_instruction"),
        ("S", "mstatus.TVM == 0", "-"),
        ("M", "", "-"),
    ]
    assert [told(row) for row in only(causes(hypervisor, "csrrs(time)", Smt())).rows if row.modes == ("VS",)] == [
        ("VS", "mcounteren.TM == 0", "illegal_instruction"),
        ("VS", "mcounteren.TM == 1, hcounteren.TM == 0", "virtual_instruction"),
        ("VS", "mcounteren.TM == 1, hcounteren.TM == 1", "illegal_instruction/-"),
    ]


def only(views: tuple[CausesView, ...]) -> CausesView:
    (view,) = views
    return view


def test_csrs_that_are_alike_share_a_table() -> None:
    riscv = load_machine(str(SPEC / "riscv" / "riscv.isa"), "rv64")
    views = causes(riscv, "csrrw", Smt())
    shared = next(view for view in views if "mscratch" in view.parts)
    assert {"mtvec", "mepc"} <= set(shared.parts)
    assert [told(row) for row in shared.rows] == [("U S", "", "illegal_instruction"), ("M", "", "-")]
    assert sorted(part for view in views for part in view.parts) == sorted([*riscv.csrs.values(), "other"])


def test_the_command(tmp_path: Path) -> None:
    paper = str(SPEC / "pg1974.isa")
    text = popek("explain", paper, "--causes", "--instr", "LPSW,DIV", cache=tmp_path)
    assert text.returncode == 0
    assert "causes of LPSW, the first that applies" in text.stdout
    document = json.loads(popek("explain", paper, "XTRAP", "--causes", "--format", "json", cache=tmp_path).stdout)
    assert document == [
        {
            "instruction": "XTRAP",
            "parts": [],
            "rows": [
                {"modes": ["U"], "setting": [], "endings": [{"cause": None, "by": [], "sure": True}]},
                {"modes": ["S"], "setting": [], "endings": [{"cause": "bound", "by": [], "sure": True}]},
            ],
        }
    ]
    wrong = popek("explain", paper, "--causes", "XTRAPP", cache=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean XTRAP?" in wrong.stderr
