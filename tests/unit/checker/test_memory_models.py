"""A verdict is relative to the memory model: RISC-V loads are holes under per-mode translation, and not under shadow tables."""

from __future__ import annotations

import pytest

from machines import machine
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.copies import start
from popek_checker.virtualizability.decide import Item, decide, make_subject
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Claim, Truth


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
    from popek_grammar.text.source import load_texts
    from popek_vmm.oracle import Oracle

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


def test_pages_are_crossed_where_the_segment_puts_them() -> None:
    """IA-32: an access that crosses no page of its segment may cross one of the linear addresses, and is two pieces then."""
    from popek_vmm.oracle import Oracle

    made = machine("x86/ia32.isa", "base")
    oracle = Oracle(made)
    oracle.scalars |= {"cpl": 0, "cr0.PE": 1, "cr0.PG": 1, "cr3.BASE": 1, "pc": 0, "eflags.VM": 0}
    for number in range(6):
        kind = 0b1011 if number == 1 else 0b0011
        fields = {"base": 0, "limit": 0xFFFFFFFF, "type": kind, "P": 1, "DPL": 0}
        for field, value in fields.items():
            oracle.arrays[f"seg.{field}"][number] = value
    oracle.arrays["seg.base"][3] = 0xFFE
    ram = oracle.arrays["ram"]
    table = {0x1000: 0x2007, 0x2000: 0x3007, 0x2004: 0x5007, 0x2008: 0x4007}  # linear pages 0, 1 and 2
    for place, entry in table.items():
        ram |= {place + n: entry >> 8 * n & 0xFF for n in range(4)}
    ram |= dict(enumerate(bytes.fromhex("8b03"), 0x3000))  # mov eax, [ebx]
    ram |= {0x3FFE: 0x11, 0x3FFF: 0x22, 0x5000: 0x33, 0x5001: 0x44}
    assert oracle.step().trap is None
    assert oracle.arrays["R"][0] == 0x44332211


def test_the_state_before_is_nobodys_to_write() -> None:
    """It is one for all who ask: a write to it would change what others are answered."""
    shared = start(machine("pg1974.isa"), 0, "")
    with pytest.raises(TypeError):
        shared.scalars["pc"] = shared.scalars["l"]
    own = shared.copy()
    own.scalars["pc"] = own.scalars["l"]
    assert start(machine("pg1974.isa"), 0, "") is shared
    assert shared.scalars["pc"] is not own.scalars["pc"]
