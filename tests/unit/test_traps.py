"""Traps of an instruction: at most one holds, whatever traps while another is being made."""

from __future__ import annotations

from popek_checker.smt import Smt, Status
from popek_grammar.elaborate import elaborate
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import execute, general
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import symbolic
from popek_grammar.source import load_texts

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
