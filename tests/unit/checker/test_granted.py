"""What is said of a machine beside its verdict concerns that machine: exclusions, roles, and what was not looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from machines import SPEC
from popek.library import shipped
from popek_checker.virtualizability.granted import assumptions, exclusions, links, open_choices, roles, unseen
from popek_checker.virtualizability.verdict import Claim
from popek_grammar.load import load_machine
from popek_grammar.machine import Machine

VIEW = Claim("S", "U")
TRANSLATED = replace(VIEW, memory="translated")
BARE = """
isa bare { title "bare"; encoding big parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc    : bits(8)
  A     : bits(8)
  m     : mode     role mode    reset S
  saved : bits(8)  role control
  prior : mode     role control
  spare : bits(8)  role control
}
causes { illegal = 0 }
otherwise trap illegal
trap_stack T { vector = 16; save pc -> saved; save m -> prior; enter m = S }
instr inc { enc 00000001; do { A = A + 1 } }
instr ret { enc 00000010; guard m == S else trap illegal; do { return_from T } }
"""
MEMORY = """
state { ram : mem(8 -> 8) }
fault f { fetch, load, store, rmw => illegal }
translation t for U { va 8; yield va + spare }
protection p { if pa == 0 { fault f } }
instr ld { enc 00000101; do { A = load(A, 8) } }
"""


def made(tmp_path: Path, more: str) -> Machine:
    path = tmp_path / "bare.isa"
    path.write_text(BARE + more)
    return load_machine(str(path))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", ""),
        ("state { t : bits(8) role env }", "timing"),
        ("instr undo { enc 00000011; do { A = unspecified } }", "open choices"),
        ("register r : bits(8) { F[1:0] wlrl {0, 1}; }\ninstr wr { enc 00000011; do { r = A } }", "open choices"),
        (
            "state { link : bits(1) role hidden; ram : mem(8 -> 8) }\nfault f { fetch, load, store, rmw => illegal }\n"
            "instr ll { enc 00000011; do { A = load(A, 8); link = 1 } }\n"
            "instr sc { enc 00000100; do { if link == 1 { store(A, A) }; link = 0 } }",
            "liveness",
        ),
    ],
)
def test_an_exclusion_is_of_a_machine_that_it_concerns(more: str, says: str, tmp_path: Path) -> None:
    found = exclusions(made(tmp_path, more))
    assert [line.partition(":")[0].partition(" (")[0] for line in found] == ([says] if says else [])


def test_a_flag_that_others_read_is_no_link(tmp_path: Path) -> None:
    more = (
        "state { link : bits(1); ram : mem(8 -> 8) }\nfault f { fetch, load, store, rmw => illegal }\n"
        "instr sc { enc 00000100; do { if link == 1 { store(A, A) }; link = 0 } }"
    )
    assert links(made(tmp_path, more)) == ("link",)
    assert links(made(tmp_path, f"{more}\ninstr see {{ enc 00000101; do {{ A = zext(link) }} }}")) == ()


def test_exclusions_of_shipped_machines() -> None:
    """By their declarations: the links of RISC-V and MIPS, no clock in the paper's machine, no choice in it either."""
    first = {name: load_machine(path) for name, path in shipped().items()}
    assert {name: links(machine) for name, machine in first.items() if links(machine)} == {
        "riscv": ("reserved",), "hypervisor": ("reserved",), "landing_pads": ("reserved",), "mips": ("linked",),
    }  # fmt: skip
    assert {name for name, machine in first.items() if open_choices(machine)} == {"armv7a", "mips", "ia32", "svm", "m68000"}
    assert exclusions(first["pg1974"]) == exclusions(first["stack"]) == ()


def test_pages_are_assumed_of_machines_that_have_them(tmp_path: Path) -> None:
    paper = load_machine(str(SPEC / "pg1974.isa"))
    assert not any("page" in line for line in assumptions(paper, TRANSLATED))
    paged = load_machine(str(SPEC / "riscv" / "riscv.isa"), "rv32")
    assert any("crosses a page" in line for line in assumptions(paged, TRANSLATED))
    assert not any("crosses a page" in line for line in assumptions(paged, VIEW))
    assert assumptions(made(tmp_path, ""), VIEW) == ()


# -- what a verdict rests on -----------------------------------------------------------------------------------------


def test_the_protection_is_not_looked_at_where_memory_is_a_view(tmp_path: Path) -> None:
    machine = made(tmp_path, MEMORY)
    told = {each.what: each for each in unseen(machine, [VIEW], hides=False)}
    assert told["translation t, protection p"].seen_by == "--memory translated, popek diff"
    assert "translation t, protection p" not in {each.what for each in unseen(machine, [TRANSLATED], hides=False)}
    both = unseen(machine, [VIEW, TRANSLATED], hides=False)
    assert both[0].seen_by == "theorems of this report, popek diff"


def test_entries_are_followed_in_the_literal_reading(tmp_path: Path) -> None:
    machine = made(tmp_path, "")
    literal = replace(VIEW, reading="literal")

    def entries(claim: Claim, hides: bool) -> list[str]:
        return [each.what for each in unseen(machine, [claim], hides) if "entry of" in each.what]

    assert entries(VIEW, hides=False) == ["entry of T, which cause a trap has"]
    assert entries(literal, hides=False) == entries(VIEW, hides=True) == []


def test_roles_of_state_that_instructions_meet(tmp_path: Path) -> None:
    """Returns are followed, a translation where memory is translated; the role of `spare` matters to nobody until then."""
    bare, paged = made(tmp_path, ""), made(tmp_path, MEMORY)
    assert roles(bare, [VIEW], hides=False) == (("mode", ("m",)), ("control", ("saved", "prior")))
    assert roles(paged, [TRANSLATED], hides=False) == (("mode", ("m",)), ("control", ("saved", "prior", "spare")))
    idle = [each.what for each in unseen(paged, [VIEW], hides=False)]
    assert "the roles of spare" in idle
    assert "the roles of spare" not in [each.what for each in unseen(paged, [TRANSLATED], hides=False)]


def test_fields_behind_csr_instructions_are_met() -> None:
    """An instruction that picks a CSR meets every CSR, its views and its guards."""
    machine = load_machine(str(SPEC / "riscv" / "riscv.isa"), "rv64")
    found = dict(roles(machine, [Claim("S", "U")], hides=False))
    assert {"mstatus.TVM", "mstatus.TSR", "satp.MODE", "mtime"} <= {name for names in found.values() for name in names}
