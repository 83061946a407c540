"""The table of trap-and-emulate is derived, and is that of the lecture on the virtual 360."""

from __future__ import annotations

import json

import pytest
from command import popek

from machines import SPEC, machine
from popek_checker.explanation.virtual import Case, Fate, Kind, virtual_table
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.check import check, main_claim
from popek_checker.virtualizability.options import Options
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts


def table(made: Machine) -> dict[tuple[Kind, str], Case]:
    options = Options()
    report = check(made, options)
    _, invariant = main_claim(made, options, list(made.theorems.values()))
    return {(case.kind, case.mode): case for case in virtual_table(made, report.claim, invariant, report.rows, Smt())}


@pytest.fixture(scope="module")
def virtual360() -> dict[tuple[Kind, str], Case]:
    return table(machine("s370/s370.isa", "base"))


USER, SUPERVISOR = "problem", "supervisor"


@pytest.mark.parametrize(
    ("kind", "mode", "fate"),
    [
        (Kind.PLAIN, USER, Fate.EXECUTES),
        (Kind.PLAIN, SUPERVISOR, Fate.EXECUTES),
        (Kind.ERRANT, USER, Fate.REFLECTED),
        (Kind.ERRANT, SUPERVISOR, Fate.REFLECTED),
        (Kind.SENSITIVE, SUPERVISOR, Fate.EMULATED),
    ],
)
def test_the_virtual_360(virtual360: dict[tuple[Kind, str], Case], kind: Kind, mode: str, fate: Fate) -> None:
    """Each cell has one fate, that of the lecture."""
    assert set(virtual360[kind, mode].fates) == {fate}
    assert not virtual360[kind, mode].open


def test_a_users_sensitive_instructions_trap_in_the_guest(virtual360: dict[tuple[Kind, str], Case]) -> None:
    """All but MC, which the bare user may execute: it traps to the monitor only because H has all of its masks on."""
    fates = dict(virtual360[Kind.SENSITIVE, USER].fates)
    assert {"LPSW", "SSM", "SSK", "LCTL"} <= set(fates.pop(Fate.REFLECTED))
    assert fates == {Fate.EMULATED: ("MC",)}


def test_a_hole_executes_wrongly() -> None:
    """The table can come out otherwise: an instruction that shows the mode is not as on the bare machine in mode S."""
    text = "\n".join(
        (
            "isa t { encoding little parcel 8 }",
            "modes { U = 0 < S = 1 }",
            "state { pc : bits(8)\n a : bits(1)\n m : mode role mode reset S\n ram : mem(8 -> 8) }",
            "causes { no = 0 }",
            "instr show { enc 00000001\n do { a = bits(m) } }",
            "instr stop { enc 00000010\n guard m == S else trap no }",
        )
    )
    found = table(elaborate(load_texts({"t.isa": text})))
    assert set(found[Kind.SENSITIVE, "S"].fates) == {Fate.EXECUTES, Fate.WRONG, Fate.EMULATED}
    assert found[Kind.SENSITIVE, "S"].fates[Fate.WRONG] == ("show",)
    assert found[Kind.SENSITIVE, "U"].fates == {Fate.EXECUTES: ("show",), Fate.REFLECTED: ("stop",)}
    assert found[Kind.ERRANT, "S"].fates == {}


def test_the_command_prints_it() -> None:
    ran = popek("explain", str(SPEC / "stack" / "stack.isa"), "--virtual", "--jobs", "1")
    assert ran.returncode == 0
    assert "does not occur" in ran.stdout
    document = json.loads(popek("explain", str(SPEC / "pg1974.isa"), "--virtual", "--format", "json", "--jobs", "1").stdout)
    assert document["schema"] == "popek/virtual/1"
    assert len(document["cells"]) == 6
