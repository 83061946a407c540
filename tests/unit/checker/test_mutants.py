"""Each check has teeth: a fault put into a text is noticed, or listed with the reason why it makes no difference."""

from __future__ import annotations

import pytest

from machines import SPEC
from popek.working import executor
from popek_checker.mutation.faults import KINDS, Mutant, deletions, replacements, sample
from popek_checker.mutation.mutants import Fate, Trial, fates
from popek_checker.virtualizability.check import main_claim
from popek_checker.virtualizability.options import Options
from popek_grammar.elaborate import elaborate
from popek_grammar.text.source import SourceSet, load_file, load_texts


def tried(config: str, chosen: list[Mutant], sources: SourceSet) -> list[Fate]:
    machine = elaborate(sources, config)
    claim, _ = main_claim(machine, Options(), list(machine.theorems.values()))
    with executor(2) as pool:
        return fates(Trial(dict(sources.texts), config, claim, tuple(chosen)), pool, 16)


def deleted(file: str, config: str) -> list[Fate]:
    sources = load_file(str(SPEC / file))
    return tried(config, list(deletions(sources)), sources)


@pytest.mark.timeout(900)  # a verdict a mutant: three minutes for IA-32 where others use the processors too
@pytest.mark.parametrize(
    ("file", "config", "noticed"),
    [
        ("pg1974.isa", "default", 8),
        ("riscv/riscv.isa", "rv64", 18),
        ("x86/ia32.isa", "base", 40),
        ("s370/s370.isa", "base", 19),
        ("stack/stack.isa", "default", 6),
    ],
)
def test_every_deletion_has_a_fate(file: str, config: str, noticed: int) -> None:
    found = deleted(file, config)
    assert all(fate.how for fate in found)
    assert sum(fate.noticed for fate in found) >= noticed


def test_the_lines_that_decide_are_noticed() -> None:
    """The privilege checks of sret and mret, and every save, are among the noticed."""
    found = deleted("riscv/riscv.isa", "rv64")
    assert all(fate.noticed for fate in found if fate.mutant.text.startswith("save"))
    text = {fate.mutant.text.split(" else")[0].strip(): fate.noticed for fate in found}
    assert text["guard mode >= S"]
    assert text["guard mode == M or mstatus.TW == 0"]
    assert text["guard bits(mode) >= min_mode"]


SMALL = """isa t { encoding big parcel 8 }
modes { U = 0 < S = 1 }
state { pc : bits(8) reset 0; m : mode role mode reset S; A : bits(8); sp : bits(8) role control; sm : bits(1) role control }
state { flag : bits(1) role control reset 0; why : bits(8) role control; ram : mem(8 -> 8) }
causes { ill = 0; call = 1; interrupt one = 2; interrupt two = 3 }
trap_stack T {
  vector = 0x10
  save   pc -> sp
  save   m -> sm
  record why = zext(cause.code)
  record flag = 0
  enter  m = S
}
interrupts { pending zext(flag, 4); level T : one > two }
instr set { enc 0000001 x:1; asm "set {x}"; guard m == S else trap ill; guard x == 0 else trap call; do { flag = A[3:3] } }
instr low {
  enc 00000100
  asm "low"
  do  { A = if m == S then A & 0x0f else A[7:7] @ 0b0000000; if A[1] == 1 { A = 0 } else { A = 1 } }
}
instr ret { enc 00000101; asm "ret"; guard m == S else trap ill; do { return_from T } }
otherwise trap ill
"""

FAULTS = [
    ("wrong bit", "1 -> 0"),
    ("swapped arms", "A & 0x0f else A[7:7] @ 0b0000000 -> A[7:7] @ 0b0000000 else A & 0x0f"),
    ("swapped arms", "{ A = 0 } else { A = 1 } -> { A = 1 } else { A = 0 }"),
    ("wrong mode", "S -> U"),
    ("wrong cause", "call -> ill"),
    ("wrong mask", "0x0f -> 0x0e"),
    ("priority swapped", "one > two -> two > one"),
    ("wrong field saved", "pc -> sp save m -> m -> sp save pc"),
]


@pytest.mark.parametrize(("kind", "shown"), FAULTS)
def test_each_kind_of_fault_is_made(kind: str, shown: str) -> None:
    found = [mutant for mutant in replacements(load_texts({"t.isa": SMALL})) if mutant.kind == kind]
    assert shown in [mutant.shown for mutant in found]
    for mutant in found:
        assert mutant.applied(SMALL) != SMALL
        assert SMALL[mutant.start : mutant.end] == mutant.text


def test_guards_change_places() -> None:
    found = [mutant for mutant in replacements(load_texts({"t.isa": SMALL})) if mutant.kind == "priority swapped"]
    assert any(mutant.new == "guard x == 0 else trap call; guard m == S else trap ill" for mutant in found)


def test_a_sample_holds_every_kind_and_no_more_than_asked() -> None:
    every = list(replacements(load_file(str(SPEC / "riscv/riscv.isa"))))
    few = sample(every, 2)
    assert {mutant.kind for mutant in few} == set(KINDS)
    assert len(few) == 2 * len(KINDS)
    assert len(set(few)) == len(few)


def test_most_faults_of_a_small_machine_are_noticed() -> None:
    """Every fault of every kind: what survives is put down to a reason."""
    sources = load_texts({"t.isa": SMALL})
    found = tried("default", [*deletions(sources), *replacements(sources)], sources)
    assert sum(fate.noticed for fate in found) >= 11
    assert all(fate.survives for fate in found if not fate.noticed)
    assert {fate.mutant.kind for fate in found if fate.noticed} >= {"deleted", "wrong mode", "wrong cause", "wrong field saved"}


def test_an_invariant_notices_what_no_verdict_does() -> None:
    """A save that goes, a priority that is swapped: with the sentences that a manual would have, they are noticed."""
    stated = SMALL + (
        "invariant cause after entry, interrupt { why == zext(cause.code) }\n"
        "invariant kept after entry { flag == 0; sp == old(pc); m == S }\n"
    )
    sources = load_texts({"t.isa": stated})
    machine = elaborate(sources)
    claim, _ = main_claim(machine, Options(), [])
    chosen = tuple(replacements(sources))
    quiet = fates(Trial(dict(sources.texts), None, claim, chosen))
    told = fates(Trial(dict(sources.texts), None, claim, chosen, stated=True))
    more = [one for one, other in zip(quiet, told, strict=True) if other.how.startswith("invariant")]
    assert more
    assert not any(one.noticed for one in more)
    assert all(one.how == other.how for one, other in zip(quiet, told, strict=True) if one not in more)


def test_an_instruction_that_goes_is_noticed() -> None:
    """Where the fault takes an instruction out of the configuration: its row is missing."""
    idle = 'instr idle { enc 00000110; asm "idle"; when WIDE == 1; do { } }\n'
    text = SMALL.replace("otherwise", idle + "otherwise").replace("modes {", "param WIDE in {0, 1} = 1\nmodes {")
    sources = load_texts({"t.isa": text})
    machine = elaborate(sources)
    claim, _ = main_claim(machine, Options(), [])
    at = text.index("WIDE == 1")
    gone = Mutant("t.isa", 1, "WIDE == 1", at, at + 9, "WIDE == 0", "wrong value", "instr")
    (fate,) = fates(Trial(dict(sources.texts), None, claim, (gone,)))
    assert (fate.noticed, fate.how) == (True, "verdict of idle is gone, with the instruction")
