"""`return` in the body of an instruction: the paths that left early and the one that reached the end all complete."""

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
modes { U = 0 < S = 1 }
state { pc : bits(8); A : bits(8); B : bits(8); m : mode role mode; ram : mem(8 -> 8) }
causes { no = 0 }
instr pick {
  enc 00000001
  do {
    if A == 0 { B = 1; return }
    if A == 1 { B = 2; return }
    B = 3
  }
}
"""


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 2), (9, 3)])
def test_each_way_out_completes(a: int, b: int) -> None:
    oracle = Oracle(elaborate(load_texts({"t.isa": TEXT})))
    oracle.scalars["A"] = a
    oracle.load([1], 0)
    assert oracle.step().trap is None
    assert (oracle.scalars["B"], oracle.scalars["pc"]) == (b, 1)


def test_it_always_completes() -> None:
    machine = elaborate(load_texts({"t.isa": TEXT}))
    outcome = execute(machine, general(machine, machine.instructions["pick"], {}), symbolic(machine), Translated())
    assert Smt().check([t.not_(outcome.ok)]).status is Status.UNSAT
