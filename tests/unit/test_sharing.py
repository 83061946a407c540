"""What a machine does to a text that it shares: guards added, roles assigned, causes added, a mode virtualized alone."""

from __future__ import annotations

import pytest

from popek_checker.check import Options, check
from popek_checker.decide import Item, make_subject
from popek_checker.verdict import Claim, Report
from popek_grammar import machine as m
from popek_grammar.diagnostics import SpecError
from popek_grammar.elaborate import elaborate
from popek_grammar.source import load_texts

SHARED = """
modes { guest = 1 < root = 0 }
state {
  pc   : bits(8)
  mode : mode  role mode  reset root
  trip : bits(1)  role control
  ram  : mem(8 -> 8)
}
register r : bits(8) role map { A[3:0] rw; B[7:4] rw }
causes (why: bits(8)) { no = 0 }
otherwise trap no
instr set { enc 0000000 op:1
  ops op { seta = 0, setb = 1 }
  guard pc != 0 else trap no
  do { match op { seta => { r.A = 1 }, setb => { r.B = 1 } } } }
"""
MACHINE = """
isa t { encoding little parcel 8 }
include "shared.isa"
extension FREE = true
config free { FREE = true }
config bound { FREE = false }
causes { exit = 1 }
role guest for r when FREE
role control for r.B
extend instr set { guard not (mode == guest and trip == 1) else trap exit(7) }
theorem open { for root alone at guest; show theorem1; expect fails }
theorem nested { for root at guest; show trap_sensitive; expect exactly { seta, setb } }
theorem alone { for root alone at guest; show trap_sensitive; expect exactly {} }
"""


def made(config: str = "free", text: str = MACHINE) -> m.Machine:
    return elaborate(load_texts({"t.isa": text, "shared.isa": SHARED}), config)


def test_guards_come_after_those_of_the_instruction() -> None:
    """To every member of the family, in order; spans name the file that each stands in."""
    for name in ("seta", "setb"):
        guards = made().instructions[name].guards
        assert [guard.cause.name for guard in guards] == ["no", "exit"]


def test_causes_add_up() -> None:
    found = made().causes
    assert [(cause.name, cause.code) for cause in found.members] == [("no", 0), ("exit", 1)]
    assert found.payload == (("why", 8),)


@pytest.mark.parametrize(("config", "role"), [("free", m.Role.GUEST), ("bound", m.Role.MAP)])
def test_roles(config: str, role: m.Role) -> None:
    """The later word stands; a field's role is its state's."""
    found = made(config)
    assert (found.scalars["r.A"].role, found.scalars["r.B"].role) == (role, m.Role.CONTROL)
    assert [part.role for part in found.registers["r"].fields] == [role, m.Role.CONTROL]


@pytest.mark.parametrize("line", ["extend instr nothing { guard pc == 0 else trap no }", "role guest for s", "role odd for r"])
def test_what_is_not_there_is_told(line: str) -> None:
    with pytest.raises(SpecError) as caught:
        made(text=MACHINE + line)
    assert [problem.code for problem in caught.value.diagnostics] == ["E0201"]


def test_a_mode_virtualized_alone() -> None:
    """A guest's machine that has the guest mode too has traps of its own; one of root alone has not."""
    report: Report = check(made(), Options())
    assert [(th.name, th.difference) for th in report.theorems] == [("open", ""), ("nested", ""), ("alone", "")]
    assert report.claim.alone
    subject = make_subject(made(), Item("setb"), Claim("root", "guest", alone=True), ())
    assert (subject.modes, subject.virtual) == ((1, 0), (0,))


def test_the_role_decides() -> None:
    """The same text: `seta` changes what is the guest's in one machine, and what is everybody's in the other."""
    found = {config: check(made(config), Options()).theorems[0].names for config in ("free", "bound")}
    assert found == {"free": ("setb",), "bound": ("seta", "setb")}
