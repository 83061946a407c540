"""The obligations of a monitor, each met and each broken on a machine that is made for it; and the monitors that ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from monitor_texts import TOY, found, machine, proof

from machines import SPEC
from popek_checker.monitor.proof import OBLIGATIONS
from popek_checker.monitor.prove import Asked, prove
from popek_checker.solver.cache import Cache
from popek_checker.solver.smt import Answer, Smt, Status
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.load import configs_of, load_machine

CLOSED = "run S, U at U\nhost open = 0\nrewrite leak, hole, odd"
"""A right monitor of the toy."""


def test_how_instructions_are_handled() -> None:
    made = proof("run S, U at U\nhost open = 0\nrewrite leak\nhypercall hole")
    assert {row.label: row.how for row in made.rows} == {
        "inc": "direct", "sys": "reflected", "put": "emulated", "idle": "emulated", "get": "emulated", "shut": "emulated",
        "ret": "emulated", "leak": "rewritten", "hole": "hypercall", "odd": "refuted",
    }  # fmt: skip


def test_a_right_monitor_is_proved() -> None:
    made = proof(CLOSED)
    assert (made.found, made.as_expected) == ("proved", Truth.YES)
    assert [answer.name for answer in made.answers] == list(OBLIGATIONS)
    assert found(made, "efficient") == ("refuted", ("idle",))
    assert found(made, "recursive") == ("proved", ())


@pytest.mark.parametrize(
    ("lines", "obligation", "names"),
    [
        ("run S, U at U\nhost open = 0\nrewrite hole, odd", "direct", ("leak",)),  # nothing happens, and the bare machine writes
        ("run S, U at U\nrewrite leak, hole, odd", "direct", ("get",)),  # the host's own c is read
        ("run S, U at U\nrewrite leak, hole, odd", "reflect", ("get",)),  # ... also where the guest has shut it
        ("run S, U at U\nhost open = 0\nrewrite leak, odd", "frame", ("hole",)),
        ("run S, U at U\nhost open = 0\nrewrite leak, hole", "reflect", ("odd",)),
        ("run U at U\ninterpret S\nhost open = 0", "direct", ("hole",)),  # all of S is the monitor's: leak and odd too
    ],
)
def test_what_refutes(lines: str, obligation: str, names: tuple[str, ...]) -> None:
    assert found(proof(lines), obligation) == ("refuted", names)


def test_a_witness_says_what_each_side_makes_of_it() -> None:
    made = proof("run S, U at U\nhost open = 0\nrewrite leak, hole")
    (broken,) = next(row for row in made.rows if row.label == "odd").broken
    assert broken.witness is not None
    assert broken.witness.labels == ("guest in S", "host in U")
    assert broken.witness.results == ("privileged", "completes")


@pytest.mark.parametrize(
    ("entry", "lost"),
    [
        ("save pc -> epc; save m -> em; vector = 0; enter m = S", ""),
        ("save pc[6:0] @ 0b0 -> epc; save m -> em; vector = 0; enter m = S", "pc"),  # the top bit of pc is gone
        ("save pc -> epc; save m -> em; vector = 0; enter m = S; enter A = epc", "A"),
        ("save pc -> epc; save A -> c; save m -> em; vector = 0; enter m = S; enter A = epc", ""),
        ("save next_pc -> epc; save m -> em; vector = 0; enter m = S", ""),  # the length of what trapped is known
    ],
)
def test_what_a_trap_loses(entry: str, lost: str) -> None:
    text = TOY.replace("save pc -> epc; save m -> em; vector = 0; enter m = S", entry)
    made = proof(CLOSED, text.replace("enter A =", "clobber A\n enter A =") if lost == "A" else text, "entry")
    names = ("entry(privileged)", "entry(call)") if lost else ()
    assert found(made, "entry") == ("refuted" if lost else "proved", names)
    assert (f"overwrites {lost} and" in made.answers[0].reason) is bool(lost)


BANKED = """
isa bank { title "a stack pointer for each mode"; encoding big parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8) reset 0
  m : mode role mode reset S
  SP[2] : bits(8)
  usp : bits(8)
  old : bits(8) role control reset 0
  epc : bits(8) role control reset 0
  em : mode role control reset U
}
causes { privileged = 0 }
trap_stack S { save pc -> epc; save m -> em; vector = 0; enter m = S; enter usp = 0; clobber usp }
instr push { enc 00000000; asm "push"; do { if m == S { SP[1] = SP[1] - 1 } else { usp = usp - 1 } } }
otherwise trap privileged
"""


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("enter m = S", ""),
        ("enter m = if cause.code == 1 then S else if open == 1 then U else S", "leads traps of privileged to a mode above U"),
        ("enter m = if open == 1 then U else S", "leads every trap to a mode above U"),
    ],
)
def test_where_a_trap_leads(entry: str, told: str) -> None:
    """What is not shown of the entry, but is for the monitor's own state to see to, is said."""
    answer = proof("run S, U at U", TOY.replace("enter m = S", entry), "entry").answers[0]
    assert answer.truth is Truth.YES
    assert told in "".join(answer.notes)
    assert bool(answer.notes) is bool(told)


