"""Every witness of a violation replays: the oracle, put in each of its states, does what the witness says."""

from __future__ import annotations

import pytest

from machines import machine, variants
from popek_checker.check import Options, check
from popek_checker.program import chosen
from popek_checker.verdict import Claim, Row, Witness
from popek_grammar.decode import Decoded, encode
from popek_grammar.machine import Machine
from popek_grammar.meaning.memory import MEMORY_FAULT, PerMode, Translated, View
from popek_vmm import Oracle


@pytest.mark.parametrize(("file", "config"), [pair for pair in variants() if pair[1] != "rv32"])
def test_witnesses_replay(file: str, config: str) -> None:
    made = machine(file, config)
    wanted = ("popf", "pushf", "lar", "sgdt", "sm", "str", "push_s", "mov_f")
    names = [name for name in made.instructions if name.startswith(wanted)]
    options = Options(instructions=tuple(names)) if made.modes.members[-1][0] != "S" else Options()
    if file.startswith("mips"):
        # Under their H the machines hold; with CU0 left open, CP0 is a hole, and the moved one has its links.
        report = check(made_open(made), Options())
    elif config == "rv64":
        # Under its H nothing is a hole; with the counters left open, their reads and wfi are.
        options = Options(instructions=("wfi", "csrrs"))
        report = check(made_open(made), options)
    else:
        report = check(made, options)
    shown = [row for row in report.rows if row.witness is not None]
    assert len(shown) >= 3
    for row in shown:
        assert row.witness is not None
        for state in range(len(row.witness.labels)):
            replay(made, row, row.witness, report.claim, state)
        assert row.witness.program or not made.program


def made_open(made: Machine) -> Machine:
    """The machine with only the theorem that assumes nothing, where it has one."""
    from dataclasses import replace

    bare = {name: th for name, th in made.theorems.items() if name.startswith("open_host")}
    return replace(made, theorems=bare) if bare else made


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
