"""What reads the same with all that it stands on means the same: whatever clause of a machine is edited."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice

import pytest

from machines import machine
from popek_checker.difference import clauses
from popek_checker.difference.compare import Pair, between, instructions
from popek_checker.difference.deciding import decide
from popek_checker.difference.delta import Status
from popek_checker.difference.through import Reading
from popek_checker.mutation.edits import Edit, edits
from popek_checker.mutation.freshness import sampled
from popek_checker.solver.smt import Smt
from popek_grammar.machine import Machine

MACHINES = ("pg1974.isa", "stack/stack.isa", "abi/abi.isa", "mips/mips.isa", "s370/s370.isa", "x86/ia32.isa", "riscv/riscv.isa",
            "../tests/corpus/mapped_state.isa")  # fmt: skip
FEW = 8
"""Things that are tried under an edit."""


def mistaken(made: Machine, edit: Edit, chance: random.Random) -> list[str]:
    """Of some things that are said to read the same in the machine and its edit: those that differ all the same."""
    pair = Pair(made, edit.made(made))
    reading, smt = Reading.of(pair), Smt(1.0)
    units = [unit for unit in (*between(pair), *instructions(pair)) if not pair.obstacle(unit)]
    chance.shuffle(units)
    found = []
    for unit in islice((u for u in units if not reading.reads_apart(u) and not reading.differing(u)), FEW):
        try:
            row = decide(smt, pair, unit)
        except Exception:  # an edit may make nonsense, on which anything may be raised
            continue
        found += [] if row.status in (Status.SAME, Status.UNKNOWN) else [row.label]
    return found


@pytest.mark.parametrize("file", MACHINES)
def test_equal_text_is_equal_meaning(file: str) -> None:
    made, chance = machine(file), random.Random(file)
    tried = list(sampled(made, 17, 1))
    chance.shuffle(tried)
    for edit in tried[:12]:
        assert not mistaken(made, edit, chance), (edit.where, edit.old, edit.new)


def test_what_is_not_followed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trials are no idle ones: if calls were not followed, they would say so."""
    made, chance = machine("mips/mips.isa"), random.Random(1)
    inside = [edit for edit in edits(made) if edit.path[0] == "functions"]
    named = clauses.named

    def forgetful(text: object, operand: str = "") -> clauses.Named:
        found = named(text, operand)
        return replace(found, clauses=frozenset(key for key in found.clauses if key[0] != "function"))

    monkeypatch.setattr(clauses, "named", forgetful)
    assert any(mistaken(made, edit, chance) for edit in inside)