def test_what_f_carries_is_lost_with_what_carries_it() -> None:
    """The real user's stack pointer holds the guest's of its mode, an element of an array: a trap that clears it loses that."""
    bank = "run S, U at U\nhost usp = if m == S then SP[1] else usp"
    made = proof(bank, BANKED, "entry")
    assert found(made, "entry")[0] == "refuted"
    assert "SP" in made.answers[0].reason
    kept = BANKED.replace("enter usp = 0; clobber usp", "save usp -> old; enter usp = 0")
    assert found(proof(bank, kept, "entry"), "entry")[0] == "proved"


def test_where_is_kept_by_what_runs_directly() -> None:
    """`inc` leads out of what f says of the guest: what is shown of the next step would be shown of nothing."""
    assert found(proof(f"{CLOSED}\nwhere A < 8", TOY, "direct"), "direct") == ("refuted", ("inc",))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("where A == 1 and A == 2", "no guest in mode U satisfies the conditions of f (line 5)"),
        ("where A > 0", ""),  # reset is another: the monitor begins the guest so
        ("host em = if A == 0 then S else U", ""),
    ],
)
def test_the_first_state(line: str, says: str) -> None:
    made = proof(f"{CLOSED}\n{line}", TOY, "first")
    assert found(made, "first")[0] == ("refuted" if says else "proved")
    assert says in made.answers[0].reason
    assert bool(made.answers[0].notes) is (line == "where A > 0")


def test_a_value_that_the_host_cannot_have() -> None:
    text = TOY.replace("state {", "register lim : bits(8) reset 1 { V [1:0] warl { 0..2 } else 0 role control }\nstate {")
    assert found(proof(f"{CLOSED}\nhost lim.V = A[1:0]", text, "first"), "first")[0] == "refuted"
    assert found(proof(f"{CLOSED}\nhost lim.V = A[0:0] @ 0b0", text, "first"), "first")[0] == "proved"


def test_a_call_that_nothing_can_make() -> None:
    """Where no instruction traps for certain, nothing can stand for a replaced one."""
    text = "\n".join(
        line for line in TOY.splitlines() if not any(f"instr {n} " in line for n in ("sys", "put", "idle", "shut", "ret"))
    )
    text = text.replace("guard m == S or open == 1 else trap privileged", "guard open == 1 else trap call")
    made = proof("run S, U at U\nrewrite leak, hole, odd, get", text)
    assert found(made, "call") == ("refuted", ())
    assert made.found == "refuted"
    assert found(proof(CLOSED), "call")[0] == "proved"


def test_what_takes_too_long_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is neither proved nor refuted; what the monitor has is not asked."""
    monkeypatch.setattr(Smt, "_solved", lambda *_: Answer(Status.UNKNOWN, reason="timeout"))
    made = proof(CLOSED, TOY, "direct", "frame", "reflect", timeout=0.05)
    how = {row.label: row.how for row in made.rows}
    assert (how["put"], how["inc"], how["leak"]) == ("emulated", "direct", "rewritten")  # these show in the terms
    made = proof("run S, U at U", TOY, "direct", timeout=0.05)
    assert {row.label: row.how for row in made.rows}["get"] == "unknown"
    assert (made.found, made.as_expected, made.settled) == ("unknown", Truth.UNKNOWN, False)
    assert "timeout" in made.answers[0].reason


def test_of_some_only() -> None:
    """What is expected of others is not missed."""
    lines = "run S, U at U\nhost open = 0\nexpect refuted { leak: direct, hole: direct + frame, odd: reflect }"
    assert proof(lines).as_expected is Truth.YES
    assert proof(lines, TOY, "frame").as_expected is Truth.YES
    assert proof(lines, instructions=("odd",)).as_expected is Truth.YES
    assert proof(lines.replace("odd: reflect", "odd: direct")).difference == "odd: reflect, not direct"
    assert proof(lines.replace(", odd: reflect", "")).difference == "unexpected: odd"
    assert proof(lines.replace("hole: direct + frame", "put")).difference == "unexpected: hole; missing: put"


def test_rows_are_kept(tmp_path: Path) -> None:
    """An edit of what is expected, or of what else is replaced, decides nothing anew."""
    cache = Cache(tmp_path / "answers.sqlite")
    made = prove(machine("run S, U at U\nhost open = 0"), "x", Asked(), None, cache)
    assert (made.cached, len(made.rows)) == (0, 10)
    again = prove(machine("run S, U at U\nhost open = 0\nrewrite leak, odd\nslice 7\nexpect refuted"), "x", Asked(), None, cache)
    assert again.cached == 8
    other = prove(machine("run S, U at U\nhost open = 1"), "x", Asked(), None, cache)
    assert other.cached == 0


@pytest.mark.parametrize("file", sorted(str(path.relative_to(SPEC)) for path in SPEC.rglob("*.vmm")))
def test_shipped_monitors(file: str, tmp_path: Path) -> None:
    """Each comes out as its author says; those that differ in what they replace have rows in common."""
    path, cache = str(SPEC / file), Cache(tmp_path / "answers.sqlite")
    for config in configs_of(path):
        made = load_machine(path, config)
        for name in made.monitors:
            result = prove(made, name, Asked(), None, cache)
            assert result.as_expected is Truth.YES, (name, result.found, result.difference)
