"""What an extending machine may replace, and what a second stage knows of the access that it serves."""

from __future__ import annotations

from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts
from popek_vmm.oracle import Oracle

BASE = """
isa base { encoding little parcel 8 }
modes { U = 0 < S = 1 }
state { pc : bits(16)
  mode : mode role mode reset S
  ram : mem(16 -> 8)
  A : bits(8) }
causes (tval: bits(16)) { bad = 0 }
csr_space space : bits(4) {
  min_mode = addr[3:3]
  guard exists(addr) else trap bad
}
operand csr : space
csr status at 0x1 : bits(8) role control { IE [0] rw reset 0; ON [1] rw reset 0 }
csr part at 0x2 views status { IE }
acting = mode
fault page { fetch => bad(va), load => bad(va), store => bad(va) }
instr get { enc csr:4 0001; do { A = csr_read(csr) } }
instr ld  { enc 00000010; do { A = load(0x0100) } }
trap_stack S { vector = 0xf0; save pc -> old.PC; enter mode = S; clobber mode }
register old : bits(16) role control { PC [15:0] rw reset 0 }
"""

EXTENDED = """
isa wide extends "base.isa" { encoding little parcel 8 }
override modes { V = 2 < U = 0 < S = 1 }
override causes (tval: bits(16), place: bits(16), walk: bits(1)) { bad = 0; refused = 3 }
override csr_space space : bits(4) {
  guard exists(addr) else trap bad
  guard mode != V or addr != 1 else trap refused
}
override csr part at 0x2 : bits(8) {
  read = if mode == V then double else status & 1
  write v { }
}
csr double at 0x3 : bits(8) { read = 0x50 + (status << 1); write v { } }
override fault page { fetch => refused(origin, va, bits(implicit)), load => refused(origin, va, bits(implicit)),
  store => refused(origin, va, bits(implicit)) }
override acting = if access == fetch then S else mode
translation first for V {
  va 16
  entry bits(8) { V[0] }
  walk i from 0 to 0, base = status {
    let e = load(0x40 @ base)
    if e.V == 0 { fault page }
    yield va + 0x1000
  }
}
translation second for V over first {
  va 16
  if implicit and status.ON == 1 or va == 0x1100 { fault page }
  yield va
}
theorem held { for V at V; assume status.IE == 1; show privileged; expect exactly { get } }
"""


def made(extended: str = EXTENDED) -> Machine:
    return elaborate(load_texts({"wide.isa": extended, "base.isa": BASE}))


def stepped(word: int, status: int) -> tuple[str | None, tuple[int, ...], int]:
    machine = made()
    oracle = Oracle(machine)
    names = {"mode": 2, "status.IE": status & 1, "status.ON": status >> 1}
    oracle.set_state(names, {"ram": {0: word, 0x4000 + status: 1}})
    step = oracle.step()
    return step.trap, step.payload, oracle.scalars["A"]


def test_modes_causes_and_the_csr_space_are_replaced() -> None:
    machine = made()
    assert [name for name, _ in machine.modes.members] == ["V", "U", "S"]
    assert [cause.name for cause in machine.causes.members] == ["bad", "refused"]
    assert stepped(0x11, 0) == ("refused", (0, 0, 0), 0)


def test_a_view_becomes_a_register_that_reads_another_by_its_rule() -> None:
    """`double` stores nothing: its name in an expression means what its `read` clause says."""
    assert "double" not in made().scalars
    assert stepped(0x21, 1) == (None, (), 0x52)


def test_the_second_stage_knows_the_first_address_and_whose_access_it_is() -> None:
    assert stepped(0x02, 0) == ("refused", (0x100, 0x1100, 0), 0)
    assert stepped(0x02, 2) == ("refused", (0x100, 0x4002, 1), 0)


def test_a_guest_at_its_own_mode_is_compared_with_itself_under_other_settings() -> None:
    """What H makes trap is privileged when it runs without H."""
    text = EXTENDED.replace("mode != V or addr != 1", "mode != V or status.IE == 0")
    (theorem,) = check(made(text), Options()).theorems
    assert (theorem.names, theorem.as_expected) == (("get",), Truth.YES)
