"""Every witness of a violation replays: the oracle, put in each of its states, does what the witness says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from machines import machine, representatives
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.program import chosen
from popek_checker.virtualizability.verdict import Claim, Row, Witness
from popek_grammar.assembly.decode import Decoded, encode
from popek_grammar.machine import Machine, Theorem
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.views import MEMORY_FAULT, PerMode, View
from popek_vmm.oracle import Oracle

HOLES = ("theorem1", "sensitive_implies_privileged", "theorem3", "user_sensitive_implies_privileged", "exact")
"""What a theorem shows when the instructions on which it fails are holes."""
MOST = 3
"""So many of the instructions that a theorem names are replayed, spread over its list."""


@pytest.mark.parametrize(("file", "config"), representatives())
def test_witnesses_replay(file: str, config: str) -> None:
    """Under the H of each theorem that is to fail, the holes that it names have witnesses, and they are as they say."""
    made = machine(file, config)
    failing = [th for th in made.theorems.values() if stands(th, config)]
    if not failing:
        pytest.skip(f"no theorem of {made.name} ({config}) is to fail")
    for theorem in failing:
        names = list(dict.fromkeys(name.partition("(")[0] for name in theorem.expect.names))
        names = names[:: -(-len(names) // MOST)]
        report = check(replace(made, theorems={theorem.name: theorem}), Options(instructions=tuple(names)))
        shown = {row.name: row for row in report.rows if row.witness is not None}
        assert set(shown) == set(names)
        for row in shown.values():
            assert row.witness is not None
            for state in range(len(row.witness.labels)):
                replay(made, row, row.witness, report.claim, state)
            assert row.witness.program or not made.program


def stands(theorem: Theorem, config: str) -> bool:
    """Whether a theorem of this configuration names holes, in the reading in which traps end an execution."""
    here = not theorem.configs or config in theorem.configs
    return here and theorem.show in HOLES and bool(theorem.expect.names) and theorem.reading == "amended"


def replay(made: Machine, row: Row, witness: Witness, claim: Claim, state: int) -> None:
    tables = {name: dict(points) for name, points in witness.tables}
    models = {"view": View(tables), "per_mode": PerMode(tables), "translated": Translated()}
    oracle = Oracle(made, memory=models[claim.memory])
    oracle.scalars = dict.fromkeys(made.scalars, 0)
    for cell in witness.cells:
        name, _, index = cell.name.rstrip("]").partition("[")
        if index:
            oracle.arrays[name][int(index)] = cell.before[state]
        else:
            oracle.scalars[name] = cell.before[state]
    instruction = made.instructions[row.name]
    encoding, operands = chosen(instruction, witness)
    word, _ = encode(made, encoding, operands)
    every = {operand.name: operands.get(operand.name, 0) for operand in instruction.operands}
    done = oracle.execute_only(Decoded(instruction, encoding, word, every, {}))
    assert (done.trap or "completes") == witness.results[state], row.label
    if done.trap is None or done.trap == MEMORY_FAULT:
        for cell in witness.cells:
            name, _, index = cell.name.rstrip("]").partition("[")
            if index:
                found = done.arrays.get(name, {}).get(int(index), cell.before[state])
            else:
                found = done.scalars.get(name, cell.before[state])
            assert found == cell.after[state], f"{row.label}: {cell.name}"
