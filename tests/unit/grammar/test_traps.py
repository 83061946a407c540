"""Traps of an instruction: at most one holds, whatever traps while another is being made."""

from __future__ import annotations

import pytest

from popek_checker.solver.smt import Smt, Status
from popek_grammar.elaborate import elaborate
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import execute, general
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import symbolic
from popek_grammar.text.source import load_texts
from popek_vmm.oracle import Oracle

TEXT = """
isa t { encoding big parcel 8 }
state { pc : bits(8); old : bits(8); A : bits(8); ram : mem(8 -> 8) }
causes (word: bits(8)) { bad = 0; call = 1 }
fn even(a: bits(8)) -> bits(8) {
  guard a[0] == 0 else trap bad
  return a
}
instr call { enc 00000001; do { trap call(even(A)) } }
trap_stack T { vector = 99; save pc -> old }
"""


def test_a_payload_may_trap() -> None:
    """The trap whose payload could not be made does not hold as well."""
    machine = elaborate(load_texts({"t.isa": TEXT}))
    outcome = execute(machine, general(machine, machine.instructions["call"], {}), symbolic(machine), Translated())
    assert [trap.cause for trap in outcome.traps] == ["bad", "call"]
    one, two = (trap.condition for trap in outcome.traps)
    assert Smt(60).check([t.and_(one, two)]).status is Status.UNSAT
    assert Smt(60).check([t.not_(t.or_(one, two))]).status is Status.UNSAT


LENGTHS = """
isa t { encoding little parcel 8 }
state { pc : bits(16); old : bits(16); why : bits(16); ram : mem(16 -> 8) }
causes (word: bits(16)) { bad = 0; edge = 1 }
fault page { fetch, load, store, rmw => bad }
protection ring { if pa[7:0] >= 0xF0 { fault page } }
instr nop { enc 00000001; do { } }
instr long { enc 00000000 10000001; do { } }
otherwise trap edge(insn)
length 16 when insn[7] == 1
trap_stack T { vector = 0x99; save pc -> old; record why = cause.word }
"""


@pytest.mark.parametrize(
    ("at", "cells", "cause", "payload"),
    [
        (0, [0x02, 0x34], "edge", 0x02),
        (0, [0x82, 0x34], "edge", 0x3482),  # no encoding begins so, and it is two parcels long all the same
        (0, [0x81, 0x34], "edge", 0x3481),  # one begins so
        (0xEF, [0x82, 0x34], "bad", 0),  # the second parcel cannot be fetched
        (0xEF, [0x02, 0x34], "edge", 0x02),
    ],
)
def test_the_length_of_what_does_not_decode(at: int, cells: list[int], cause: str, payload: int) -> None:
    """What is fetched before an encoding is found wanting is what the machine says of its first parcel."""
    oracle = Oracle(elaborate(load_texts({"t.isa": LENGTHS})))
    oracle.load(cells, at)
    oracle.set_state({"pc": at}, {})
    assert oracle.step().trap == cause
    assert oracle.scalars["why"] == payload
