"""A bit of a machine, a bit of its verdict: two configurations that differ in one line differ in just the holes that it opens."""

from __future__ import annotations

import pytest

from machines import machine
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.check import check, main_claim
from popek_checker.virtualizability.decide import Item, decide, make_subject
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Claim, Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts

UNTOUCHED = {"x86": ("popf", "nop"), "s370": ("LPSW", "LR"), "mips": ("mtc0", "addu"), "pdp10": ("JRSTF", "MOVE"),
             "abi": ("sysinfo", "getpid"), "arm": ("cps", "mov"), "m68k": ("move_to_sr", "add")}  # fmt: skip
"""Instructions that the line does not touch, asked along."""

PAIRS = [
    ("x86/ia32.isa", "umip", "base", {"sgdt", "sidt", "sldt", "smsw", "str"}),  # UMIP
    ("x86/ia32.isa", "base", "pvi", {"cli", "sti"}),  # PVI
    ("s370/s370.isa", "base", "leaky", {"IPK"}),  # the 68000's MOVE from SR: a field of the status word is read
    ("mips/mips.isa", "r3000", "leaky", {"mfc0"}),  # the same
    ("pdp10/ka10.isa", "ki10", "closed", {"JRST1"}),  # PORTAL or "enter user mode"
    ("arm/armv7a.isa", "mrs_traps", "base", {"mrs_cpsr"}),
    ("m68k/m68000.isa", "mc68010", "mc68000", {"move_from_sr"}),
    ("abi/abi.isa", "privileged", "shared_uts", {"sethostname", "uname_nodename", "unshare"}),  # the UTS namespace
]


def holes(made: Machine, names: tuple[str, ...]) -> set[str]:
    known = tuple(name for name in names if name in made.instructions)
    assert len(known) >= len(names) - 1
    return {row.name for row in check(made, Options(instructions=known)).rows if row.violation is Truth.YES}


@pytest.mark.parametrize(("file", "closed", "open_", "opened"), PAIRS, ids=[f"{pair[1]}-{pair[2]}" for pair in PAIRS])
def test_one_line_opens_these_holes(file: str, closed: str, open_: str, opened: set[str]) -> None:
    names = (*sorted(opened), *UNTOUCHED[file.partition("/")[0]])
    before, after = (holes(machine(file, config), names) for config in (closed, open_))
    assert after - before == opened
    assert before <= after


@pytest.mark.parametrize(("setting", "hole"), [(0, Truth.NO), (1, Truth.YES)])
def test_cbo_inval_flushes_in_silence(setting: int, hole: Truth) -> None:
    """henvcfg.CBIE: 00 stops cbo.inval in a guest, 01 has it flush instead."""
    made = machine("riscv/hypervisor.isa", "variants")
    theorem = made.theorems["cache_blocks_flushed" if setting else "cache_blocks_trapped"]
    subject = make_subject(made, Item("cbo_inval"), Claim("VS", "VS"), tuple(expr for expr, _ in theorem.assume))
    assert decide(subject, Item("cbo_inval"), Smt(60), frozenset({"theorem1"})).violation is hole


TSR = """
isa status { encoding little parcel 8 }
extension CHECKED
config checked { CHECKED = true }
config unchecked { CHECKED = false }
modes { U = 0 < S = 1 }
state {
  pc : bits(8)  reset 0
  a  : bits(8)
  m  : mode  role mode  reset S
  ram : mem(8 -> 8)
}
register sr : bits(8) role control { IE [0] rw; PIE [1] rw; PP [2] rw }
causes { privilege = 1 }
otherwise trap privilege
trap_stack S {
  vector = 16
  save   pc    -> ram[0]
  save   m     -> sr.PP
  save   sr.IE -> sr.PIE
  enter  m     = S
  enter  sr.IE = 0
}
instr move_from_sr { enc 00000001; guard not CHECKED or m == S else trap privilege; do { a = sr } }
instr move { enc 00000010; do { a = 1 } }
theorem kernel { for S at U; show theorem1; expect holds }
"""


@pytest.mark.parametrize(("config", "opened"), [("checked", set()), ("unchecked", {"move_from_sr"})])
def test_move_from_sr(config: str, opened: set[str]) -> None:
    """The 68000 reads its status register in user mode, the 68010 traps: the smallest machine that shows it."""
    made = elaborate(load_texts({"status.isa": TSR}), config)
    assert holes(made, ("move_from_sr", "move")) == opened
    assert main_claim(made, Options(), list(made.theorems.values()))[0].host == "U"


@pytest.mark.parametrize(("config", "held"), [("rv64", Truth.YES), ("variants", Truth.NO)])
def test_sret_is_held_by_tsr_where_it_is_checked(config: str, held: Truth) -> None:
    made = machine("riscv/hypervisor.isa", config)
    name = "supervisor_in_supervisor" if config == "rv64" else "supervisor_in_supervisor_unchecked"
    theorem = made.theorems[name]
    subject = make_subject(made, Item("sret"), Claim("S", "S"), tuple(expr for expr, _ in theorem.assume))
    assert decide(subject, Item("sret"), Smt(60), frozenset({"privileged"})).truth("privileged") is held
