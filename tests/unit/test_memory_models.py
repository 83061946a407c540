"""A verdict is relative to the memory model: RISC-V loads are holes under per-mode translation, and not under shadow tables."""

from __future__ import annotations

import pytest

from machines import machine
from popek_checker.check import Options, check
from popek_checker.decide import Item, decide, make_subject
from popek_checker.smt import Smt
from popek_checker.verdict import Claim, Truth


@pytest.mark.parametrize("name", ["lb", "sb"])
def test_loads_and_stores_depend_on_the_memory_model(name: str) -> None:
    """Real tables with U = 1 and SUM = 0: the load completes in U and faults in S. One view a virtual mode cures it."""
    made = machine("riscv/riscv.isa", "rv64")
    answers = {}
    for memory in ("translated", "view"):
        subject = make_subject(made, Item(name), Claim("S", "U", memory), ())
        answers[memory] = decide(subject, Item(name), Smt(60), frozenset({"trap_sensitive"})).truth("trap_sensitive")
    assert answers == {"translated": Truth.YES, "view": Truth.NO}


def test_the_guests_own_tables_make_loads_holes() -> None:
    """One map a mode: the load gives another result, or none, in another mode; a witness says at which address."""
    made = machine("riscv/riscv.isa", "rv64")
    report = check(made, Options(memory="per_mode", instructions=("lw", "add")))
    answers = {row.name: (row.truth("mode"), row.truth("trap_sensitive"), row.violation) for row in report.rows}
    assert answers == {"lw": (Truth.YES, Truth.YES, Truth.YES), "add": (Truth.NO, Truth.NO, Truth.NO)}
    assert any(name.startswith("view.") for row in report.rows if row.witness for name, _ in row.witness.tables)


@pytest.mark.parametrize(("name", "differs"), [("ldr", Truth.NO), ("ldrt", Truth.YES)])
def test_a_view_is_that_of_the_mode_whose_rights_are_used(name: str, differs: Truth) -> None:
    """ARM's LDRT in a kernel has the view of USR; run in USR, it has the only view there is. LDR has that of the kernel."""
    made = machine("arm/armv7a.isa", "base")
    subject = make_subject(made, Item(name), Claim("SYS", "USR", "view"), ())
    assert decide(subject, Item(name), Smt(60), frozenset({"mode_sensitive"})).truth("mode") is differs


def test_second_stage_composes() -> None:
    """A translation `over` another gets the first one's result, and its page-table reads too."""
    from popek_grammar.elaborate import elaborate
    from popek_grammar.source import load_texts
    from popek_vmm import Oracle

    text = "\n".join(
        (
            "isa t { encoding little parcel 8 }",
            "modes { U = 0 < S = 1 }",
            "state { pc : bits(8)\n epc : bits(8)\n A : bits(8)\n m : mode role mode reset S",
            "off : bits(8) role map\n ram : mem(8 -> 8) }",
            "causes (where: bits(8)) { bad = 0 }",
            "fault bounds { fetch, load, store, rmw => bad(va) }",
            "translation one { va 8\n yield va + 1 }",
            "translation two over one { va 8\n if va > 200 { fault bounds }\n yield va + off }",
            "instr get { enc 00000001\n do { A = load(A, 8) } }",
            "trap_stack S { vector = 99\n save pc -> epc }",
        )
    )
    oracle = Oracle(elaborate(load_texts({"t.isa": text})))
    oracle.scalars["off"] = 10
    oracle.arrays["ram"] = {11: 1, 16: 42}
    oracle.scalars["A"] = 5
    stepped = oracle.step()
    assert stepped.trap is None
    assert oracle.scalars["A"] == 42
    oracle.scalars |= {"A": 220, "pc": 0}
    assert oracle.step().trap == "bad"
